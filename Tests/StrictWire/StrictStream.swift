/// A strict reader of what one BGP speaker sends on one connection: every byte, message by message, in order.
///
/// It shares no code with the speaker under test. Where an RFC leaves a receiver tolerant, this reader is not: it asks
/// what a sender MUST do. `feed` takes what the speaker sent, `peerSent` what the other end sent, of which only the
/// OPEN is read, for what the two agreed on.
package struct StrictStream {
    /// What was wrong, in order, each with the RFC and section.
    package private(set) var violations: [String] = []
    /// Whole messages that were read, by type code.
    package private(set) var counts: [UInt8: Int] = [:]

    private var pending: [UInt8] = []
    private var peerPending: [UInt8] = []
    private var own: OpenFacts?
    private var peer: OpenFacts?
    private var hasEnded = false
    private var hasConfirmed = false

    package init() {}

    package var messageCount: Int { counts.values.reduce(0, +) }

    /// What the speaker sent, in any portions.
    package mutating func feed(_ bytes: some Collection<UInt8>) {
        if hasEnded {
            if !bytes.isEmpty, violations.isEmpty { report("\(bytes.count) bytes after a NOTIFICATION (RFC 4271 6)") }
            return
        }
        pending += bytes
        var start = 0
        while pending.count - start >= 19, violations.isEmpty {
            for byte in pending[start..<(start + 16)] where byte != 0xFF {
                return report("marker is not all ones: \(hex(pending[start..<(start + 19)])) (RFC 4271 4.1)")
            }
            let length = Int(pending[start + 16]) << 8 | Int(pending[start + 17])
            guard checkLength(length, pending[start + 18]) else { return }
            guard pending.count - start >= length else { break }
            take(Array(pending[start..<(start + length)]))
            start += length
            if hasEnded, start < pending.count {
                report("\(pending.count - start) bytes after a NOTIFICATION (RFC 4271 6)")
            }
        }
        pending.removeFirst(start)
    }

    /// The connection is over: half a message is a violation, unless `isCut` says that the process was killed or the
    /// test ended.
    package mutating func end(isCut: Bool) {
        if !isCut, !pending.isEmpty, violations.isEmpty {
            report("the stream ends inside a message: \(hex(pending[...]))")
        }
    }

    /// What the other end sent. Whatever is wrong in it is the other end's affair.
    package mutating func peerSent(_ bytes: some Collection<UInt8>) {
        guard peer == nil else { return }
        peerPending += bytes
        guard peerPending.count >= 19 else { return }
        let length = Int(peerPending[16]) << 8 | Int(peerPending[17])
        guard peerPending.count >= length else { return }
        if peerPending[18] == 1, length >= 29 { peer = OpenFacts(Array(peerPending[..<length])) }
        peerPending = []
    }

    mutating func report(_ text: String) { violations.append(text) }

    // MARK: Header

    private mutating func checkLength(_ length: Int, _ type: UInt8) -> Bool {
        let minimum: Int
        switch type {
        case 1: minimum = 29
        case 2: minimum = 23
        case 3: minimum = 21
        case 4: minimum = 19
        case 5: minimum = 23
        default:
            report("message of type \(type) (RFC 4271 4.1)")
            return false
        }
        // RFC 8654 4: longer ones only towards a peer that announced it, and never an OPEN or a KEEPALIVE.
        let maximum = type != 1 && type != 4 && (peer?.takesExtendedMessages ?? false) ? 65535 : 4096
        let isExact = type == 4 || type == 5
        guard length >= minimum, length <= maximum, !isExact || length == minimum else {
            report(
                "type \(type) of \(length) bytes, allowed are \(minimum) to \(isExact ? minimum : maximum) (RFC "
                    + "4271 4, RFC 8654 4)"
            )
            return false
        }
        return true
    }

    // MARK: Messages

    private mutating func take(_ message: [UInt8]) {
        let type = message[18]
        let isFirst = messageCount == 0
        counts[type, default: 0] += 1
        if isFirst, type != 1, type != 3 { return report("type \(type) before the OPEN (RFC 4271 8.2.2)") }
        if !isFirst, type == 1 { return report("a second OPEN (RFC 4271 8.2.2)") }
        switch type {
        case 1: takeOpen(message)
        case 2: takeUpdate(message)
        case 3: takeNotification(message)
        case 4:
            if peer == nil { report("KEEPALIVE before the peer's OPEN (RFC 4271 8.2.2)") }
            hasConfirmed = true
        default: takeRouteRefresh(message)
        }
    }

    private mutating func takeOpen(_ message: [UInt8]) {
        guard message[19] == 4 else { return report("OPEN of version \(message[19]) (RFC 4271 4.2)") }
        guard let facts = OpenFacts(message) else {
            return report("OPEN whose parameters do not add up: \(hex(message[...])) (RFC 4271 4.2, RFC 5492 4)")
        }
        if message[20] == 0, message[21] == 0 { report("OPEN of AS 0 (RFC 7607 2)") }
        let hold = Int(message[22]) << 8 | Int(message[23])
        if hold == 1 || hold == 2 { report("OPEN with a hold time of \(hold) s (RFC 4271 4.2)") }
        if message[24..<28].allSatisfy({ $0 == 0 }) { report("OPEN with the identifier 0.0.0.0 (RFC 6286 2.1)") }
        own = facts
    }

    private mutating func takeUpdate(_ message: [UInt8]) {
        guard let own, let peer, hasConfirmed else {
            return report("UPDATE before the session was up (RFC 4271 8.2.2)")
        }
        let session = StrictUpdate.Session(own, peer)
        if let violation = StrictUpdate.violation(in: message, session) {
            report("\(violation): \(hex(message.prefix(400)))")
        }
    }

    private mutating func takeNotification(_ message: [UInt8]) {
        hasEnded = true
        let subcodes: ClosedRange<UInt8>
        switch message[19] {
        case 1: subcodes = 1...3
        case 2: subcodes = 0...11
        case 3: subcodes = 1...11
        case 4: subcodes = 0...0
        case 5: subcodes = 0...3
        case 6: subcodes = 1...10
        case 7: subcodes = 1...1
        case 8: subcodes = 0...0
        default: return report("NOTIFICATION of code \(message[19]) (RFC 4271 4.5)")
        }
        if !subcodes.contains(message[20]) { report("NOTIFICATION \(message[19]),\(message[20]) (RFC 4271 4.5)") }
        if message[19] == 6, message[20] == 2 || message[20] == 4, message.count > 21 {
            // RFC 9003 2: a length and so many bytes of UTF-8.
            let text = message[22...]
            if Int(message[21]) != text.count || String(validating: text, as: UTF8.self) == nil {
                report("shutdown communication that does not add up: \(hex(message[19...])) (RFC 9003 2)")
            }
        }
    }

    private mutating func takeRouteRefresh(_ message: [UInt8]) {
        guard let own, let peer, hasConfirmed else {
            return report("ROUTE-REFRESH before the session was up (RFC 2918 4)")
        }
        let family = FamilyCode(afi: UInt16(message[19]) << 8 | UInt16(message[20]), safi: message[22])
        if !own.families.contains(family) || !peer.families.contains(family) {
            report("ROUTE-REFRESH of a family that was not agreed on (RFC 2918 4)")
        }
        if !peer.takesRouteRefresh { report("ROUTE-REFRESH towards a peer without the capability (RFC 2918 3)") }
        if message[21] > 2 || (message[21] > 0 && !peer.takesEnhancedRefresh) {
            report("ROUTE-REFRESH of subtype \(message[21]) (RFC 7313 4)")
        }
    }
}

/// AFI and SAFI.
package struct FamilyCode: Hashable, Sendable {
    package var afi: UInt16
    package var safi: UInt8
    package static let ipv4 = FamilyCode(afi: 1, safi: 1)
    package static let ipv6 = FamilyCode(afi: 2, safi: 1)
}

/// What an OPEN says, as far as the UPDATEs that follow depend on it.
struct OpenFacts {
    var asNumber: UInt32
    var isFourOctetAS = false
    var takesExtendedMessages = false
    var takesRouteRefresh = false
    var takesEnhancedRefresh = false
    var takesExtendedNextHop = false
    var families: Set<FamilyCode> = []
    /// By family: 1 receives, 2 sends, 3 both (RFC 7911 4).
    var addPath: [FamilyCode: UInt8] = [:]

    /// Nil where lengths do not add up.
    init?(_ message: [UInt8]) {
        guard message.count >= 29 else { return nil }
        asNumber = UInt32(message[20]) << 8 | UInt32(message[21])
        var parameters = message[29...]
        var hasLongLengths = false
        var total = Int(message[28])
        // RFC 9072 2
        if total != 0, parameters.first == 255, parameters.count >= 3 {
            hasLongLengths = true
            total = Int(parameters[30]) << 8 | Int(parameters[31])
            parameters = parameters.dropFirst(3)
        }
        guard parameters.count == total else { return nil }
        var hasMultiprotocol = false
        while !parameters.isEmpty {
            guard let type = parameters.popFirst(), let length = OpenFacts.length(&parameters, isLong: hasLongLengths),
                length <= parameters.count
            else { return nil }
            var value = parameters.prefix(length)
            parameters = parameters.dropFirst(length)
            guard type == 2 else { continue }
            while !value.isEmpty {
                guard let code = value.popFirst(), let size = value.popFirst(), Int(size) <= value.count else {
                    return nil
                }
                let data = Array(value.prefix(Int(size)))
                value = value.dropFirst(Int(size))
                if code == 1 { hasMultiprotocol = true }
                guard take(code, data) else { return nil }
            }
        }
        // RFC 4760 8: without the capability it is IPv4 unicast.
        if !hasMultiprotocol { families = [.ipv4] }
    }

    private static func length(_ bytes: inout ArraySlice<UInt8>, isLong: Bool) -> Int? {
        guard let first = bytes.popFirst() else { return nil }
        guard isLong else { return Int(first) }
        return bytes.popFirst().map { Int(first) << 8 | Int($0) }
    }

    private mutating func take(_ code: UInt8, _ data: [UInt8]) -> Bool {
        switch code {
        case 1:
            guard data.count == 4 else { return false }
            families.insert(FamilyCode(afi: UInt16(data[0]) << 8 | UInt16(data[1]), safi: data[3]))
        case 2: takesRouteRefresh = true
        case 5: takesExtendedNextHop = true
        case 6: takesExtendedMessages = true
        case 65:
            guard data.count == 4 else { return false }
            isFourOctetAS = true
            asNumber = data.reduce(0) { $0 << 8 | UInt32($1) }
        case 69:
            guard data.count % 4 == 0 else { return false }
            for start in stride(from: 0, to: data.count, by: 4) {
                addPath[FamilyCode(afi: UInt16(data[start]) << 8 | UInt16(data[start + 1]), safi: data[start + 2])] =
                    data[start + 3]
            }
        case 70: takesEnhancedRefresh = true
        default: break
        }
        return true
    }
}

func hex(_ bytes: ArraySlice<UInt8>) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}

import NetTypes
package import Rehearsal

/// Sessions of BIRD, from `show protocols all`. BIRD 1.6 prints no local AS, and has one table, whose family is that of
/// its addresses.
extension PlayedSession {
    /// The BGP sessions among the protocols. Other protocols are passed over.
    package static func parse(_ reply: BIRDReply) throws(BIRDError) -> [PlayedSession] {
        var sessions: [PlayedSession] = []
        var current: PlayedSession?
        var isInCapabilities = false
        func finish() {
            if var session = current {
                if session.families.isEmpty, let address = session.address {
                    session.families = AddressFamilySet(address.family)
                }
                sessions.append(session)
            }
            current = nil
        }
        for line in reply.lines {
            if line.code == 1002 {
                finish()
                let words = line.text.split(separator: " ")
                guard words.count >= 4 else { throw .notUnderstood(line: line.text) }
                if words[1] == "BGP" { current = PlayedSession(name: String(words[0])) }
                continue
            }
            guard line.code == 1006, current != nil else { continue }
            let text = line.text.trimmed
            // The lists of capabilities are indented more, and have keys of their own.
            let indentation = line.text.prefix { $0 == " " }.count
            if text.hasSuffix("capabilities") { isInCapabilities = true }
            guard let colon = text.firstIndex(of: ":") else {
                if text.hasPrefix("Channel ") {
                    isInCapabilities = false
                    switch text.dropFirst("Channel ".count) {
                    case "ipv4": current?.families.insert(AddressFamilySet.ipv4)
                    case "ipv6": current?.families.insert(AddressFamilySet.ipv6)
                    default: break
                    }
                }
                continue
            }
            if isInCapabilities, indentation > 4 { continue }
            isInCapabilities = false
            try current?.take(String(text[..<colon]), String(text[text.index(after: colon)...]).trimmed)
        }
        finish()
        return sessions
    }

    private mutating func take(_ key: String, _ value: String) throws(BIRDError) {
        func number() throws(BIRDError) -> ASNumber {
            guard let number = UInt32(value) else { throw .notUnderstood(line: "\(key): \(value)") }
            return ASNumber(number)
        }
        func parsed<Value>(_ result: Value?) throws(BIRDError) -> Value {
            guard let result else { throw .notUnderstood(line: "\(key): \(value)") }
            return result
        }
        switch key {
        case "BGP state": isEstablished = value == "Established"
        case "Neighbor address":
            let parts = value.split(separator: "%", maxSplits: 1)
            address = try parsed(parts.first.flatMap { IPAddress(String($0)) })
            if parts.count == 2 { interface = String(parts[1]) }
        case "Neighbor AS": neighborAS = try number()
        case "Local AS": localAS = try number()
        case "Neighbor ID": neighborID = try parsed(BGPIdentifier(dottedQuad: value))
        case "Source address": source = IPAddress(value)
        default: break
        }
    }
}

extension StringProtocol {
    /// Without blanks and tabs at both ends.
    var trimmed: String {
        var text = self[...]
        while let first = text.first, first == " " || first == "\t" { text = text.dropFirst() }
        while let last = text.last, last == " " || last == "\t" || last == "\r" { text = text.dropLast() }
        return String(text)
    }
}

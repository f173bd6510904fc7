import NetTypes

/// State of a BFD session (RFC 5880 section 4.1).
package enum BFDState: UInt8, Sendable, Hashable, CaseIterable {
    case adminDown = 0
    case down = 1
    case initializing = 2
    case up = 3

    package var name: String {
        switch self {
        case .adminDown: "AdminDown"
        case .down: "Down"
        case .initializing: "Init"
        case .up: "Up"
        }
    }
}

/// Why a session last left Up (RFC 5880 section 4.1). Unknown codes survive.
package struct BFDDiagnostic: RawRepresentable, Sendable, Hashable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }
    package static let none = BFDDiagnostic(rawValue: 0)
    package static let detectionTimeExpired = BFDDiagnostic(rawValue: 1)
    package static let neighborSignaledDown = BFDDiagnostic(rawValue: 3)
    package static let administrativelyDown = BFDDiagnostic(rawValue: 7)

    package var text: String {
        switch self {
        case .none: "none"
        case .detectionTimeExpired: "control detection time expired"
        case .neighborSignaledDown: "neighbor signalled session down"
        case .administrativelyDown: "administratively down"
        default: "diagnostic \(rawValue)"
        }
    }
}

/// A BFD control packet without authentication (RFC 5880 section 4.1).
///
/// ```
/// | version 3, diagnostic 5 | state 2, P F C A D M | detect mult 1 | length 1 |
/// | my discriminator 4 | your discriminator 4 |
/// | desired min TX 4 | required min RX 4 | required min echo RX 4 |        all in microseconds
/// ```
package struct BFDPacket: Sendable, Hashable {
    package var diagnostic = BFDDiagnostic.none
    package var state = BFDState.down
    /// P: the sender wants an answer; F: this is the answer.
    package var isPoll = false
    package var isFinal = false
    /// C: the sender's BFD does not share fate with its control plane.
    package var isControlPlaneIndependent = false
    package var isDemand = false
    package var detectMultiplier: UInt8 = 3
    package var myDiscriminator: UInt32 = 0
    /// 0 while the other end's is not known.
    package var yourDiscriminator: UInt32 = 0
    package var desiredMinTX: UInt32 = 0
    package var requiredMinRX: UInt32 = 0
    package var requiredMinEchoRX: UInt32 = 0

    package static let length = 24

    package init() {}

    /// Nil for what RFC 5880 6.8.6 discards before it looks for the session: a wrong version, length, multiplier or
    /// discriminator, the multipoint bit, and authentication, which no session of ours has.
    package init?(_ bytes: RawSpan) {
        var reader = ByteReader(bytes)
        guard let first = reader.u8(), let flags = reader.u8(), let multiplier = reader.u8(), let length = reader.u8(),
            first >> 5 == 1,
            Int(length) >= BFDPacket.length, Int(length) <= bytes.byteCount, let mine = reader.u32(),
            let yours = reader.u32(),
            let desired = reader.u32(), let required = reader.u32(), let echo = reader.u32()
        else { return nil }
        guard multiplier != 0, mine != 0, flags & 0x05 == 0 else { return nil }
        diagnostic = BFDDiagnostic(rawValue: first & 0x1F)
        state = BFDState(rawValue: flags >> 6) ?? .down
        isPoll = flags & 0x20 != 0
        isFinal = flags & 0x10 != 0
        isControlPlaneIndependent = flags & 0x08 != 0
        isDemand = flags & 0x02 != 0
        detectMultiplier = multiplier
        myDiscriminator = mine
        yourDiscriminator = yours
        desiredMinTX = desired
        requiredMinRX = required
        requiredMinEchoRX = echo
        // Without our discriminator the sender cannot be beyond Down.
        if yours == 0, state != .down, state != .adminDown { return nil }
    }

    package func encoded() -> [UInt8] {
        var writer = ByteWriter(capacity: BFDPacket.length)
        writer.u8(1 << 5 | diagnostic.rawValue & 0x1F)
        writer.u8(
            state.rawValue << 6 | (isPoll ? 0x20 : 0) | (isFinal ? 0x10 : 0) | (isControlPlaneIndependent ? 0x08 : 0)
                | (isDemand ? 0x02 : 0))
        writer.u8(detectMultiplier)
        writer.u8(UInt8(BFDPacket.length))
        writer.u32(myDiscriminator)
        writer.u32(yourDiscriminator)
        writer.u32(desiredMinTX)
        writer.u32(requiredMinRX)
        writer.u32(requiredMinEchoRX)
        return writer.bytes
    }
}

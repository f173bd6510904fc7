package import NetTypes

/// Capability codes (IANA registry; RFC 5492). Unknown codes survive.
package struct CapabilityCode: RawRepresentable, Sendable, Hashable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }
    package static let multiprotocol = CapabilityCode(rawValue: 1)
    package static let routeRefresh = CapabilityCode(rawValue: 2)
    package static let extendedMessage = CapabilityCode(rawValue: 6)
    package static let gracefulRestart = CapabilityCode(rawValue: 64)
    package static let fourOctetAS = CapabilityCode(rawValue: 65)
}

/// The Graceful Restart capability (RFC 4724 section 3, RFC 8538 section 2).
///
/// ```
/// | R 1 bit | N 1 bit | reserved 2 | restart time 12 bits | { AFI 2 | SAFI 1 | F 1 bit, reserved 7 } ... |
/// ```
package struct GracefulRestartCapability: Sendable, Hashable {
    /// R: this speaker has just restarted.
    package var restarting: Bool
    /// N: NOTIFICATIONs and hold timer expiry preserve routes too (RFC 8538).
    package var notification: Bool
    /// Seconds until the session should be up again, 0...4095.
    package var restartTime: UInt16
    /// Families, in order, with F: forwarding state was preserved.
    package var families: [Family]

    package struct Family: Sendable, Hashable {
        package var afiSafi: AFISAFI
        package var forwardingPreserved: Bool
        package init(_ afiSafi: AFISAFI, forwardingPreserved: Bool) {
            self.afiSafi = afiSafi
            self.forwardingPreserved = forwardingPreserved
        }
    }

    package init(restarting: Bool, notification: Bool, restartTime: UInt16, families: [Family]) {
        self.restarting = restarting
        self.notification = notification
        self.restartTime = restartTime
        self.families = families
    }
}

/// One capability of an OPEN (RFC 5492 section 4): code, length, value.
package enum Capability: Sendable, Hashable {
    /// RFC 4760 section 8.
    case multiprotocol(AFISAFI)
    /// RFC 2918 section 2.
    case routeRefresh
    /// RFC 8654 section 3.
    case extendedMessage
    case gracefulRestart(GracefulRestartCapability)
    /// RFC 6793 section 3.
    case fourOctetAS(ASNumber)
    /// Kept as it came, for display. An unknown capability is ignored (RFC 5492 section 3).
    case unknown(CapabilityCode, [UInt8])

    /// A value whose length contradicts its code answers nil: OPEN Message Error, unspecific (RFC 4271 6.2).
    static func decode(_ code: UInt8, _ value: UnsafeRawBufferPointer) -> Capability? {
        var reader = ByteReader(value)
        switch CapabilityCode(rawValue: code) {
        case .multiprotocol:
            guard value.count == 4, let afi = reader.u16(), reader.u8() != nil, let safi = reader.u8() else { return nil }
            return .multiprotocol(AFISAFI(afi: afi, safi: safi))
        case .routeRefresh: return value.count == 0 ? .routeRefresh : nil
        case .extendedMessage: return value.count == 0 ? .extendedMessage : nil
        case .fourOctetAS:
            guard value.count == 4, let number = reader.u32() else { return nil }
            return .fourOctetAS(ASNumber(number))
        case .gracefulRestart:
            guard value.count >= 2, (value.count - 2) % 4 == 0, let head = reader.u16() else { return nil }
            var families: [GracefulRestartCapability.Family] = []
            while let afi = reader.u16(), let safi = reader.u8(), let flags = reader.u8() {
                families.append(.init(AFISAFI(afi: afi, safi: safi), forwardingPreserved: flags & 0x80 != 0))
            }
            return .gracefulRestart(
                GracefulRestartCapability(
                    restarting: head & 0x8000 != 0, notification: head & 0x4000 != 0, restartTime: head & 0x0FFF, families: families))
        default: return .unknown(CapabilityCode(rawValue: code), Array(value))
        }
    }

    func encode(into writer: inout ByteWriter) {
        let start = writer.count
        writer.u8(code.rawValue)
        writer.u8(0)
        switch self {
        case .multiprotocol(let afiSafi):
            writer.u16(afiSafi.afi)
            writer.u8(0)
            writer.u8(afiSafi.safi)
        case .routeRefresh, .extendedMessage: break
        case .fourOctetAS(let number): writer.u32(number.rawValue)
        case .gracefulRestart(let value):
            writer.u16((value.restarting ? 0x8000 : 0) | (value.notification ? 0x4000 : 0) | value.restartTime & 0x0FFF)
            for family in value.families {
                writer.u16(family.afiSafi.afi)
                writer.u8(family.afiSafi.safi)
                writer.u8(family.forwardingPreserved ? 0x80 : 0)
            }
        case .unknown(_, let value): writer.append(Array(value.prefix(255)))
        }
        writer.patchU8(at: start + 1, UInt8(writer.count - start - 2))
    }

    package var code: CapabilityCode {
        switch self {
        case .multiprotocol: .multiprotocol
        case .routeRefresh: .routeRefresh
        case .extendedMessage: .extendedMessage
        case .gracefulRestart: .gracefulRestart
        case .fourOctetAS: .fourOctetAS
        case .unknown(let code, _): code
        }
    }
}

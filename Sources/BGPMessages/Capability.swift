public import NetTypes

/// Capability codes (IANA registry; RFC 5492). Unknown codes survive.
public struct CapabilityCode: RawRepresentable, Sendable, Hashable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    public static let multiprotocol = CapabilityCode(rawValue: 1)
    public static let routeRefresh = CapabilityCode(rawValue: 2)
    public static let extendedNextHop = CapabilityCode(rawValue: 5)
    public static let extendedMessage = CapabilityCode(rawValue: 6)
    public static let role = CapabilityCode(rawValue: 9)
    public static let gracefulRestart = CapabilityCode(rawValue: 64)
    public static let fourOctetAS = CapabilityCode(rawValue: 65)
    public static let addPath = CapabilityCode(rawValue: 69)
    public static let enhancedRouteRefresh = CapabilityCode(rawValue: 70)
    public static let longLivedGracefulRestart = CapabilityCode(rawValue: 71)
}

/// The Graceful Restart capability (RFC 4724 section 3, RFC 8538 section 2).
///
/// ```
/// | R 1 bit | N 1 bit | reserved 2 | restart time 12 bits | { AFI 2 | SAFI 1 | F 1 bit, reserved 7 } ... |
/// ```
public struct GracefulRestartCapability: Sendable, Hashable {
    /// R: this speaker has just restarted.
    public var restarting: Bool
    /// N: NOTIFICATIONs and hold timer expiry preserve routes too (RFC 8538).
    public var notification: Bool
    /// Seconds until the session should be up again, 0...4095.
    public var restartTime: UInt16
    /// Families, in order, with F: forwarding state was preserved.
    public var families: [Family]

    public struct Family: Sendable, Hashable {
        public var afiSafi: AFISAFI
        public var forwardingPreserved: Bool
        public init(_ afiSafi: AFISAFI, forwardingPreserved: Bool) {
            self.afiSafi = afiSafi
            self.forwardingPreserved = forwardingPreserved
        }
    }

    public init(restarting: Bool, notification: Bool, restartTime: UInt16, families: [Family]) {
        self.restarting = restarting
        self.notification = notification
        self.restartTime = restartTime
        self.families = families
    }
}

/// One family of the ADD-PATH capability (RFC 7911 section 4): `| AFI 2 | SAFI 1 | send/receive 1 |`.
public struct AddPathFamily: Sendable, Hashable {
    public var afiSafi: AFISAFI
    /// Bit 0: the sender takes several paths; bit 1: it sends several. 1...3; any other value is ignored with its
    /// family.
    public var sendReceive: UInt8
    public init(_ afiSafi: AFISAFI, receives: Bool, sends: Bool) {
        self.afiSafi = afiSafi
        sendReceive = (receives ? 1 : 0) | (sends ? 2 : 0)
    }
    init(_ afiSafi: AFISAFI, sendReceive: UInt8) {
        self.afiSafi = afiSafi
        self.sendReceive = sendReceive
    }
    public var receives: Bool { sendReceive & 1 != 0 }
    public var sends: Bool { sendReceive & 2 != 0 }
}

/// One family of the Long-Lived Graceful Restart capability (RFC 9494 section 3.1):
/// `| AFI 2 | SAFI 1 | F 1 bit, reserved 7 | long-lived stale time 3 |`.
public struct LongLivedFamily: Sendable, Hashable {
    public var afiSafi: AFISAFI
    public var forwardingPreserved: Bool
    /// Seconds, 0...16,777,215.
    public var staleTime: UInt32
    public init(_ afiSafi: AFISAFI, forwardingPreserved: Bool, staleTime: UInt32) {
        self.afiSafi = afiSafi
        self.forwardingPreserved = forwardingPreserved
        self.staleTime = staleTime
    }
}

/// What a speaker is to the other end of the session (RFC 9234 section 4.1).
public enum BGPRole: UInt8, Sendable, Hashable, CaseIterable {
    case provider = 0
    case rs = 1
    case rsClient = 2
    case customer = 3
    case peer = 4

    /// The only role that may be at the other end (RFC 9234 section 4.2).
    public var counterpart: BGPRole {
        switch self {
        case .provider: .customer
        case .customer: .provider
        case .rs: .rsClient
        case .rsClient: .rs
        case .peer: .peer
        }
    }
    /// As in the resources.
    public var name: String {
        switch self {
        case .provider: "provider"
        case .rs: "rs"
        case .rsClient: "rs-client"
        case .customer: "customer"
        case .peer: "peer"
        }
    }
    public init?(name: String) {
        guard let role = BGPRole.allCases.first(where: { $0.name == name }) else { return nil }
        self = role
    }
}

/// One capability of an OPEN (RFC 5492 section 4): code, length, value.
public enum Capability: Sendable, Hashable {
    /// RFC 4760 section 8.
    case multiprotocol(AFISAFI)
    /// RFC 2918 section 2.
    case routeRefresh
    /// RFC 8654 section 3.
    case extendedMessage
    case gracefulRestart(GracefulRestartCapability)
    /// RFC 6793 section 3.
    case fourOctetAS(ASNumber)
    /// RFC 8950 section 4: families whose next hop may be of IPv6; only unicast IPv4 means something here.
    case extendedNextHop([AFISAFI])
    /// RFC 9234 section 4.1; the raw value, because an unknown role is a mismatch and not a malformed OPEN.
    case role(UInt8)
    case addPath([AddPathFamily])
    /// RFC 7313 section 3.1.
    case enhancedRouteRefresh
    case longLivedGracefulRestart([LongLivedFamily])
    /// Kept as it came, for display. An unknown capability is ignored (RFC 5492 section 3).
    case unknown(CapabilityCode, [UInt8])

    /// A value whose length contradicts its code returns nil: OPEN Message Error, unspecific (RFC 4271 6.2).
    static func decode(_ code: UInt8, _ value: RawSpan) -> Capability? {
        var reader = ByteReader(value)
        switch CapabilityCode(rawValue: code) {
        case .multiprotocol:
            guard value.byteCount == 4, let afi = reader.u16(), reader.u8() != nil, let safi = reader.u8() else {
                return nil
            }
            return .multiprotocol(AFISAFI(afi: afi, safi: safi))
        case .routeRefresh: return value.byteCount == 0 ? .routeRefresh : nil
        case .extendedMessage: return value.byteCount == 0 ? .extendedMessage : nil
        case .fourOctetAS:
            guard value.byteCount == 4, let number = reader.u32() else { return nil }
            return .fourOctetAS(ASNumber(number))
        case .gracefulRestart:
            guard value.byteCount >= 2, (value.byteCount - 2) % 4 == 0, let head = reader.u16() else { return nil }
            var families: [GracefulRestartCapability.Family] = []
            while let afi = reader.u16(), let safi = reader.u8(), let flags = reader.u8() {
                families.append(.init(AFISAFI(afi: afi, safi: safi), forwardingPreserved: flags & 0x80 != 0))
            }
            return .gracefulRestart(
                GracefulRestartCapability(
                    restarting: head & 0x8000 != 0, notification: head & 0x4000 != 0, restartTime: head & 0x0FFF,
                    families: families))
        case .extendedNextHop:
            guard value.byteCount % 6 == 0 else { return nil }
            var families: [AFISAFI] = []
            while let afi = reader.u16(), let safi = reader.u16(), let nextHopAFI = reader.u16() {
                if nextHopAFI == 2, safi <= 255 { families.append(AFISAFI(afi: afi, safi: UInt8(safi))) }
            }
            return .extendedNextHop(families)
        case .role: return value.byteCount == 1 ? .role(value[0]) : nil
        case .addPath:
            guard value.byteCount % 4 == 0 else { return nil }
            var families: [AddPathFamily] = []
            while let afi = reader.u16(), let safi = reader.u8(), let sendReceive = reader.u8() {
                families.append(AddPathFamily(AFISAFI(afi: afi, safi: safi), sendReceive: sendReceive))
            }
            return .addPath(families)
        case .enhancedRouteRefresh: return value.byteCount == 0 ? .enhancedRouteRefresh : nil
        case .longLivedGracefulRestart:
            guard value.byteCount % 7 == 0 else { return nil }
            var families: [LongLivedFamily] = []
            while let afi = reader.u16(), let safi = reader.u8(), let flags = reader.u8(), let high = reader.u8(),
                let low = reader.u16()
            {
                families.append(
                    LongLivedFamily(
                        AFISAFI(afi: afi, safi: safi), forwardingPreserved: flags & 0x80 != 0,
                        staleTime: UInt32(high) << 16 | UInt32(low)))
            }
            return .longLivedGracefulRestart(families)
        default: return .unknown(CapabilityCode(rawValue: code), [UInt8](value))
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
        case .routeRefresh, .extendedMessage, .enhancedRouteRefresh: break
        case .extendedNextHop(let families):
            for family in families {
                writer.u16(family.afi)
                writer.u16(UInt16(family.safi))
                writer.u16(2)
            }
        case .role(let role): writer.u8(role)
        case .addPath(let families):
            for family in families {
                writer.u16(family.afiSafi.afi)
                writer.u8(family.afiSafi.safi)
                writer.u8(family.sendReceive)
            }
        case .longLivedGracefulRestart(let families):
            for family in families {
                writer.u16(family.afiSafi.afi)
                writer.u8(family.afiSafi.safi)
                writer.u8(family.forwardingPreserved ? 0x80 : 0)
                writer.u8(UInt8(truncatingIfNeeded: family.staleTime >> 16))
                writer.u16(UInt16(truncatingIfNeeded: family.staleTime))
            }
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

    public var code: CapabilityCode {
        switch self {
        case .multiprotocol: .multiprotocol
        case .routeRefresh: .routeRefresh
        case .extendedMessage: .extendedMessage
        case .gracefulRestart: .gracefulRestart
        case .fourOctetAS: .fourOctetAS
        case .extendedNextHop: .extendedNextHop
        case .role: .role
        case .addPath: .addPath
        case .enhancedRouteRefresh: .enhancedRouteRefresh
        case .longLivedGracefulRestart: .longLivedGracefulRestart
        case .unknown(let code, _): code
        }
    }
}

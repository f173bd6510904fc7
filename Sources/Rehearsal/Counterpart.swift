import BGPMessages
import NetTypes

/// The other end of a session: it opens as the peer does, sends what that sends, and keeps what it is sent.
final class Counterpart {
    let session: PlayedSession
    private let routes: [PlayedRoute]
    var isConnected = false
    /// What Apus has announced and not withdrawn.
    private(set) var announced: [Prefix: PathAttributes] = [:]
    private var framer = MessageFramer()
    private var output: [UInt8] = []
    /// Families in which path identifiers go with what is sent (RFC 7911).
    private var addPath: AddressFamilySet = []
    private var isInternal = true
    private var hasSentRoutes = false

    init(_ state: PlayedPeers.Session) {
        session = state.session
        routes = state.received
    }

    /// Of the routes that it sends.
    var prefixes: Set<Prefix> { Set(routes.map(\.prefix)) }

    func takeOutput() -> [UInt8] {
        defer { output = [] }
        return output
    }

    func receive(_ bytes: [UInt8]) {
        // What our own speaker sends is well formed; were it not, nothing would be announced, which is a difference.
        try? framer.consume(bytes.rawSpan) { type, message in
            switch type {
            case .open: open(message)
            case .keepalive: sendRoutes()
            case .update: update(message)
            default: break
            }
            return true
        }
    }

    private func open(_ message: RawSpan) {
        guard let theirs = try? OpenMessage(message: message), let asNumber = session.neighborAS else { return }
        isInternal = theirs.asNumber == asNumber
        for case .addPath(let families) in theirs.capabilities {
            for family in families where family.receives {
                if let carried = family.afiSafi.family, session.families.contains(carried) {
                    addPath.insert(AddressFamilySet(carried))
                }
            }
        }
        var capabilities = session.families.families.map { Capability.multiprotocol(AFISAFI($0)) }
        capabilities += [.routeRefresh, .fourOctetAS(asNumber)]
        if !addPath.isEmpty {
            capabilities.append(
                .addPath(addPath.families.map { AddPathFamily(AFISAFI($0), receives: false, sends: true) }))
        }
        // Without a hold time nothing expires while time is simulated (RFC 4271 4.2).
        let open = OpenMessage(
            asNumber: asNumber, holdTime: 0, identifier: session.neighborID ?? BGPIdentifier(rawValue: 0x7F00_0063),
            capabilities: capabilities)
        output += open.encoded() + KeepaliveMessage.encoded
    }

    private func sendRoutes() {
        guard !hasSentRoutes else { return }
        hasSentRoutes = true
        for (index, route) in routes.enumerated() { output += message(route, path: UInt32(index + 1)) }
        for family in session.families.families { output += UpdateMessage.endOfRIB(family) }
    }

    /// An UPDATE with one route.
    private func message(_ route: PlayedRoute, path: UInt32) -> [UInt8] {
        var attributes = route.attributes
        attributes.origin = attributes.origin ?? .incomplete
        attributes.asPath = attributes.asPath ?? ASPath()
        if !isInternal { attributes.localPref = nil }
        var nlri = ByteWriter(capacity: 32)
        if addPath.contains(route.prefix.family) { nlri.u32(path) }
        nlri.append(route.prefix)
        var writer = ByteWriter(capacity: 128)
        writer.beginMessage(.update)
        writer.u16(0)
        if route.prefix.family == .ipv4, attributes.nextHop?.family == .ipv4 {
            let block = attributes.encoded()
            writer.u16(UInt16(block.count))
            writer.append(block)
            writer.append(nlri.bytes)
        } else {
            let hops = [attributes.nextHop, route.linkLocalNextHop].compactMap { $0?.unscoped }
            attributes.nextHop = nil
            let block = attributes.encoded()
            let length = 5 + hops.count * 16 + nlri.bytes.count
            writer.u16(UInt16(4 + length + block.count))
            writer.append(block)
            let afiSafi = AFISAFI(route.prefix.family)
            writer.u8(0x90)
            writer.u8(AttributeType.mpReachNLRI.rawValue)
            writer.u16(UInt16(length))
            writer.u16(afiSafi.afi)
            writer.u8(afiSafi.safi)
            writer.u8(UInt8(hops.count * 16))
            for hop in hops { writer.append(hop) }
            writer.u8(0)
            writer.append(nlri.bytes)
        }
        writer.endMessage(at: 0)
        return writer.bytes
    }

    private func update(_ message: RawSpan) {
        let context = AttributeContext(isInternal: isInternal, isFourOctetAS: true)
        guard let update = try? UpdateMessage(message: message),
            let block = try? AttributeBlock(update.attributes, context)
        else { return }
        let plain =
            block.gathered.isEmpty
            ? UpdateValidation.decode(block.plain, context)
            : UpdateValidation.decode(block.gathered.rawSpan, context)
        visit(update.withdrawn, of: .ipv4) { announced[$0] = nil }
        visit(update.nlri, of: .ipv4) { announced[$0] = plain.attributes }
        if let unreach = block.mpUnreach, let family = unreach.afiSafi.family {
            visit(unreach.nlri, of: family) { announced[$0] = nil }
        }
        if let reach = block.mpReach, let family = reach.afiSafi.family {
            visit(reach.nlri, of: family) { announced[$0] = plain.attributes }
        }
    }

    private func visit(_ field: RawSpan, of family: AddressFamily, _ body: (Prefix) -> Void) {
        var reader = ByteReader(field)
        while !reader.isEmpty, let prefix = NLRI.next(&reader, family) { body(prefix) }
    }
}

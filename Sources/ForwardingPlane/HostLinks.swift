package import FIB
package import NetTypes
import Planning

/// The links of a host whose routes are not known, by the addresses of its interfaces: which addresses are our own (RFC
/// 4271 6.3), and which of them a peer is sent as the next hop (RFC 4271 5.1.3, RFC 2545 3). Read again at each
/// configuration and when a session comes up.
final class HostLinks {
    /// For so long what was read counts as known, unless our end of a session is new.
    private static let lifetime: Duration = .seconds(1)

    private let source: () -> [InterfaceAddress]
    private let clock: () -> Instant
    private var known: [InterfaceAddress] = []
    private var readAt: Instant?
    private var interfaces = InterfaceTable()
    /// The Node's addresses, by family index.
    private var preferred: [IPAddress?] = [nil, nil]
    /// Not yet handed on: to the speaker, and to the peers' ways.
    private var hasNewAddresses = false
    private var hasNewLinks = false

    /// An address whose interface is not known has the index 0.
    init(clock: @escaping () -> Instant, source: @escaping () -> [InterfaceAddress]) {
        self.clock = clock
        self.source = source
    }

    func configure(_ state: NodeState) {
        if preferred != state.ownAddresses {
            preferred = state.ownAddresses
            hasNewLinks = true
        }
        read()
    }

    /// All addresses, where they changed since the last call.
    func takeAddresses() -> Set<IPAddress>? {
        guard hasNewAddresses else { return nil }
        hasNewAddresses = false
        return Set(known.map(\.address))
    }

    func takeChanges() -> LinkChanges {
        var result = LinkChanges()
        if hasNewLinks { result.noteAll() }
        hasNewLinks = false
        return result
    }

    /// Nil where the addresses say nothing of the peer: a route that no address shows may lead to a link all the same.
    func link(to peer: IPAddress, from local: IPAddress?) -> PeerLink? {
        let isNew = local.map { !interfaces.owns($0.unscoped) } ?? false
        if isNew || readAt.map({ clock() - $0 > HostLinks.lifetime }) ?? true { read() }
        let link = interfaces.link(to: peer, local: local, preferred: preferred)
        return link.isOnLink || link.addresses.contains { $0 != nil } ? link : nil
    }

    private func read() {
        readAt = clock()
        let found = source()
        guard found != known else { return }
        known = found
        hasNewAddresses = true
        hasNewLinks = true
        interfaces.removeAll()
        for own in found where own.interface.rawValue != 0 {
            interfaces.set(Interface(index: own.interface, name: "", isUp: true, hasCarrier: true))
            interfaces.add(own)
        }
    }
}

extension NoForwarding {
    package func link(to peer: IPAddress, from local: IPAddress?) -> PeerLink? { links.link(to: peer, from: local) }
    package func takeLinkChanges() -> LinkChanges { links.takeChanges() }
}

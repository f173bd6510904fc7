import BFD
import BGPMessages
import BGPRouting
import BGPSession
import BGPSpeaker
import ForwardingPlane
import LinuxIO
import NetTypes
import Node
import Planning
import Resources
import StatusAPI

/// `apusctl peers` and `apusctl peer`.
extension StatusBuilder {
    /// Peers of a page, and peers that are looked at for it.
    private static let page = PageLimit(rows: 100, places: 8192)

    /// A page of the peers, or of those with an address or name; each page by address. The cursor is the number of a
    /// peer, which stays its own.
    func peers(named wanted: String? = nil, from start: PageCursor) -> ([PeerStatus], Int?) {
        let name = wanted.map { PeerName($0) }
        var chosen: [(index: PeerIndex, address: PeerAddress)] = []
        var looked = 0
        let next = core.speaker.visitPeers(from: start.position) { peer in
            guard looked < StatusBuilder.page.places else { return false }
            looked += 1
            guard name.map({ core.peering.peers.matches(peer.index, $0) }) ?? true else { return true }
            guard chosen.count < StatusBuilder.page.rows else { return false }
            chosen.append((peer.index, peer.address))
            return true
        }
        return (chosen.sorted { $0.address < $1.address }.compactMap { status(of: $0.index) }, next)
    }

    private func status(of index: PeerIndex) -> PeerStatus? {
        guard let snapshot = core.speaker.snapshot(index), let details = core.peering.peers.details(snapshot.index)
        else {
            return nil
        }
        let session = snapshot.session
        let settings = snapshot.settings.session
        func reason(_ event: PeerHistory.Event) -> PeerDownReason {
            PeerDownReason(event, remoteAS: settings.remoteAS, localAS: settings.localAS)
        }
        let errors = details.history.lastErrors(isUp: session != nil)
        func counts(_ values: [Int]) -> [String: Int] {
            var result: [String: Int] = [:]
            for family in AddressFamily.allCases where snapshot.settings.session.families.contains(family) {
                result[family.name.lowercased()] = values[family.index]
            }
            return result
        }
        var status = PeerStatus(
            name: details.planned.name, address: "\(snapshot.settings.address)", port: details.planned.port,
            type: PeerOrigin(details.planned.origin),
            isDynamic: details.isDynamic, remoteAS: (session?.remoteAS ?? snapshot.settings.session.remoteAS)?.rawValue,
            state: PeerState(snapshot.state), since: details.since,
            lastError: errors.error.map(reason),
            isReflectorClient: snapshot.settings.isClient,
            routerID: session.map { "\($0.remoteIdentifier)" }, holdTime: session?.holdTime.inSeconds,
            families: (session?.families ?? []).families.map { $0.name.lowercased() },
            capabilities: session?.remoteOpen.capabilities.map { PeerCapability($0) } ?? [],
            prefixesReceived: counts(snapshot.received), prefixesAnnounced: counts(snapshot.announced),
            staleFamilies: snapshot.staleFamilies.families.map { $0.name.lowercased() },
            messagesReceived: snapshot.counters.messagesReceived,
            updatesReceived: snapshot.counters.updatesReceived, timesEstablished: snapshot.counters.establishedCount,
            treatedAsWithdraw: snapshot.counters.treatedAsWithdraw,
            queuedBytes: core.transport.queuedBytes(snapshot.index),
            localAS: snapshot.settings.session.localAS.rawValue, bfd: details.bfd.map { BFDSessionState($0.state) },
            interface: details.link)
        status.isPassive = snapshot.settings.session.isPassive
        status.lastErrorAt = errors.error?.time
        status.isLastErrorPast = session != nil && errors.error != nil
        status.connectionErrorSince = errors.since.map(reason)
        status.connectionErrorAt = errors.since?.time
        status.ends = details.history.ends.map { PeerEnd(reason: reason($0), at: $0.time) }
        return status
    }
}

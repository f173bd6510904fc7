import BGPSession
import BGPSpeaker
import NetTypes
import StatusAPI

/// `/metrics`: the loop gives values, and their text is made on the server's thread.
extension StatusBuilder {
    func metrics() -> MetricsSnapshot {
        let peers = loop.core.speaker.peerIndices.compactMap { loop.core.speaker.snapshot($0) }.filter {
            loop.core.peering.details($0.index) != nil
        }.map { snapshot in
            MetricsSnapshot.Peer(
                address: snapshot.settings.address, isEstablished: snapshot.state == .established,
                families: snapshot.settings.session.families,
                received: snapshot.received, timesEstablished: snapshot.counters.establishedCount)
        }
        return MetricsSnapshot(
            status: status(), peers: peers, turns: loop.meter.turns, phaseTime: loop.meter.phaseTime,
            phaseLongest: loop.meter.phaseLongest)
    }
}

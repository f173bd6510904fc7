import BGPRouting
import BGPSpeaker
import NetTypes
import Planning
import StatusAPI

/// A reflector's forwarding plane: none. No netlink, no routes, nothing to originate.
final class NoForwarding: ForwardingPlane {
    var descriptors: [Int32] { [] }
    var programsRoutes: Bool { false }
    var tracksNextHops: Bool { false }
    /// RFC 4724 3: a speaker that is not in the forwarding path preserves by doing nothing.
    var preservedFamilies: AddressFamilySet { .all }
    var nextDeadline: Instant? { nil }
    var isStarting: Bool { false }

    var programming: Programming { .all }
    func releaseHeld(_ speaker: borrowing Speaker) -> Int { 0 }
    func trim(now: Instant) -> Bool { true }
    func examine(_ round: inout DoctorRound) { round.walk = nil }
    func configure(_ state: NodeState, _ speaker: inout Speaker, now: Instant) {}
    func take(_ endpoints: [NodeState.NamedEndpoint], now: Instant) {}
    func link(_ name: String) -> (link: LinkNeighbors.Link, address: IPAddress?)? { nil }
    func read(_ speaker: inout Speaker) {}
    func resolve(_ speaker: inout Speaker) {}
    func take(_ changes: [LocRIBChange], _ speaker: inout Speaker, now: Instant) {}
    func reconcile(_ speaker: inout Speaker, now: Instant, breathe: (inout Speaker) -> Void) -> Bool { false }
    func fill(_ status: inout DaemonStatus) {}
    func endpointStatus() -> [EndpointStatus] { [] }
    func fibPage(_ wanted: Prefix?, from start: PageCursor, _ limit: PageLimit) -> Page<FIBStatus> { Page() }
    func fibRow(_ prefix: Prefix) -> FIBStatus? { nil }
}

package import BGPRouting
package import BGPSpeaker
package import FIB
package import NetTypes
package import Planning
package import StatusAPI

/// A reflector's forwarding plane: none. No netlink, no routes, nothing to originate; what the host's addresses say is
/// in `HostLinks`.
package final class NoForwarding: ForwardingPlane {
    let links: HostLinks

    /// `addresses`: those of the host, now; an interface that is not known has the index 0.
    package init(clock: @escaping () -> Instant = { .zero }, addresses: @escaping () -> [InterfaceAddress] = { [] }) {
        links = HostLinks(clock: clock, source: addresses)
    }
    package var descriptors: [Int32] { [] }
    package var programsRoutes: Bool { false }
    package var tracksNextHops: Bool { false }
    /// RFC 4724 3: a speaker that is not in the forwarding path preserves by doing nothing.
    package var preservedFamilies: AddressFamilySet { .all }
    package var nextDeadline: Instant? { nil }
    package var isStarting: Bool { false }

    package var programming: Programming { .all }
    package func releaseHeld(_ speaker: borrowing Speaker) -> Int { 0 }
    package func trim(now: Instant) -> Bool { true }
    package func examine(_ round: inout DoctorRound) { round.walk = nil }
    package func apply(_ change: NodeChange, _ speaker: inout Speaker, now: Instant) {
        if let state = change.state { links.configure(state) }
        resolve(&speaker)
    }
    package func link(_ name: String) -> (link: LinkState, address: IPAddress?)? { nil }
    package func read(_ speaker: inout Speaker) {}
    /// Next hops are not judged here, but for those that are our own.
    package func resolve(_ speaker: inout Speaker) {
        if let addresses = links.takeAddresses() { speaker.setOwnAddresses(addresses, of: .kernel) }
    }
    package func take(_ changes: [LocRIBChange], _ speaker: inout Speaker, now: Instant) {}
    package func reconcile(_ speaker: inout Speaker, now: Instant, breathe: (inout Speaker) -> Void) -> Bool { false }
    package func fill(_ status: inout DaemonStatus) {}
    package func findings() -> [Finding] { [] }
    package func endpointStatus() -> [EndpointStatus] { [] }
    package func fibPage(_ wanted: Prefix?, from start: PageCursor, _ limit: PageLimit) -> Page<FIBStatus> { Page() }
    package func fibRow(_ prefix: Prefix) -> FIBStatus? { nil }
}

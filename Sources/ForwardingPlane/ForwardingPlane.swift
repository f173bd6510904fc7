package import BGPRouting
package import BGPSpeaker
package import FIB
package import NetTypes
package import Planning
package import StatusAPI

/// What stands below the speaker: the kernel's routes for an agent, nothing for a reflector (ARCHITECTURE, hard rule
/// 4).
package protocol ForwardingPlane: AnyObject {
    /// Readable when the kernel has something to say; empty for none.
    var descriptors: [Int32] { get }
    /// Whether there is any way to the kernel's routes.
    var programsRoutes: Bool { get }
    /// Whether next hops are judged here.
    var tracksNextHops: Bool { get }
    /// Families whose forwarding state was there before this process.
    var preservedFamilies: AddressFamilySet { get }

    /// What of the kernel's routes is ours to write.
    var programming: Programming { get }
    /// What changed of this node's desired state. What it adds and removes reaches the speaker through `reconcile`.
    func apply(_ change: NodeChange, _ speaker: inout Speaker, now: Instant)
    /// Lets routes go that were kept when nearly all were withdrawn at once. Returns how many.
    func releaseHeld(_ speaker: borrowing Speaker) -> Int
    /// Gives back the memory of routes that are gone. False, and nothing is done, while anything is under way.
    func trim(now: Instant) -> Bool
    /// What an interface is now, for unnumbered peers: nil where there is none, or no way to know. With our own
    /// link-local address on it.
    func link(_ name: String) -> (link: LinkState, address: IPAddress?)?
    /// How a peer is reached, with our end of its session where there is one; nil where links are not known.
    func link(to peer: IPAddress, from local: IPAddress?) -> PeerLink?
    /// What changed of that since the last call.
    func takeLinkChanges() -> LinkChanges
    /// Every address of the host with its interface, in the kernel's order.
    func namedAddresses() -> [NamedAddress]
    /// The address of ours from which a packet to another one would be sent; nil where that is not known.
    func sourceAddress(towards destination: IPAddress) -> IPAddress?
    /// Counts changes of the host's interfaces and addresses.
    var hostRevision: Int { get }
    /// Phase `read`: the kernel's notifications.
    func read(_ speaker: inout Speaker)
    /// Phase `decide`: resolves next hops that the speaker has just met, and takes over what changed in the Loc-RIB.
    func resolve(_ speaker: inout Speaker)
    func take(_ changes: [LocRIBChange], _ speaker: inout Speaker, now: Instant)
    /// Phase `reconcile`: brings the kernel into step; own routes that it acknowledged are originated, own routes that
    /// were withdrawn are removed. `breathe` is called between pieces of what takes long. True where more is to be done
    /// at once.
    func reconcile(_ speaker: inout Speaker, now: Instant, breathe: (inout Speaker) -> Void) -> Bool
    var nextDeadline: Instant? { get }
    /// True until own routes that were wanted at the start are in the kernel: sessions wait for it, so that End-of-RIB
    /// is no lie.
    var isStarting: Bool { get }

    /// What is wrong with this host's forwarding, beyond our own routes: one slice of the work, until the round's
    /// `walk` is nil.
    func examine(_ round: inout DoctorRound)
    func fill(_ status: inout DaemonStatus)
    /// What is wrong with own routes, pods and tunnels now. Work: one short look at each pod.
    func findings() -> [Finding]
    func endpointStatus() -> [EndpointStatus]
    /// Own routes, or those that overlap a prefix, from a cursor on.
    func fibPage(_ wanted: Prefix?, from start: PageCursor, _ limit: PageLimit) -> Page<FIBStatus>
    /// One prefix; nil where nothing of it is wanted or in the kernel.
    func fibRow(_ prefix: Prefix) -> FIBStatus?
}

/// For a plane that knows no links.
extension ForwardingPlane {
    package func link(to peer: IPAddress, from local: IPAddress?) -> PeerLink? { nil }
    package func takeLinkChanges() -> LinkChanges { LinkChanges() }
    package func namedAddresses() -> [NamedAddress] { [] }
    package func sourceAddress(towards destination: IPAddress) -> IPAddress? { nil }
    package var hostRevision: Int { 0 }
}

/// A link as the kernel shows it now.
package struct LinkState: Sendable, Hashable {
    package var index: UInt32
    /// Up, with a carrier and a link-local address: without one nothing can be sent.
    package var isReady: Bool
    package init(index: UInt32, isReady: Bool) {
        self.index = index
        self.isReady = isReady
    }
}

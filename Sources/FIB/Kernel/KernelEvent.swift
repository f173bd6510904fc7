package import NetTypes

/// What a dump or a notification says of the kernel.
package enum KernelEvent: Sendable {
    indirect case link(Interface)
    case linkRemoved(InterfaceIndex)
    case address(InterfaceAddress)
    case addressRemoved(InterfaceAddress)
    case ownRoute(FIBRoute)
    case ownRouteRemoved(FIBRoute)
    /// `replaces`: it took the place of whatever was there.
    case foreignRoute(ForeignRoute, replaces: Bool)
    case foreignRouteRemoved(ForeignRoute)
    /// A permanent neighbor or forwarding entry, of any interface.
    case entry(TunnelEntry, InterfaceIndex)
    case entryRemoved(TunnelEntry, InterfaceIndex)
    /// A neighbor of any interface is not there, or not permanent.
    case neighborLost(IPAddress, InterfaceIndex)
    /// Notifications were lost, or a next-hop object of ours went and took its routes along without a word: everything
    /// is to be read again.
    case overflow
}

/// A group of next hops that has other members now, and with it every route that names it.
package struct GroupChange: Sendable, Hashable {
    package var before: [FIBNextHop]
    package var after: [FIBNextHop]
    package init(before: [FIBNextHop], after: [FIBNextHop]) {
        self.before = before
        self.after = after
    }
}

/// What came of an order that was handed over.
package enum FIBResult: Sendable {
    /// What failed of a batch.
    case batch([FIBFailure])
    /// Groups that lost dead members.
    case dropped([GroupChange])
}

/// How far the audit's reading of the kernel's routes has come.
package enum AuditProgress: Sendable {
    /// More is to be read.
    case more
    case complete
    /// The table changed in a way that the kernel cannot list consistently, or reading failed: begin again.
    case broken
}

/// A base chain of nf_tables at the forward hook.
package struct ForwardChain: Sendable, Hashable {
    /// `ip`, `ip6` or `inet`.
    package var family: String
    package var table: String
    package var name: String
    /// Policy DROP: what no rule accepts is dropped.
    package var drops: Bool

    package init(family: String, table: String, name: String, drops: Bool) {
        self.family = family
        self.table = table
        self.name = name
        self.drops = drops
    }
}

/// The host refused a request.
package struct HostError: Error, Sendable, Hashable {
    /// errno, positive.
    package let code: Int32
    /// What was tried, as a noun: `netlink dump`.
    package let operation: String
    package init(code: Int32, operation: String) {
        self.code = code
        self.operation = operation
    }
}

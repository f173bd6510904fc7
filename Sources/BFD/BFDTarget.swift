package import NetTypes

/// A neighbor that BFD watches.
package struct BFDTarget: Sendable, Hashable {
    package var configuration: BFDConfiguration
    /// RFC 5883 in place of RFC 5881.
    package var isMultihop: Bool
    /// Our address; nil lets the kernel choose.
    package var source: IPAddress?

    package init(configuration: BFDConfiguration, isMultihop: Bool, source: IPAddress?) {
        self.configuration = configuration
        self.isMultihop = isMultihop
        self.source = source
    }
}

/// What BFD says of a neighbor.
package struct BFDReport: Sendable {
    package var peer: IPAddress
    package var state: BFDState
    /// The path failed just now (RFC 5882 section 3.2).
    package var isFailure: Bool
    package var diagnostic: BFDDiagnostic
    /// C of the neighbor: its BFD lives on when its control plane restarts.
    package var isIndependent: Bool

    package init(peer: IPAddress, state: BFDState, isFailure: Bool, diagnostic: BFDDiagnostic, isIndependent: Bool) {
        self.peer = peer
        self.state = state
        self.isFailure = isFailure
        self.diagnostic = diagnostic
        self.isIndependent = isIndependent
    }
}

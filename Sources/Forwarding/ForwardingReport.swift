/// What forwarding says of what happened, for the log: values, whose wording is the dataplane's.
package enum ForwardingReport: Sendable {
    /// Notifications of the kernel were lost: everything is read again.
    case notificationsLost
    case setUpRefused(SetUp.Owner, [RefusedRequest])
    /// Nearly all routes of the cluster were withdrawn at once and are kept: so many now.
    case massWithdrawal(held: Int)
    case guestArrived(endpoint: String, interface: String)
    /// Pods with routes of an earlier process whose interfaces are up, and no endpoint.
    case podsWithoutEndpoints(Int)
    /// Routes of an earlier process that nobody wants go; so many others wait for their peers.
    case foundRoutesRemoved(Int, waiting: Int)
    /// Routes that a predecessor left and nobody wants go; host routes of so many live pods without endpoints stay.
    case leftBehindRemoved(Int, keptPods: Int)
    /// `isComplete`: every peer has sent its table; else the time was over.
    case restartIsOver(isComplete: Bool)
}

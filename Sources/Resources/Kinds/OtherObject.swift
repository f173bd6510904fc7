/// An object of a kind that Calico has and that says nothing about routes: it is counted, and no problem, so that a
/// whole dump of a cluster can be given as it is.
package struct OtherObject: Sendable, Hashable {
    package var kind: String
    package var name: String
    package var file: String
    package var line: Int

    /// Calico's kinds in `projectcalico.org/v3` and `crd.projectcalico.org/v1` that are none of `Schemas.all`.
    package static let kinds: Set = [
        "CalicoNodeStatus", "ClusterInformation", "DatastoreMigration", "GlobalNetworkPolicy", "GlobalNetworkSet",
        "HostEndpoint", "IPAMBlock", "IPAMConfig", "IPAMConfiguration", "IPAMHandle", "IPReservation",
        "KubeControllersConfiguration", "NetworkPolicy", "NetworkSet", "Profile", "QoSPolicy",
        "StagedGlobalNetworkPolicy", "StagedKubernetesNetworkPolicy", "StagedNetworkPolicy", "Tier",
    ]
}

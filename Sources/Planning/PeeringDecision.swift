package import BGPRouting
package import NetTypes
package import Resources
package import StatusAPI

/// What the resources make of this node's peers, as a value: who they are, with which keys, who is kept down and why.
/// It is made from nothing but what it is given; `Peering` brings speaker, listeners and sockets into step with it.
package struct PeeringDecision: Sendable {
    /// What the process is, and does not change while it runs.
    package struct Context: Sendable {
        /// Name of this node.
        package var node: String
        package var isReflector: Bool
        package var identity: AttributeTable.Identity
        package init(node: String, isReflector: Bool, identity: AttributeTable.Identity) {
            self.node = node
            self.isReflector = isReflector
            self.identity = identity
        }
    }

    /// A peer that is to be, or that would be if it were not held down.
    package struct Peer: Sendable {
        package var planned: PlannedPeer
        package var keys: PeerKeys
        /// Why there is no session with it; nil for no reason.
        package var holdReason: HoldReason?
    }

    /// In order of precedence.
    package var peers: [Peer] = []
    /// What of the resources is not in force: selectors that matched before and match nothing now (their last peers are
    /// kept), and changes that wait for a restart.
    package var alarms: [FindingCause] = []
    /// What is accepted and has no effect as it stands; no fault.
    package var remarks: [FindingCause] = []
    /// Addresses of this node's Node object, inside tunnels too.
    package var ownAddresses: Set<IPAddress> = []
    /// Where connections are accepted: every address of the host, or those of this node (`bindMode`).
    package var listenAddresses: [IPAddress] = []
    package var listenPort: UInt16 = PeerAddress.defaultPort
    package var maximumPaths = 16
    /// What `export: pools` passes on.
    package var exportScope = ExportScope()

    /// The peers, for the next decision.
    package var plan: [PlannedPeer] { peers.map(\.planned) }

    /// Nil where the resources have no Node of this node's name. `last`: the plan of the decision before.
    /// `authenticationFailure`: the errno with which the kernel refuses TCP-AO; nil where it has it.
    package init?(
        _ loaded: LoadedConfiguration, _ context: Context, last: [PlannedPeer], authenticationFailure: Int32?
    ) {
        let resources = loaded.resources
        guard let own = resources.node(context.node) else { return nil }
        maximumPaths = resources.configuration(of: context.node).maximumPaths ?? 16
        (listenAddresses, listenPort) = PeeringDecision.listening(resources, own, node: context.node)
        let services = resources.configuration(of: context.node).services
        exportScope = ExportScope(
            // As Calico's: `disabled` is for IPAM, and pods that are there keep their routes.
            included: resources.pools.map(\.cidr) + services.prefixes + services.addresses,
            excluded: resources.pools.filter(\.disableBGPExport).map(\.cidr))
        let declared = [own.ipv4?.address, own.ipv6?.address, own.ipipTunnelAddress] + own.vxlanTunnelAddresses
        ownAddresses = Set(declared.compactMap { $0 })
        let plan = planWithLast(resources, own, context: context, last: last)
        if let alarm = PeeringDecision.restartAlarm(resources, own, context: context) { alarms.append(alarm) }
        peers = plan.map { planned in
            var reason: HoldReason?
            let keys = PeerKeys(planned, loaded.secrets, authenticationFailure: authenticationFailure, missing: &reason)
            return Peer(
                planned: planned, keys: keys,
                holdReason: PeeringDecision.holdReason(planned, resources: resources, context: context) ?? reason)
        }
    }

    /// The plan, with the last peers of a selector that suddenly matches nothing (docs/promises.md, promise 4).
    private mutating func planWithLast(
        _ resources: ResourceSet, _ own: NodeResource, context: Context, last: [PlannedPeer]
    ) -> [PlannedPeer] {
        var (plan, shadowed) = PeeringPlan.plan(of: context.node, in: resources)
        remarks =
            Remarks.all(resources, node: context.node, plan: plan + last, shadowed: shadowed)
            + Remarks.fields(resources, node: context.node, plan: plan, isReflector: context.isReflector)
        let objects = Dictionary(resources.peers.map { ("BGPPeer/\($0.name)", $0.peer) }) { first, _ in first }
        let names = Set(plan.map(\.name))
        for name in Set(last.map(\.name)) where !names.contains(name) {
            guard let object = objects[name], object.peerSelector != nil else { continue }
            let kept = last.filter { peer in
                peer.name == name && [object, object.reversed].contains(peer.options)
                    && !plan.contains { $0.target == peer.target && $0.port == peer.port }
            }
            guard !kept.isEmpty, object.applies(to: context.node, own.labels) || kept[0].origin != .node else {
                continue
            }
            alarms.append(.selectorMatchesNothing(object: name, kept: kept.count))
            plan += kept
        }
        return plan
    }

    /// Addresses and port that a node listens on.
    package static func listening(_ resources: ResourceSet, _ own: NodeResource, node: String)
        -> (addresses: [IPAddress], port: UInt16)
    {
        let configuration = resources.configuration(of: node)
        var addresses = AddressFamily.allCases.map { IPAddress.any($0) }
        if configuration.bindsToNodeIP ?? false {
            addresses =
                [own.ipv4?.address, own.ipv6?.address].compactMap { $0 }
                + configuration.localWorkloadPeering.compactMap { $0 }
        }
        return (addresses, resources.listenPort(of: node))
    }

    private static func restartAlarm(_ resources: ResourceSet, _ own: NodeResource, context: Context) -> FindingCause? {
        let identity = context.identity
        let identifier = own.routerID ?? identity.identifier
        let clusterID =
            own.routeReflectorClusterID ?? (identity.clusterID == identity.identifier ? identity.clusterID : identifier)
        if resources.asNumber(of: context.node) == identity.localAS, identifier == identity.identifier,
            clusterID == identity.clusterID
        {
            return nil
        }
        return .restartNeeded(node: context.node)
    }

    /// The strongest reason beside a missing key.
    private static func holdReason(_ planned: PlannedPeer, resources: ResourceSet, context: Context) -> HoldReason? {
        if let text = planned.options.shutdown { return .shutdown(text: text) }
        if context.isReflector, case .interface = planned.target {
            return .unnumberedNeedsAgent
        }
        if case .address(let address) = planned.target, planned.remoteAS == nil {
            return .noASNumber(address: "\(address)")
        }
        // Fail closed: a filter that is not there is no filter that lets everything pass.
        if let missing = planned.options.filters.first(where: { resources.filter($0) == nil }) {
            return .noSuchFilter(filter: missing)
        }
        return nil
    }
}

extension PlannedPeer {
    /// Our address on the session with a peer, where it is bound.
    package func sourceAddress(towards peer: IPAddress, _ resources: ResourceSet, node: String) -> IPAddress? {
        switch options.source {
        case .none: nil
        case .address(let address): address
        case .useNodeIP where peer.scope != 0: nil
        case .useNodeIP: resources.node(node)?.address(peer.family)
        }
    }
}

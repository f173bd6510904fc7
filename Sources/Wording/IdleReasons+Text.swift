package import StatusAPI

extension NameList {
    /// `a, b, c and 4 more`.
    package var text: String { first.joined(separator: ", ") + (more > 0 ? " and \(more) more" : "") }
}

extension IdleReason {
    /// Half a sentence, after the names of object and field.
    package var text: String {
        switch self {
        case .otherPeerHas, .takesEveryConnection, .meshIsOff, .noWorkloadPeer, .noAddressForPods, .podsHaveNoPeer,
            .otherGateway, .filterNotUsed:
            peeringText
        case .nameNotUsed, .onlyFieldsOfOneNode, .massWithdrawalIsOff, .communityNotUsed, .noPoolHas, .entryWithoutCIDR,
            .addressNeedsService, .excludedFromServices:
            configurationText
        case .matchesNoNode: "matches no Node"
        case .noSuchNode: "there is no Node of this name"
        case .noListenRange: "there is no listenRange"
        case .peerConnects: "the peer opens the connection"
        case .peerConnectsInAnyCase: "the peer opens the connection in any case"
        case .noKeepalives: "holdTime is 0s: no keepalives"
        case .gracefulRestartNotOn: "gracefulRestart is not on"
        case .gracefulRestartOff: "gracefulRestart is off"
        case .actionNotRestart: "action is not restart"
        case .peerIsNoNode: "the peer is no Node"
        case .exportIsOwn: "export is own: no route of another node leaves"
        case .sessionIsInternal: "the session is internal"
        case .nextHopKept: "the session is internal: next hops are kept in any case"
        case .nextHopIsOurs: "the session is external: the next hop is ours in any case"
        case .notReflected: "the session is external, and reflection is for internal ones"
        case .familyNotCarried(let family): "the session does not carry \(family)"
        case .reflectorWritesNoRoutes: "a reflector writes no routes and does not know links"
        }
    }

    private var peeringText: String {
        switch self {
        case .otherPeerHas(let targets, let owner):
            "not used for \(targets.text): \(owner) has \(targets.count == 1 ? "it" : "them")"
        case .takesEveryConnection(let address, let others):
            "every connection from \(address) is taken for it; \(others.text) must not open any, and is connected to"
        case .meshIsOff: "it is for the mesh, and nodeToNodeMeshEnabled is false"
        case .noWorkloadPeer: "it is for a BGPPeer with localWorkloadSelector, and there is none"
        case .noAddressForPods:
            "it needs an address that pods connect to: localWorkloadPeeringIPV4 or IPV6 of BGPConfiguration/default"
        case .podsHaveNoPeer(let pods, let missing):
            "\(pods.text): no peer, because \(missing) of BGPConfiguration/default is not set"
        case .otherGateway(let owner, let address, let gateway):
            "\(owner) has the way to \(address), by \(gateway)"
        case .filterNotUsed: "not used: spec.filters of no BGPPeer has it"
        default: ""
        }
    }

    private var configurationText: String {
        switch self {
        case .nameNotUsed: "not used: only default and node.NAME are"
        case .onlyFieldsOfOneNode:
            "of one node only listenPort, logSeverityScreen and prefixAdvertisements take effect; other fields are for "
                + "default"
        case .massWithdrawalIsOff: "percent is 0, which is no limit"
        case .communityNotUsed(let name): "no entry of prefixAdvertisements uses \"\(name)\""
        case .noPoolHas(let field): "no IPPool has \(field)"
        case .entryWithoutCIDR: "an entry without cidr announces nothing"
        case .addressNeedsService(let addresses):
            "\(addresses.text): a single address of serviceExternalIPs and serviceLoadBalancerIPs is announced for a "
                + "Service that has it; Services need a store, and a folder is none"
        case .excludedFromServices(let label): "the label \(label) is \"true\": no address of a service is announced"
        default: ""
        }
    }
}

import BFD
import BGPMessages
package import BGPRouting
import BGPSession
import NetTypes
import Node
import Planning
package import StatusAPI

// The core's reasons as those of the status API.

extension DecisionValueStatus {
    init(_ value: DecisionValue) {
        self =
            switch value {
            case .number(let number): .number(value: number)
            case .origin(let raw): .origin(name: Origin(rawValue: raw)?.description ?? "\(raw)")
            case .identifier(let raw): .identifier(address: "\(BGPIdentifier(rawValue: raw))")
            case .peer(let address, let pathID): .peer(address: "\(address)", pathID: pathID)
            case .isPreferred(let isPreferred): .isPreferred(value: isPreferred)
            }
    }
}

extension PathIneligibility {
    package init(_ reason: IneligibleReason) {
        self =
            switch reason {
            case .ownASInPath: .ownASInPath
            case .ownOriginatorID: .ownOriginatorID
            case .ownClusterID: .ownClusterID
            case .defaultRoute: .defaultRoute
            case .insideOwnBlock: .insideOwnBlock
            case .martian: .martian
            case .nextHopIsOurselves: .nextHopIsOurselves
            case .rejectedByFilter: .rejectedByFilter
            case .routeLeak: .routeLeak
            case .nextHopUnreachable: .nextHopUnreachable
            case .nextHopOffLink: .nextHopOffLink
            case .nextHopByDefault: .nextHopByDefault
            }
    }
}

extension BestPathStep {
    init(_ reason: BestPathReason) {
        self =
            switch reason {
            case .onlyPath: .onlyPath
            case .locallyOriginated: .locallyOriginated
            case .notLongLivedStale: .notLongLivedStale
            case .localPref: .localPref
            case .asPathLength: .asPathLength
            case .origin: .origin
            case .multiExitDisc: .multiExitDisc
            case .external: .external
            case .interiorCost: .interiorCost
            case .identifier: .identifier
            case .clusterListLength: .clusterListLength
            case .peerAddress: .peerAddress
            }
    }
}

extension NotAnnouncedReason {
    init(_ state: RIB.NotAnnounced, _ family: AddressFamily) {
        self =
            switch state {
            case .familyNotNegotiated: .familyNotNegotiated(family: family.name)
            case .splitHorizon: .splitHorizon
            case .peerIsNextHop: .peerIsNextHop
            case .tooLarge: .tooLarge
            case .undecided: .undecided
            case .rejectedByRule(let rule): .rejectedByRule(rule: rule)
            case .policy(let reason): NotAnnouncedReason(reason)
            }
    }

    private init(_ reason: ExportReason) {
        self =
            switch reason {
            // A rule is called by its name: `RIB.NotAnnounced.rejectedByRule`.
            case .announced, .acceptedByRule: .undecided
            case .rejectedByRule(let position): .rejectedByRule(rule: "rule \(position + 1)")
            case .noAdvertise: .noAdvertise
            case .noExport: .noExport
            case .blackhole: .blackhole
            case .longLivedStale: .longLivedStale
            case .onlyToCustomer: .onlyToCustomer
            case .notReflected: .notReflected
            case .notOwn: .notOwn
            case .outsidePools: .outsidePools
            case .exportDisabled: .exportDisabled
            case .noNextHop: .noNextHop
            case .noExtendedNextHop: .noExtendedNextHop
            }
    }
}

extension PeerState {
    init(_ state: PeerFSM.State) {
        self =
            switch state {
            case .idle: .idle
            case .connect: .connect
            case .active: .active
            case .openSent: .openSent
            case .openConfirm: .openConfirm
            case .established: .established
            }
    }
}

extension PeerOrigin {
    init(_ origin: PlannedPeer.Origin) {
        self =
            switch origin {
            case .mesh: .mesh
            case .global: .global
            case .node: .node
            case .localWorkload: .localWorkload
            }
    }
}

extension PeerDownReason {
    /// `remoteAS`: what is configured, nil for any; `localAS`: ours towards the peer.
    init(_ event: PeerHistory.Event, remoteAS: ASNumber?, localAS: ASNumber) {
        switch event.failure {
        case .connect(let errno): self = .connectFailed(errno: errno)
        case .session(.connectionLost): self = .connectionLost
        case .session(.replacedByNewConnection): self = .replacedByNewConnection
        case .session(.connectTimeout): self = .connectTimeout
        case .session(.interfaceDown(let name)): self = .interfaceDown(interface: name)
        case .session(.addressRemoved(let address)): self = .addressRemoved(address: address)
        case .session(.notificationSent(let message)):
            if let received = message.refusedAS, let remoteAS {
                self = .wrongAS(expected: remoteAS.rawValue, received: received.rawValue)
            } else {
                self = .notificationSent(code: message.code.rawValue, subcode: message.subcode, name: "\(message)")
            }
        case .session(.notificationReceived(let message)):
            self =
                message.code == .openMessage && message.subcode == 2
                ? .ownASRefused(ours: localAS.rawValue)
                : .notificationReceived(code: message.code.rawValue, subcode: message.subcode, name: "\(message)")
        }
    }
}

extension BFDSessionState {
    init(_ state: BFDState) {
        self =
            switch state {
            case .adminDown: .adminDown
            case .down: .down
            case .initializing: .initializing
            case .up: .up
            }
    }
}

extension HeldPeer {
    init(_ held: Peering.HeldDown) {
        let planned = held.planned
        let target =
            switch planned.target {
            case .address(let address): "\(PeerAddress(address, port: planned.port))"
            case .range(let range): "\(range)"
            case .interface(let name): name
            }
        self.init(name: planned.name, type: PeerOrigin(planned.origin), address: target, reason: held.reason)
    }
}

extension PeerCapability {
    init(_ capability: Capability) {
        func name(_ family: AFISAFI) -> String? { family.family?.name.lowercased() }
        self =
            switch capability {
            case .multiprotocol(let value): .multiprotocol(afi: value.afi, safi: value.safi, family: name(value))
            case .routeRefresh: .routeRefresh
            case .extendedMessage: .extendedMessage
            case .enhancedRouteRefresh: .enhancedRouteRefresh
            case .fourOctetAS(let number): .fourOctetAS(number: number.rawValue)
            case .gracefulRestart(let value):
                .gracefulRestart(
                    restartTime: Int(value.restartTime), isRestarting: value.restarting,
                    hasNotification: value.notification,
                    families: value.families.map {
                        RestartFamily(family: name($0.afiSafi), isForwardingPreserved: $0.forwardingPreserved)
                    })
            case .extendedNextHop(let list): .extendedNextHop(isForIPv4: list.contains { $0.family == .ipv4 })
            case .role(let value): .role(value: value, name: BGPRole(rawValue: value)?.name)
            case .addPath(let list):
                .addPath(
                    families: list.map {
                        AddPathFamily(family: name($0.afiSafi), sends: $0.sends, receives: $0.receives)
                    })
            case .longLivedGracefulRestart(let list):
                .longLivedGracefulRestart(
                    families: list.map {
                        LongLivedFamily(family: name($0.afiSafi), staleTime: Int($0.staleTime))
                    })
            case .unknown(let code, _): .unknown(code: code.rawValue)
            }
    }
}

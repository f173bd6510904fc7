import BGPMessages
import BGPRouting
import BGPSpeaker
package import ForwardingPlane
package import NetTypes
package import StatusAPI

/// `apusctl routes` and `why`: the Loc-RIB in pages, section 0 of the cursor for IPv4 and 1 for IPv6.
extension Speaker {
    /// Paths of all prefixes, or of those that overlap `wanted`, from a cursor on. Work: `limit`, and the paths of one
    /// prefix.
    package func routePage(_ wanted: Prefix?, from start: PageCursor, _ limit: PageLimit) -> Page<RouteStatus> {
        var page = Page<RouteStatus>()
        var budget = limit.places
        for family in AddressFamily.allCases where family.index >= start.section && (wanted?.family ?? family) == family
        {
            let place = family.index == start.section ? start.place : 0
            let next = visitRoutes(family, overlapping: wanted, from: place, budget: &budget) {
                index, prefix in
                guard page.rows.count < limit.rows else { return false }
                page.rows += routeStatus(prefix, index)
                return true
            }
            if let next {
                page.next = PageCursor(section: family.index, place: next).position
                break
            }
        }
        page.looked = limit.places - budget
        return page
    }

    /// All paths of a prefix.
    func routeStatus(_ prefix: Prefix, _ index: PrefixIndex) -> [RouteStatus] {
        explainedPaths(index, prefix.family).map { explained in
            let path = explained.path
            let attributes = explained.attributes
            let settings = path.peer == .local ? nil : settings(path.peer)
            var row = RouteStatus(
                prefix: "\(prefix)", from: settings.map { "\($0.peerAddress)" } ?? "local",
                peer: settings?.name ?? "this node", isBest: path.flags.contains(.best),
                isMultipath: path.flags.contains(.multipath), isStale: path.flags.contains(.stale),
                ineligible: explained.ineligible.map { PathIneligibility($0) },
                bestReason: explained.bestReason.map { BestPathStep($0) },
                nextHop: attributes.nextHop.map { "\($0)" }, localPref: attributes.localPref,
                med: attributes.multiExitDisc,
                asPath: attributes.asPath?.description ?? "", origin: attributes.origin?.description ?? "",
                communities: attributes.communities.map(\.description) + attributes.largeCommunities.map(\.description),
                originatorID: attributes.originatorID.map { "\($0)" },
                clusterList: attributes.clusterList.map(\.description),
                pathID: path.pathID == 0 ? nil : path.pathID, onlyToCustomer: attributes.onlyToCustomer?.rawValue,
                importRule: explained.importRule)
            row.loss = explained.loss.map { loss in
                RouteLoss(
                    step: BestPathStep(loss.step), against: address(of: loss.rival).map { "\($0)" } ?? "local",
                    own: DecisionValueStatus(loss.own), other: DecisionValueStatus(loss.other))
            }
            return row
        }
    }
}

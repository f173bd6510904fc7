import BGPMessages
package import BGPRouting
package import BGPSpeaker
package import ForwardingPlane
package import NetTypes
package import StatusAPI

/// `apusctl routes` and `why`: the Loc-RIB in pages, section 0 of the cursor for IPv4 and 1 for IPv6.
extension Speaker {
    /// Paths of all prefixes, or of those that overlap `wanted`, from a cursor on. Work: `limit`, and the paths of one
    /// prefix.
    package func routePage(_ wanted: Prefix?, from start: PageCursor, _ limit: PageLimit) -> Page<RouteStatus> {
        routePage(RouteQuery(prefix: wanted), of: nil, from: start, limit)
    }

    /// The same of paths that meet a query; `peer`: whom its `peer` names. Where few of them do, a page ends when it has
    /// cost as much as a full one.
    package func routePage(
        _ query: RouteQuery, of peer: PeerIndex?, from start: PageCursor, _ limit: PageLimit
    ) -> Page<RouteStatus> {
        var page = Page<RouteStatus>()
        var budget = limit.places
        var selection = RouteSelection(query, of: peer)
        for family in AddressFamily.allCases
        where family.index >= start.section && (query.prefix?.family ?? family) == family
            && selection.mayFind(family, self)
        {
            let place = family.index == start.section ? start.place : 0
            let next = visitRoutes(family, overlapping: query.prefix, from: place, budget: &budget) {
                index, prefix in
                guard page.rows.count < limit.rows, selection.cost < limit.places else { return false }
                page.rows += selection.rows(prefix, at: index, in: self)
                return true
            }
            if let next {
                page.next = PageCursor(section: family.index, place: next).position
                break
            }
        }
        page.looked = limit.places - budget + selection.cost
        return page
    }

    /// All paths of a prefix.
    func routeStatus(_ prefix: Prefix, _ index: PrefixIndex) -> [RouteStatus] {
        explainedPaths(index, prefix.family).map { routeStatus(prefix, $0) }
    }

    /// A path as a row; `isReceived`: with the attributes that the peer sent.
    func routeStatus(_ prefix: Prefix, _ explained: ExplainedPath, isReceived: Bool = false) -> RouteStatus {
        let path = explained.path
        let attributes = isReceived ? attributes(of: path.received) : explained.attributes
        var row = routeStatus(prefix, attributes, from: path.peer)
        row.isBest = path.flags.contains(.best)
        row.isMultipath = path.flags.contains(.multipath)
        row.isStale = path.flags.contains(.stale)
        row.ineligible = explained.ineligible.map { PathIneligibility($0) }
        row.bestReason = explained.bestReason.map { BestPathStep($0) }
        row.pathID = path.pathID == 0 ? nil : path.pathID
        row.importRule = explained.importRule
        row.loss = explained.loss.map { loss in
            RouteLoss(
                step: BestPathStep(loss.step), against: address(of: loss.rival).map { "\($0)" } ?? "local",
                own: DecisionValueStatus(loss.own), other: DecisionValueStatus(loss.other))
        }
        return row
    }

    /// A row of attributes, and whose path they are of.
    func routeStatus(_ prefix: Prefix, _ attributes: PathAttributes, from peer: PeerIndex) -> RouteStatus {
        let settings = peer == .local ? nil : settings(peer)
        return RouteStatus(
            prefix: "\(prefix)", from: settings.map { "\($0.peerAddress)" } ?? "local",
            peer: settings?.name ?? "this node", isBest: false, isMultipath: false, isStale: false, ineligible: nil,
            bestReason: nil, nextHop: attributes.nextHop.map { "\($0)" }, localPref: attributes.localPref,
            med: attributes.multiExitDisc,
            asPath: attributes.asPath?.description ?? "", origin: attributes.origin?.description ?? "",
            communities: RouteSelection.communities(attributes),
            originatorID: attributes.originatorID.map { "\($0)" },
            clusterList: attributes.clusterList.map(\.description), pathID: nil,
            onlyToCustomer: attributes.onlyToCustomer?.rawValue, importRule: nil)
    }
}

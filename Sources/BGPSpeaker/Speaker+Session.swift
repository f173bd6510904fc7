import BGPMessages
package import BGPRouting
import BGPSession
import NetTypes

// MARK: Messages to the state machine, its actions to the outside (edge B of the design)
extension Speaker {
    /// Runs the state machine and carries out what it says.
    mutating func drive(_ index: PeerIndex, now: Instant, _ body: (inout PeerFSM, inout [PeerFSM.Action]) -> Void) {
        guard index.index < peers.count, peers[index.index] != nil else { return }
        peers[index.index]?.setPace(failingCount / Speaker.failingAtFullPace)
        // Out of `self` while it is used, because carrying an action out may drive another machine.
        var pending: [PeerFSM.Action] = []
        swap(&pending, &fsmActions)
        arm(index, peers[index.index]?.drive(&pending, body) ?? nil)
        for action in pending { carryOut(action, index, now: now) }
        pending.removeAll(keepingCapacity: true)
        swap(&pending, &fsmActions)
    }

    /// Beyond so many peers that do not answer, each is tried less often, in proportion: their attempts a second stay
    /// the same.
    static let failingAtFullPace = 1000

    mutating func setFailing(_ index: PeerIndex, _ isFailing: Bool) {
        guard let peer = peers[index.index], peer.attempts.areFailing != isFailing,
            !isFailing || !peer.settings.session.isPassive
        else { return }
        peer.attempts.areFailing = isFailing
        failingCount += isFailing ? 1 : -1
    }

    private mutating func carryOut(_ action: PeerFSM.Action, _ index: PeerIndex, now: Instant) {
        switch action {
        case .connect: actions.append(.connect(index))
        case .send(let side, let bytes): actions.append(.send(index, side, MessageBuffer(bytes)))
        case .close(let side): actions.append(.close(index, side))
        case .established(let side, let session): sessionUp(index, side, session: session, now: now)
        case .down(let session, let reason): sessionDown(index, session: session, reason: reason, now: now)
        case .attemptFailed(let reason):
            setFailing(index, true)
            peers[index.index]?.attempts.failures += 1
            actions.append(.report(index, .attemptFailed(reason)))
        }
    }

    /// One message of a connection.
    mutating func take(
        _ type: MessageType, _ message: RawSpan, index: PeerIndex, side: PeerFSM.Side, now: Instant
    ) {
        peers[index.index]?.counters.messagesReceived += 1
        switch type {
        case .open:
            let event: PeerFSM.Event
            do throws(NotificationMessage) {
                event = .open(side, try OpenMessage(message: message))
            } catch {
                event = .messageError(side, error)
            }
            drive(index, now: now) { $0.handle(event, now: now, &$1) }
        case .keepalive: drive(index, now: now) { $0.handle(.keepalive(side), now: now, &$1) }
        case .notification:
            guard let notification = NotificationMessage(message: message) else { return }
            drive(index, now: now) { $0.handle(.notification(side, notification), now: now, &$1) }
        case .update:
            drive(index, now: now) { $0.handle(.update(side), now: now, &$1) }
            takeUpdate(message, index, side: side, now: now)
        case .routeRefresh:
            drive(index, now: now) { $0.handle(.routeRefresh(side), now: now, &$1) }
            takeRouteRefresh(message, index, side: side, now: now)
        default: break
        }
    }

    // MARK: ROUTE-REFRESH (RFC 2918, RFC 7313)

    /// Least time between two BoRR of a peer and family that are taken.
    static let refreshInterval: Duration = .seconds(1)

    private mutating func takeRouteRefresh(_ message: RawSpan, _ index: PeerIndex, side: PeerFSM.Side, now: Instant) {
        guard let (current, session) = peers[index.index]?.fsm.established, current == side else { return }
        if message.byteCount != 23 {
            let isEnhanced = session.isEnhancedRefresh && RouteRefreshMessage.hasInvalidLength(message)
            // RFC 2918 defines no error for its own length: the header's is what is wrong where the message is too
            // short to be read.
            guard isEnhanced || message.byteCount < 23 else { return }
            let error =
                isEnhanced
                ? NotificationMessage.invalidRouteRefreshLength(message) : .badMessageLength(message.byteCount)
            drive(index, now: now) { $0.handle(.messageError(side, error), now: now, &$1) }
            return
        }
        guard let refresh = RouteRefreshMessage(message: message), let family = refresh.afiSafi.family,
            session.families.contains(family)
        else { return }
        switch refresh.subtype {
        case RouteRefreshMessage.request:
            rib.requestReplay(index, family)
            beginOwnRefresh(index, family: family, side: side, session: session)
        case RouteRefreshMessage.begin where session.isEnhancedRefresh:
            // RFC 7313 4: not before End-of-RIB, or what a restarting peer has not sent yet would go too early.
            guard
                session.remoteGracefulRestart == nil || peers[index.index]?.endOfRIB.received.contains(family) ?? false
            else {
                actions.append(.report(index, .refreshTooEarly(family)))
                return
            }
            // Differs from RFC 7313 4: one a second and family. Each costs a walk over the table, and a peer could send
            // thousands in a read.
            if let before = peers[index.index]?.refresh.receivingBegan[family.index],
                now - before < Speaker.refreshInterval
            {
                actions.append(.report(index, .refreshTooOften(family)))
                return
            }
            peers[index.index]?.refresh.receivingBegan[family.index] = now
            peers[index.index]?.refresh.receiving.insert(AddressFamilySet(family))
            rib.beginRefresh(index, family)
        case RouteRefreshMessage.end where session.isEnhancedRefresh:
            guard peers[index.index]?.refresh.receiving.contains(family) ?? false else { return }
            peers[index.index]?.refresh.receiving.remove(AddressFamilySet(family))
            let gone = rib.endRefresh(index, family)
            actions.append(.report(index, .refreshed(family, gone: gone)))
        default: break
        }
    }

    /// BoRR before what is sent again, but not before End-of-RIB: the first replay is no refresh (RFC 7313 4).
    private mutating func beginOwnRefresh(
        _ index: PeerIndex, family: AddressFamily, side: PeerFSM.Side, session: NegotiatedSession
    ) {
        guard session.isEnhancedRefresh, let peer = peers[index.index], peer.endOfRIB.sent.contains(family),
            !peer.refresh.sending.contains(family)
        else { return }
        peers[index.index]?.refresh.sending.insert(AddressFamilySet(family))
        actions.append(
            .send(
                index, side,
                MessageBuffer(RouteRefreshMessage(AFISAFI(family), subtype: RouteRefreshMessage.begin).encoded())))
    }

    /// Asks a peer for its table again. False where the session is not up or the peer does not know how.
    package mutating func requestRefresh(_ index: PeerIndex) -> Bool {
        guard let (side, session) = peers[index.index]?.fsm.established, session.isRouteRefresh else { return false }
        for family in session.families.families {
            actions.append(.send(index, side, MessageBuffer(RouteRefreshMessage(AFISAFI(family)).encoded())))
        }
        return true
    }

    private mutating func takeUpdate(_ message: RawSpan, _ index: PeerIndex, side: PeerFSM.Side, now: Instant) {
        guard peers[index.index]?.up.side == side, let families = peers[index.index]?.up.families else { return }
        peers[index.index]?.counters.updatesReceived += 1
        peers[index.index]?.times.lastUpdate = now
        let result: UpdateResult
        do throws(NotificationMessage) {
            result = try rib.receive(message, from: index, families: families)
        } catch {
            drive(index, now: now) { $0.handle(.messageError(side, error), now: now, &$1) }
            return
        }
        if !result.faults.isEmpty {
            if result.wasTreatedAsWithdraw { peers[index.index]?.counters.treatedAsWithdraw += 1 }
            actions.append(
                .report(
                    index,
                    .attributeFaults(
                        result.faults, treatedAsWithdraw: result.wasTreatedAsWithdraw, update: [UInt8](message))))
        }
        if let family = result.endOfRIB, families.contains(family) { endOfRIB(index, family: family, now: now) }
        if result.refused > 0 { actions.append(.report(index, .pathsRefused(result.refused))) }
        if result.announced > 0 { checkMaximumPrefixes(index, now) }
    }

    /// RFC 4486 4, and `maxPrefixes`.
    mutating func checkMaximumPrefixes(_ index: PeerIndex, _ now: Instant) {
        guard let limits = peers[index.index]?.settings.maximumPrefixes else { return }
        for family in AddressFamily.allCases {
            let count = rib.tables[family].pathCount(of: index)
            if let warnAt = limits.warnAt, count >= Int(warnAt),
                !(peers[index.index]?.limit.warned.contains(family) ?? false)
            {
                peers[index.index]?.limit.warned.insert(AddressFamilySet(family))
                actions.append(.report(index, .manyPrefixes(family, count: count)))
            }
            guard count > Int(limits.limit) else { continue }
            if limits.action == .warn {
                guard !(peers[index.index]?.limit.exceeded.contains(family) ?? false) else { continue }
                peers[index.index]?.limit.exceeded.insert(AddressFamilySet(family))
                actions.append(.report(index, .maximumPrefixesReached(family, limit: limits.limit, action: .warn)))
                continue
            }
            actions.append(.report(index, .maximumPrefixesReached(family, limit: limits.limit, action: limits.action)))
            drive(index, now: now) { $0.handle(.stop(.maximumPrefixes(family, limit: limits.limit)), now: now, &$1) }
            peers[index.index]?.limit.hasStopped = true
            if limits.action == .restart {
                peers[index.index]?.limit.restartAt = now + limits.restartAfter
                arm(index, peers[index.index]?.limit.restartAt)
            }
            return
        }
    }

    // MARK: Up and down

    func routingPeer(_ peer: SpeakerPeer, _ session: NegotiatedSession) -> RoutingPeer {
        let settings = peer.settings
        let profiles = AddressFamily.allCases.map { family -> ExportProfile? in
            guard session.families.contains(family) else { return nil }
            var profile = ExportProfile(
                family: family, isInternal: session.isInternal, localAS: settings.session.localAS)
            profile.isClient = settings.isClient
            profile.isFourOctetAS = session.isFourOctetAS
            profile.maximumMessageLength = session.maximumMessageLength
            profile.mode = settings.exportMode ?? (session.isInternal ? .all : .own)
            if !session.isInternal { profile.reexportPrepend = settings.reexportPrepend }
            profile.nextHop.mode = settings.nextHop.mode
            profile.nextHop.isExtended = session.hasExtendedNextHop
            profile.nextHop.own = ownNextHop(family, peer)
            if family == .ipv4, session.hasExtendedNextHop, settings.address.family == .ipv6 {
                // RFC 8950: over an IPv6 session IPv4 goes the way of the session. Its section 3 allows 16 and 32
                // bytes; not every peer reads 32 here.
                profile.nextHop.own = ownNextHop(.ipv6, peer)
                profile.nextHop.linkLocal = settings.nextHop.linkLocal
            }
            if family == .ipv6 { profile.nextHop.linkLocal = linkLocalNextHop(beside: profile.nextHop.own, peer) }
            profile.addPathLimit = session.addPathSend.contains(family) ? settings.addPathLimit : 0
            profile.minimumInterval = settings.minimumInterval
            profile.role = session.role
            profile.isLongLivedCapable = !session.remoteLongLived.isEmpty
            if !settings.exportFilter.isEmpty(family) { profile.filter = settings.exportFilter }
            return profile
        }
        var result = RoutingPeer(
            address: settings.address, identifier: session.remoteIdentifier, asNumber: session.remoteAS,
            isInternal: session.isInternal,
            isClient: settings.isClient, policy: importSettings(settings, session.role),
            context: session.attributeContext, profiles: profiles)
        result.nextHopRule = nextHopRule(peer, isInternal: session.isInternal)
        return result
    }

    func importSettings(_ settings: PeerSettings, _ role: BGPRole?) -> ImportSettings {
        var result = settings.importSettings
        result.role = role
        result.localAS = settings.session.localAS == rib.identity.localAS ? nil : settings.session.localAS
        return result
    }

    private mutating func sessionUp(
        _ index: PeerIndex, _ side: PeerFSM.Side, session: NegotiatedSession, now: Instant
    ) {
        guard let peer = peers[index.index] else { return }
        setEnd(index, peer.connection.ends[side])
        setFailing(index, false)
        peer.attempts.failures = 0
        peers[index.index]?.counters.establishedCount += 1
        peers[index.index]?.up.side = side
        peers[index.index]?.up.families = session.families
        peers[index.index]?.times.established = now
        peers[index.index]?.times.stateChanged = now
        peers[index.index]?.endOfRIB.received = []
        peers[index.index]?.endOfRIB.sent = []
        peers[index.index]?.backlog.isActive = false
        peers[index.index]?.backlog.missedWithdrawals = []
        peers[index.index]?.refresh.sending = []
        peers[index.index]?.refresh.receiving = []
        peers[index.index]?.limit.exceeded = []
        peers[index.index]?.limit.warned = []
        actions.append(.report(index, .established(session)))
        let routing = routingPeer(peer, session)
        // Routes of an earlier session that are kept are judged by the new one's.
        rib.setNextHopRule(index, routing.nextHopRule)
        rib.peerUp(index, routing)
        let flushed = peers[index.index]?.helper.sessionUp(session, now: now) ?? []
        flushStale(index, flushed)
        arm(index, peers[index.index]?.helper.nextDeadline)
        checkDeferral(now)
    }

    private mutating func sessionDown(
        _ index: PeerIndex, session: NegotiatedSession, reason: SessionDownReason, now: Instant
    ) {
        peers[index.index]?.times.stateChanged = now
        peers[index.index]?.up.side = nil
        peers[index.index]?.times.established = nil
        actions.append(.report(index, .down(reason)))
        rib.peerDown(index)
        let (kept, longLived) = peers[index.index]?.helper.sessionDown(session, reason: reason, now: now) ?? ([], [])
        for family in AddressFamily.allCases {
            if kept.contains(family) {
                rib.markStale(index, family)
            } else {
                rib.flush(index, family, onlyStale: false)
            }
        }
        if !kept.isEmpty { actions.append(.report(index, .holdingStaleRoutes(kept))) }
        beginLongLived(index, longLived)
        arm(index, peers[index.index]?.helper.nextDeadline)
    }

    /// RFC 9494 4.2: the routes of these families are the least preferred from now on.
    mutating func beginLongLived(_ index: PeerIndex, _ families: AddressFamilySet) {
        guard !families.isEmpty else { return }
        for family in families.families { rib.markLongLived(index, family) }
        actions.append(.report(index, .longLivedStaleRoutes(families)))
    }

    mutating func flushStale(_ index: PeerIndex, _ families: AddressFamilySet) {
        guard !families.isEmpty else { return }
        for family in families.families { rib.flush(index, family, onlyStale: true) }
        actions.append(.report(index, .flushedStaleRoutes(families)))
    }

    private mutating func endOfRIB(_ index: PeerIndex, family: AddressFamily, now: Instant) {
        peers[index.index]?.endOfRIB.received.insert(AddressFamilySet(family))
        actions.append(.report(index, .endOfRIB(family)))
        if peers[index.index]?.helper.endOfRIB(family) ?? false { flushStale(index, AddressFamilySet(family)) }
        checkDeferral(now)
    }

    // MARK: Deliveries

    /// Queues buffers to members by reference.
    mutating func distribute(_ deliveries: [Delivery]) {
        for delivery in deliveries {
            switch delivery.receivers {
            case .only(let members): for member in members { queue(delivery, member) }
            case .allExcept(let sources):
                for member in rib.groups[delivery.group]?.members ?? [] where !sources.contains(member) {
                    queue(delivery, member)
                }
            case .allBut(let first, let second):
                for member in rib.groups[delivery.group]?.members ?? [] where member != first && member != second {
                    queue(delivery, member)
                }
            }
        }
    }

    private mutating func queue(_ delivery: Delivery, _ member: PeerIndex) {
        guard let side = peers[member.index]?.up.side else { return }
        if peers[member.index]?.backlog.isActive ?? false {
            // Announcements are made up for by a replay; only withdrawals have to be remembered.
            for nlri in delivery.withdrawn { peers[member.index]?.backlog.missedWithdrawals.insert(nlri) }
            return
        }
        actions.append(.send(member, side, delivery.buffer))
    }
}

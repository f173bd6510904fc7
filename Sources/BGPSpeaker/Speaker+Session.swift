import BGPMessages
import BGPRouting
import BGPSession
import NetTypes

// MARK: Messages to the state machine, its actions to the outside (edge B of the design)
extension Speaker {
    /// Runs the state machine and carries out what it says.
    mutating func drive(_ index: PeerIndex, _ now: Instant, _ body: (inout PeerFSM, inout [PeerFSM.Action]) -> Void) {
        guard var fsm = peers[index.index]?.fsm else { return }
        fsmActions.removeAll(keepingCapacity: true)
        body(&fsm, &fsmActions)
        let deadline = fsm.nextDeadline
        peers[index.index]?.fsm = fsm
        lower(deadline)
        guard !fsmActions.isEmpty else { return }
        let pending = fsmActions
        for action in pending { carryOut(action, index, now) }
    }

    private mutating func carryOut(_ action: PeerFSM.Action, _ index: PeerIndex, _ now: Instant) {
        switch action {
        case .connect: actions.append(.connect(index))
        case .send(let side, let bytes): actions.append(.send(index, side, MessageBuffer(bytes)))
        case .close(let side): actions.append(.close(index, side))
        case .established(_, let session): sessionUp(index, session, now)
        case .down(let session, let reason): sessionDown(index, session, reason, now)
        case .attemptFailed(let reason): actions.append(.report(index, .attemptFailed(reason)))
        }
    }

    /// One message of a connection.
    mutating func take(_ type: MessageType, _ message: UnsafeRawBufferPointer, _ index: PeerIndex, _ side: PeerFSM.Side, _ now: Instant) {
        peers[index.index]?.counters.messagesReceived += 1
        switch type {
        case .open:
            let event: PeerFSM.Event
            do throws(NotificationMessage) {
                event = .open(side, try OpenMessage(message: message))
            } catch {
                event = .messageError(side, error)
            }
            drive(index, now) { $0.handle(event, now: now, &$1) }
        case .keepalive: drive(index, now) { $0.handle(.keepalive(side), now: now, &$1) }
        case .notification:
            guard let notification = NotificationMessage(message: message) else { return }
            drive(index, now) { $0.handle(.notification(side, notification), now: now, &$1) }
        case .update:
            drive(index, now) { $0.handle(.update(side), now: now, &$1) }
            takeUpdate(message, index, side, now)
        case .routeRefresh:
            drive(index, now) { $0.handle(.routeRefresh(side), now: now, &$1) }
            guard let refresh = RouteRefreshMessage(message: message), refresh.subtype == 0, let family = refresh.afiSafi.family,
                peers[index.index]?.fsm.established?.session.families.contains(family) ?? false
            else { return }
            rib.requestReplay(index, family)
        default: break
        }
    }

    private mutating func takeUpdate(_ message: UnsafeRawBufferPointer, _ index: PeerIndex, _ side: PeerFSM.Side, _ now: Instant) {
        guard let (current, session) = peers[index.index]?.fsm.established, current == side else { return }
        peers[index.index]?.counters.updatesReceived += 1
        peers[index.index]?.lastUpdateAt = now
        let result: UpdateResult
        do throws(NotificationMessage) {
            result = try rib.receive(message, from: index, families: session.families)
        } catch {
            drive(index, now) { $0.handle(.messageError(side, error), now: now, &$1) }
            return
        }
        if !result.faults.isEmpty {
            if result.wasTreatedAsWithdraw { peers[index.index]?.counters.treatedAsWithdraw += 1 }
            actions.append(.report(index, .attributeFaults(result.faults, treatedAsWithdraw: result.wasTreatedAsWithdraw)))
        }
        if let family = result.endOfRIB { endOfRIB(index, family, session, now) }
        if result.announced > 0 { checkMaximumPrefixes(index, now) }
    }

    private mutating func checkMaximumPrefixes(_ index: PeerIndex, _ now: Instant) {
        guard let settings = peers[index.index]?.settings else { return }
        for family in AddressFamily.allCases where rib.tables[family.index].pathCount(of: index) > Int(settings.maximumPrefixes) {
            actions.append(.report(index, .maximumPrefixesReached(family, limit: settings.maximumPrefixes)))
            drive(index, now) { $0.handle(.stop(.maximumPrefixes(family, limit: settings.maximumPrefixes)), now: now, &$1) }
            peers[index.index]?.restartAt = now + settings.maximumPrefixesRestart
            lower(peers[index.index]?.restartAt)
            return
        }
    }

    // MARK: Up and down

    func routingPeer(_ settings: PeerSettings, _ session: NegotiatedSession) -> RoutingPeer {
        let profiles = AddressFamily.allCases.map { family -> ExportProfile? in
            guard session.families.contains(family) else { return nil }
            return ExportProfile(
                family: family, isInternal: session.isInternal, isClient: settings.isClient, isFourOctetAS: session.isFourOctetAS,
                maximumMessageLength: session.maximumMessageLength, mode: settings.exportMode ?? (session.isInternal ? .all : .own),
                nextHopSelf: settings.nextHops[family.index], setsNextHopSelf: settings.setsNextHopSelf)
        }
        return RoutingPeer(
            address: settings.address, identifier: session.remoteIdentifier, asNumber: session.remoteAS, isInternal: session.isInternal,
            isClient: settings.isClient, importMode: settings.importMode, allowedOwnAS: settings.allowedOwnAS,
            context: session.attributeContext, profiles: profiles)
    }

    private mutating func sessionUp(_ index: PeerIndex, _ session: NegotiatedSession, _ now: Instant) {
        guard let settings = peers[index.index]?.settings else { return }
        peers[index.index]?.counters.establishedCount += 1
        peers[index.index]?.establishedAt = now
        peers[index.index]?.stateChangedAt = now
        peers[index.index]?.endOfRIBReceived = []
        peers[index.index]?.endOfRIBSent = []
        peers[index.index]?.isBacklogged = false
        peers[index.index]?.missedWithdrawals = []
        actions.append(.report(index, .established(session)))
        rib.peerUp(index, routingPeer(settings, session))
        let flushed = peers[index.index]?.helper.sessionUp(session, now: now) ?? []
        flushStale(index, flushed)
        lower(peers[index.index]?.helper.nextDeadline)
    }

    private mutating func sessionDown(_ index: PeerIndex, _ session: NegotiatedSession, _ reason: SessionDownReason, _ now: Instant) {
        peers[index.index]?.stateChangedAt = now
        peers[index.index]?.establishedAt = nil
        actions.append(.report(index, .down(reason)))
        rib.peerDown(index)
        let kept = peers[index.index]?.helper.sessionDown(session, reason: reason, now: now) ?? []
        for family in AddressFamily.allCases {
            if kept.contains(family) { rib.markStale(index, family) } else { rib.flush(index, family, onlyStale: false) }
        }
        if !kept.isEmpty { actions.append(.report(index, .holdingStaleRoutes(kept))) }
        lower(peers[index.index]?.helper.nextDeadline)
    }

    mutating func flushStale(_ index: PeerIndex, _ families: AddressFamilySet) {
        guard !families.isEmpty else { return }
        for family in families.families { rib.flush(index, family, onlyStale: true) }
        actions.append(.report(index, .flushedStaleRoutes(families)))
    }

    private mutating func endOfRIB(_ index: PeerIndex, _ family: AddressFamily, _ session: NegotiatedSession, _ now: Instant) {
        guard session.families.contains(family) else { return }
        peers[index.index]?.endOfRIBReceived.insert(AddressFamilySet(family))
        actions.append(.report(index, .endOfRIB(family)))
        if peers[index.index]?.helper.endOfRIB(family) ?? false { flushStale(index, AddressFamilySet(family)) }
        if deferralDeadline != nil, AddressFamily.allCases.allSatisfy({ isSynchronized($0, now: now) }) { endDeferral() }
    }

    // MARK: Deliveries

    /// Queues buffers to members by reference.
    mutating func distribute(_ deliveries: [Delivery]) {
        for delivery in deliveries {
            switch delivery.receivers {
            case .only(let members): for member in members { queue(delivery, member) }
            case .allBut(let first, let second):
                for member in rib.groups[delivery.group]?.members ?? [] where member != first && member != second { queue(delivery, member) }
            }
        }
    }

    private mutating func queue(_ delivery: Delivery, _ member: PeerIndex) {
        guard let peer = peers[member.index] else { return }
        if peer.isBacklogged {
            // Announcements are made up for by a replay; only withdrawals have to be remembered.
            for prefix in delivery.withdrawn { peers[member.index]?.missedWithdrawals.insert(prefix) }
            return
        }
        guard let side = peer.fsm.established?.side else { return }
        actions.append(.send(member, side, delivery.buffer))
    }
}

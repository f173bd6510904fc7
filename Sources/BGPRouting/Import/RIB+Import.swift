public import BGPMessages
public import NetTypes

/// What an UPDATE did.
public struct UpdateResult: Sendable {
    /// End-of-RIB of this family (RFC 4724 section 2).
    public var endOfRIB: AddressFamily?
    /// Attribute errors that did not reset the session (RFC 7606), for the log.
    public var faults: [AttributeFault] = []
    public var wasTreatedAsWithdraw = false
    public var announced = 0
    public var withdrawn = 0
    /// Paths beyond what one peer may have of a prefix (RFC 7911); they are not kept.
    public var refused = 0
}

// MARK: UPDATE to Adj-RIB-In
extension RIB {
    /// Takes a whole UPDATE of a peer. Throws the NOTIFICATION of a session reset; everything milder is in the result.
    public mutating func receive(
        _ message: RawSpan, from index: PeerIndex, families: AddressFamilySet
    ) throws(NotificationMessage) -> UpdateResult {
        var result = UpdateResult()
        guard let peer = peers[index] else { return result }
        let update = try UpdateMessage(message: message)
        if update.isEmpty {
            result.endOfRIB = .ipv4
            return result
        }
        let block = try AttributeBlock(update.attributes, peer.context)
        // RFC 7606 5.3, 3 i, 3 j: what cannot be parsed cannot be withdrawn either.
        let hasPathID = peer.context.addPath.contains(.ipv4)
        guard NLRI.isWellFormed(update.withdrawn, .ipv4, hasPathID: hasPathID),
            NLRI.isWellFormed(update.nlri, .ipv4, hasPathID: hasPathID)
        else {
            throw .invalidNetworkField
        }

        if let unreach = block.mpUnreach, let family = unreach.afiSafi.family, families.contains(family) {
            if unreach.nlri.isEmpty, block.isEmpty, block.mpReach == nil, update.withdrawn.isEmpty, update.nlri.isEmpty
            {
                result.endOfRIB = family
                return result
            }
            result.withdrawn += withdraw(unreach.nlri, family: family, index: index, peer: peer)
        }
        let speaksIPv4 = families.contains(.ipv4)
        if !update.withdrawn.isEmpty && speaksIPv4 {
            result.withdrawn += withdraw(update.withdrawn, family: .ipv4, index: index, peer: peer)
        }

        let hasIPv4NLRI = !update.nlri.isEmpty
        var hasMPNLRI = false
        if let reach = block.mpReach { hasMPNLRI = !reach.nlri.isEmpty }
        let hasReachable = hasIPv4NLRI || hasMPNLRI
        if block.isEmpty && !block.isOverrun && !hasReachable { return result }

        // The attributes of the IPv4 NLRI, and those of MP_REACH with its next hop, are interned apart.
        if hasIPv4NLRI && speaksIPv4 {
            if let handle = try attributeHandle(
                block, mpNextHop: nil, peer: peer, hasReachable: true, hasIPv4NLRI: true, into: &result)
            {
                announce(update.nlri, family: .ipv4, index: index, peer: peer, handle: handle, into: &result)
            } else {
                result.withdrawn += withdraw(update.nlri, family: .ipv4, index: index, peer: peer)
            }
        }
        if hasMPNLRI, let reach = block.mpReach, let family = reach.afiSafi.family, families.contains(family) {
            if let handle = try attributeHandle(
                block, mpNextHop: peer.nextHop(reach), peer: peer, hasReachable: true, hasIPv4NLRI: false, into: &result
            ) {
                announce(reach.nlri, family: family, index: index, peer: peer, handle: handle, into: &result)
            } else {
                result.withdrawn += withdraw(reach.nlri, family: family, index: index, peer: peer)
            }
        } else if !hasIPv4NLRI {
            _ = try attributeHandle(
                block, mpNextHop: nil, peer: peer, hasReachable: hasReachable, hasIPv4NLRI: false, into: &result
            ).map {
                attributes.release($0)
            }
        }
        return result
    }

    /// Touches what `receive` will need of the IPv4 prefixes of an UPDATE: see `PrefixTable.prefetch`.
    public mutating func prefetch(_ message: RawSpan, from index: PeerIndex) {
        guard let hasPathID = peers.rows.indices.contains(index.index) ? peers.key(index).hasPathID : nil,
            let update = try? UpdateMessage(message: message)
        else { return }
        prefetch(update.withdrawn, hasPathID)
        prefetch(update.nlri, hasPathID)
    }

    private mutating func prefetch(_ field: RawSpan, _ hasPathID: Bool) {
        var reader = ByteReader(field)
        while let (prefix, _) = NLRI.next(&reader, .ipv4, hasPathID: hasPathID) {
            prefetchSink &+= tables[.ipv4].prefetch(prefix)
        }
    }

    /// The interned set of an UPDATE, retained. Nil: treat as withdraw.
    private mutating func attributeHandle(
        _ block: borrowing AttributeBlock, mpNextHop: IPAddress?, peer: RoutingPeer, hasReachable: Bool,
        hasIPv4NLRI: Bool,
        into result: inout UpdateResult
    ) throws(NotificationMessage) -> AttributeHandle? {
        var faults: [AttributeFault] = []
        var handle: AttributeHandle?
        if block.gathered.isEmpty {
            handle = resolve(
                block.plain, mpNextHop: mpNextHop, peer: peer, hasReachable: hasReachable, hasIPv4NLRI: hasIPv4NLRI,
                isOverrun: block.isOverrun, faults: &faults)
        } else {
            handle = resolve(
                block.gathered.rawSpan, mpNextHop: mpNextHop, peer: peer, hasReachable: hasReachable,
                hasIPv4NLRI: hasIPv4NLRI, isOverrun: block.isOverrun, faults: &faults)
        }
        result.faults += faults
        if faults.contains(where: { $0.action != .attributeDiscard }) {
            if let kept = handle { attributes.release(kept) }
            handle = nil
            // RFC 7606 5.2
            guard hasReachable else { throw .malformedAttributeList }
            result.wasTreatedAsWithdraw = true
        }
        return handle
    }

    private mutating func resolve(
        _ bytes: RawSpan, mpNextHop: IPAddress?, peer: RoutingPeer, hasReachable: Bool, hasIPv4NLRI: Bool,
        isOverrun: Bool, faults: inout [AttributeFault]
    ) -> AttributeHandle? {
        if isOverrun {
            faults.append(
                AttributeFault(
                    AttributeType(rawValue: 0), .treatAsWithdraw,
                    reason: "attributes overrun their total length (RFC 7606 4)"))
        }
        if !isOverrun, hasReachable,
            let known = attributes.lookup(bytes, separateNextHop: mpNextHop, context: peer.context)
        {
            if let fault = firstASFault(attributes.key(known), peer) { faults.append(fault) }
            return known
        }
        var decoded = UpdateValidation.decode(bytes, peer.context)
        faults += decoded.faults
        guard hasReachable else { return nil }
        if let missing = UpdateValidation.missingMandatory(decoded.attributes, hasIPv4NLRI: hasIPv4NLRI) {
            faults.append(missing)
        }
        if let mpNextHop {
            // RFC 4760 3: NEXT_HOP beside MP_REACH_NLRI is ignored for its routes.
            decoded.attributes.nextHop = nil
            if !PathAttributes.isValidNextHop(mpNextHop)
                || (mpNextHop.isLinkLocal && mpNextHop.family == .ipv6 && mpNextHop.scope == 0)
            {
                faults.append(
                    AttributeFault(
                        .mpReachNLRI, .treatAsWithdraw,
                        reason: "next hop \(mpNextHop) is no unicast address (RFC 4760 3)"))
            }
        }
        guard !faults.contains(where: { $0.action != .attributeDiscard }) else { return nil }
        let handle = attributes.intern(
            decoded.attributes, separateNextHop: mpNextHop, received: bytes, context: peer.context)
        if let fault = firstASFault(attributes.key(handle), peer) { faults.append(fault) }
        return handle
    }

    /// RFC 4271 6.3, RFC 7606 7.2: the leftmost AS of an external peer's path is the peer's. A route server does not
    /// put itself there (RFC 7947 section 2.2.2.2).
    private func firstASFault(_ key: DecisionKey, _ peer: RoutingPeer) -> AttributeFault? {
        guard !peer.isInternal, key.neighborAS != peer.asNumber.rawValue, peer.policy.role != .rsClient else {
            return nil
        }
        return AttributeFault(
            .asPath, .treatAsWithdraw, reason: "leftmost AS is not the peer's AS \(peer.asNumber) (RFC 4271 6.3)")
    }

    /// Takes over the caller's reference to `handle`.
    private mutating func announce(
        _ field: RawSpan, family: AddressFamily, index: PeerIndex, peer: RoutingPeer, handle: AttributeHandle,
        into result: inout UpdateResult
    ) {
        // The set's own verdict is the same for every prefix of the message; only the prefix-dependent part is asked
        // again.
        var verdict = beginVerdict(handle, peer)
        let hasPathID = peer.context.addPath.contains(family)
        var reader = ByteReader(field)
        while let (prefix, pathID) = NLRI.next(&reader, family, hasPathID: hasPathID) {
            let (flags, effective) = judge(prefix, peer, verdict: &verdict)
            if insert(prefix, index, pathID: pathID, attributes: effective, received: handle, flags: flags) {
                result.announced += 1
            } else {
                result.refused += 1
            }
        }
        endVerdict(verdict)
        attributes.release(handle)
    }

    private mutating func withdraw(_ field: RawSpan, family: AddressFamily, index: PeerIndex, peer: RoutingPeer)
        -> Int
    {
        let hasPathID = peer.context.addPath.contains(family)
        var reader = ByteReader(field)
        var count = 0
        while let (prefix, pathID) = NLRI.next(&reader, family, hasPathID: hasPathID) {
            if let path = tables[family].remove(prefix, index, pathID: pathID) { releaseAttributes(of: path) }
            count += 1
        }
        return count
    }
}

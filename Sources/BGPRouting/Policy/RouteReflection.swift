public import BGPMessages
public import NetTypes

/// Turns the attributes of a selected route into those that leave to an update group: NEXT_HOP, LOCAL_PREF,
/// MULTI_EXIT_DISC, AS_PATH (RFC 4271 5.1), ORIGINATOR_ID and CLUSTER_LIST (RFC 4456 8), OTC (RFC 9234 5).
public enum OutboundAttributes {
    /// `sourceIdentifier`: the BGP Identifier of the peer that the route came from, for ORIGINATOR_ID.
    public static func transform(
        _ attributes: PathAttributes, source: RouteSource, sourceIdentifier: BGPIdentifier, profile: ExportProfile,
        identity: AttributeTable.Identity
    ) -> PathAttributes {
        var result = attributes
        if profile.replacesNextHop(source) { result.nextHop = profile.nextHop.own ?? profile.nextHop.linkLocal }
        if profile.isInternal {
            // RFC 4271 5.1.5: in every internal UPDATE.
            if result.localPref == nil { result.localPref = PathAttributes.defaultLocalPref }
            if source == .client || source == .nonClient {
                // RFC 4456 8: reflected. Nothing else changes (section 10).
                if result.originatorID == nil { result.originatorID = sourceIdentifier }
                result.clusterList.insert(identity.clusterID, at: 0)
            }
        } else {
            result.asPath = (result.asPath ?? ASPath()).prepending(profile.localAS)
            if source == .client || source == .nonClient, profile.replacesNextHop(source) {
                for _ in 0..<profile.reexportPrepend { result.asPath = result.asPath?.prepending(profile.localAS) }
            }
            result.localPref = nil
            // RFC 4271 5.1.4: a neighbor's MED does not go on to another AS.
            if source != .local { result.multiExitDisc = nil }
            result.originatorID = nil
            result.clusterList = []
            result.extendedCommunities.removeAll { !$0.isTransitive }
            // RFC 9234 5, egress 1: towards a customer, a peer, or a client of our route server.
            if let role = profile.role, role == .provider || role == .peer || role == .rs, result.onlyToCustomer == nil
            {
                result.onlyToCustomer = profile.localAS
            }
        }
        return result
    }

    /// RFC 4456 8 on a canonical block: ORIGINATOR_ID where there is none, our cluster id before the others. The rest
    /// is copied as it is.
    public static func reflect(_ canonical: RawSpan, originator: BGPIdentifier, clusterID: BGPIdentifier) -> [UInt8] {
        var writer = ByteWriter(capacity: canonical.byteCount + 16)
        var reader = ByteReader(canonical)
        var hasOriginator = false
        var hasClusterList = false
        /// What must stand before an attribute of this type.
        func fill(before type: UInt8, _ writer: inout ByteWriter) {
            if !hasOriginator, type > AttributeType.originatorID.rawValue {
                hasOriginator = true
                writer.attributeHeader(.originatorID, flags: .optional, length: 4)
                writer.u32(originator.rawValue)
            }
            if !hasClusterList, type > AttributeType.clusterList.rawValue {
                hasClusterList = true
                writer.attributeHeader(.clusterList, flags: .optional, length: 4)
                writer.u32(clusterID.rawValue)
            }
        }
        while !reader.isEmpty {
            let offset = canonical.byteCount - reader.remaining
            guard let attribute = RawAttribute.next(&reader) else { break }
            fill(before: attribute.type.rawValue, &writer)
            switch attribute.type {
            case .originatorID: hasOriginator = true
            case .clusterList:
                hasClusterList = true
                writer.attributeHeader(.clusterList, flags: .optional, length: attribute.value.byteCount + 4)
                writer.u32(clusterID.rawValue)
                writer.append(attribute.value)
                continue
            default: break
            }
            writer.append(canonical.part(offset, canonical.byteCount - reader.remaining - offset))
        }
        fill(before: .max, &writer)
        return writer.bytes
    }
}

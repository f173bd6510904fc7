package import BGPRouting
import Crypto
import NetTypes
package import Resources

/// Who a node is towards its peers, as its Node object says it.
extension AttributeTable.Identity {
    /// Nil where there is no Node of that name. What is not declared follows from the IPv4 address, or from the name.
    package init?(_ resources: ResourceSet, node name: String) {
        guard let node = resources.node(name) else { return nil }
        let identifier =
            node.routerID ?? node.ipv4.map { BGPIdentifier(rawValue: $0.address.v4) } ?? .derived(from: name)
        self.init(
            localAS: resources.asNumber(of: name), identifier: identifier,
            clusterID: node.routeReflectorClusterID ?? identifier)
    }
}

extension BGPIdentifier {
    /// An IPv6-only node's identifier: the first bytes of its name's SHA-256, never 0, the same on every start.
    fileprivate static func derived(from name: String) -> BGPIdentifier {
        let value = Digest.sha256(Array(name.utf8)).prefix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        return BGPIdentifier(rawValue: value == 0 ? 1 : value)
    }
}

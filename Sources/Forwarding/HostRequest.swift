package import NetTypes

/// Something that is to be set up on the host for a pod or for this node.
package enum HostRequest: Sendable, Hashable, CustomStringConvertible {
    /// A path below /proc/sys and its value.
    case sysctl(String, String)
    case address(IPAddress, InterfaceIndex)
    /// A permanent neighbor entry.
    case neighbor(IPAddress, MACAddress, InterfaceIndex)

    package var description: String {
        switch self {
        case .sysctl(let path, _): path
        case .address(let address, _): "address \(address)"
        case .neighbor(let address, _, _): "neighbor \(address)"
        }
    }
}

/// Requests that belong together.
package struct SetUp: Sendable, Hashable {
    package enum Owner: Sendable, Hashable {
        /// The host's side of an endpoint's veth, by the endpoint's name.
        case endpoint(String)
        /// Addresses of this node on `lo`.
        case loopback
    }
    package var owner: Owner
    package var requests: [HostRequest]
}

/// A request that the host refused, with an errno.
package struct RefusedRequest: Sendable, Hashable {
    package var request: HostRequest
    package var code: Int32
    package init(_ request: HostRequest, code: Int32) {
        self.request = request
        self.code = code
    }
}

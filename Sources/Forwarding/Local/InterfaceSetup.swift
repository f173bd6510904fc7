import FIB
import NetTypes
import Resources

/// The host's side of a pod's veth (contract 2.7): sysctls and the permanent neighbor entry.
enum InterfaceSetup {
    /// What is to be set up, in order.
    static func requests(
        _ endpoint: WorkloadEndpoint, interface: Interface, interfaces: InterfaceTable, allowsSpoofing: Bool
    ) -> [HostRequest] {
        let name = interface.name
        // Differs: Felix sets 1, and its policy drops what a pod sends to the host's loopback addresses. There is no
        // such policy here, so that with 1 every service that listens on 127.0.0.1 would be open to pods (CVE-2020-8558
        // is of that kind). What somebody else set is put right, too.
        var requests: [HostRequest] = [.sysctl("net/ipv4/conf/\(name)/route_localnet", "0")]
        if endpoint.addresses.contains(where: { $0.family == .ipv4 }) {
            requests += [
                .sysctl("net/ipv4/neigh/\(name)/proxy_delay", "0"), .sysctl("net/ipv4/conf/\(name)/proxy_arp", "1"),
                .sysctl("net/ipv4/conf/\(name)/forwarding", "1"),
                // Strict: a pod cannot send with an address that is not routed to it.
                .sysctl("net/ipv4/conf/\(name)/rp_filter", allowsSpoofing ? "0" : "1"),
            ]
        }
        if endpoint.addresses.contains(where: { $0.family == .ipv6 }) {
            requests += [
                .sysctl("net/ipv6/conf/\(name)/disable_ipv6", "0"), .sysctl("net/ipv6/conf/\(name)/proxy_ndp", "1"),
                .sysctl("net/ipv6/conf/\(name)/forwarding", "1"), .sysctl("net/ipv6/conf/\(name)/accept_ra", "0"),
            ]
            // The pod's gateway: the kernel makes it of the MAC address ee:ee:ee:ee:ee:ee, which not every plugin sets.
            if let gateway = IPAddress("fe80::ecee:eeff:feee:eeee"), interface.mac?.description != "ee:ee:ee:ee:ee:ee",
                !interfaces.addresses.contains(where: { $0.interface == interface.index && $0.address == gateway })
            {
                requests.append(.address(gateway, interface.index))
            }
        }
        if let mac = endpoint.mac {
            requests += endpoint.addresses.map { .neighbor($0, mac, interface.index) }
        }
        return requests
    }
}

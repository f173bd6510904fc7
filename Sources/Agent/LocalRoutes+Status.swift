import FIB
import NetTypes
import Planning
import Resources
import StatusAPI

extension LocalRoutes {
    func status(isInstalled: (Prefix) -> Bool, reason: (Prefix) -> String?) -> [OwnPrefixStatus] {
        var rows: [OwnPrefixStatus] = []
        for block in blocks {
            let why: String
            if announced[block.prefix] != nil {
                why = ""
            } else if !block.isExported {
                why = "the pool has disableBGPExport"
            } else {
                why = isInstalled(block.prefix) ? "about to be announced" : "its route is not in the kernel: " + (reason(block.prefix) ?? "pending")
            }
            rows.append(OwnPrefixStatus(prefix: "\(block.prefix)", kind: "block", isAnnounced: announced[block.prefix] != nil, reason: why))
        }
        for prefix in services {
            rows.append(OwnPrefixStatus(prefix: "\(prefix)", kind: "service", isAnnounced: announced[prefix] != nil, reason: ""))
        }
        for prefix in wantsAnnouncement.keys.sorted() where prefix.isHost && !services.contains(prefix) {
            let isAnnounced = announced[prefix] != nil
            rows.append(
                OwnPrefixStatus(
                    prefix: "\(prefix)", kind: "address", isAnnounced: isAnnounced,
                    reason: isAnnounced ? "" : "its route is not in the kernel: " + (reason(prefix) ?? "pending")))
        }
        return rows
    }

    /// `deafness`: why no guest can be heard, if so.
    func endpointStatus(_ interfaces: InterfaceTable, deafness: String?, isInstalled: (Prefix) -> Bool, reason: (Prefix) -> String?) -> [EndpointStatus] {
        endpoints.values.sorted { $0.name < $1.name }.map { entry in
            let prefixes = entry.endpoint.addresses.map { Prefix(host: $0) }
            var state = "up"
            var why = entry.preparationError ?? ""
            if !programming.includesPods {
                let missing = prefixes.first { observed[$0] == nil }
                return EndpointStatus(
                    name: entry.name, interface: entry.endpoint.interfaceName, addresses: entry.endpoint.addresses.map(\.description),
                    state: missing == nil ? "up" : "failed", reason: missing.map { "nobody has written a host route of \($0) (--program remote leaves it to Felix)" } ?? "")
            }
            if let interface = interfaces.named(entry.endpoint.interfaceName) {
                if !interface.isUp {
                    state = "interface down"
                } else if entry.isWaiting {
                    state = "waiting for guest"
                    why = deafness ?? "it is to be moved here: no ARP, RARP or neighbour advertisement of it yet"
                } else if let broken = prefixes.first(where: { !isInstalled($0) || desired[$0]?.nextHops.first?.interface != interface.index }) {
                    state = "failed"
                    why = reason(broken) ?? (isInstalled(broken) ? "\(broken) belongs to another endpoint" : "the route of \(broken) is pending")
                } else if !why.isEmpty {
                    state = "failed"
                }
            } else {
                state = "waiting for interface"
            }
            if state == "up", entry.isElevated || elevatedUntil[entry.name] != nil { why = "elevated priority: it is being moved here" }
            if state == "up", entry.endpoint.hasFloatingAddresses { why = "its floating addresses (ipNATs) are not handled" }
            return EndpointStatus(
                name: entry.name, interface: entry.endpoint.interfaceName, addresses: entry.endpoint.addresses.map(\.description), state: state,
                reason: why)
        }
    }
}

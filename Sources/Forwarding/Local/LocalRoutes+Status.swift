package import FIB
package import NetTypes
import Planning
import Resources
package import StatusAPI

extension LocalRoutes {
    package func status(isInstalled: (Prefix) -> Bool, reason: (Prefix) -> FIBReason?) -> [OwnPrefixStatus] {
        var rows: [OwnPrefixStatus] = []
        for block in own.blocks {
            let why: OwnPrefixReason?
            if announcements.announced[block.prefix] != nil {
                why = nil
            } else if !block.isExported {
                why = .exportDisabled
            } else {
                why = isInstalled(block.prefix) ? .aboutToBeAnnounced : .notInKernel(reason: reason(block.prefix))
            }
            rows.append(
                OwnPrefixStatus(
                    prefix: "\(block.prefix)", kind: .block, isAnnounced: announcements.announced[block.prefix] != nil,
                    reason: why))
        }
        for prefix in own.services {
            let isAnnounced = announcements.announced[prefix] != nil
            rows.append(
                OwnPrefixStatus(
                    prefix: "\(prefix)", kind: .service, isAnnounced: isAnnounced,
                    reason: isAnnounced ? nil : .aboutToBeAnnounced))
        }
        for prefix in announcements.waiting.keys.sorted() where prefix.isHost && !own.services.contains(prefix) {
            let isAnnounced = announcements.announced[prefix] != nil
            rows.append(
                OwnPrefixStatus(
                    prefix: "\(prefix)", kind: .address, isAnnounced: isAnnounced,
                    reason: isAnnounced ? nil : .notInKernel(reason: reason(prefix))))
        }
        return rows
    }

    /// `guestError`: why no guest can be heard, if so.
    package func endpointStatus(
        _ interfaces: InterfaceTable, guestError: HostError?, isInstalled: (Prefix) -> Bool,
        reason: (Prefix) -> FIBReason?
    ) -> [EndpointStatus] {
        endpoints.values.sorted { $0.name < $1.name }.map { entry in
            let prefixes = entry.endpoint.addresses.map { Prefix(host: $0) }
            var state = EndpointState.up
            var why =
                entry.refused.isEmpty
                ? nil
                : EndpointReason.setUpFailed(
                    refused: entry.refused.map { RefusedSetting(setting: "\($0.request)", code: $0.code) })
            if !programming.includesPods {
                let missing = prefixes.first { observed[$0] == nil }
                return EndpointStatus(
                    name: entry.name, interface: entry.endpoint.interfaceName,
                    addresses: entry.endpoint.addresses.map(\.description),
                    state: missing == nil ? .up : .failed, reason: missing.map { .noHostRoute(prefix: "\($0)") })
            }
            if let interface = interfaces.named(entry.endpoint.interfaceName) {
                if !interface.isUp {
                    state = .interfaceDown
                } else if entry.isWaiting {
                    state = .waitingForGuest
                    why = guestError.map { .cannotHearGuests(code: $0.code) } ?? .guestNotHeard
                } else if let broken = prefixes.first(where: {
                    !isInstalled($0) || desired[$0]?.nextHops.first?.interface != interface.index
                }) {
                    state = .failed
                    why =
                        reason(broken).map { .notInKernel(prefix: "\(broken)", reason: $0) }
                        ?? (isInstalled(broken)
                            ? .addressOfAnotherEndpoint(prefix: "\(broken)") : .routePending(prefix: "\(broken)"))
                } else if why != nil {
                    state = .failed
                }
            } else {
                state = .waitingForInterface
            }
            if state == .up, entry.isElevated || elevation.until[entry.name] != nil { why = .elevatedPriority }
            if state == .up, entry.endpoint.hasFloatingAddresses { why = .floatingAddressesIgnored }
            return EndpointStatus(
                name: entry.name, interface: entry.endpoint.interfaceName,
                addresses: entry.endpoint.addresses.map(\.description), state: state,
                reason: why)
        }
    }
}

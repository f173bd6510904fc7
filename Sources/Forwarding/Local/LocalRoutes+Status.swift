package import FIB
package import NetTypes
import Planning
import Resources
package import StatusAPI

extension LocalRoutes {
    /// `missing`: addresses of the Node object that the host does not have.
    package func status(
        missing: [IPAddress], isInstalled: (Prefix) -> Bool, reason: (Prefix) -> FIBReason?
    ) -> [OwnPrefixStatus] {
        var rows = rows(isInstalled: isInstalled, reason: reason)
        for address in missing {
            for index in rows.indices
            where !rows[index].isAnnounced && Prefix(rows[index].prefix)?.family == address.family
                && rows[index].reason != .exportDisabled
            {
                rows[index].reason = .addressOnNoInterface(address: "\(address)")
            }
        }
        return rows
    }

    private func rows(isInstalled: (Prefix) -> Bool, reason: (Prefix) -> FIBReason?) -> [OwnPrefixStatus] {
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

    /// By name. `exceptUp`: only those that are not up. `guestError`: why no guest can be heard, if so.
    package func endpointStatus(
        _ interfaces: InterfaceTable, exceptUp: Bool, guestError: HostError?, isInstalled: (Prefix) -> Bool,
        reason: (Prefix) -> FIBReason?
    ) -> [EndpointStatus] {
        var rows: [EndpointStatus] = []
        for entry in endpoints.values {
            let (state, why) = state(
                of: entry, interfaces, guestError: guestError, isInstalled: isInstalled, reason: reason)
            guard state != .up || !exceptUp else { continue }
            rows.append(
                EndpointStatus(
                    name: entry.name, interface: entry.endpoint.interfaceName,
                    addresses: entry.endpoint.addresses.map(\.description), state: state, reason: why))
        }
        return rows.sorted { $0.name < $1.name }
    }

    private func state(
        of entry: Endpoint, _ interfaces: InterfaceTable, guestError: HostError?, isInstalled: (Prefix) -> Bool,
        reason: (Prefix) -> FIBReason?
    ) -> (EndpointState, EndpointReason?) {
        let prefixes = entry.endpoint.addresses.lazy.map { Prefix(host: $0) }
        if !programming.includesPods {
            let missing = prefixes.first { observed[$0] == nil }
            return (missing == nil ? .up : .failed, missing.map { .noHostRoute(prefix: "\($0)") })
        }
        guard let interface = interfaces.named(entry.endpoint.interfaceName) else { return (.waitingForInterface, nil) }
        if !interface.isUp { return (.interfaceDown, entry.refusal) }
        if entry.isWaiting {
            return (.waitingForGuest, guestError.map { .cannotHearGuests(code: $0.code) } ?? .guestNotHeard)
        }
        let broken = prefixes.first {
            !isInstalled($0) || desired[$0]?.nextHops.first?.interface != interface.index
        }
        if let broken {
            return (
                .failed,
                reason(broken).map { .notInKernel(prefix: "\(broken)", reason: $0) }
                    ?? (isInstalled(broken)
                        ? .addressOfAnotherEndpoint(prefix: "\(broken)") : .routePending(prefix: "\(broken)"))
            )
        }
        if let refusal = entry.refusal { return (.failed, refusal) }
        if entry.endpoint.hasFloatingAddresses { return (.up, .floatingAddressesIgnored) }
        return (.up, entry.isElevated || elevation.until[entry.name] != nil ? .elevatedPriority : nil)
    }
}

extension LocalRoutes.Endpoint {
    /// What of its interface's settings the kernel refused; nil for nothing.
    fileprivate var refusal: EndpointReason? {
        refused.isEmpty
            ? nil
            : .setUpFailed(refused: refused.map { RefusedSetting(setting: "\($0.request)", code: $0.code) })
    }
}

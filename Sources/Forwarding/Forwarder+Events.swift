package import FIB
import NetTypes

/// What the kernel says, in dumps and notifications.
extension Forwarder {
    /// The kernel is about to be read whole.
    package mutating func beginDump() {
        pending.dump = false
        linkChanges.noteAll()
        if pending.lastInterfaces == nil { pending.lastInterfaces = interfaces }
        interfaces.removeAll()
        tunnels.forgetEntries()
        restartRoutes()
    }
    /// What was heard of routes so far is void.
    package mutating func restartRoutes() {
        local.forgetObserved()
        delta.beginDump()
    }
    package mutating func endDump() {
        delta.endDump()
        pending.nextHopRefresh = true
        guard let before = pending.lastInterfaces else { return }
        pending.lastInterfaces = nil
        for interface in before.interfaces.values
        where interface.isUsable && !(interfaces[interface.index]?.isUsable ?? false) {
            linkChanges.noteLost(interface)
        }
        for own in before.addresses where !interfaces.owns(own.address) { linkChanges.noteLost(own.address) }
        for interface in interfaces.interfaces.values
        where interface.isUsable && !(before[interface.index]?.isUsable ?? false) {
            linkChanges.noteGained(interface)
        }
        for own in interfaces.addresses where !before.owns(own.address) { linkChanges.noteGained(own.address) }
    }

    /// Takes over what the kernel says.
    package mutating func absorb(_ event: KernelEvent) {
        switch event {
        case .link(let interface):
            let before = interfaces.set(interface)
            pending.nextHopRefresh = true
            if before?.isUp ?? false, !interface.isUp { lost(interface.index) }
            if before?.isUsable ?? false, !interface.isUsable { linkChanges.noteLost(interface) }
            if interface.isUsable, !(before?.isUsable ?? false), pending.lastInterfaces == nil {
                linkChanges.noteGained(interface)
            }
            if before != interface {
                local.interfaceChanged(interface.name, before?.name)
                tunnels.interfaceChanged(interface)
            }
            if interface.isUsable { delta.retryFailures() }
        case .linkRemoved(let index):
            if let gone = interfaces.remove(index) {
                lost(index)
                linkChanges.noteLost(gone)
                local.interfaceChanged(gone.name, nil)
                tunnels.interfaceRemoved(gone)
            }
            pending.nextHopRefresh = true
        case .address(let address):
            interfaces.add(address)
            if pending.lastInterfaces == nil { linkChanges.noteGained(address.address) }
            noteLinkChange(address)
            pending.nextHopRefresh = true
            local.addressesChanged()
            tunnels.addressesChanged()
        case .addressRemoved(let address):
            interfaces.remove(address)
            if !interfaces.owns(address.address) { linkChanges.noteLost(address.address) }
            noteLinkChange(address)
            pending.nextHopRefresh = true
            local.addressesChanged()
            tunnels.addressesChanged()
            // With the last address of an interface the kernel drops its IPv4 routes without a word.
            pending.dump = true
        case .ownRoute(let route):
            // Whether it came before or after the batch that is being written is not known.
            if pending.isWriting { pending.dump = true }
            if route.nextHops.count > 1 { pending.usesGroups = true }
            delta.kernelHas(route)
        case .ownRouteRemoved(let route):
            if pending.isWriting { pending.dump = true }
            delta.kernelLost(route.prefix, metric: route.metric, table: route.table)
        case .foreignRoute(var route, let replaces):
            route.predecessor = predecessor(of: route)
            delta.foreignAdded(route, replaces: replaces)
            linkChanges.note(route.prefix)
            observe(route, isThere: true)
            pending.nextHopRefresh = true
        case .foreignRouteRemoved(let route):
            delta.foreignRemoved(route)
            linkChanges.note(route.prefix)
            observe(route, isThere: false)
            pending.nextHopRefresh = true
        case .entry(let entry, let index): tunnels.entryAdded(entry, index)
        case .entryRemoved(let entry, let index): tunnels.entryRemoved(entry, index)
        case .neighborLost(let address, let index): tunnels.neighborLost(address, index)
        case .overflow:
            if !pending.dump { reports.append(.notificationsLost) }
            pending.dump = true
        }
    }

    /// A link-local address is a next hop only beside a global one of its interface (RFC 2545 3): those of pods'
    /// interfaces concern no peer.
    private mutating func noteLinkChange(_ address: InterfaceAddress) {
        let isBesideGlobal = interfaces.addresses(on: address.interface).contains {
            $0.family == .ipv6 && !$0.isLinkLocal
        }
        if !address.address.isLinkLocal || isBesideGlobal { linkChanges.noteAll() }
    }

    /// An interface was set down or went away: the kernel removed the routes that left by it, for IPv4 without a word.
    /// One that only lost its carrier keeps them (as `linkdown`): they are ours to delete.
    private mutating func lost(_ index: InterfaceIndex) {
        var gone: [FIBRoute] = []
        delta.forEachOwn { _, _, present in
            if let present, present.nextHops.contains(where: { $0.interface == index }) { gone.append(present) }
        }
        for route in gone {
            if route.nextHops.count == 1 {
                delta.kernelLost(route.prefix, metric: route.metric, table: route.table)
            } else {
                pending.dump = true
            }
        }
    }
}

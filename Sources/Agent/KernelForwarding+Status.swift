import FIB
import LinuxIO
import NetTypes
import StatusAPI

/// What the forwarding plane tells of itself.
extension KernelForwarding {
    func fill(_ status: inout DaemonStatus) {
        status.routesWanted = delta.desiredCount
        status.routesInKernel = delta.kernelCount
        status.problems += tunnels.problems
        if let deafness, local.awaitsGuests { status.problems.append("a live migration's target waits: \(deafness)") }
        status.routesHeld = breaker.held.count
        status.routesWaiting = delta.waitingCount
        status.audits = auditCount
        status.resyncs = resyncs
        status.auditFindings = auditFindings
        if breaker.isTripped {
            status.problems.append("\(breaker.held.count) routes of the cluster were withdrawn at once and are kept (massWithdrawal): apusctl fib release lets them go")
        }
        status.routesMissing = delta.dirtyCount + delta.failureCount + unprogrammed.count + inFlight.reduce(0) { $0 + $1.count }
        status.routesRepaired = delta.repairCount
        status.ownPrefixes = local.status(isInstalled: { delta.isInstalled($0) || local.isObserved($0) }, reason: { reason($0) })
    }

    /// Why a route is not in the kernel, in the operator's words.
    private func reason(_ prefix: Prefix) -> String? {
        switch delta.skipReason(prefix) {
        case .kernelError(let code)?: KernelError.meaning(code, of: delta.desired(prefix), interfaces) ?? errorText(code)
        case let other?: other.text
        case nil: unprogrammed[prefix]
        }
    }

    func endpointStatus() -> [EndpointStatus] {
        local.endpointStatus(interfaces, deafness: deafness, isInstalled: { delta.isInstalled($0) || local.isObserved($0) }, reason: { reason($0) })
    }

    func fibStatus(_ wantedPrefix: Prefix?, from start: PageCursor, limit: Int) -> (rows: [FIBStatus], next: Int?) {
        var rows: [FIBStatus] = []
        var position = 0
        var next: Int?
        delta.forEachOwn { prefix, wanted, present in
            if let wantedPrefix, !prefix.overlaps(wantedPrefix) { return }
            defer { position += 1 }
            guard position >= start.position, next == nil else { return }
            if rows.count == limit {
                next = position
                return
            }
            let reason = delta.skipReason(prefix) == nil ? "" : reason(prefix) ?? ""
            let isHeld = breaker.held[prefix] != nil
            let isWaiting = delta.isWaiting(prefix)
            let state = isHeld ? "held" : isWaiting ? "waiting" : wanted == nil ? "to be removed" : wanted == present ? "installed" : reason.isEmpty ? "pending" : "failed"
            rows.append(
                FIBStatus(
                    prefix: "\(prefix)", wanted: wanted.map(render), kernel: present.map(render), state: state,
                    reason: isHeld
                        ? "withdrawn with nearly all others; apusctl fib release lets it go"
                        : isWaiting
                            ? "found at the start; it goes unless it is announced before the peers have sent their tables, or \(Int(settings.restartTime.inSeconds)) s are over"
                            : local.orphans[prefix] != nil ? "a pod of an earlier process without an endpoint: its interface is up" : reason))
        }
        if next == nil {
            // What BGP has and no way leads to, behind the rest.
            for (prefix, reason) in unprogrammed.sorted(by: { $0.key < $1.key }) where wantedPrefix.map({ prefix.overlaps($0) }) ?? true {
                defer { position += 1 }
                guard position >= start.position else { continue }
                if rows.count == limit { return (rows, position) }
                rows.append(FIBStatus(prefix: "\(prefix)", wanted: nil, kernel: nil, state: "failed", reason: reason))
            }
        }
        return (rows, next)
    }

    /// An operation with names of interfaces in place of their numbers.
    func describe(_ operation: FIBOperation) -> String {
        switch operation {
        case .add(let route): "add \(route.prefix) \(render(route))"
        case .replace(let route): "replace \(route.prefix) \(render(route))"
        case .delete: "\(operation)"
        }
    }

    /// As `ip route` writes it.
    private func render(_ route: FIBRoute) -> String {
        let hops = route.nextHops.map { hop in
            (hop.gateway.map { "via \($0) " } ?? "") + "dev \(interfaces[hop.interface]?.name ?? "if\(hop.interface)")" + (hop.isOnlink ? " onlink" : "")
        }
        return ([route.kind == .blackhole ? "blackhole" : ""] + hops + ["metric \(route.metric)"]).filter { !$0.isEmpty }.joined(separator: " ")
    }
}

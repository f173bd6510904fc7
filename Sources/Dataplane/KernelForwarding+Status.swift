import FIB
import Forwarding
package import ForwardingPlane
import LinuxIO
package import NetTypes
package import StatusAPI

/// What the forwarding plane reports of itself.
extension KernelForwarding {
    package func fill(_ status: inout DaemonStatus) {
        status.routesWanted = core.delta.desiredCount
        status.routesInKernel = core.delta.kernelCount
        status.routesHeld = core.breaker.held.count
        status.routesWaiting = core.delta.waitingCount
        status.audits = audit.count
        status.resyncs = resyncs
        status.auditFindings = audit.findings
        status.routesMissing = missingCount
        status.routesRepaired = core.delta.repairCount
        status.ownPrefixes = core.local.status(
            missing: core.missingAddresses,
            isInstalled: { core.delta.isInstalled($0) || core.local.isObserved($0) }, reason: { reason($0) })
    }

    /// Routes that are not in the kernel as wanted, or whose acknowledgement is not there yet.
    var missingCount: Int {
        core.delta.dirtyCount + core.delta.failureCount + core.unprogrammed.count + batches.routeCount
    }

    /// Why a route is not in the kernel; nil where nothing is known that keeps it out.
    private func reason(_ prefix: Prefix) -> FIBReason? {
        core.delta.skipReason(prefix).map { FIBReason($0, of: core.delta.desired(prefix), core.interfaces) }
            ?? core.unprogrammed[prefix]
    }

    package func endpointStatus() -> [EndpointStatus] { endpointStatus(exceptUp: false) }

    /// By name.
    func endpointStatus(exceptUp: Bool) -> [EndpointStatus] {
        core.local.endpointStatus(
            core.interfaces, exceptUp: exceptUp, guestError: guestError,
            isInstalled: { core.delta.isInstalled($0) || core.local.isObserved($0) },
            reason: { reason($0) })
    }

    /// Sections 0 and 1 of the cursor: wanted routes and the kernel's, IPv4 and IPv6. 2 and 3: what BGP has and no next
    /// hop leads to.
    package func fibPage(_ wanted: Prefix?, from start: PageCursor, _ limit: PageLimit) -> Page<FIBStatus> {
        var page = Page<FIBStatus>()
        var budget = limit.places
        for section in 0..<4 where section >= start.section {
            let family = AddressFamily.allCases[section & 1]
            guard (wanted?.family ?? family) == family else { continue }
            let place = section == start.section ? start.place : 0
            func add(_ row: @autoclosure () -> FIBStatus) -> Bool {
                guard page.rows.count < limit.rows else { return false }
                page.rows.append(row())
                return true
            }
            let next =
                section < 2
                ? core.delta.visitOwn(family, overlapping: wanted, from: place, budget: &budget) {
                    add(row(prefix: $0, wanted: $1, present: $2))
                }
                : core.unprogrammed.visit(family, overlapping: wanted, from: place, budget: &budget) {
                    add(unprogrammedRow($0, $1))
                }
            if let next {
                page.next = PageCursor(section: section, place: next).position
                break
            }
        }
        page.looked = limit.places - budget
        return page
    }

    package func fibRow(_ prefix: Prefix) -> FIBStatus? {
        let (wanted, present) = (core.delta.desired(prefix), core.delta.kernel(prefix))
        if wanted != nil || present != nil { return row(prefix: prefix, wanted: wanted, present: present) }
        return core.unprogrammed[prefix].map { unprogrammedRow(prefix, $0) }
    }

    private func unprogrammedRow(_ prefix: Prefix, _ reason: FIBReason) -> FIBStatus {
        FIBStatus(prefix: "\(prefix)", wanted: nil, kernel: nil, state: .failed, reason: reason)
    }

    private func row(prefix: Prefix, wanted: FIBRoute?, present: FIBRoute?) -> FIBStatus {
        let (state, reason) = state(prefix: prefix, wanted: wanted, present: present)
        return FIBStatus(
            prefix: "\(prefix)", wanted: wanted.map(render), kernel: present.map(render), state: state, reason: reason)
    }

    private func state(prefix: Prefix, wanted: FIBRoute?, present: FIBRoute?) -> (FIBState, FIBReason?) {
        if core.breaker.held[prefix] != nil { return (.held, .keptAfterMassWithdrawal) }
        if core.delta.isWaiting(prefix) {
            return (.waiting, .foundAtStart(seconds: Int(core.settings.restartTime.inSeconds)))
        }
        let failure = core.delta.skipReason(prefix) == nil ? nil : reason(prefix)
        let state: FIBState =
            wanted == nil ? .toBeRemoved : wanted == present ? .installed : failure == nil ? .pending : .failed
        return (state, core.local.orphans[prefix] != nil ? .podWithoutEndpoint : failure)
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
            (hop.gateway.map { "via \($0) " } ?? "")
                + "dev \(core.interfaces[hop.interface]?.name ?? "if\(hop.interface)")"
                + (hop.isOnlink ? " onlink" : "")
        }
        return ([route.kind == .blackhole ? "blackhole" : ""] + hops + ["metric \(route.metric)"]).filter {
            !$0.isEmpty
        }.joined(separator: " ")
    }
}

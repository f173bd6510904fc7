import Dataplane
package import Edges
package import FIB
import Glibc
import KernelRoutes
import LinuxIO

/// `apusd cleanup`: what an agent that ended left on this host is given to BIRD and Felix, or removed.
package enum CleanupMode {
    /// `socket`: of the agent that must not be running. `routeProtocol`: which routes are the agent's. Returns what was
    /// done, or would be, in lines for a terminal or a log, and whether the kernel refused nothing.
    package static func run(_ heirs: Heirs, routeProtocol: UInt8, socket: String, isDryRun: Bool) throws(StartError)
        -> (lines: [String], isComplete: Bool)
    {
        let owner = "give them to others with the agent stopped, or they are written again"
        do throws(SystemError) {
            _ = try LineStream(connectingTo: socket)
            throw SystemError(code: 0, operation: socket)
        } catch {
            // Nobody listens, or there is no socket.
            guard error.code == ECONNREFUSED || error.code == ENOENT else {
                throw StartError(
                    error.code == 0
                        ? "an apusd answers at \(socket), whose routes these are: stop it first; \(owner)"
                        : "--socket: whether an apusd runs here is not known: \(error)")
            }
        }
        guard isDryRun || Privileges.hasNetAdmin else {
            throw StartError("apusd cleanup changes routes and needs CAP_NET_ADMIN: run it as root, or with --dry-run")
        }
        do throws(SystemError) {
            let host = try NetlinkHost(
                ownership: Ownership(routeProtocol: routeProtocol), isReadOnly: isDryRun, hearsGuests: false)
            do throws(HostError) {
                let report = try Cleanup.run(on: host, heirs: heirs, isDryRun: isDryRun)
                return (lines(report, isDryRun: isDryRun), report.failures.isEmpty)
            } catch {
                throw SystemError(code: error.code, operation: error.operation)
            }
        } catch {
            throw StartError("netlink: \(error)")
        }
    }

    private static func lines(_ report: Cleanup.Report, isDryRun: Bool) -> [String] {
        let would = isDryRun ? "would be " : ""
        var lines: [String] = []
        let given = report.given.map { ($0.key, $0.value) }.sorted { a, b in
            (a.0.name.rawValue, a.0.routeProtocol) < (b.0.name.rawValue, b.0.routeProtocol)
        }
        for (heir, count) in given {
            lines.append(
                "\(would)given to \(heir.name.rawValue): \(routes(count)), of protocol \(heir.routeProtocol) now")
        }
        if report.removed > 0 { lines.append("\(would)removed: \(routes(report.removed))") }
        for route in report.kept { lines.append("kept, for neither would have written it: \(route)") }
        if report.objectsRemoved > 0 { lines.append("removed: \(report.objectsRemoved) next-hop objects") }
        for device in report.devicesGiven { lines.append("\(would)given to felix: device \(device)") }
        for device in report.devicesRemoved { lines.append("\(would)removed: device \(device)") }
        for device in report.devicesKept { lines.append("kept, for routes of others use it: device \(device)") }
        for failure in report.failures { lines.append("failed: \(failure.what): \(errorText(failure.error))") }
        return lines.isEmpty ? ["nothing of Apus is on this host"] : lines
    }

    private static func routes(_ count: Int) -> String { count == 1 ? "1 route" : "\(count) routes" }
}

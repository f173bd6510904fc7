import Dataplane
import FIB
import Forwarding
import ForwardingPlane
import KernelRoutes
import LinuxIO
import Logging
import NetTypes
import NodeDaemon
import Rehearsal
import Resources
import Shadow

/// Where a rehearsed agent runs: on a copy of this host.
struct KernelGround: RehearsalGround {
    let settings: ForwardingSettings

    /// On the copy everything is done, and nothing is taken over.
    init(_ settings: ForwardingSettings) {
        var settings = settings
        settings.isDryRun = false
        settings.takeOver = TakeOver()
        self.settings = settings
    }
    private static let quiet = Logger(label: "rehearsal") { _ in SwiftLogNoOpLogHandler() }

    func stage(_ loaded: LoadedConfiguration) throws(HostError) -> RehearsalStage {
        do throws(SystemError) {
            let live = try NetlinkHost(ownership: Ownership(), isReadOnly: true, hearsGuests: false)
            do throws(HostError) {
                return try KernelGround.stage(try HostCopy(of: live).host, settings, logger: KernelGround.quiet)
            } catch {
                throw SystemError(code: error.code, operation: error.operation)
            }
        } catch {
            throw HostError(code: error.code, operation: error.operation)
        }
    }

    static func stage(_ host: MemoryHost, _ settings: ForwardingSettings, logger: Logger) throws(HostError)
        -> RehearsalStage
    {
        let plane = try KernelForwarding(settings, host: host, logger: logger, now: RehearsedNode.start)
        return RehearsalStage(
            plane: plane, hasNews: { host.hasNews },
            routes: { host.routes.own.values.filter { $0.table == Ownership.mainTable } })
    }
}

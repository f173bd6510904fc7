import BGPSession
import Dataplane
package import Edges
import FIB
import Forwarding
import KernelRoutes
import LinuxIO
import Logging
import NetTypes
package import NodeDaemon
package import Planning
import Resources

/// `apusd agent`: a speaker over the kernel's routes.
package enum AgentMode {
    /// `addresses`: where those of this node come from.
    package static func run(_ settings: ProcessSettings, addresses: DetectionSettings) throws(StartError) {
        let signals: SignalReader
        do throws(SystemError) { signals = try SignalReader() } catch { throw StartError("\(error)") }
        let host = DetectionView(
            addresses: NetlinkHost.namedAddresses(), sourceAddress: { UDPSocket.sourceAddress(towards: $0) })
        let daemon = try Daemon(settings, isReflector: false, addresses: addresses, host: host)
        guard settings.isDryRun || Privileges.hasNetAdmin else {
            throw StartError("apusd agent programs routes and needs CAP_NET_ADMIN: run it as root, or with --dry-run")
        }
        let transport = try daemon.openTransport()
        try daemon.makeFolders()
        _ = try daemon.markStarted()
        let felix = daemon.first.resources.felix(of: settings.node)
        if !settings.isDryRun, felix.forwardsPackets ?? true { forwardPackets(daemon) }
        var ownership = Ownership()
        if settings.programming != .remote, let number = felix.deviceRouteProtocol {
            // 0 to 4: the kernel's, ICMP's and the administrator's routes bear them, and would be taken for ours.
            if number > 4 {
                ownership = Ownership(routeProtocol: number)
            } else {
                daemon.logger.warning(
                    """
                    deviceRouteProtocol is that of the kernel's or the administrator's routes: ours bear 73; with \
                    --program remote it names Felix's
                    """,
                    metadata: ["deviceRouteProtocol": "\(number)"])
            }
        }
        let now = Instant(nanoseconds: monotonicNanoseconds())
        let kernel = daemon.forwardingSettings(settings)
        let plane: KernelForwarding
        do throws(SystemError) {
            let host = try NetlinkHost(
                ownership: ownership, isReadOnly: settings.isDryRun, hearsGuests: settings.programming.includesPods)
            do throws(HostError) {
                plane = try KernelForwarding(kernel, host: host, logger: daemon.logger, now: now)
            } catch {
                throw SystemError(code: error.code, operation: error.operation)
            }
        } catch {
            throw StartError("netlink: \(error)")
        }
        // Routes of ours in the kernel are the proof that forwarding went on while we were away (RFC 4724 4.1).
        let preserved = plane.preservedFamilies
        try daemon.run(
            plane, transport, restart: RestartState(isRestarting: !preserved.isEmpty, preservedFamilies: preserved),
            signals: signals, ground: KernelGround(kernel))
    }

    /// Contract 2.7: `ip_forward=1`.
    private static func forwardPackets(_ daemon: Daemon) {
        for path in ["net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"] {
            let error = ProcSys.write(path, "1")
            if error != 0 {
                daemon.logger.warning(
                    "packets are not forwarded", metadata: ["sysctl": "\(path)", "reason": "\(errorText(error))"])
            }
        }
    }
}

extension Daemon {
    /// What the forwarding plane has to know from its start on.
    func forwardingSettings(_ settings: ProcessSettings) -> ForwardingSettings {
        var result = ForwardingSettings(
            isDryRun: settings.isDryRun, maximumPaths: configuration.maximumPaths ?? 16,
            restartTime: configuration.nodeMeshMaxRestartTime ?? .seconds(120))
        result.felixProtocol = first.resources.felix(of: settings.node).deviceRouteProtocol ?? result.felixProtocol
        result.programming = settings.programming
        result.takeOver = TakeOver(settings.takeOver, deviceProtocol: result.felixProtocol)
        result.normalMetrics = configuration.normalPriority
        return result
    }
}

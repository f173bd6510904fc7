package import Edges
import FIB
import Forwarding
import KernelRoutes
import LinuxIO
import Logging
import NetTypes
package import NodeDaemon
package import Planning
import Rehearsal
import Resources
import Shadow
import StatusAPI

/// `apusd agent --shadow`: beside a running Calico. It peers with nobody and writes nothing; it compares what Calico has
/// with what the agent would have, and answers `apusctl shadow`.
package enum ShadowMode {
    /// Between the end of a comparison and the next; after the first, so that two are soon made.
    private static let interval: Duration = .seconds(5)
    private static let firstInterval: Duration = .seconds(2)

    /// `birds`: the control sockets of Calico's BIRDs.
    package static func run(_ settings: ProcessSettings, addresses: DetectionSettings, birds: [String])
        throws(StartError)
    {
        let signals: SignalReader
        do throws(SystemError) { signals = try SignalReader() } catch { throw StartError("\(error)") }
        var settings = settings
        // What is not applied is reported, and no reason not to compare.
        settings.isLenient = true
        settings.isDryRun = true
        let view = ShadowView(settings: settings, addresses: addresses, birds: birds)
        let first = try view.load(logLevel: settings.logLevel)
        let report = Locked(ShadowReport(node: settings.node))
        let listeners = Locked<[String: FindingCause]>([:])
        do throws(SystemError) {
            let wakeup = try Wakeup()
            let mailbox = Mailbox<LoopMessage>(wakeup)
            let socketFile: SocketFile
            do throws(StartError) { socketFile = try first.serve(mailbox) } catch {
                throw SystemError(code: 0, operation: "\(error)")
            }
            defer { socketFile.remove() }
            first.logger.notice(
                "running", metadata: ["mode": "shadow", "node": "\(settings.node)", "routerID": "\(first.routerID)"])
            let logger = first.logger
            startEdgeThread { compare(view, into: report, logger: logger) }
            while true {
                var entries = [PollEntry(wakeup.fd), PollEntry(signals.fd)]
                waitForAny(&entries, timeout: nil)
                if case .terminate? = signals.next() { return }
                wakeup.clear()
                for message in mailbox.takeAll() { answer(message, report: report, listeners: listeners) }
            }
        } catch {
            throw StartError(error.code == 0 ? error.operation : "\(error)")
        }
    }

    /// Compares for ever. A difference counts where two comparisons in a row find it.
    private static func compare(_ view: ShadowView, into report: Locked<ShadowReport>, logger: Logger) {
        var last: Set<ShadowDifference>?
        var said: Set<ShadowDifference> = []
        while true {
            var (next, isWhole) = view.look()
            let differences = Set(next.differences)
            let confirmed = last.map { $0.intersection(differences) } ?? []
            next.differences = confirmed.sorted()
            next.comparedAt = isWhole && last != nil ? wallClockSeconds() : nil
            report.withLock { [next] in $0 = next }
            if next.comparedAt != nil, confirmed != said {
                logger.notice(
                    confirmed.isEmpty ? "Apus would do as Calico does" : "Apus would differ from Calico",
                    metadata: ["differences": "\(confirmed.count)"])
                said = confirmed
            }
            let pause = last == nil ? firstInterval : interval
            last = isWhole ? differences : nil
            pauseThread(milliseconds: UInt32(pause.nanoseconds / 1_000_000))
        }
    }

    private static func answer(
        _ message: LoopMessage, report: Locked<ShadowReport>, listeners: Locked<[String: FindingCause]>
    ) {
        func current() -> ShadowReport {
            var result = report.withLock { $0 }
            let taken = listeners.withLock { $0.values.sorted { $0.subject.name ?? "" < $1.subject.name ?? "" } }
            result.findings += taken.map { Finding(.note, $0) }
            return result
        }
        switch message {
        case .question(.shadow, let promise):
            var answer = StatusAnswer()
            answer.shadow = current()
            promise.fulfil(answer)
        case .question(_, let promise):
            var answer = StatusAnswer()
            answer.error =
                "this apusd is a shadow (--shadow): it peers with nobody and writes nothing; ask apusctl shadow"
            promise.fulfil(answer)
        case .metrics(let promise):
            let now = current()
            promise.fulfil(MetricsPage { lines(now) })
        case .readiness(let promise):
            promise.fulfil(ReadinessReport(unreadiness: current().comparedAt == nil ? .starting : nil))
        case .alive(let promise): promise.fulfil(true)
        case .listener(let flag, let cause): listeners.withLock { $0[flag] = cause }
        case .change, .resolved, .bfd, .examined: break
        }
    }

    private static func lines(_ report: ShadowReport) -> [String] {
        var lines = [
            "# HELP apus_shadow_differences What Apus would do otherwise than the Calico of this host.",
            "# TYPE apus_shadow_differences gauge",
        ]
        for kind in ShadowDifference.Kind.allCases {
            let count = report.differences.count { $0.kind == kind }
            lines.append("apus_shadow_differences{kind=\"\(kind.rawValue)\"} \(count)")
        }
        lines += [
            "# HELP apus_shadow_compared_timestamp_seconds When the last comparison was made; 0 for never.",
            "# TYPE apus_shadow_compared_timestamp_seconds gauge",
            "apus_shadow_compared_timestamp_seconds \(report.comparedAt ?? 0)",
        ]
        return lines
    }
}

/// Looks at what there is now: resources, kernel and BIRD, each read whole.
private struct ShadowView: Sendable {
    let settings: ProcessSettings
    let addresses: DetectionSettings
    let birds: [String]

    func load(logLevel: String) throws(StartError) -> Daemon {
        var settings = settings
        settings.logLevel = logLevel
        let host = DetectionView(
            addresses: NetlinkHost.namedAddresses(), sourceAddress: { UDPSocket.sourceAddress(towards: $0) })
        return try Daemon(settings, isReflector: false, addresses: addresses, host: host, repeatsLookups: false)
    }

    /// One comparison, or what kept it from being whole.
    func look() -> (report: ShadowReport, isWhole: Bool) {
        var report = ShadowReport(node: settings.node)
        var calico = PlayedPeers()
        for path in birds {
            do throws(BIRDError) {
                let client = BIRDClient(path)
                try calico.read { command throws(BIRDError) in try client.ask(command) }
            } catch {
                report.findings.append(Finding(.fault, .birdNotRead(socket: path, reason: BIRDFailure(error))))
            }
        }
        // Half a picture would be full of differences that are none.
        guard report.findings.isEmpty else { return (report, false) }
        do throws(StartError) {
            // What is wrong with the resources was logged at the start.
            let daemon = try load(logLevel: "critical")
            var kernel = daemon.forwardingSettings(settings)
            // On the copy everything is done.
            kernel.isDryRun = false
            do throws(SystemError) {
                let live = try NetlinkHost(ownership: Ownership(), isReadOnly: true, hearsGuests: false)
                do throws(HostError) {
                    let copy = try HostCopy(
                        of: live, deviceProtocol: kernel.felixProtocol, includesFelix: settings.programming != .remote,
                        podPrefixes: daemon.first.resources.felix(of: settings.node).interfacePrefixes ?? ["cali"])
                    // A Daemon has a Node of its name.
                    if let outcome = RehearsedNode.run(
                        daemon.first, node: settings.node,
                        on: try KernelGround.stage(copy.host, kernel, logger: daemon.logger),
                        beside: calico, logger: daemon.logger)
                    {
                        let comparison = Comparison(calico, outcome, on: copy)
                        report.differences = comparison.differences
                        report.sessions = calico.sessions.count
                        report.announcements = comparison.announcements
                        report.routes = comparison.routes
                        report.findings += outcome.problems.map { Finding(.fault, $0) }
                    }
                } catch {
                    throw SystemError(code: error.code, operation: error.operation)
                }
            } catch {
                throw StartError("netlink: \(error)")
            }
        } catch {
            report.findings.append(Finding(.fault, .notCompared(reason: error.description)))
            return (report, false)
        }
        return (report, true)
    }
}

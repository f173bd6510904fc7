package import BFD
import BGPMessages
import BGPRouting
import BGPSession
import BGPSpeaker
import ForwardingPlane
import Logging
import NetTypes
import Resources
import StatusAPI
import Wording

// MARK: What operators read. Every line that somebody else can cause goes through the limiter.
extension NodeCore {
    /// A line about a peer, unless its account is used up. `metadata` is asked for only where the line is written.
    func logLine(
        _ level: Logger.Level, _ message: @autoclosure () -> Logger.Message, peer: PeerIndex, kind: LogLimiter.Kind,
        metadata: @autoclosure () -> Logger.Metadata = [:]
    ) {
        // An event at notice and above, whatever the log leaves out.
        guard level >= .notice || logger.logLevel <= level else { return }
        let admitted =
            switch peering.peers.account(peer) {
            case .configured(let peer): lineLimiter.admit(.peer(peer), kind, now: now)
            case .dynamic(let address, let range): lineLimiter.admit(dynamic: address, of: range, kind, now: now)
            }
        guard let leftOut = admitted else { return }
        var fields = metadata()
        fields["peer"] = "\(peering.peers.name(peer))"
        if leftOut > 0 { fields["leftOut"] = "\(leftOut)" }
        log(level, message(), fields: fields)
    }

    /// A line for the log, which `apusctl events` shows too.
    func log(_ level: Logger.Level, _ message: Logger.Message, fields: Logger.Metadata) {
        logger.log(level: level, message, metadata: fields)
        events.add(level, message, fields: fields)
    }

    /// A change of the resources: what came, changed and went. Pods alone come and go all the time.
    func logChange(_ change: ResourceChange) {
        guard !change.items.isEmpty else { return }
        var counts = (came: 0, changed: 0, gone: 0)
        for item in change.items {
            if item.old == nil {
                counts.came += 1
            } else if item.new == nil {
                counts.gone += 1
            } else {
                counts.changed += 1
            }
        }
        let named = change.items.prefix(NodeCore.namedObjects).map(\.key.description).joined(separator: ", ")
        let level: Logger.Level = change.isOfEndpointsAlone ? .debug : .notice
        guard logger.logLevel <= level || level >= .notice else { return }
        log(
            level, change.isWhole ? "resources are read" : "resources changed",
            fields: [
                "came": "\(counts.came)", "changed": "\(counts.changed)", "gone": "\(counts.gone)",
                "objects": "\(named)\(change.items.count > NodeCore.namedObjects ? ", ..." : "")",
            ])
    }
    /// Objects of a change that the log names.
    private static let namedObjects = 8

    func logStranger(_ address: IPAddress) {
        guard logger.logLevel <= .debug, let leftOut = lineLimiter.admit(.strangers, .refusal, now: now) else { return }
        logger.debug(
            peering.peers.hasPeers(at: address)
                ? "connection refused: several peers have this address, and all are dialled"
                : "connection from an address that is no peer",
            metadata: ["address": "\(address)", "leftOut": "\(leftOut)"])
    }

    /// What came to be wrong, or is well again.
    package func logHealth() {
        for line in health.takeLines() {
            switch line {
            case .found(let finding) where finding.cause.isLoggedElsewhere: continue
            case .found(let finding): logHealth("found", finding)
            case .goesOn(let finding): logHealth("still found", finding)
            case .isOver(let finding): logHealth("over", finding, level: .notice)
            }
        }
    }

    private func logHealth(_ message: Logger.Message, _ finding: Finding, level: Logger.Level? = nil) {
        log(
            level ?? finding.severity.logLevel, message,
            fields: [
                "finding": "\(finding.cause.name)", "severity": "\(finding.severity.rawValue)",
                "subject": "\(finding.subject.text)", "cause": "\(finding.cause.text)",
            ])
    }

    /// What BFD says of a peer.
    package func take(_ report: BFDReport) {
        for peer in peering.take(report) {
            logLine(
                .notice, "BFD", peer: peer, kind: .bfd,
                metadata: ["state": "\(report.state.name)", "diagnostic": "\(report.diagnostic.text)"])
            if report.isFailure { speaker.bfdDown(peer, isIndependent: report.isIndependent, now: now) }
        }
    }

    /// What the speaker reports of a peer.
    func report(_ peer: PeerIndex, _ event: SpeakerEvent) {
        peering.note(peer, event, now: now)
        func names(_ families: AddressFamilySet) -> Logger.MetadataValue {
            "\(families.families.map(\.name).joined(separator: ","))"
        }
        switch event {
        case .established(let session):
            // Of two connections that collided one is left.
            peering.updateReach(peer, from: transport.localAddress(peer), plane: plane, speaker: &speaker)
            logLine(
                .notice, "session is up", peer: peer, kind: .session,
                metadata: ["as": "\(session.remoteAS)", "routerID": "\(session.remoteIdentifier)"])
        case .down(let reason):
            logLine(.notice, "session is down", peer: peer, kind: .session, metadata: ["reason": "\(reason)"])
        case .attemptFailed(let reason):
            logLine(.debug, "session did not come up", peer: peer, kind: .attempt, metadata: ["reason": "\(reason)"])
        case .endOfRIB(let family):
            logLine(.debug, "End-of-RIB", peer: peer, kind: .routes, metadata: ["family": "\(family.name)"])
        case .attributeFaults(let faults, let withdrawn, let update):
            // RFC 7606 6: with the whole message, so that the fault can be found at the other end.
            logLine(
                .warning,
                withdrawn
                    ? "malformed UPDATE treated as withdraw (RFC 7606)" : "malformed attribute discarded (RFC 7606)",
                peer: peer, kind: .fault,
                metadata: [
                    "faults": "\(faults.map(\.description).joined(separator: "; "))",
                    "update": "\(hexadecimal(update))",
                ])
        case .holdingStaleRoutes(let families):
            logLine(
                .notice, "keeping routes of a peer that restarts (RFC 4724)", peer: peer, kind: .routes,
                metadata: ["families": names(families)])
        case .flushedStaleRoutes: logLine(.info, "stale routes removed", peer: peer, kind: .routes)
        case .longLivedStaleRoutes(let families):
            logLine(
                .warning, "the restart time is over; the peer's routes are kept as the last choice (RFC 9494)",
                peer: peer, kind: .routes,
                metadata: ["families": names(families)])
        case .refreshed(let family, let gone):
            logLine(
                .info, "peer sent its table again", peer: peer, kind: .routes,
                metadata: ["family": "\(family.name)", "gone": "\(gone)"])
        case .refreshTooEarly(let family):
            logLine(
                .warning, "BoRR before End-of-RIB is ignored (RFC 7313 4)", peer: peer, kind: .fault,
                metadata: ["family": "\(family.name)"])
        case .refreshTooOften(let family):
            logLine(
                .debug, "BoRR within a second of the last one is ignored", peer: peer, kind: .fault,
                metadata: ["family": "\(family.name)"])
        case .maximumPrefixesReached(let family, let limit, let action):
            logLine(
                .error, "peer announces too many prefixes", peer: peer, kind: .session,
                metadata: ["family": "\(family.name)", "limit": "\(limit)", "action": "\(action.rawValue)"])
        case .manyPrefixes(let family, let count):
            logLine(
                .warning, "peer announces many prefixes", peer: peer, kind: .session,
                metadata: ["family": "\(family.name)", "count": "\(count)"])
        case .pathsRefused(let count):
            logLine(
                .warning, "paths not kept: more than one peer may announce of a prefix", peer: peer, kind: .fault,
                metadata: ["paths": "\(count)", "limit": "\(PathTable.pathsPerPrefix)"])
        case .tooSlow:
            logLine(.warning, "peer does not read; it gets no routes until it does", peer: peer, kind: .session)
        case .caughtUp: logLine(.notice, "peer reads again", peer: peer, kind: .session)
        }
    }
}

extension Finding.Severity {
    var logLevel: Logger.Level {
        switch self {
        case .fault: .error
        case .degraded: .warning
        case .note, .fine: .notice
        }
    }
}

extension FindingCause {
    /// A line where it happened says so: who reads resources, who accepts connections.
    var isLoggedElsewhere: Bool {
        switch self {
        case .resource, .noEffect, .connectionsRefused: true
        default: false
        }
    }
}

/// Bytes as two digits each.
private func hexadecimal(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}

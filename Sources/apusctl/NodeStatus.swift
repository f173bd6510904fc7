import ArgumentParser
import Glibc
import LinuxIO
import StatusAPI
import Wording

// `unsafe` here: calls of the C library with the address of a variable for the length of the call; `tm` is unsafe by
// its `tm_zone`, which is not read.

struct NodeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "node", abstract: "What calicoctl's scripts ask.", subcommands: [NodeStatus.self])
}

/// `calicoctl node status`, byte for byte in layout (contract 2.10), because scripts read it.
struct NodeStatus: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Peers in the layout of calicoctl node status.")
    @OptionGroup var options: CommonOptions

    func run() throws {
        let peers: [PeerStatus]
        let held: [HeldPeer]
        let started: Double
        do {
            peers = try options.ask(StatusRequest(.peers)).peers ?? []
            let status = try options.ask(StatusRequest(.status)).status
            held = status?.peersHeldDown ?? []
            started = wallClockSeconds() - (status?.uptime ?? 0)
        } catch let failure as Failure {
            print("Calico process is not running.")
            throw failure
        }
        if options.output == .json { return print(StatusCodec.pretty(peers)) }
        print("Calico process is running.")
        print(NodeStatus.tables(peers, held: held, started: started, now: wallClockSeconds()))
    }

    /// Everything below the first line.
    static func tables(_ peers: [PeerStatus], held: [HeldPeer], started: Double, now: Double) -> String {
        var text = ""
        for (version, isIPv6) in [("4", false), ("6", true)] {
            text += "\nIPv\(version) BGP status\n"
            let members = peers.filter { $0.address.contains(":") == isIPv6 }
            // Unnumbered peers are reached by IPv6.
            let down = held.filter { ($0.address.contains(":") || !$0.address.contains(".")) == isIPv6 }
            if members.isEmpty && down.isEmpty {
                text += "No IPv\(version) peers found.\n"
                continue
            }
            var table = Table("PEER ADDRESS", "PEER TYPE", "STATE", "SINCE", "INFO")
            for peer in members {
                table.add(
                    address(peer), peer.type.rawValue, peer.state == .established ? "up" : "start",
                    clock(peer.since ?? started, now: now), info(peer))
            }
            for peer in down {
                table.add(peer.address, peer.type.rawValue, "down", clock(started, now: now), peer.reason.text)
            }
            text += table.boxed(wrappedAt: infoWidth) + "\n"
        }
        return text
    }

    /// Where calicoctl's tables wrap.
    private static let infoWidth = 30

    /// With a port of its own as BIRD's protocols are named.
    private static func address(_ peer: PeerStatus) -> String {
        let separator = peer.address.contains(":") ? ":" : "."
        return peer.port == 179 ? peer.address : "\(peer.address)\(separator)port\(separator)\(peer.port)"
    }

    /// BIRD's words: the state, and the last error of a session that is not up.
    private static func info(_ peer: PeerStatus) -> String {
        // A passive peer that waits has no connection: BIRD calls that Passive, the FSM of RFC 4271 Active.
        let state = peer.isPassive && peer.state == .active ? "Passive" : peer.state.rawValue
        guard peer.state != .established, let error = peer.lastError else { return state }
        return switch error {
        case .connectionLost: state
        case .notificationSent(_, _, let name): "\(state) BGP Error: \(name)"
        case .notificationReceived(_, _, let name): "\(state) Received: \(name)"
        case .wrongAS: "\(state) BGP Error: Bad peer AS"
        case .ownASRefused: "\(state) Received: Bad peer AS"
        case .interfaceDown, .addressRemoved: "\(state) Neighbor lost"
        case .replacedByNewConnection, .connectTimeout, .connectFailed: "\(state) Socket: \(error.text)"
        }
    }

    /// `23:30:04` within a day, else the date, as BIRD does.
    private static func clock(_ seconds: Double, now: Double) -> String {
        var time = time_t(seconds)
        var parts = unsafe tm()
        unsafe localtime_r(&time, &parts)
        func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
        if now - seconds > 86400 {
            return unsafe "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
        }
        return unsafe "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))"
    }
}

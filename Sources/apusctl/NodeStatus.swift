import ArgumentParser
import Glibc
import LinuxIO
import StatusAPI

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
        let started: Double
        do {
            peers = try options.ask(StatusRequest(.peers)).peers ?? []
            started = wallClockSeconds() - (try options.ask(StatusRequest(.status)).status?.uptime ?? 0)
        } catch let failure as Failure {
            print("Calico process is not running.")
            throw failure
        }
        if options.output == .json { return print(StatusCodec.pretty(peers)) }
        print("Calico process is running.")
        for (version, isIPv6) in [("4", false), ("6", true)] {
            print("\nIPv\(version) BGP status")
            let members = peers.filter { $0.address.contains(":") == isIPv6 }
            if members.isEmpty {
                print("No IPv\(version) peers found.")
                continue
            }
            var table = Table("PEER ADDRESS", "PEER TYPE", "STATE", "SINCE", "INFO")
            for peer in members {
                table.add(
                    peer.address, peer.type.rawValue, peer.state == .established ? "up" : "start",
                    clock(peer.since ?? started), info(peer))
            }
            print(table.boxed())
        }
        print("")
    }

    /// BIRD's words: the state, and the last error of a session that is not up.
    private func info(_ peer: PeerStatus) -> String {
        guard peer.state != .established, let error = peer.lastError else { return peer.state.rawValue }
        return switch error {
        case .connectionLost: peer.state.rawValue
        case .notificationSent, .notificationReceived: "\(peer.state.rawValue) \(error.text)"
        case .replacedByNewConnection, .connectTimeout, .connectFailed:
            "\(peer.state.rawValue) Socket: \(error.text)"
        }
    }

    /// `23:30:04` within a day, else the date, as BIRD does.
    private func clock(_ seconds: Double) -> String {
        var time = time_t(seconds)
        var parts = unsafe tm()
        unsafe localtime_r(&time, &parts)
        func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
        if wallClockSeconds() - seconds > 86400 {
            return unsafe "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
        }
        return unsafe "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))"
    }
}

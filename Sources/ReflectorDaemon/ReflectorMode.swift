import BGPSession
package import Edges
import FIB
import ForwardingPlane
import LinuxIO
import NetTypes
package import NodeDaemon
import Rehearsal
import Resources

/// `apusd reflector`: a speaker over nothing. This file names no type that could write a kernel route, and gives up the
/// privilege to.
package enum ReflectorMode {
    package static func run(_ settings: ProcessSettings) throws(StartError) {
        let signals: SignalReader
        do throws(SystemError) { signals = try SignalReader() } catch { throw StartError("\(error)") }
        let daemon = try Daemon(settings, isReflector: true)
        let transport = try daemon.openTransport()
        let user = Privileges.isRoot ? settings.user : nil
        try daemon.makeFolders(for: user)
        if let user {
            do throws(SystemError) { try Privileges.become(user: user) } catch { throw StartError("--user: \(error)") }
        }
        do throws(SystemError) { try Privileges.dropAllButBindService() } catch { throw StartError("\(error)") }
        let ranBefore = try daemon.markStarted()
        @Sendable func addresses() -> [InterfaceAddress] {
            HostAddresses.read().map { own in
                let index = InterfaceIndex(rawValue: Int32(truncatingIfNeeded: own.index))
                return InterfaceAddress(interface: index, address: own.address, prefixLength: own.prefixLength)
            }
        }
        let plane = NoForwarding(clock: { Instant(nanoseconds: monotonicNanoseconds()) }, addresses: addresses)
        // A reflector is not in the forwarding path: what it reflected goes on being forwarded while it is away (RFC
        // 4724 3).
        try daemon.run(
            plane, transport, restart: RestartState(isRestarting: ranBefore, preservedFamilies: ranBefore ? .all : []),
            signals: signals, ground: NoGround(addresses: addresses))
    }
}

/// Where a rehearsed reflector runs: over nothing, as the reflector itself.
private struct NoGround: RehearsalGround {
    let addresses: @Sendable () -> [InterfaceAddress]

    func stage(_ loaded: LoadedConfiguration) -> RehearsalStage {
        RehearsalStage(plane: NoForwarding(clock: { RehearsedNode.start }, addresses: addresses))
    }
}

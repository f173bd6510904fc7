import LinuxIO
package import NetTypes

/// Looks a name up again and again, on a thread of its own: a resolver may wait for seconds, and no turn waits for it.
package enum NameResolver {
    /// Milliseconds between two looks.
    package static let interval: UInt32 = 60_000

    /// Calls `deliver` with what the name stands for, at once and, where it `repeats`, every `interval`; with nothing
    /// where it stands for nothing.
    package static func start(_ name: String, repeats: Bool, deliver: @escaping @Sendable ([IPAddress]) -> Void) {
        startEdgeThread {
            deliver(HostNames.resolve(name))
            while repeats {
                pauseThread(milliseconds: interval)
                deliver(HostNames.resolve(name))
            }
        }
    }
}

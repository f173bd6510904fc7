package import LinuxIO
package import Resources

/// Where the configuration comes from: a folder today.
///
/// It is asked once for everything, and then delivers what changes, on a thread of its own: the routing loop reads no
/// files and waits for no store.
package protocol ResourceSource: Sendable {
    /// Everything that is in force, for the start.
    func loadFirst() throws(StartError) -> LoadedConfiguration
    /// Delivers every change from `first` on. `reload` becomes readable when an operator asks to look again.
    func start(from first: LoadedConfiguration, reload: Wakeup, deliver: @escaping @Sendable (ResourceChange) -> Void)
}

package import FIB
package import LinuxIO
package import NetTypes

/// What a node's tunnel devices need of the kernel: netlink, or the kernel of a test.
package protocol TunnelKernel: ~Copyable {
    /// Carries out one request. 0, also where it was so already, or an errno.
    mutating func apply(_ operation: TunnelOperation) -> Int32
    /// Nil where there is no such interface.
    mutating func link(named name: String) -> Interface?
    /// Permanent neighbor and forwarding entries of a device.
    mutating func tunnelEntries(on index: InterfaceIndex, _ family: AddressFamily) throws(SystemError) -> Set<
        TunnelEntry
    >
}

extension NetlinkRouteTable: TunnelKernel {}

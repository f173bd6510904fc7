package import NetTypes

/// An address of the host, with what its interface is called and whether that is up.
package struct NamedAddress: Sendable, Hashable {
    /// Of the interface.
    package var index: InterfaceIndex
    package var name: String
    /// IFF_UP: somebody set the interface up.
    package var isUp: Bool
    /// Without scope.
    package var address: IPAddress
    package var prefixLength: UInt8

    package init(index: InterfaceIndex, name: String, isUp: Bool, address: IPAddress, prefixLength: UInt8) {
        self.index = index
        self.name = name
        self.isUp = isUp
        self.address = address
        self.prefixLength = prefixLength
    }
}

/// Where a peer is: two daemons at one address are told apart by their ports. As text the port is left out where it is
/// BGP's own.
public struct PeerAddress: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// RFC 4271 section 8.2.1.
    public static let defaultPort: UInt16 = 179

    public var address: IPAddress
    public var port: UInt16

    public init(_ address: IPAddress, port: UInt16 = defaultPort) {
        self.address = address
        self.port = port
    }

    public static func < (first: PeerAddress, second: PeerAddress) -> Bool {
        first.address == second.address ? first.port < second.port : first.address < second.address
    }

    public var description: String { PeerAddress.text("\(address)", port: port) }

    /// The same of an address that is text already.
    public static func text(_ address: String, port: UInt16) -> String {
        if port == defaultPort { return address }
        return address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)"
    }
}

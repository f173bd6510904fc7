import LinuxIO
import Logging
import NetTypes

/// The listening sockets, and what every one of them has to have: keys of peers, and the TTL of GTSM. One that is opened
/// later gets them, too.
final class Listeners {
    private final class Slot {
        let listener: TCPListener
        let token: UInt64
        init(_ listener: consuming TCPListener, token: UInt64) {
            self.listener = listener
            self.token = token
        }
    }

    private var slots: [Slot] = []
    private var tokens: Set<UInt64> = []
    private var passwords: [Prefix: [UInt8]] = [:]
    private var authentications: [Prefix: TCPSocket.AuthenticationKey] = [:]
    private var fullTimeToLive: AddressFamilySet = []
    /// Addresses that cannot be listened on, with errno. A kernel without IPv6 is none.
    private(set) var failures: [(address: SocketAddress, code: Int32)] = []

    private static let noIPv6 = [SystemError.familyNotSupported, SystemError.addressNotAvailable]

    var addresses: [SocketAddress] { slots.map { $0.listener.address } }
    func isListener(_ token: UInt64) -> Bool { tokens.contains(token) }
    func accept(_ token: UInt64) -> AcceptedConnection? { slots.first { $0.token == token }?.listener.accept() }

    /// Listens on these addresses and on no others; what cannot be opened is in `failures`. Connections that were
    /// accepted stay. `token`: makes the poller's name of a socket.
    func listen(on wanted: [SocketAddress], _ poller: borrowing Poller, token: () -> UInt64) {
        // First, because a port is taken by a listener on any address.
        for slot in slots where !wanted.contains(slot.listener.address) {
            poller.remove(slot.listener.fd)
            tokens.remove(slot.token)
        }
        slots.removeAll { !wanted.contains($0.listener.address) }
        failures = []
        for address in wanted where !addresses.contains(address) {
            do throws(SystemError) {
                try open(address, poller, token: token())
            } catch {
                if address.address == .any(.ipv6), Listeners.noIPv6.contains(error.code) { continue }
                failures.append((address, error.code))
            }
        }
    }

    private func open(_ address: SocketAddress, _ poller: borrowing Poller, token: UInt64) throws(SystemError) {
        // The address may come to the host later.
        let listener = try TCPListener(on: address, mayBeForeign: true)
        let family = address.address.family
        for (prefix, password) in passwords where prefix.family == family {
            try listener.setPassword(password, for: prefix)
        }
        for (prefix, key) in authentications where prefix.family == family {
            try listener.setAuthentication(key, old: nil, for: prefix)
        }
        if fullTimeToLive.contains(family) { try listener.setFullTimeToLive(true) }
        try poller.add(listener.fd, token: token)
        slots.append(Slot(listener, token: token))
        tokens.insert(token)
    }

    /// The MD5 key of a peer or a range, on every listener of its family; nil removes it.
    func setPassword(_ password: [UInt8]?, for prefix: Prefix) throws(SystemError) {
        passwords[prefix] = password
        for slot in slots where slot.listener.address.address.family == prefix.family {
            try slot.listener.setPassword(password, for: prefix)
        }
    }

    /// The TCP-AO key of a peer or a range, likewise.
    func setAuthentication(
        _ key: TCPSocket.AuthenticationKey?, old: TCPSocket.AuthenticationKey?, for prefix: Prefix
    ) throws(SystemError) {
        authentications[prefix] = key
        for slot in slots where slot.listener.address.address.family == prefix.family {
            try slot.listener.setAuthentication(key, old: old, for: prefix)
        }
    }

    /// Families whose listeners send with TTL or hop limit 255: those that a peer or range with ttlSecurity may connect
    /// by. Each listener has one family (IPV6_V6ONLY), so no IPv4 peer comes by one of IPv6.
    func setFullTimeToLive(_ families: AddressFamilySet, _ logger: Logger) {
        guard families != fullTimeToLive else { return }
        for slot in slots {
            let family = slot.listener.address.address.family
            guard families.contains(family) != fullTimeToLive.contains(family) else { continue }
            do throws(SystemError) { try slot.listener.setFullTimeToLive(families.contains(family)) } catch {
                logger.error(
                    "peers with ttlSecurity may drop our half of the handshake", metadata: ["reason": "\(error)"])
            }
        }
        fullTimeToLive = families
    }
}

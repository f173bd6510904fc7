package import NetTypes

/// How a virtual machine that was moved shows that it runs on this host now: by what its network stack or its
/// hypervisor sends first.
///
/// ```
/// Ethernet  | to 6 | from 6 | type 2 |
/// ARP       | hardware 2 = 1 | protocol 2 = 0x0800 | sizes 6, 4 | operation 2 | sender 6 | sender's address 4 | …    type 0x0806
/// RARP      the same, sent by QEMU for the guest, with its MAC address and no address of its own                 type 0x8035
/// NA        | IPv6 header 40, next header 58 | 136 | 0 | checksum 2 | flags 4 | target 16 |                      type 0x86DD
/// ```
package enum GuestAnnouncement: Sendable, Hashable {
    /// Who has this address speaks here: the sender of an ARP message (RFC 826, RFC 5227), the target of a neighbor
    /// advertisement (RFC 4861 4.4).
    case address(IPAddress)
    /// Who has this MAC address speaks here (RFC 903).
    case hardware(MACAddress)

    /// What an Ethernet frame announces; nil for anything else. What the guest sends is checked and not believed: a
    /// length that is not there is nil.
    package static func parse(_ frame: some RandomAccessCollection<UInt8>) -> GuestAnnouncement? {
        let bytes = Array(frame.prefix(14 + 40 + 24))
        guard bytes.count >= 14 else { return nil }
        let body = bytes[14...]
        switch UInt16(bytes[12]) << 8 | UInt16(bytes[13]) {
        case 0x0806:
            // An address of nobody is a probe for one that is not taken yet (RFC 5227 2.1.1).
            guard isEthernetARP(body), let address = IPAddress(bytes: body[28..<32]), address != .any(.ipv4) else {
                return nil
            }
            return .address(address)
        case 0x8035:
            guard isEthernetARP(body) else { return nil }
            return MACAddress(bytes: body[22..<28]).map { .hardware($0) }
        case 0x86DD:
            // Hop limit 255: it comes from the link itself (RFC 4861 7.1.2). No extension headers: a guest's stack
            // sends none.
            guard body.count >= 64, body[14] >> 4 == 6, body[20] == 58, body[21] == 255, body[54] == 136, body[55] == 0,
                let target = IPAddress(bytes: body[62..<78])
            else {
                return nil
            }
            return .address(target)
        default: return nil
        }
    }

    private static func isEthernetARP(_ body: ArraySlice<UInt8>) -> Bool {
        body.count >= 28 && Array(body.prefix(6)) == [0, 1, 8, 0, 6, 4]
    }
}

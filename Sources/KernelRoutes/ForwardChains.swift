internal import CLibMNL
internal import Glibc
import LinuxIO

/// A base chain of nf_tables at the forward hook.
package struct ForwardChain: Sendable, Hashable {
    /// `ip`, `ip6` or `inet`.
    package var family: String
    package var table: String
    package var name: String
    /// Policy DROP: what no rule accepts is dropped.
    package var drops: Bool

    /// The chains that forwarded packets of this host pass; nil where the kernel has no nf_tables or does not tell. iptables-nft's are among them.
    package static func all() -> [ForwardChain]? {
        guard let socket = try? NetlinkSocket(bus: Int32(APUS_NETFILTER), groups: 0, receiveBuffer: 1 << 20, isNonBlocking: false) else { return nil }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
        defer { buffer.deallocate() }
        guard let base = buffer.baseAddress, let header = apus_mnl_begin(base, UInt16(APUS_NFT_GETCHAIN), UInt16(APUS_NLM_DUMP), 1) else { return nil }
        apus_mnl_nfgenmsg(header, UInt8(AF_UNSPEC))
        guard socket.send(base, Int(header.pointee.nlmsg_len)) == 0 else { return nil }
        var chains: [ForwardChain] = []
        var isDone = false
        var hasFailed = false
        while !isDone {
            guard case .messages(let size) = socket.receive(buffer) else { return nil }
            forEachMessage(buffer, size) { header in
                switch Int(header.pointee.nlmsg_type) {
                case APUS_NLMSG_DONE: isDone = true
                case APUS_NLMSG_ERROR: (isDone, hasFailed) = (true, apus_nlmsg_error(header) != 0)
                default: if let chain = decode(header) { chains.append(chain) }
                }
                return !isDone
            }
        }
        return hasFailed ? nil : chains
    }

    private static func decode(_ header: UnsafePointer<nlmsghdr>) -> ForwardChain? {
        guard let payload = apus_mnl_payload(header) else { return nil }
        // NFPROTO_INET, NFPROTO_IPV4, NFPROTO_IPV6: <linux/netfilter.h> cannot stand beside <netinet/in.h>.
        let families: [UInt8: String] = [1: "inet", 2: "ip", 10: "ip6"]
        guard let family = families[payload.load(as: UInt8.self)] else { return nil }
        var chain = ForwardChain(family: family, table: "", name: "", drops: false)
        var hook: UInt32?
        forEachAttribute(header, after: APUS_NFGENMSG_SIZE) { kind, attribute in
            switch kind {
            case Int32(NFTA_CHAIN_TABLE.rawValue): chain.table = String(decoding: attribute.bytes.prefix { $0 != 0 }, as: UTF8.self)
            case Int32(NFTA_CHAIN_NAME.rawValue): chain.name = String(decoding: attribute.bytes.prefix { $0 != 0 }, as: UTF8.self)
            case Int32(NFTA_CHAIN_POLICY.rawValue): chain.drops = attribute.u32.bigEndian == 0
            case Int32(NFTA_CHAIN_HOOK.rawValue):
                forEachNested(attribute) { kind, value in if kind == Int32(NFTA_HOOK_HOOKNUM.rawValue) { hook = value.u32.bigEndian } }
            default: break
            }
        }
        // NF_INET_FORWARD
        return hook == 2 ? chain : nil
    }
}

internal import CLibMNL
package import FIB
internal import Glibc
import LinuxIO
import NetTypes

// `unsafe` here: libmnl writes requests where `NetlinkBuffer` lends it memory, within the size that its caller allows;
// no address outlives the closure.

extension ForwardChain {
    /// The chains that forwarded packets of this host pass; nil where the kernel has no nf_tables or does not say.
    /// iptables-nft's are among them.
    package static func all() -> [ForwardChain]? {
        guard
            let socket = try? NetlinkSocket(
                bus: Int32(APUS_NETFILTER), groups: 0, receiveBuffer: 1 << 20, isNonBlocking: false)
        else { return nil }
        var request = NetlinkBuffer(byteCount: 64)
        let length = unsafe request.encode { base in
            guard let header = unsafe apus_mnl_begin(base, UInt16(APUS_NFT_GETCHAIN), UInt16(APUS_NLM_DUMP), 1) else {
                return 0
            }
            unsafe apus_mnl_nfgenmsg(header, UInt8(AF_UNSPEC))
            return unsafe Int(header.pointee.nlmsg_len)
        }
        guard length > 0, socket.send(request.bytes(length)) == 0 else { return nil }
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        var chains: [ForwardChain] = []
        var hasFailed = false
        let interruption = socket.readAnswers(&buffer) { message in
            if message.endsDump {
                hasFailed = Int(message.type) == APUS_NLMSG_ERROR && message.error != 0
                return true
            }
            if let chain = decode(message) { chains.append(chain) }
            return false
        }
        return hasFailed || interruption != nil ? nil : chains
    }

    private static func decode(_ header: NetlinkMessage) -> ForwardChain? {
        guard !header.payload.isEmpty else { return nil }
        // NFPROTO_INET, NFPROTO_IPV4, NFPROTO_IPV6: <linux/netfilter.h> cannot stand beside <netinet/in.h>.
        let families: [UInt8: String] = [1: "inet", 2: "ip", 10: "ip6"]
        guard let family = families[header.payload[0]] else { return nil }
        var chain = ForwardChain(family: family, table: "", name: "", drops: false)
        var hook: UInt32?
        header.forEachAttribute(after: APUS_NFGENMSG_SIZE) { kind, attribute in
            switch kind {
            case Int32(NFTA_CHAIN_TABLE.rawValue): chain.table = attribute.text
            case Int32(NFTA_CHAIN_NAME.rawValue): chain.name = attribute.text
            case Int32(NFTA_CHAIN_POLICY.rawValue): chain.drops = attribute.u32.bigEndian == 0
            case Int32(NFTA_CHAIN_HOOK.rawValue):
                attribute.forEachNested { kind, value in
                    if kind == Int32(NFTA_HOOK_HOOKNUM.rawValue) { hook = value.u32.bigEndian }
                }
            default: break
            }
        }
        // NF_INET_FORWARD
        return hook == 2 ? chain : nil
    }
}

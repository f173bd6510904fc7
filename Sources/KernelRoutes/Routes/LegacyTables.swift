internal import CLibMNL
internal import Glibc
package import LinuxIO
package import NetTypes

// `unsafe` here: the kernel fills memory that lives as long as the loop's turn; offsets that it returns are checked
// before they are followed.

/// iptables-legacy keeps tables of its own beside nf_tables, and lists them through socket options only.
package enum LegacyTables {
    /// Whether the policy of the filter table's FORWARD chain is DROP; nil where there is no such table. Needs
    /// CAP_NET_ADMIN and CAP_NET_RAW.
    package static func forwardDrops(_ family: AddressFamily) throws(SystemError) -> Bool? {
        let is6: Int32 = family == .ipv6 ? 1 : 0
        // To ask for a table that is not there makes it.
        let names = (try? readWholeFile(is6 == 1 ? "/proc/net/ip6_tables_names" : "/proc/net/ip_tables_names")) ?? []
        guard String(decoding: names, as: UTF8.self).split(separator: "\n").contains("filter") else { return nil }
        let socket = try FileDescriptor(apus_legacy_socket(is6), "raw socket")
        // A table that is changed between the two questions has another size: asked again.
        for _ in 0..<8 {
            var info = ipt_getinfo()
            guard unsafe apus_legacy_info(socket.raw, is6, &info) == 0 else { throw .last("the filter table") }
            let head = Int(apus_legacy_head)
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: head + Int(info.size), alignment: 16)
            defer { unsafe buffer.deallocate() }
            guard unsafe apus_legacy_entries(socket.raw, is6, info.size, buffer.baseAddress) == 0 else {
                if errno == EAGAIN { continue }
                throw .last("the filter table")
            }
            // The chain's policy is the verdict of its last entry.
            let entry = unsafe head + Int(apus_legacy_forward(&info))
            guard entry + Int(apus_legacy_entry_size(is6)) <= buffer.count, let base = buffer.baseAddress else { break }
            let target = unsafe entry + Int(apus_legacy_target(base + entry, is6))
            guard target + Int(apus_legacy_target_size()) <= buffer.count else { break }
            return unsafe apus_legacy_verdict(base + target) == Int32(apus_legacy_drop)
        }
        throw SystemError(code: EAGAIN, operation: "the filter table")
    }
}

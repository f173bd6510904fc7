import BGPMessages
import NetTypes

// MARK: What a sender writes, encoded before the clock starts
extension RoutePlan {
    /// Everything that a sender announces: one set after the other, messages as full as they get.
    func announcements(of sender: Int, _ scenario: LoadScenario) -> [UInt8] {
        var writer = ByteWriter(capacity: scenario.prefixes * 6)
        for range in numbers(of: sender) {
            var number = range.lowerBound
            while number < range.upperBound {
                let set = set(number, sender: sender)
                var end = number
                while end < range.upperBound, self.set(end, sender: sender) == set { end += 1 }
                writeAnnouncement(number..<end, set, sender: sender, scenario: scenario, writer: &writer)
                number = end
            }
        }
        return writer.bytes
    }

    func withdrawals(of sender: Int, _ scenario: LoadScenario) -> [UInt8] {
        var writer = ByteWriter(capacity: scenario.prefixes * 5)
        for range in numbers(of: sender) { writeWithdrawal(range, &writer) }
        return writer.bytes
    }

    /// One prefix, for churn and latency.
    func announcement(of number: Int, sender: Int, _ scenario: LoadScenario) -> [UInt8] {
        var writer = ByteWriter(capacity: 256)
        writeAnnouncement(
            number..<(number + 1), set(number, sender: sender), sender: sender, scenario: scenario, writer: &writer)
        return writer.bytes
    }
    func withdrawal(of number: Int) -> [UInt8] {
        var writer = ByteWriter(capacity: 64)
        writeWithdrawal(number..<(number + 1), &writer)
        return writer.bytes
    }

    private func writeAnnouncement(
        _ range: Range<Int>, _ set: Int, sender: Int, scenario: LoadScenario, writer: inout ByteWriter
    ) {
        guard let family = prefix(range.lowerBound)?.family else { return }
        var attributes = attributes(set)
        let separate = family == .ipv6 || scenario.source.family == .ipv6
        if separate { attributes.nextHop = nil }
        let block = attributes.encoded()
        var next = range.lowerBound
        while next < range.upperBound {
            let start = writer.count
            writer.beginMessage(.update)
            writer.u16(0)
            let lengthAt = writer.count
            writer.u16(0)
            if family == .ipv4 && !separate {
                writer.append(block)
                writer.patchU16(at: lengthAt, UInt16(block.count))
                write(&next, range.upperBound, until: start + MessageSize.standard, writer: &writer)
            } else {
                writer.u8(AttributeFlags([.optional, .extendedLength]).rawValue)
                writer.u8(AttributeType.mpReachNLRI.rawValue)
                writer.u16(0)
                let valueAt = writer.count
                writer.u16(family == .ipv4 ? 1 : 2)
                writer.u8(1)
                // RFC 4760 3. An IPv4 route over an IPv6 session has an IPv4 next hop: it needs no RFC 8950.
                let hop = nextHop(family, set, sender: sender)
                writer.u8(UInt8(hop.family.bytes))
                writer.append(hop)
                writer.u8(0)
                write(&next, range.upperBound, until: start + MessageSize.standard - block.count, writer: &writer)
                writer.patchU16(at: valueAt - 2, UInt16(writer.count - valueAt))
                writer.append(block)
                writer.patchU16(at: lengthAt, UInt16(writer.count - lengthAt - 2))
            }
            writer.endMessage(at: start)
        }
    }

    private func writeWithdrawal(_ range: Range<Int>, _ writer: inout ByteWriter) {
        var next = range.lowerBound
        while next < range.upperBound, let family = prefix(next)?.family {
            let start = writer.count
            writer.beginMessage(.update)
            let lengthAt = writer.count
            writer.u16(0)
            if family == .ipv4 {
                write(&next, range.upperBound, until: start + MessageSize.standard - 2, writer: &writer)
                writer.patchU16(at: lengthAt, UInt16(writer.count - lengthAt - 2))
                writer.u16(0)
            } else {
                let attributesAt = writer.count
                writer.u16(0)
                writer.u8(AttributeFlags([.optional, .extendedLength]).rawValue)
                writer.u8(AttributeType.mpUnreachNLRI.rawValue)
                writer.u16(0)
                let valueAt = writer.count
                writer.u16(2)
                writer.u8(1)
                write(&next, range.upperBound, until: start + MessageSize.standard, writer: &writer)
                writer.patchU16(at: valueAt - 2, UInt16(writer.count - valueAt))
                writer.patchU16(at: attributesAt, UInt16(writer.count - attributesAt - 2))
            }
            writer.endMessage(at: start)
        }
    }

    private func write(_ next: inout Int, _ end: Int, until limit: Int, writer: inout ByteWriter) {
        while next < end, let prefix = prefix(next), writer.count + NLRI.encodedSize(prefix) <= limit {
            writer.append(prefix)
            next += 1
        }
    }
}

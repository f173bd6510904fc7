import BGPMessages
import NetTypes

/// One received UPDATE as numbers of the plan. Most are the same for many receivers: then they are read once.
struct ReceivedUpdate {
    /// A route: its number in `RoutePlan` (with ADD-PATH and shared prefixes, of the prefix and its sender), the peer's
    /// path identifier, whether its attributes are those that it must have.
    struct Item {
        var number: UInt32
        var pathID: UInt32
        var isRight: Bool
    }
    var announced: [Item] = []
    var withdrawn: [Item] = []
    /// The same by words of a `NumberSet`: what is right, what is not, what is withdrawn. Neighbors in the plan are
    /// neighbors in messages, so that a receiver takes up to 64 routes in one step.
    var rightWords: [NumberSet.Word] = []
    var wrongWords: [NumberSet.Word] = []
    var withdrawnWords: [NumberSet.Word] = []
    /// Prefixes that nobody announced.
    var unknown = 0
    var firstProblem: String?
}

/// Decodes and judges what a receiver gets.
struct UpdateReader {
    private let plan: RoutePlan
    private let scenario: LoadScenario
    /// The fingerprint that a prefix must have: of its set, or of the best one.
    private let wanted: [UInt64]
    private var known: [UInt64: (bytes: [UInt8], update: ReceivedUpdate)] = [:]
    private var knownBytes = 0
    private let keeps: Bool
    private static let knownLimit = 256 << 20

    init(_ plan: RoutePlan, _ scenario: LoadScenario) {
        self.plan = plan
        self.scenario = scenario
        wanted = (0..<plan.prefixCount).map { plan.fingerprint($0, sender: plan.isShared ? plan.winner($0) : 0) }
        keeps = scenario.receiverRange.count > 1
    }

    /// Reads a whole UPDATE. Nil: it is malformed.
    mutating func read(_ message: RawSpan, _ context: AttributeContext) -> ReceivedUpdate? {
        guard keeps else { return decode(message, context) }
        var hash = UInt64(message.byteCount)
        var offset = MessageSize.header
        while offset + 8 <= message.byteCount {
            hash = (hash ^ message.word(offset)) &* 0x9E37_79B9_7F4A_7C15
            hash ^= hash >> 29
            offset += 8
        }
        while offset < message.byteCount {
            hash = (hash ^ UInt64(message[offset])) &* 0x9E37_79B9_7F4A_7C15
            offset += 1
        }
        if let found = known[hash], found.bytes.rawSpan.equals(message) { return found.update }
        guard let update = decode(message, context) else { return nil }
        if knownBytes > UpdateReader.knownLimit {
            known = [:]
            knownBytes = 0
        }
        known[hash] = ([UInt8](message), update)
        knownBytes +=
            message.byteCount + (update.announced.count + update.withdrawn.count)
            * MemoryLayout<ReceivedUpdate.Item>.stride
        return update
    }

    private func decode(_ message: RawSpan, _ context: AttributeContext) -> ReceivedUpdate? {
        guard let update = try? UpdateMessage(message: message),
            let block = try? AttributeBlock(update.attributes, context)
        else { return nil }
        var result = ReceivedUpdate()
        if let unreach = block.mpUnreach, let family = unreach.afiSafi.family {
            take(unreach.nlri, family: family, context: context, fingerprint: nil, into: &result)
        }
        take(update.withdrawn, family: .ipv4, context: context, fingerprint: nil, into: &result)
        for item in result.withdrawn { result.withdrawnWords.add(Int(item.number)) }
        var hasMPNLRI = false
        if let reach = block.mpReach { hasMPNLRI = !reach.nlri.isEmpty }
        guard !update.nlri.isEmpty || hasMPNLRI else { return result }
        let set =
            block.gathered.isEmpty ? attributes(block.plain, context) : attributes(block.gathered.rawSpan, context)
        let fingerprint = Fingerprint.received(set, scenario)
        if !update.nlri.isEmpty {
            take(
                update.nlri, family: .ipv4, context: context,
                fingerprint: .some(fingerprint.map { $0 ^ Fingerprint.hop(set.nextHop, scenario) }),
                into: &result)
        }
        if let reach = block.mpReach, let family = reach.afiSafi.family {
            take(
                reach.nlri, family: family, context: context,
                fingerprint: .some(fingerprint.map { $0 ^ Fingerprint.hop(reach.nextHop, scenario) }),
                into: &result)
        }
        for item in result.announced {
            if item.isRight { result.rightWords.add(Int(item.number)) } else { result.wrongWords.add(Int(item.number)) }
        }
        if let wrong = result.announced.first(where: { !$0.isRight }), !plan.isShared {
            result.firstProblem = "\(plan.prefix(Int(wrong.number)).map { "\($0)" } ?? "?") came with \(set)"
        }
        return result
    }

    private func attributes(_ block: RawSpan, _ context: AttributeContext) -> PathAttributes {
        UpdateValidation.decode(block, context).attributes
    }

    /// `fingerprint`: nil for a withdrawal; `.some(nil)` for attributes that cannot be right.
    private func take(
        _ field: RawSpan, family: AddressFamily, context: AttributeContext, fingerprint: UInt64??,
        into result: inout ReceivedUpdate
    ) {
        let hasPathID = context.addPath.contains(family)
        var reader = ByteReader(field)
        while let (prefix, pathID) = NLRI.next(&reader, family, hasPathID: hasPathID) {
            guard let number = plan.number(prefix) else {
                result.unknown += 1
                continue
            }
            var item = ReceivedUpdate.Item(number: UInt32(number), pathID: pathID, isRight: false)
            if case .some(let value) = fingerprint {
                if hasPathID && plan.isShared {
                    let sender = (0..<plan.senders).first { plan.fingerprint(number, sender: $0) == value }
                    item.isRight = sender != nil
                    item.number = UInt32(number * plan.senders + (sender ?? 0))
                } else {
                    item.isRight = wanted[number] == value
                }
            }
            if fingerprint == nil { result.withdrawn.append(item) } else { result.announced.append(item) }
        }
    }
}

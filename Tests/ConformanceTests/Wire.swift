import BGPMessages
import BGPRouting
import BGPSession
import BGPSpeaker
import NetTypes
import StrictWire
import Synchronization

/// A behaviour that was not as the RFC has it.
struct Deviation: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

func require(_ condition: Bool, _ what: @autoclosure () -> String) throws { if !condition { throw Deviation(what()) } }
@discardableResult
func require<Value>(_ value: Value?, _ what: @autoclosure () -> String) throws -> Value {
    guard let value else { throw Deviation(what()) }
    return value
}

func prefix(_ text: String) -> Prefix { Prefix(text) ?? .default(.ipv4) }

/// Bytes of messages, written by hand: what a peer could send, right or wrong.
enum WireBytes {
    static func message(_ type: UInt8, _ body: [UInt8] = [], length: Int? = nil) -> [UInt8] {
        let length = length ?? body.count + 19
        return [UInt8](repeating: 0xFF, count: 16) + [UInt8(length >> 8 & 255), UInt8(length & 255), type] + body
    }
    static let keepalive = message(4)
    static func u16(_ value: Int) -> [UInt8] { [UInt8(value >> 8 & 255), UInt8(value & 255)] }
    static func u32(_ value: UInt32) -> [UInt8] {
        [UInt8(value >> 24), UInt8(value >> 16 & 255), UInt8(value >> 8 & 255), UInt8(value & 255)]
    }
    static func attribute(_ flags: UInt8, _ type: UInt8, _ value: [UInt8]) -> [UInt8] {
        value.count > 255
            ? [flags | 0x10, type] + u16(value.count) + value : [flags, type, UInt8(value.count)] + value
    }
    static func update(withdrawn: [UInt8] = [], _ attributes: [UInt8] = [], nlri: [UInt8] = []) -> [UInt8] {
        message(2, u16(withdrawn.count) + withdrawn + u16(attributes.count) + attributes + nlri)
    }
    static func nlri(_ prefixes: Prefix...) -> [UInt8] {
        var writer = ByteWriter()
        for prefix in prefixes { writer.append(prefix) }
        return writer.bytes
    }
    static let origin = attribute(0x40, 1, [0])
    /// An AS_PATH of four-octet numbers in one sequence.
    static func asPath(_ numbers: [UInt32]) -> [UInt8] {
        attribute(0x40, 2, numbers.isEmpty ? [] : [2, UInt8(numbers.count)] + numbers.flatMap { u32($0) })
    }
    static func nextHop(_ last: UInt8) -> [UInt8] { attribute(0x40, 3, [10, 0, 0, last]) }
    static func localPref(_ value: UInt32) -> [UInt8] { attribute(0x40, 5, u32(value)) }
    static func med(_ value: UInt32) -> [UInt8] { attribute(0x80, 4, u32(value)) }
    static func communities(_ values: Community...) -> [UInt8] {
        attribute(0xC0, 8, values.flatMap { u32($0.rawValue) })
    }
    static func reach6(_ hop: [UInt8], _ nlri: [UInt8]) -> [UInt8] {
        attribute(0x80, 14, [0, 2, 1, UInt8(hop.count)] + hop + [0] + nlri)
    }
    static func unreach6(_ nlri: [UInt8]) -> [UInt8] { attribute(0x80, 15, [0, 2, 1] + nlri) }
    static let hop6: [UInt8] = [0x20, 1, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 11) + [9]
}

/// A speaker under test, with peers whose every byte the test writes and reads.
final class Wire {
    final class Remote {
        let index: PeerIndex
        let address: IPAddress
        let asNumber: UInt32
        var identifier: UInt32
        var side = PeerFSM.Side.passive
        /// Whole messages that the speaker sent, by side.
        var inbox: [[UInt8]] = []
        var other: [[UInt8]] = []
        /// The speaker closed the connection, by side.
        var closed: Set<PeerFSM.Side> = []
        var dialled = 0
        /// The speaker's end of the next connection.
        var local: IPAddress?
        var events: [SpeakerEvent] = []
        /// Every byte of the connection so far, read strictly, by side.
        var strict: [PeerFSM.Side: StrictStream] = [:]
        init(_ index: PeerIndex, _ address: IPAddress, _ asNumber: UInt32) {
            self.index = index
            self.address = address
            self.asNumber = asNumber
            identifier = address.v4 == 0 ? 99 : address.v4
        }
    }

    var speaker: Speaker
    /// What was wrong with any byte that the speaker sent, in any check.
    static let violations = Mutex<[String]>([])
    private(set) var now = Instant.zero
    private(set) var remotes: [Remote] = []
    let localAS: UInt32
    let identifier: UInt32 = 0x0A00_0001

    /// The two programs that a speaker runs in. Every check is made in both.
    enum Mode: String, Sendable, CaseIterable {
        /// Next hops are resolved by the kernel's routes, and what changes in the Loc-RIB goes to the forwarding plane.
        case agent
        /// Every next hop counts as reachable, and nobody asks for changes.
        case reflector
    }
    @TaskLocal static var mode = Mode.reflector
    /// The kernel of an agent, where the check does not play it itself: every next hop is reachable.
    private let resolvesNextHops: Bool
    private let recordsChanges: Bool

    /// `tracksNextHops`: the check resolves next hops itself; nil: as the mode has it.
    init(
        as number: UInt32 = 64512, cluster: UInt32? = nil, tracksNextHops: Bool? = nil, maximumPaths: Int = 1,
        restart: RestartState = RestartState()
    ) {
        localAS = number
        resolvesNextHops = tracksNextHops == nil && Wire.mode == .agent
        recordsChanges = Wire.mode == .agent
        let identity = AttributeTable.Identity(
            localAS: ASNumber(number), identifier: BGPIdentifier(rawValue: identifier),
            clusterID: BGPIdentifier(rawValue: cluster ?? identifier))
        speaker = Speaker(
            identity: identity, tracksNextHops: tracksNextHops ?? (Wire.mode == .agent), maximumPaths: maximumPaths,
            recordsChanges: recordsChanges, restart: restart, seed: 5,
            now: .zero)
    }

    /// A configured peer 10.0.0.`last`, which opens the connections unless the settings say otherwise.
    func add(_ last: UInt32, as number: UInt32 = 64512, _ change: (inout PeerSettings) -> Void = { _ in }) -> Remote {
        let address = IPAddress(v4: 0x0A00_0000 + last)
        var settings = PeerSettings(
            name: "p\(last)", address: address,
            session: SessionConfiguration(
                localAS: ASNumber(localAS), remoteAS: ASNumber(number),
                localIdentifier: BGPIdentifier(rawValue: identifier)))
        settings.session.isPassive = true
        settings.nextHop.addresses = [IPAddress(v4: identifier), IPAddress("2001:db8::1")]
        settings.importSettings.mode = .all
        change(&settings)
        let remote = Remote(speaker.addPeer(settings, now: now), settings.address, number)
        remotes.append(remote)
        run()
        return remote
    }

    // MARK: The remote end

    /// The remote opens a connection. False where it is not welcome.
    @discardableResult
    func connect(_ remote: Remote, _ side: PeerFSM.Side = .passive) -> Bool {
        if side == .passive, !speaker.admitsIncoming(remote.index, now: now) { return false }
        run()
        remote.side = side
        remote.closed.remove(side)
        remote.strict[side] = StrictStream()
        speaker.connected(remote.index, side, local: remote.local, now: now)
        run()
        return true
    }

    static let usual: [Capability] = [.multiprotocol(AFISAFI(.ipv4)), .multiprotocol(AFISAFI(.ipv6)), .routeRefresh]

    func openBytes(_ remote: Remote, hold: UInt16 = 90, _ capabilities: [Capability] = Wire.usual) -> [UInt8] {
        OpenMessage(
            asNumber: ASNumber(remote.asNumber), holdTime: hold, identifier: BGPIdentifier(rawValue: remote.identifier),
            capabilities: capabilities + [.fourOctetAS(ASNumber(remote.asNumber))]
        ).encoded()
    }

    func send(_ remote: Remote, _ bytes: [UInt8], side: PeerFSM.Side? = nil) {
        remote.strict[side ?? remote.side]?.peerSent(bytes)
        bytes.withBytes { speaker.received(remote.index, side ?? remote.side, bytes: $0, now: now) }
        run()
    }

    /// A session with these capabilities; what the speaker said until then is dropped.
    func establish(_ remote: Remote, hold: UInt16 = 90, _ capabilities: [Capability] = Wire.usual) throws {
        try require(connect(remote), "the connection is refused")
        send(remote, openBytes(remote, hold: hold, capabilities))
        send(remote, WireBytes.keepalive)
        try require(isUp(remote), "no session: \(remote.inbox.map { Wire.text($0) })")
        remote.inbox = []
    }

    func lose(_ remote: Remote) {
        speaker.connectionFailed(remote.index, remote.side, now: now)
        run()
    }

    func isUp(_ remote: Remote) -> Bool { speaker.snapshot(remote.index)?.state == .established }
    func state(_ remote: Remote) -> PeerFSM.State { speaker.snapshot(remote.index)?.state ?? .idle }

    /// The remote's table: UPDATEs with usual attributes.
    func announce(_ remote: Remote, _ prefixes: [String], _ more: [UInt8] = [], path: [UInt32]? = nil) {
        let isInternal = remote.asNumber == localAS
        let attributes =
            WireBytes.origin + WireBytes.asPath(path ?? (isInternal ? [] : [remote.asNumber]))
            + WireBytes.nextHop(UInt8(remote.address.v4 & 255))
            + (isInternal ? WireBytes.localPref(100) : []) + more
        send(remote, WireBytes.update(attributes, nlri: prefixes.flatMap { WireBytes.nlri(prefix($0)) }))
    }

    // MARK: The speaker's turn

    func run() {
        for _ in 0..<1000 {
            resolve()
            while speaker.decide(budget: 1000) {}
            if recordsChanges { _ = speaker.takeChanges() }
            let goesOn = speaker.export(replayBudget: 1000, now: now)
            let actions = speaker.takeActions()
            for action in actions { carryOut(action) }
            if actions.isEmpty && !goesOn && speaker.isDecided { return }
        }
    }

    private func resolve() {
        guard resolvesNextHops else { return }
        _ = speaker.takeReleasedNextHops()
        for address in speaker.takeUnresolvedNextHops() {
            speaker.setNewNextHop(RIB.NextHopState(address: address, isReachable: true, cost: 1))
        }
    }

    private func carryOut(_ action: SpeakerAction) {
        switch action {
        case .connect(let peer): remotes.first { $0.index == peer }?.dialled += 1
        case .send(let peer, let side, let buffer):
            guard let remote = remotes.first(where: { $0.index == peer }) else { return }
            remote.strict[side]?.feed(Array(buffer.bytes))
            if let problems = remote.strict[side]?.violations, !problems.isEmpty {
                remote.strict[side] = nil
                Wire.violations.withLock { $0 += problems }
            }
            let messages = Wire.split(Array(buffer.bytes))
            if side == remote.side { remote.inbox += messages } else { remote.other += messages }
        case .close(let peer, let side): remotes.first { $0.index == peer }?.closed.insert(side)
        case .report(let peer, let event): remotes.first { $0.index == peer }?.events.append(event)
        }
    }

    /// Time passes; `alive` remotes send keepalives every ten seconds.
    func advance(_ seconds: Double, alive: [Remote] = []) {
        let end = now + .milliseconds(Int64(seconds * 1000))
        var nextKeepalive = now + .seconds(10)
        while now < end {
            now = min(end, min(speaker.nextDeadline.map { max($0, now) } ?? end, nextKeepalive))
            if now >= nextKeepalive {
                nextKeepalive = now + .seconds(10)
                for remote in alive where isUp(remote) { send(remote, WireBytes.keepalive) }
            }
            speaker.handleTimeouts(now: now)
            run()
        }
    }

    static func split(_ bytes: [UInt8]) -> [[UInt8]] {
        var result: [[UInt8]] = []
        var rest = bytes[...]
        while rest.count >= 19 {
            let length = Int(rest[rest.startIndex + 16]) << 8 | Int(rest[rest.startIndex + 17])
            result.append(Array(rest.prefix(length)))
            rest = rest.dropFirst(length)
        }
        return result
    }

    static func text(_ message: [UInt8]) -> String {
        let names = ["", "OPEN", "UPDATE", "NOTIFICATION", "KEEPALIVE", "ROUTE-REFRESH"]
        let name = Int(message[18]) < names.count ? names[Int(message[18])] : "type \(message[18])"
        return message[18] == 3
            ? "\(name) \(message[19]),\(message[20]) \(message[21...].map { String($0, radix: 16) })" : name
    }
}

/// An UPDATE of the speaker, taken apart.
struct SentUpdate {
    var bytes: [UInt8]
    var attributes = PathAttributes()
    var announced: [OutboundNLRI] = []
    var withdrawn: [OutboundNLRI] = []
    /// Next hop bytes of MP_REACH_NLRI.
    var nextHop: [UInt8] = []
    var types: [UInt8] = []
    /// The flags byte by attribute type, Extended Length left out.
    var flags: [UInt8: UInt8] = [:]

    init(_ bytes: [UInt8], isInternal: Bool = true, isFourOctetAS: Bool = true, addPath: AddressFamilySet = []) throws {
        self.bytes = bytes
        let context = AttributeContext(
            isInternal: isInternal, isFourOctetAS: isFourOctetAS, addPath: addPath, hasExtendedNextHop: true)
        try bytes.withBytes { raw in
            do throws(NotificationMessage) {
                let update = try UpdateMessage(message: raw)
                read(update.withdrawn, .ipv4, addPath, &withdrawn)
                read(update.nlri, .ipv4, addPath, &announced)
                var reader = ByteReader(update.attributes)
                while let attribute = RawAttribute.next(&reader) {
                    types.append(attribute.type.rawValue)
                    flags[attribute.type.rawValue] = attribute.flags.rawValue & 0xEF
                }
                let block = try AttributeBlock(update.attributes, context)
                attributes = UpdateValidation.decode(block.plain, context).attributes
                if let reach = block.mpReach, let family = reach.afiSafi.family {
                    read(reach.nlri, family, addPath, &announced)
                    nextHop = (reach.linkLocalNextHop.map { reach.nextHop.bytes + $0.bytes }) ?? reach.nextHop.bytes
                }
                if let unreach = block.mpUnreach, let family = unreach.afiSafi.family {
                    read(unreach.nlri, family, addPath, &withdrawn)
                }
            } catch {
                throw Deviation("an UPDATE of ours is malformed: \(error)")
            }
        }
    }

    private func read(
        _ field: RawSpan, _ family: AddressFamily, _ addPath: AddressFamilySet, _ into: inout [OutboundNLRI]
    ) {
        var reader = ByteReader(field)
        while let (prefix, pathID) = NLRI.next(&reader, family, hasPathID: addPath.contains(family)) {
            into.append(OutboundNLRI(prefix, pathID: pathID))
        }
    }

    var isEndOfRIB: Bool { announced.isEmpty && withdrawn.isEmpty && attributes == PathAttributes() }
}

extension Wire {
    /// UPDATEs that a remote got since the last look, End-of-RIB left out.
    func sent(_ remote: Remote, isInternal: Bool? = nil, isFourOctetAS: Bool = true, addPath: AddressFamilySet = [])
        throws -> [SentUpdate]
    {
        defer { remote.inbox = [] }
        return try remote.inbox.filter { $0[18] == 2 }.map {
            try SentUpdate(
                $0, isInternal: isInternal ?? (remote.asNumber == localAS), isFourOctetAS: isFourOctetAS,
                addPath: addPath)
        }.filter { !$0.isEndOfRIB }
    }

    /// What a remote was sent of a prefix last; nil: nothing, or a withdrawal.
    func last(_ remote: Remote, _ text: String, addPath: AddressFamilySet = []) throws -> SentUpdate? {
        var result: SentUpdate?
        for update in try sent(remote, addPath: addPath) {
            if update.withdrawn.contains(where: { $0.prefix == prefix(text) }) { result = nil }
            if update.announced.contains(where: { $0.prefix == prefix(text) }) { result = update }
        }
        return result
    }

    /// The paths that the speaker keeps of a prefix.
    func paths(_ text: String) -> [Path] {
        explained(text).map(\.path)
    }

    private func explained(_ text: String) -> [ExplainedPath] {
        guard let index = speaker.find(prefix(text)) else { return [] }
        return speaker.explainedPaths(index, prefix(text).family)
    }

    /// Why the only path of a prefix takes no part; nil for an eligible one.
    func reason(_ text: String) -> IneligibleReason? { explained(text).first?.ineligible }

    func best(_ text: String) -> PathAttributes? {
        guard let path = paths(text).first, path.flags.contains(.best) else { return nil }
        return speaker.attributes(of: path.attributes)
    }

    func originate(_ text: String, _ change: (inout PathAttributes) -> Void = { _ in }) {
        var attributes = PathAttributes()
        attributes.origin = .igp
        attributes.asPath = ASPath()
        change(&attributes)
        speaker.originate(prefix(text), attributes)
        run()
    }

    /// The session must have ended with this NOTIFICATION, and nothing after it.
    func expectNotification(
        _ remote: Remote, _ code: UInt8, _ subcode: UInt8, data: [UInt8]? = nil, _ what: String = ""
    ) throws {
        guard let message = remote.inbox.last, message[18] == 3 else {
            throw Deviation("\(what): no NOTIFICATION but \(remote.inbox.map { Wire.text($0) })")
        }
        try require(
            message[19] == code && message[20] == subcode,
            "\(what): wanted \(code),\(subcode), got \(Wire.text(message))")
        if let data {
            try require(Array(message[21...]) == data, "\(what): data \(Array(message[21...])), wanted \(data)")
        }
        try require(remote.closed.contains(remote.side), "\(what): the connection stays open")
        try require(remote.inbox.count { $0[18] == 3 } == 1, "\(what): more than one NOTIFICATION")
    }
}

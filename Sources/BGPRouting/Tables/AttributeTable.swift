public import BGPMessages
public import NetTypes

/// A reference to an interned attribute set. Two routes have equal attributes exactly where their handles are equal.
public struct AttributeHandle: TableIndex {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
}

/// What the decision process and the export rules need of an attribute set, without touching its bytes.
public struct DecisionKey: Sendable, Hashable {
    public var localPref: UInt32 = PathAttributes.defaultLocalPref
    /// 0 where absent (RFC 4271 9.1.2.2 c).
    public var multiExitDisc: UInt32 = 0
    /// The leftmost AS of the path; 0 for a route of our own AS.
    public var neighborAS: UInt32 = 0
    /// 0 where absent.
    public var originatorID: UInt32 = 0
    public var nextHop: NextHopIndex = NextHopRegistry.itself
    public var pathLength: UInt16 = 0
    public var clusterListLength: UInt16 = 0
    /// How often our own AS occurs in the path.
    public var ownASCount: UInt8 = 0
    public var origin: Origin = .igp
    public var flags: Flags = []

    public init() {}

    public struct Flags: OptionSet, Sendable, Hashable {
        public let rawValue: UInt16
        public init(rawValue: UInt16) { self.rawValue = rawValue }
        /// RFC 1997.
        public static let noExport = Flags(rawValue: 1)
        public static let noAdvertise = Flags(rawValue: 2)
        public static let noExportSubconfed = Flags(rawValue: 4)
        /// Our cluster id is in the CLUSTER_LIST, our identifier is the ORIGINATOR_ID (RFC 4456 8).
        public static let ownCluster = Flags(rawValue: 8)
        public static let ownOriginator = Flags(rawValue: 16)
        public static let hasLocalPref = Flags(rawValue: 32)
        /// RFC 8326.
        public static let gracefulShutdown = Flags(rawValue: 64)
        /// RFC 7999.
        public static let blackhole = Flags(rawValue: 128)
        /// LLGR_STALE and NO_LLGR (RFC 9494).
        public static let longLivedStale = Flags(rawValue: 256)
        public static let noLongLived = Flags(rawValue: 512)
        /// RFC 9234.
        public static let onlyToCustomer = Flags(rawValue: 1024)
    }
}

/// Interned attribute sets: canonical bytes once, a decision key beside them, a count of users.
///
/// Why: most UPDATEs repeat a set that is already here. Then nothing is parsed: the raw bytes are looked up, and a
/// route costs four bytes.
/// Cost: the set's own bytes and 64 bytes more.
public struct AttributeTable: ~Copyable {
    private struct Entry {
        var bytes: HeapBytes
        var hash: UInt32
        var references: UInt32
        /// Contexts (see `contextBit`) in which these very bytes were validated, so that they need not be parsed again.
        var validatedContexts: UInt8
        /// The next hop came in MP_REACH_NLRI and is not in `bytes`.
        var hasSeparateNextHop: Bool
        var key: DecisionKey
    }

    /// What our own numbers are, for the loop flags of the decision key.
    public struct Identity: Sendable, Hashable {
        public var localAS: ASNumber
        public var identifier: BGPIdentifier
        public var clusterID: BGPIdentifier
        public init(localAS: ASNumber, identifier: BGPIdentifier, clusterID: BGPIdentifier) {
            self.localAS = localAS
            self.identifier = identifier
            self.clusterID = clusterID
        }
    }

    public let identity: Identity
    public private(set) var nextHops: NextHopRegistry
    /// Sets in use.
    public private(set) var count = 0
    /// Bytes of canonical encodings kept.
    public private(set) var byteCount = 0
    private var entries: [Entry] = []
    private var free: [AttributeHandle] = []
    /// Open addressing: the hash in the upper half, handle + 1 in the lower; 0: empty. Its own copy of the hash spares
    /// a look at the entry.
    private var slots: [UInt64]
    private var mask: Int
    private let seed: UInt64

    public init(identity: Identity, assumesReachableNextHops: Bool, seed: UInt64) {
        self.identity = identity
        self.seed = seed
        nextHops = NextHopRegistry(assumesReachable: assumesReachableNextHops)
        slots = [UInt64](repeating: 0, count: 64)
        mask = 63
    }

    deinit { for var entry in entries { entry.bytes.free() } }

    // MARK: Interning

    /// A set that was validated before in the same context, byte for byte. Retained. Nil: parse the block and call
    /// `intern`.
    public mutating func lookup(_ block: RawSpan, separateNextHop: IPAddress?, context: AttributeContext)
        -> AttributeHandle?
    {
        guard context.isFourOctetAS,
            let handle = find(block, nextHop: separateNextHop, hash: hash(block, separateNextHop)),
            entries[Int(handle)].validatedContexts & AttributeTable.contextBit(context) != 0
        else { return nil }
        entries[Int(handle)].references += 1
        return handle
    }

    /// Interns a decoded set, retained once. `received`: the bytes that it was decoded from, which are remembered as
    /// valid in `context` where they are canonical.
    public mutating func intern(
        _ attributes: PathAttributes, separateNextHop: IPAddress?, received: RawSpan? = nil,
        context: AttributeContext? = nil
    ) -> AttributeHandle {
        let canonical = attributes.encoded()
        let bytes = canonical.rawSpan
        let hash = hash(bytes, separateNextHop)
        let handle: AttributeHandle
        if let found = find(bytes, nextHop: separateNextHop, hash: hash) {
            handle = found
            entries[Int(handle)].references += 1
        } else {
            handle = insert(bytes, attributes, nextHop: separateNextHop, hash: hash)
        }
        if let received, let context, context.isFourOctetAS, received.equals(bytes) {
            entries[Int(handle)].validatedContexts |= AttributeTable.contextBit(context)
        }
        return handle
    }

    /// The set with a change, interned and retained. The next hop stays where it came from.
    public mutating func transformed(_ handle: AttributeHandle, _ change: (inout PathAttributes) -> Void)
        -> AttributeHandle
    {
        var set = attributes(handle)
        let separate = entries[Int(handle)].hasSeparateNextHop ? set.nextHop : nil
        if separate != nil { set.nextHop = nil }
        change(&set)
        return intern(set, separateNextHop: separate)
    }

    public mutating func retain(_ handle: AttributeHandle) { entries[Int(handle)].references += 1 }

    public mutating func release(_ handle: AttributeHandle) {
        entries[Int(handle)].references -= 1
        guard entries[Int(handle)].references == 0 else { return }
        let entry = entries[Int(handle)]
        removeSlot(handle, entry.hash)
        nextHops.release(entry.key.nextHop)
        entries[Int(handle)].bytes.free()
        byteCount -= Int(entry.bytes.count)
        count -= 1
        free.append(handle)
        if count == 0 {
            entries = []
            free = []
            slots = [UInt64](repeating: 0, count: 64)
            mask = 63
        }
    }

    /// Gives back what a table that shrank does not need: unused handles at the end, slots, and reserve. Handles in use
    /// stay as they are, and the lowest unused ones are given out first from now on. Cost: a walk over the table.
    mutating func trim() {
        nextHops.trim()
        let end = entries.lastIndex { $0.references > 0 }.map { $0 + 1 } ?? 0
        entries = Array(entries[..<end])
        free = free.filter { Int($0) < end }.sorted(by: >)
        var size = 64
        while (count + 1) * 4 > size * 3 { size *= 2 }
        guard size < slots.count else { return }
        slots = [UInt64](repeating: 0, count: size)
        mask = size - 1
        for handle in entries.indices where entries[handle].references > 0 {
            place(AttributeHandle(handle), entries[handle].hash)
        }
    }

    // MARK: Reading

    public func key(_ handle: AttributeHandle) -> DecisionKey { entries[Int(handle)].key }

    /// The canonical bytes, valid inside `body`.
    public func withBytes<R>(_ handle: AttributeHandle, _ body: (RawSpan) -> R) -> R {
        body(entries[Int(handle)].bytes.bytes)
    }

    /// The set decoded again, for transformation and display. Canonical bytes always decode.
    public func attributes(_ handle: AttributeHandle) -> PathAttributes {
        var result = withBytes(handle) {
            UpdateValidation.decode($0, AttributeContext(isInternal: true, isFourOctetAS: true)).attributes
        }
        if entries[Int(handle)].hasSeparateNextHop {
            result.nextHop = nextHops.entries[Int(entries[Int(handle)].key.nextHop)].address
        }
        return result
    }

    /// Nil for a route of our own.
    public func nextHopAddress(_ handle: AttributeHandle) -> IPAddress? {
        let index = entries[Int(handle)].key.nextHop
        return index == NextHopRegistry.itself ? nil : nextHops.entries[Int(index)].address
    }

    /// The next hop came in MP_REACH_NLRI and is not in the bytes.
    public func hasSeparateNextHop(_ handle: AttributeHandle) -> Bool { entries[Int(handle)].hasSeparateNextHop }

    public func isReachable(_ index: NextHopIndex) -> Bool { nextHops.entries[Int(index)].isReachable }
    func family(ofNextHop index: NextHopIndex) -> AddressFamily { nextHops.entries[Int(index)].address.family }
    public func cost(_ index: NextHopIndex) -> UInt32 { nextHops.entries[Int(index)].cost }

    // MARK: Next hops

    public mutating func takeUnresolvedNextHops() -> [IPAddress] { nextHops.takeUnresolved() }
    public mutating func takeReleasedNextHops() -> [IPAddress] { nextHops.takeReleased() }
    public mutating func setNextHop(_ state: RIB.NextHopState) -> NextHopIndex? {
        nextHops.set(state)
    }

    /// Bytes of memory: the sets' own, and what is kept beside them, reserve for growth included.
    public var memory: Int {
        byteCount + entries.capacity * MemoryLayout<Entry>.stride + slots.capacity * 8 + free.capacity * 4
    }

    /// Bytes in use for a set beside its own: its entry and its share of the slots.
    public var memoryPerSet: Int { count == 0 ? 0 : MemoryLayout<Entry>.stride + slots.count * 8 / count }

    // MARK: Storage

    private static func contextBit(_ context: AttributeContext) -> UInt8 { context.isInternal ? 1 : 2 }

    private func find(_ block: RawSpan, nextHop: IPAddress?, hash: UInt32) -> AttributeHandle? {
        var slot = Int(hash) & mask
        while slots[slot] != 0 {
            guard UInt32(slots[slot] >> 32) == hash else {
                slot = (slot + 1) & mask
                continue
            }
            let handle = AttributeHandle(rawValue: UInt32(truncatingIfNeeded: slots[slot]) - 1)
            let entry = entries[Int(handle)]
            if Int(entry.bytes.count) == block.byteCount, entry.hasSeparateNextHop == (nextHop != nil),
                nextHop == nil || nextHops.entries[Int(entry.key.nextHop)].address == nextHop,
                entry.bytes.bytes.equals(block)
            {
                return handle
            }
            slot = (slot + 1) & mask
        }
        return nil
    }

    private mutating func insert(
        _ canonical: RawSpan, _ attributes: PathAttributes, nextHop: IPAddress?, hash: UInt32
    ) -> AttributeHandle {
        if (count + 1) * 4 > slots.count * 3 { growSlots() }
        let entry = Entry(
            bytes: HeapBytes(copying: canonical), hash: hash, references: 1, validatedContexts: 0,
            hasSeparateNextHop: nextHop != nil, key: decisionKey(attributes, nextHop))
        let handle: AttributeHandle
        if let reused = free.popLast() {
            handle = reused
            entries[Int(handle)] = entry
        } else {
            handle = AttributeHandle(entries.count)
            entries.append(entry)
        }
        place(handle, hash)
        count += 1
        byteCount += canonical.byteCount
        return handle
    }

    private mutating func decisionKey(_ attributes: PathAttributes, _ separateNextHop: IPAddress?) -> DecisionKey {
        var key = DecisionKey()
        if let value = attributes.localPref {
            key.localPref = value
            key.flags.insert(.hasLocalPref)
        }
        key.multiExitDisc = attributes.multiExitDisc ?? 0
        key.neighborAS = attributes.asPath?.firstAS?.rawValue ?? 0
        key.originatorID = attributes.originatorID?.rawValue ?? 0
        key.pathLength = UInt16(clamping: attributes.asPath?.decisionLength ?? 0)
        key.clusterListLength = UInt16(clamping: attributes.clusterList.count)
        key.ownASCount = UInt8(clamping: attributes.asPath?.occurrences(of: identity.localAS) ?? 0)
        key.origin = attributes.origin ?? .incomplete
        for community in attributes.communities {
            switch community {
            case .noExport: key.flags.insert(.noExport)
            case .noAdvertise: key.flags.insert(.noAdvertise)
            case .noExportSubconfed: key.flags.insert(.noExportSubconfed)
            case .gracefulShutdown: key.flags.insert(.gracefulShutdown)
            case .blackhole: key.flags.insert(.blackhole)
            case .llgrStale: key.flags.insert(.longLivedStale)
            case .noLLGR: key.flags.insert(.noLongLived)
            default: break
            }
        }
        if attributes.onlyToCustomer != nil { key.flags.insert(.onlyToCustomer) }
        if attributes.originatorID == identity.identifier { key.flags.insert(.ownOriginator) }
        if attributes.clusterList.contains(identity.clusterID) { key.flags.insert(.ownCluster) }
        if let hop = separateNextHop ?? attributes.nextHop { key.nextHop = nextHops.retain(hop) }
        return key
    }

    private mutating func place(_ handle: AttributeHandle, _ hash: UInt32) {
        var slot = Int(hash) & mask
        while slots[slot] != 0 { slot = (slot + 1) & mask }
        slots[slot] = UInt64(hash) << 32 | UInt64(handle.link)
    }

    private mutating func growSlots() {
        let old = slots
        slots = [UInt64](repeating: 0, count: old.count * 2)
        mask = slots.count - 1
        for slot in old where slot != 0 {
            place(AttributeHandle(rawValue: UInt32(truncatingIfNeeded: slot) - 1), UInt32(slot >> 32))
        }
    }

    private mutating func removeSlot(_ handle: AttributeHandle, _ hash: UInt32) {
        var hole = Int(hash) & mask
        while UInt32(truncatingIfNeeded: slots[hole]) != handle.link { hole = (hole + 1) & mask }
        var next = (hole + 1) & mask
        while slots[next] != 0 {
            let home = Int(slots[next] >> 32) & mask
            if (next &- home) & mask >= (next &- hole) & mask {
                slots[hole] = slots[next]
                hole = next
            }
            next = (next + 1) & mask
        }
        slots[hole] = 0
    }

    // MARK: Bytes

    private func hash(_ block: RawSpan, _ nextHop: IPAddress?) -> UInt32 {
        var state = seed ^ UInt64(block.byteCount)
        if let nextHop { state = AttributeTable.mix(state ^ nextHop.high) ^ nextHop.low }
        var offset = 0
        while block.byteCount - offset >= 8 {
            state = AttributeTable.mix(state ^ block.word(offset))
            offset += 8
        }
        var tail: UInt64 = 0
        while offset < block.byteCount {
            tail = tail << 8 | UInt64(block[offset])
            offset += 1
        }
        return UInt32(truncatingIfNeeded: AttributeTable.mix(state ^ tail) >> 16)
    }

    /// A multiply-xor mix; wrapping on purpose.
    @inline(__always)
    private static func mix(_ value: UInt64) -> UInt64 {
        let product = (value ^ 0x9E37_79B9_7F4A_7C15).multipliedFullWidth(by: 0xD6E8_FEB8_6659_FD93)
        return product.high ^ product.low
    }
}

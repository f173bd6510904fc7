package import NetTypes

/// What to do to a speaker: who talks to it, what they announce, in which phases. Values as apus-load(8) takes them.
/// One property per option.
package struct LoadScenario: Sendable {
    package enum Shape: Sendable, Equatable {
        /// Half pod blocks (/26 of 10/8, /122 of fd00::/8), half addresses (/32, /128): what a cluster announces.
        case pod
        /// Pod blocks only.
        case blocks
        /// Lengths, AS paths and sizes of attribute sets in the proportions of a full table.
        case internet
        /// Prefixes and attributes from an MRT dump, TABLE_DUMP_V2 (RFC 6396 section 4.3).
        case mrt(String)
    }

    /// What the routes must look like when they come back.
    package enum Expectation: String, Sendable, CaseIterable {
        /// Reflected: every attribute as it was sent, ORIGINATOR_ID the sender's, a CLUSTER_LIST (RFC 4456 section 8).
        case reflected
        /// From another AS: its number in front, NEXT_HOP its own, no LOCAL_PREF and no MULTI_EXIT_DISC (RFC 4271
        /// section 5.1).
        case external
        /// By a route server: as it was sent (RFC 7947 section 2.2).
        case transparent
    }

    package enum Phase: Sendable, Equatable {
        case announce
        case withdraw
        /// Prefixes that come and go in a random order, so many UPDATEs a second for so many seconds.
        case churn(rate: Int, seconds: Int)
        /// Single announcements, so many, one a millisecond; the time of each from the first byte sent to the last one
        /// received.
        case latency(count: Int)

        package var name: String {
            switch self {
            case .announce: "announce"
            case .withdraw: "withdraw"
            case .churn: "churn"
            case .latency: "latency"
            }
        }
    }

    package var target: IPAddress
    package var port: UInt16 = 179
    /// Speaker 0 has this address, the others those that follow. They must be on the host.
    package var source: IPAddress
    package var speakers = 2
    /// The first so many announce.
    package var senders = 1
    /// The last so many are counted; nil for all.
    package var receivers: Int?
    package var targetAS = ASNumber(64512)
    /// Nil: all are in the target's AS; else speaker i has this AS + i.
    package var externalAS: ASNumber?
    package var families = AddressFamilySet.ipv4
    package var password: [UInt8]?
    /// Offer to take several paths of a prefix (RFC 7911); then every sender's path is counted.
    package var receivesAddPath = false
    package var holdTime: UInt16 = 240
    /// Prefixes a sender and family.
    package var prefixes = 1000
    package var shape = Shape.pod
    /// Attribute sets a sender.
    package var sets = 1
    /// Different IPv4 next hops, by set; 0: each sender's own address.
    package var nextHops = 0
    package var firstNextHop = IPAddress(v4: 0xC612_4001)
    /// Every sender announces the same prefixes, with its own attributes; the best path is counted.
    package var isShared = false
    package var expectation = Expectation.reflected
    package var phases: [Phase] = [.announce, .withdraw, .announce]
    package var seed: UInt64 = 1
    /// Seconds that a phase may take.
    package var timeout = 120
    /// Quiet time between the last session and the first phase.
    package var settle: Duration = .milliseconds(500)
    /// Sessions that are being opened at a time.
    package var burst = 64
    /// The processes under test, for their CPU time and memory; and the one in whose namespace the kernel's routes are
    /// counted.
    package var processes: [Int32] = []
    package var fibProcess: Int32?

    package init(target: IPAddress, source: IPAddress) {
        self.target = target
        self.source = source
    }

    package var receiverRange: Range<Int> { (speakers - (receivers ?? speakers))..<speakers }
    package func localAS(_ speaker: Int) -> ASNumber {
        externalAS.map { ASNumber($0.rawValue + UInt32(speaker)) } ?? targetAS
    }

    /// The address of a speaker.
    package func address(_ speaker: Int) -> IPAddress { source.advanced(by: UInt64(speaker)) }

    /// A speaker's BGP Identifier: its IPv4 address, or 10.255/16 and its number.
    package func identifier(_ speaker: Int) -> BGPIdentifier {
        BGPIdentifier(rawValue: source.family == .ipv4 ? address(speaker).v4 : 0x0AFF_0001 + UInt32(speaker))
    }

    /// What is wrong with the values, as a sentence; nil where nothing is.
    package var problem: String? {
        if source.family != target.family { return "--source \(source) and --target \(target) are of two families" }
        if speakers < 1 || speakers > 10_000 { return "--speakers \(speakers): 1 to 10000" }
        if senders < 0 || senders > speakers { return "--senders \(senders): 0 to the number of speakers, \(speakers)" }
        if let receivers, receivers < 0 || receivers > speakers {
            return "--receivers \(receivers): 0 to the number of speakers, \(speakers)"
        }
        if prefixes < 1 || prefixes * senders > 16_000_000 {
            return "--prefixes \(prefixes): at least 1, and at most 16 million with all senders"
        }
        if sets < 1 || sets > prefixes { return "--sets \(sets): 1 to the number of prefixes, \(prefixes)" }
        if nextHops < 0 || nextHops > 100_000 { return "--next-hops \(nextHops): 0 to 100000" }
        if nextHops > 0, source.family != .ipv4 || expectation == .external {
            return "--next-hops: for IPv4 sessions within an AS or with a route server"
        }
        if families.isEmpty { return "--families: ipv4, ipv6 or both" }
        if expectation == .external && externalAS == nil {
            return "--expect external needs --external-as: within one AS nothing comes back so"
        }
        if expectation == .reflected && externalAS != nil {
            return "--expect reflected: routes between ASes are not reflected; use external or transparent"
        }
        if isShared, !receiverRange.isEmpty, receiverRange.lowerBound < senders {
            return "--shared: receivers must not announce; use --receivers \(speakers - senders) or fewer"
        }
        if case .mrt = shape, sets != 1 { return "--sets: an MRT dump brings its own attribute sets" }
        for phase in phases {
            switch phase {
            case .churn(let rate, let seconds) where rate < 1 || rate > 1_000_000 || seconds < 1 || seconds > 3600:
                return "churn: 1 to 1000000 UPDATEs a second, for 1 to 3600 seconds"
            case .latency(let count) where count < 1 || count > 1_000_000: return "latency: 1 to 1000000 announcements"
            case .latency where senders < 1 || receiverRange.upperBound - receiverRange.lowerBound < 1:
                return "latency: needs a sender and a receiver"
            default: continue
            }
        }
        return nil
    }
}

/// Why a run cannot begin or go on; the text is for people.
package struct LoadError: Error, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}

extension IPAddress {
    /// The address so many after this one; an IPv6 address counts in its low half.
    func advanced(by count: UInt64) -> IPAddress {
        family == .ipv4
            ? IPAddress(v4: v4 &+ UInt32(truncatingIfNeeded: count)) : IPAddress(high: high, low: low &+ count)
    }
}

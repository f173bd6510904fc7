package import NetTypes

/// What a BFD session is asked to do.
package struct BFDConfiguration: Sendable, Hashable {
    /// 50 ms to 10 s each.
    package var desiredMinTX: Duration
    package var requiredMinRX: Duration
    package var detectMultiplier: UInt8
    package init(
        desiredMinTX: Duration = .milliseconds(300), requiredMinRX: Duration = .milliseconds(300),
        detectMultiplier: UInt8 = 3
    ) {
        self.desiredMinTX = desiredMinTX
        self.requiredMinRX = requiredMinRX
        self.detectMultiplier = detectMultiplier
    }

    /// What is as fast as both: of each the lower.
    package func asFast(as other: BFDConfiguration) -> BFDConfiguration {
        BFDConfiguration(
            desiredMinTX: min(desiredMinTX, other.desiredMinTX), requiredMinRX: min(requiredMinRX, other.requiredMinRX),
            detectMultiplier: min(detectMultiplier, other.detectMultiplier))
    }
}

/// One BFD session in asynchronous mode, without echo and authentication, in the active role (RFC 5880 section 6).
///
/// Pure: packets and time go in, packets and changes of state come out. Every (state, packet) pair has the outcome of
/// RFC 5880 6.8.6.
///
/// ```
///   Down ──(remote Down)──> Init ──(remote Init, Up)──> Up
///    ^ └───────────(remote Init)────────────────────────^ │
///    └──── detection time expired, remote Down ───────────┘
/// ```
package struct BFDSession: Sendable {
    package enum Action: Sendable, Hashable {
        case send(BFDPacket)
        /// `isFailure`: the path to the neighbor failed; an administrative down of the neighbor is none (RFC 5882
        /// section 3.2).
        case changed(from: BFDState, to: BFDState, isFailure: Bool)
    }

    package let localDiscriminator: UInt32
    package private(set) var configuration: BFDConfiguration
    package private(set) var state = BFDState.down
    package private(set) var diagnostic = BFDDiagnostic.none
    /// What the neighbor's last packet said (RFC 5880 section 6.8.1).
    package struct Remote {
        package internal(set) var discriminator: UInt32 = 0
        /// C of the last packet.
        package internal(set) var isIndependent = false
        var state = BFDState.down
        /// Microseconds; 1 until the neighbor says otherwise (RFC 5880 6.8.1).
        var minRX: UInt32 = 1
        var minTX: UInt32 = 0
        var multiplier: UInt8 = 0
        var isDemand = false
    }
    package private(set) var remote = Remote()
    /// A Poll Sequence is on (6.5).
    private var isPolling = false
    /// Intervals that are in force until a Poll Sequence ends (6.8.3).
    private var activeTX: Duration = .seconds(1)
    private var activeRX: Duration
    private var nextTransmit: Instant?
    private var detectDeadline: Instant?
    private var random: SeededRandom

    /// RFC 5880 6.8.3: not faster than one a second before the session is up.
    private static let slowInterval: Duration = .seconds(1)

    /// `discriminator`: unique in this process, never 0.
    package init(_ configuration: BFDConfiguration, discriminator: UInt32, seed: UInt64, now: Instant) {
        self.configuration = configuration
        localDiscriminator = discriminator
        activeRX = configuration.requiredMinRX
        random = SeededRandom(seed: seed)
        nextTransmit = now
    }

    package var nextDeadline: Instant? {
        .earliest(nextTransmit, detectDeadline)
    }

    /// How long the neighbor may be silent (6.8.4); nil before its first packet.
    package var detectionTime: Duration? {
        guard remote.multiplier > 0 else { return nil }
        return max(activeRX, .microseconds(Int64(remote.minTX))) * Int(remote.multiplier)
    }

    /// Time between two packets of ours at most (6.8.2, 6.8.7), without jitter; nil where the neighbor wants none.
    package var transmitInterval: Duration? {
        guard remote.minRX > 0 else { return nil }
        return max(activeTX, .microseconds(Int64(remote.minRX)))
    }

    // MARK: Events

    /// A packet that belongs to this session (6.8.6).
    package mutating func receive(_ packet: BFDPacket, now: Instant, _ actions: inout [Action]) {
        remote.discriminator = packet.myDiscriminator
        remote.state = packet.state
        remote.isDemand = packet.isDemand
        remote.isIndependent = packet.isControlPlaneIndependent
        let oldInterval = transmitInterval
        remote.minRX = packet.requiredMinRX
        remote.minTX = packet.desiredMinTX
        remote.multiplier = packet.detectMultiplier
        if packet.isFinal, isPolling { endPoll() }
        if let time = detectionTime { detectDeadline = now + time }

        if state != .adminDown {
            if packet.state == .adminDown {
                if state != .down {
                    change(to: .down, reason: .neighborSignaledDown, isFailure: false, now: now, into: &actions)
                }
            } else {
                switch (state, packet.state) {
                case (.down, .down):
                    change(to: .initializing, reason: .none, isFailure: false, now: now, into: &actions)
                case (.down, .initializing): change(to: .up, reason: .none, isFailure: false, now: now, into: &actions)
                case (.initializing, .initializing), (.initializing, .up):
                    change(to: .up, reason: .none, isFailure: false, now: now, into: &actions)
                case (.up, .down):
                    change(to: .down, reason: .neighborSignaledDown, isFailure: true, now: now, into: &actions)
                default: break
                }
            }
        }
        if packet.isPoll {
            // 6.5: at once, whatever the interval.
            var answer = self.packet()
            answer.isPoll = false
            answer.isFinal = true
            actions.append(.send(answer))
        }
        // A shorter interval takes effect at once.
        if oldInterval != transmitInterval { schedule(now) }
    }

    package mutating func handleTimeout(now: Instant, _ actions: inout [Action]) {
        if let deadline = detectDeadline, deadline <= now {
            detectDeadline = nil
            // 6.8.1: a neighbor that is silent for so long may come back as somebody else.
            remote.discriminator = 0
            if state == .up || state == .initializing {
                change(to: .down, reason: .detectionTimeExpired, isFailure: state == .up, now: now, into: &actions)
            }
        }
        if let due = nextTransmit, due <= now {
            actions.append(.send(packet()))
            schedule(now)
        }
    }

    /// New intervals on the running session, by a Poll Sequence (6.8.3).
    package mutating func reconfigure(_ new: BFDConfiguration, now: Instant) {
        guard new != configuration else { return }
        configuration = new
        applyIntervals(now)
    }

    /// No more BFD: the neighbor hears of it, so that it takes it for no failure.
    package mutating func stop(now: Instant, _ actions: inout [Action]) {
        state = .adminDown
        diagnostic = .administrativelyDown
        isPolling = false
        actions.append(.send(packet()))
        nextTransmit = nil
        detectDeadline = nil
    }

    // MARK: Inside

    private mutating func change(
        to new: BFDState, reason: BFDDiagnostic, isFailure: Bool, now: Instant, into actions: inout [Action]
    ) {
        let old = state
        state = new
        if new == .down { diagnostic = reason } else if new == .up { diagnostic = .none }
        applyIntervals(now)
        actions.append(.changed(from: old, to: new, isFailure: isFailure))
        // The neighbor hears of it now, not a second later.
        actions.append(.send(packet()))
        schedule(now)
    }

    private var wantedTX: Duration {
        state == .up ? configuration.desiredMinTX : max(BFDSession.slowInterval, configuration.desiredMinTX)
    }

    private mutating func applyIntervals(_ now: Instant) {
        guard state == .up else {
            isPolling = false
            activeTX = wantedTX
            activeRX = configuration.requiredMinRX
            return
        }
        isPolling = true
        // What makes us slower, or less patient, waits for the end of the Poll Sequence.
        if wantedTX < activeTX { activeTX = wantedTX }
        if configuration.requiredMinRX > activeRX { activeRX = configuration.requiredMinRX }
        schedule(now)
    }

    private mutating func endPoll() {
        isPolling = false
        activeTX = wantedTX
        activeRX = configuration.requiredMinRX
    }

    /// 6.8.7: jitter of up to a quarter; with a multiplier of 1 at least a tenth.
    private mutating func schedule(_ now: Instant) {
        guard let interval = transmitInterval, !(remote.isDemand && state == .up && remote.state == .up && !isPolling)
        else {
            nextTransmit = nil
            return
        }
        let fraction = Double(random.next() % 1000) / 1000
        let share = configuration.detectMultiplier == 1 ? 0.75 + 0.15 * fraction : 0.75 + 0.25 * fraction
        nextTransmit = now + interval.scaled(by: share)
    }

    private func packet() -> BFDPacket {
        var packet = BFDPacket()
        packet.diagnostic = diagnostic
        packet.state = state
        packet.isPoll = isPolling
        packet.detectMultiplier = configuration.detectMultiplier
        packet.myDiscriminator = localDiscriminator
        packet.yourDiscriminator = remote.discriminator
        packet.desiredMinTX = BFDSession.microseconds(wantedTX)
        packet.requiredMinRX = BFDSession.microseconds(configuration.requiredMinRX)
        return packet
    }

    private static func microseconds(_ duration: Duration) -> UInt32 { UInt32(clamping: duration.nanoseconds / 1000) }
}

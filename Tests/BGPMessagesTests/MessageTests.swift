import BGPMessages
import NetTypes
import Testing

/// Builds a message from a type and a body.
func message(_ type: UInt8, _ body: [UInt8], length: Int? = nil) -> [UInt8] {
    let total = length ?? 19 + body.count
    return [UInt8](repeating: 0xFF, count: 16) + [UInt8(total >> 8), UInt8(total & 255), type] + body
}

/// Feeds bytes in portions and answers the types that came out.
func frame(_ bytes: [UInt8], portion: Int, maximum: Int = 4096) -> Result<[[UInt8]], NotificationMessage> {
    var framer = MessageFramer()
    framer.maximumLength = maximum
    var messages: [[UInt8]] = []
    var offset = 0
    while offset < bytes.count {
        let end = min(bytes.count, offset + portion)
        let piece = Array(bytes[offset..<end])
        let failure = piece.withBytes { raw -> NotificationMessage? in
            do throws(NotificationMessage) {
                try framer.consume(raw) { _, message in
                    messages.append(Array(message))
                    return true
                }
                return nil
            } catch {
                return error
            }
        }
        if let failure { return .failure(failure) }
        offset = end
    }
    return .success(messages)
}

@Suite struct FramerTests {
    static let stream: [[UInt8]] = [
        KeepaliveMessage.encoded, message(2, [0, 0, 0, 0]), message(3, [6, 2, 1, 65]), message(5, [0, 1, 0, 1]),
        message(2, [0, 0, 0, 0] + (0..<1000).flatMap { _ in [32, 1, 2, 3, 4] as [UInt8] }.prefix(4000)),
        KeepaliveMessage.encoded,
    ]

    @Test(arguments: [1, 2, 3, 7, 18, 19, 20, 23, 64, 1000, 4096, 100_000])
    func `messages come out the same whatever the portions (RFC 4271 4.1)`(portion: Int) throws {
        let messages = try frame(Self.stream.flatMap { $0 }, portion: portion).get()
        #expect(messages == Self.stream)
    }

    @Test(arguments: [1, 7, 19, 20, 64, 1000, 4096, 100_000])
    func `what is peeked at are the UPDATEs that are then handed out and lie whole in the portion`(portion: Int) {
        let bytes = Self.stream.flatMap { $0 }
        var framer = MessageFramer()
        for start in stride(from: 0, to: bytes.count, by: portion) {
            let piece = Array(bytes[start..<min(start + portion, bytes.count)])
            let held = framer.bufferedCount
            var peeked: [[UInt8]] = []
            var taken: [[UInt8]] = []
            let isWellFormed = piece.withBytes { raw -> Bool in
                framer.peek(raw) { peeked.append(Array($0)) }
                let outcome: Void? = try? framer.consume(raw) { type, message in
                    if type == .update { taken.append(Array(message)) }
                    return true
                }
                return outcome != nil
            }
            #expect(isWellFormed)
            // One that began in an earlier portion is not whole in this one.
            if held > 0, let first = taken.first, held + piece.count >= first.count, taken.count > peeked.count {
                taken.removeFirst()
            }
            #expect(peeked == taken)
        }
    }

    @Test func `peeking at random bytes never crashes`() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0..<80, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            var framer = MessageFramer()
            let head = [UInt8](repeating: 0xFF, count: Int.random(in: 0..<17, using: &random))
            head.withBytes { try? framer.consume($0) { _, _ in true } }
            bytes.withBytes { framer.peek($0) { #expect($0.byteCount >= 19 && $0.byteCount <= bytes.count) } }
        }
    }

    @Test func `a marker that is not all ones is error 1,1`() {
        for position in 0..<16 {
            var bytes = KeepaliveMessage.encoded
            bytes[position] = 0xFE
            for portion in [1, 19] { #expect(frame(bytes, portion: portion) == .failure(.connectionNotSynchronized)) }
        }
    }

    @Test(arguments: [(4, 18), (4, 20), (2, 22), (1, 28), (3, 20), (2, 4097), (2, 65535)] as [(UInt8, Int)])
    func `a length that the type cannot have is error 1,2 with the length`(type: UInt8, length: Int) {
        let bytes = message(type, [UInt8](repeating: 0, count: 200), length: length)
        #expect(
            frame(bytes, portion: 1000)
                == .failure(NotificationMessage(.messageHeader, 2, data: [UInt8(length >> 8), UInt8(length & 255)])))
    }

    @Test(arguments: [0, 6, 255] as [UInt8])
    func `an unknown type is error 1,3 with the type`(type: UInt8) {
        #expect(
            frame(message(type, [1, 2, 3]), portion: 5)
                == .failure(NotificationMessage(.messageHeader, 3, data: [type])))
    }

    @Test func `an extended message passes only where we announced RFC 8654, an OPEN never`() throws {
        let body = [UInt8](repeating: 0, count: 65535 - 19)
        #expect(try frame(message(2, body), portion: 999, maximum: 65535).get().count == 1)
        #expect(frame(message(2, body), portion: 999) == .failure(.badMessageLength(65535)))
        #expect(frame(message(1, body), portion: 999, maximum: 65535) == .failure(.badMessageLength(65535)))
    }

    @Test func `random bytes never crash the framer, and a valid head is never lost`() {
        var random = SeededRandom(seed: 99)
        for _ in 0..<2000 {
            var bytes = Self.stream.prefix(2).flatMap { $0 }
            for _ in 0..<(random.next() % 60) { bytes.append(UInt8(truncatingIfNeeded: random.next())) }
            if case .success(let messages) = frame(bytes, portion: Int(random.next() % 40) + 1) {
                #expect(messages.count >= 2)
            }
        }
    }
}

@Suite struct OpenTests {
    static func decode(_ bytes: [UInt8]) -> Result<OpenMessage, NotificationMessage> {
        bytes.withBytes { raw in Result { () throws(NotificationMessage) in try OpenMessage(message: raw) } }
    }

    static let capabilities: [Capability] = [
        .multiprotocol(AFISAFI(.ipv4)), .multiprotocol(AFISAFI(.ipv6)), .routeRefresh, .extendedMessage,
        .gracefulRestart(
            GracefulRestartCapability(
                restarting: true, notification: true, restartTime: 120,
                families: [
                    .init(AFISAFI(.ipv4), forwardingPreserved: true), .init(AFISAFI(.ipv6), forwardingPreserved: false),
                ])),
        .fourOctetAS(ASNumber(4_200_000_000)), .unknown(CapabilityCode(rawValue: 73), [1, 2, 3]),
    ]
    static let open = OpenMessage(
        asNumber: ASNumber(4_200_000_000), holdTime: 90, identifier: BGPIdentifier(rawValue: 0x0A00_0001),
        capabilities: capabilities)

    @Test func `a known OPEN has the bytes of RFC 4271 4_2`() {
        let open = OpenMessage(
            asNumber: ASNumber(65000), holdTime: 180, identifier: BGPIdentifier(rawValue: 0x0A00_0001),
            capabilities: [.multiprotocol(AFISAFI(.ipv4))])
        #expect(open.encoded() == message(1, [4, 0xFD, 0xE8, 0, 180, 10, 0, 0, 1, 8, 2, 6, 1, 4, 0, 1, 0, 1]))
    }

    @Test func `an OPEN survives the wire, with AS_TRANS for a large AS (RFC 6793 4_2_1)`() throws {
        let decoded = try Self.decode(Self.open.encoded()).get()
        #expect(decoded == Self.open)
        #expect(decoded.myAS == 23456)
        #expect(decoded.asNumber == ASNumber(4_200_000_000))
    }

    @Test(arguments: 0..<300 as Range<UInt64>)
    func `random OPENs with every capability survive the wire`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        func number(_ bound: UInt64) -> UInt64 { random.next() % bound }
        func afiSafi() -> AFISAFI { AFISAFI(afi: UInt16(number(65536)), safi: UInt8(number(256))) }
        let capabilities = (0..<number(12)).map { _ -> Capability in
            switch number(11) {
            case 0: return .multiprotocol(afiSafi())
            case 1: return .routeRefresh
            case 2: return .extendedMessage
            case 3: return .fourOctetAS(ASNumber(UInt32(number(1 << 32))))
            case 4:
                return .gracefulRestart(
                    GracefulRestartCapability(
                        restarting: number(2) == 0, notification: number(2) == 0, restartTime: UInt16(number(4096)),
                        families: (0..<number(5)).map { _ in .init(afiSafi(), forwardingPreserved: number(2) == 0) }))
            case 5: return .extendedNextHop((0..<number(4)).map { _ in afiSafi() })
            case 6: return .role(UInt8(number(256)))
            case 7:
                return .addPath(
                    (0..<number(4)).map { _ in AddPathFamily(afiSafi(), receives: number(2) == 0, sends: number(2) == 0)
                    })
            case 8: return .enhancedRouteRefresh
            case 9:
                return .longLivedGracefulRestart(
                    (0..<number(4)).map { _ in
                        LongLivedFamily(
                            afiSafi(), forwardingPreserved: number(2) == 0, staleTime: UInt32(number(1 << 24)))
                    })
            default:
                return .unknown(
                    CapabilityCode(rawValue: UInt8(100 + number(100))),
                    (0..<number(200)).map { _ in UInt8(number(256)) })
            }
        }
        let open = OpenMessage(
            asNumber: ASNumber(UInt32(number(1 << 32))), holdTime: UInt16(number(65536)),
            identifier: BGPIdentifier(rawValue: UInt32(number(1 << 32))),
            capabilities: capabilities)
        let bytes = open.encoded()
        try #require(bytes.count <= 4096, "seed \(seed)")
        let again = bytes.withBytes { try? OpenMessage(message: $0) }
        #expect(again == open, "seed \(seed)")
    }

    @Test func `every truncation of an OPEN is an OPEN error, and never a crash`() {
        let whole = Self.open.encoded()
        for length in 29..<whole.count {
            guard case .failure(let error) = Self.decode(Array(whole[..<length])) else {
                Issue.record("length \(length) was accepted")
                continue
            }
            #expect(error.code == .openMessage)
        }
    }

    @Test func `more than 255 bytes of capabilities use the form of RFC 9072, fewer do not`() throws {
        let many = OpenMessage(
            asNumber: ASNumber(1), holdTime: 0, identifier: BGPIdentifier(rawValue: 1),
            capabilities: (0..<60).map { .unknown(CapabilityCode(rawValue: 200), [UInt8($0), 1, 2]) })
        let bytes = many.encoded()
        #expect(bytes[28] == 255 && bytes[29] == 255)
        #expect(try Self.decode(bytes).get() == many)
        #expect(Self.open.encoded()[29] == 2)
    }

    @Test func `the extended form is read whatever the length byte says, and with a short total (RFC 9072 2)`() throws {
        let body: [UInt8] = [4, 0, 1, 0, 90, 1, 1, 1, 1, 17, 255, 0, 9, 2, 0, 6, 1, 4, 0, 1, 0, 1]
        #expect(try Self.decode(message(1, body)).get().capabilities == [.multiprotocol(AFISAFI(.ipv4))])
        var lied = body
        lied[9] = 3
        #expect(try Self.decode(message(1, lied)).get().capabilities.count == 1)
        var inner = body
        inner[13] = 255
        #expect(Self.decode(message(1, inner)) == .failure(.unsupportedOptionalParameter))
    }

    @Test func `version, parameters and capabilities that are wrong have their own errors (RFC 4271 6_2)`() {
        func body(_ tail: [UInt8], version: UInt8 = 4) -> [UInt8] {
            message(1, [version, 0, 1, 0, 90, 1, 1, 1, 1, UInt8(tail.count)] + tail)
        }
        #expect(Self.decode(body([], version: 3)) == .failure(NotificationMessage(.openMessage, 1, data: [0, 4])))
        #expect(Self.decode(body([1, 1, 0])) == .failure(.unsupportedOptionalParameter))
        #expect(Self.decode(body([2, 6, 65, 4, 0, 0])) == .failure(.openUnspecific))
        #expect(Self.decode(body([2, 3, 65, 2, 0])) == .failure(.openUnspecific))
        #expect(Self.decode(body([2, 5, 65, 3, 0, 0, 1])) == .failure(.openUnspecific))
        #expect(Self.decode(message(1, [4, 0, 1, 0, 90, 1, 1, 1, 1, 5, 2])) == .failure(.openUnspecific))
    }
}

@Suite struct NotificationTests {
    @Test func `a NOTIFICATION survives the wire, and its data is cut at 4096 bytes (RFC 8654 5)`() {
        let short = NotificationMessage(.cease, 2, data: [3, 65, 66, 67])
        #expect(short.encoded().withBytes { NotificationMessage(message: $0) } == short)
        #expect(short.shutdownCommunication == "ABC")
        #expect(
            NotificationMessage(.updateMessage, 3, data: [UInt8](repeating: 1, count: 60000)).encoded().count == 4096)
    }

    @Test func `shutdown text is cut at a character and shown only where it is UTF-8 (RFC 9003)`() {
        let long = NotificationMessage.administrativeShutdown(String(repeating: "ä", count: 200))
        #expect(long.data.count == 255)
        #expect(long.data[0] == 254)
        #expect(long.shutdownCommunication?.count == 127)
        #expect(NotificationMessage(.cease, 2, data: [2, 0xC3, 0x28]).shutdownCommunication == nil)
        #expect(NotificationMessage(.cease, 2, data: [9, 65]).shutdownCommunication == nil)
        #expect(NotificationMessage.administrativeShutdown().data.isEmpty)
    }

    @Test func `errors are named in the words of the registry`() {
        #expect(NotificationMessage.connectionCollision.description == "Cease/Connection Collision Resolution")
        #expect(NotificationMessage.holdTimerExpired.description == "Hold Timer Expired")
        #expect(NotificationMessage(.cease, 77).description == "Cease/77")
        #expect(NotificationMessage.maximumPrefixes(.ipv6, limit: 1000).data == [0, 2, 1, 0, 0, 3, 232])
    }
}

@Suite struct RefreshTests {
    @Test func `ROUTE-REFRESH survives the wire and another length is no refresh`() {
        let refresh = RouteRefreshMessage(AFISAFI(.ipv6))
        #expect(refresh.encoded() == message(5, [0, 2, 0, 1]))
        #expect(refresh.encoded().withBytes { RouteRefreshMessage(message: $0) } == refresh)
        #expect(message(5, [0, 2, 0, 1, 9]).withBytes { RouteRefreshMessage(message: $0) } == nil)
    }
}

@Suite struct NLRITests {
    static func read(_ bytes: [UInt8], _ family: AddressFamily) -> [Prefix]? {
        bytes.withBytes { raw in
            guard NLRI.isWellFormed(raw, family) else { return nil }
            var reader = ByteReader(raw)
            var result: [Prefix] = []
            while let prefix = NLRI.next(&reader, family) { result.append(prefix) }
            return result
        }
    }

    @Test(arguments: AddressFamily.allCases)
    func `every length survives the wire, and every truncation is found`(family: AddressFamily) {
        let address =
            family == .ipv4
            ? IPAddress(v4: 0xDEAD_BEEF) : IPAddress(high: 0x2001_0DB8_DEAD_BEEF, low: 0x0123_4567_89AB_CDEF)
        for length in 0...family.bits {
            var writer = ByteWriter()
            let prefix = Prefix(address, length: length)
            writer.append(prefix)
            #expect(writer.count == NLRI.encodedSize(prefix))
            #expect(Self.read(writer.bytes, family) == [prefix])
            for cut in 1..<max(writer.count, 1) { #expect(Self.read(Array(writer.bytes[..<cut]), family) == nil) }
        }
    }

    @Test func `host bits are masked, and a length beyond the family's is malformed (RFC 7606 5_3)`() {
        #expect(Self.read([9, 10, 255], .ipv4) == [Prefix("10.128.0.0/9")].compactMap { $0 })
        #expect(Self.read([33, 10, 0, 0, 0, 0], .ipv4) == nil)
        #expect(Self.read([129] + [UInt8](repeating: 0, count: 17), .ipv6) == nil)
        #expect(Self.read([0], .ipv4) == [.default(.ipv4)])
    }
}

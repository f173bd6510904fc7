import BGPRouting
import ForwardingPlane
import NetTypes
import Testing

@Suite struct LogLimiterTests {
    private func at(_ seconds: Int64) -> Instant { .zero + .seconds(seconds) }
    private func stranger(_ number: Int) -> IPAddress { IPAddress(v4: 0x0A00_0000 + UInt32(number)) }

    @Test func `a subject has ten lines in ten seconds, and then says how many were left out`() {
        var limiter = LogLimiter()
        for _ in 0..<10 { #expect(limiter.admit(.strangers, .refusal, now: at(1)) == 0) }
        for _ in 0..<500 { #expect(limiter.admit(.strangers, .refusal, now: at(2)) == nil) }
        #expect(limiter.admit(.strangers, .refusal, now: at(11)) == 500)
        #expect(limiter.admit(.strangers, .refusal, now: at(11)) == 0)
    }

    @Test func `one subject or kind does not use up what is another's`() {
        var limiter = LogLimiter()
        let peer = LogLimiter.Subject.peer(PeerIndex(rawValue: 1))
        for _ in 0..<100 { _ = limiter.admit(peer, .fault, now: at(1)) }
        #expect(limiter.admit(peer, .session, now: at(1)) == 0)
        #expect(limiter.admit(.peer(PeerIndex(rawValue: 2)), .fault, now: at(1)) == 0)
    }

    @Test func `dynamic peers of a range share its lines, and one that flaps does not take them all`() {
        var limiter = LogLimiter()
        func admitted(_ numbers: [Int], _ seconds: Int64) -> Int {
            numbers.count { limiter.admit(dynamic: stranger($0), of: "r", .session, now: at(seconds)) != nil }
        }
        #expect(admitted(Array(repeating: 1, count: 1000), 1) == 10)
        #expect(admitted(Array(2..<30000), 2) == 40)
        #expect(limiter.admit(dynamic: stranger(1), of: "other", .session, now: at(20)) != nil)
    }

    @Test func `a hundred thousand strangers are not remembered one by one, and leave a bounded number of lines`() {
        var limiter = LogLimiter(capacity: 100)
        var lines = 0
        for number in 0..<100_000
        where limiter.admit(.address(stranger(number)), .attempt, now: at(Int64(number / 10_000))) != nil { lines += 1 }
        #expect(limiter.count <= 101)
        #expect(lines <= 200)
        // What is over is forgotten, and others are logged again.
        #expect(limiter.admit(.address(stranger(7_000_000)), .attempt, now: at(100)) != nil)
        #expect(limiter.count <= 101)
    }
}

import NetTypes
import StatusAPI
import Testing

/// How reasons and states stand in JSON: scripts read them.
@Suite struct ReasonTests {
    private static func json(_ value: some Encodable) -> String {
        String(decoding: StatusCodec.encode(value), as: UTF8.self)
    }

    @Test func `a state or reason without details is a string, one with details an object with its name`() {
        #expect(Self.json([PeerState.established]) == #"["Established"]"#)
        #expect(Self.json([FIBState.toBeRemoved, .installed]) == #"["to be removed","installed"]"#)
        #expect(Self.json([PathIneligibility.rejectedByFilter]) == #"["rejectedByFilter"]"#)
        #expect(Self.json(["10.0.0.9": NotAnnouncedReason.tooLarge]) == #"{"10.0.0.9":{"tooLarge":{}}}"#)
        #expect(
            Self.json(NotAnnouncedReason.rejectedByRule(rule: "BGPFilter/a exportV4[0]"))
                == #"{"rejectedByRule":{"rule":"BGPFilter/a exportV4[0]"}}"#)
        #expect(
            Self.json(PeerDownReason.notificationReceived(code: 6, subcode: 2, name: "Cease/Administrative Shutdown"))
                == #"{"notificationReceived":{"code":6,"name":"Cease/Administrative Shutdown","subcode":2}}"#)
        #expect(Self.json([BFDSessionState.initializing]) == #"["Init"]"#)
        #expect(
            Self.json(OwnPrefixReason.notInKernel(reason: .tunnel(reason: .notUp(device: "tunl0"))))
                == #"{"notInKernel":{"reason":{"tunnel":{"reason":{"notUp":{"device":"tunl0"}}}}}}"#)
    }

    @Test func `what the daemon encodes apusctl decodes`() throws {
        var answer = StatusAnswer()
        answer.fib = [
            FIBStatus(prefix: "10.0.0.0/26", wanted: nil, kernel: nil, state: .failed, reason: .kernelError(code: 22))
        ]
        answer.endpoints = [
            EndpointStatus(
                name: "a/b", interface: "cali1", addresses: [], state: .failed,
                reason: .notInKernel(prefix: "10.0.0.1/32", reason: .noPermission))
        ]
        let decoded = try #require(StatusCodec.answer(StatusCodec.encode(answer)))
        #expect(decoded.fib?.first?.reason == .kernelError(code: 22) && decoded.fib?.first?.state == .failed)
        #expect(decoded.endpoints?.first?.reason == .notInKernel(prefix: "10.0.0.1/32", reason: .noPermission))
    }

    @Test func `a prefix that the operator keeps back delays no readiness, whatever it is called for people`() {
        func own(_ isAnnounced: Bool, _ reason: OwnPrefixReason?) -> OwnPrefixStatus {
            OwnPrefixStatus(prefix: "10.65.0.0/26", kind: .block, isAnnounced: isAnnounced, reason: reason)
        }
        #expect(!own(false, .exportDisabled).delaysReadiness && !own(true, nil).delaysReadiness)
        #expect(
            own(false, .aboutToBeAnnounced).delaysReadiness && own(false, .notInKernel(reason: nil)).delaysReadiness)
        // An interface of that name is no word of the operator's.
        #expect(own(false, .notInKernel(reason: .interfaceDown(interface: "disableBGPExport"))).delaysReadiness)
    }
}

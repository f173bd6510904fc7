import BGPMessages
import BGPSession
import BGPSpeaker
import NetTypes

// MARK: 123 and 124: how sessions end
extension Conformance {
    static let endings: [Item] = [
        Item(123, "a malformed OPEN: N(2,x) in OpenSent, N(5,2) in OpenConfirm, N(5,3) in Established", "RFC 6608 4") {
            // Version 3; optional parameters longer than the message; a parameter that is cut off.
            let faults: [(name: String, change: ([UInt8]) -> [UInt8], subcode: UInt8)] = [
                ("version", { $0.prefix(19) + [3] + $0.dropFirst(20) }, 1),
                ("length of the parameters", { $0.prefix(28) + [$0[28] + 1] + $0.dropFirst(29) }, 0),
                ("length of a parameter", { $0.prefix(30) + [255] + $0.dropFirst(31) }, 0),
            ]
            for fault in faults {
                for state in [PeerFSM.State.openSent, .openConfirm, .established] {
                    let wire = Wire()
                    let remote = wire.add(2)
                    wire.connect(remote)
                    if state != .openSent { wire.send(remote, wire.openBytes(remote)) }
                    if state == .established { wire.send(remote, WireBytes.keepalive) }
                    try require(wire.state(remote) == state, "\(wire.state(remote))")
                    wire.send(remote, fault.change(wire.openBytes(remote)))
                    switch state {
                    case .openSent: try wire.expectNotification(remote, 2, fault.subcode, fault.name)
                    case .openConfirm: try wire.expectNotification(remote, 5, 2, data: [1], fault.name)
                    default: try wire.expectNotification(remote, 5, 3, data: [1], fault.name)
                    }
                }
            }
        },
        Item(
            124,
            "the process ends: N(6,2) with a text to a peer that would not keep our routes, a closed connection "
                + "without N to one that would",
            "RFC 9003 2, 4724",
            .lab(
                "SIGTERM says Cease to those peers alone that do not keep our routes, and leaves them in the kernel "
                    + "(conformance 124)"
            )),
    ]
}

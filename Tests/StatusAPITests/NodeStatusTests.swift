import StatusAPI
import Testing

@testable import apusctl

/// `apusctl node status`, which scripts read as they read calicoctl's.
@Suite struct NodeStatusTests {
    private static func peer(
        _ address: String, _ state: PeerState, _ error: PeerDownReason? = nil, port: UInt16 = 179,
        isPassive: Bool = false
    ) -> PeerStatus {
        var peer = PeerStatus(
            name: "p", address: address, port: port, type: .mesh, isDynamic: false, remoteAS: nil, state: state,
            since: 0, lastError: error, isReflectorClient: false, routerID: nil, holdTime: nil, families: [],
            capabilities: [], prefixesReceived: [:], prefixesAnnounced: [:], staleFamilies: [], messagesReceived: 0,
            updatesReceived: 0, timesEstablished: 0, treatedAsWithdraw: 0, queuedBytes: 0, localAS: 64512, bfd: nil,
            interface: nil)
        peer.isPassive = isPassive
        return peer
    }

    @Test func `both tables, wrapped cells, passive peers, ports and peers that are kept down`() {
        let text = NodeStatus.tables(
            [
                Self.peer("10.0.0.2", .established), Self.peer("10.0.0.3", .active, isPassive: true),
                Self.peer(
                    "10.0.0.4", .idle, .notificationReceived(code: 6, subcode: 2, name: "Cease/Administrative Shutdown")
                ),
                Self.peer("10.0.0.5", .active, port: 1179), Self.peer("fd00::2", .established),
            ],
            held: [HeldPeer(name: "h", type: .global, address: "10.0.0.9", reason: .noSuchFilter(filter: "tor"))],
            started: 0, now: 200_000)
        #expect(
            text == """

                IPv4 BGP status
                +--------------------+-------------------+-------+------------+--------------------------------+
                |    PEER ADDRESS    |     PEER TYPE     | STATE |   SINCE    |              INFO              |
                +--------------------+-------------------+-------+------------+--------------------------------+
                | 10.0.0.2           | node-to-node mesh | up    | 1970-01-01 | Established                    |
                | 10.0.0.3           | node-to-node mesh | start | 1970-01-01 | Passive                        |
                | 10.0.0.4           | node-to-node mesh | start | 1970-01-01 | Idle Received:                 |
                |                    |                   |       |            | Cease/Administrative Shutdown  |
                | 10.0.0.5.port.1179 | node-to-node mesh | start | 1970-01-01 | Active                         |
                | 10.0.0.9           | global            | down  | 1970-01-01 | spec.filters: there is no      |
                |                    |                   |       |            | BGPFilter/tor                  |
                +--------------------+-------------------+-------+------------+--------------------------------+

                IPv6 BGP status
                +--------------+-------------------+-------+------------+-------------+
                | PEER ADDRESS |     PEER TYPE     | STATE |   SINCE    |    INFO     |
                +--------------+-------------------+-------+------------+-------------+
                | fd00::2      | node-to-node mesh | up    | 1970-01-01 | Established |
                +--------------+-------------------+-------+------------+-------------+

                """)
        #expect(
            NodeStatus.tables([], held: [], started: 0, now: 0).contains("\nIPv6 BGP status\nNo IPv6 peers found.\n"))
    }

    @Test func `a long cell breaks where the lines before the last are most even, and a long word stands alone`() {
        #expect(Table.wrapped("Active Socket: Connection refused", 30) == ["Active Socket: Connection", "refused"])
        #expect(Table.wrapped("Established", 30) == ["Established"])
        let word = String(repeating: "x", count: 40)
        #expect(Table.wrapped("a \(word) b", 30) == ["a", word, "b"])
    }
}

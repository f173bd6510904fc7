import BGPMessages
import NetTypes
import Rehearsal
import Shadow
import Testing

/// What BIRD prints, of 2.0 as it was recorded and of 1.6 by its formats, becomes values; what is not understood is no
/// value.
@Suite struct BIRDReplyTests {
    private static func refuses(_ text: String) -> Bool {
        do {
            _ = try BIRDReply(text)
            return false
        } catch { return true }
    }

    @Test func `a line that begins with a blank goes on with the code before it, and the last line ends the reply`()
        throws
    {
        var reply = try BIRDReply("1007-Table master4:\n 10.0.0.0/24  unicast\n1008-\tType: BGP univ\n0000 \n")
        #expect(reply.lines.map(\.code) == [1007, 1007, 1008] && reply.lines[1].text == "10.0.0.0/24  unicast")
        #expect(throws: BIRDError.self) { try reply.append("more") }
        #expect(try BIRDReply("0001 BIRD 2.0.12 ready.\n").lines.map(\.text) == ["BIRD 2.0.12 ready."])
    }

    @Test(arguments: [
        "", "1007-only\n", " first\n0000 \n", "hello\n0000 \n", "10x7-a\n0000 \n", "1007?a\n", "123", "-",
        "9001 No valid tables\n",
        "8003 No protocols match\n",
    ]) func `what is no reply, or an error, is refused`(text: String) {
        #expect(Self.refuses(text))
    }

    @Test func `an error has BIRD's words`() {
        #expect(throws: BIRDError.refused(text: "No valid tables")) { try BIRDReply("9001 No valid tables\n") }
    }

    private static let second = """
        2002-Name       Proto      Table      State  Since         Info
        1002-direct1    Direct     ---        up     17:07:56.476  
        1006-  Channel ipv4
             State:          UP
         
        1002-Mesh_4_2   BGP        ---        up     17:07:57.488  Established   
        1006-  BGP state:          Established
             Neighbor address: 10.0.0.2
             Neighbor AS:      64513
             Local AS:         64512
             Neighbor ID:      10.0.0.99
             Local capabilities
               Multiprotocol
                 AF announced: ipv4
               Route refresh
             Neighbor capabilities
               Graceful restart
                 Restart time: 120
             Session:          internal multihop AS4
             Source address:   10.0.0.1
           Channel ipv4
             State:          UP
             BGP Next hop:   10.0.0.1
           Channel ipv6
             State:          UP
         
        1002-Dead       BGP        ---        down   17:07:56.476  
        1006-  BGP state:          Down
             Neighbor address: fe80::9%eth0
             Neighbor AS:      65001
             Local AS:         64512
           Channel ipv6
             State:          DOWN
         
        0000 
        """

    @Test func `sessions of BIRD 2`() throws {
        let sessions = try PlayedSession.parse(try BIRDReply(Self.second))
        try #require(sessions.map(\.name) == ["Mesh_4_2", "Dead"])
        let (mesh, dead) = (sessions[0], sessions[1])
        #expect(mesh.isEstablished && mesh.address == IPAddress("10.0.0.2") && mesh.neighborAS == ASNumber(64513))
        #expect(mesh.localAS == ASNumber(64512) && mesh.families == .all && mesh.source == IPAddress("10.0.0.1"))
        #expect(mesh.neighborID == BGPIdentifier(rawValue: 0x0A00_0063))
        #expect(!dead.isEstablished && dead.interface == "eth0" && dead.address == IPAddress("fe80::9"))
        #expect(dead.families == .ipv6)
    }

    @Test func `sessions of BIRD 1_6`() throws {
        let text = """
            2002-name     proto    table    state  since       info
            1002-Mesh_10_0_0_2 BGP      master   up     10:48:42    Established   
            1006-  Description:    Connection to BGP peer
               Preference:     100
               Input filter:   ACCEPT
               Output filter:  calico_export_to_bgp_peers
               Routes:         1 imported, 1 exported, 1 preferred
               Route change stats:     received   rejected   filtered    ignored   accepted
                 Import updates:              1          0          0          0          1
               BGP state:          Established
                 Neighbor address: 10.0.0.2
                 Neighbor AS:      64512
                 Neighbor ID:      10.0.0.2
                 Neighbor caps:    refresh enhanced-refresh restart-able llgr-aware AS4 add-path-rx add-path-tx
                 Session:          internal multihop AS4 add-path-rx add-path-tx
                 Source address:   10.0.0.1
                 Hold timer:       152/240
            1006-
            0000 
            """
        let sessions = try PlayedSession.parse(try BIRDReply(text))
        try #require(sessions.count == 1)
        #expect(sessions[0].isEstablished && sessions[0].address == IPAddress("10.0.0.2"))
        #expect(sessions[0].neighborAS == ASNumber(64512) && sessions[0].localAS == nil)
        #expect(sessions[0].families == .ipv4)
    }

    @Test func `routes of BIRD 2`() throws {
        let text = """
            1007-Table master4:
             10.65.2.0/26         unicast [Mesh_4_2 17:07:57.504 from 10.0.0.3] * (100) [AS65003i]
             	via 10.0.0.2 on eth0
            1008-	Type: BGP univ
            1012-	BGP.origin: IGP
             	BGP.as_path: 65001 {65002 65003} 65004
             	BGP.next_hop: 10.0.0.2
             	BGP.med: 7
             	BGP.local_pref: 2147482623
             	BGP.community: (65000,2) (65000,3)
             	BGP.large_community: (65000, 1, 2) (65000, 1, 3)
            1007-                     unicast [Mesh_4_3 17:07:57.504] (100) [i]
             	via 10.0.0.3 on eth0
            1008-	Type: BGP univ
            1012-	BGP.origin: incomplete
             	BGP.as_path: 
             	BGP.next_hop: 10.0.0.3
            1007-Table master6:
             fd00:65:2::/122      unicast [Mesh_6_2 17:07:57.382] * (100) [i]
             	via fe80::2 on eth0
            1012-	BGP.next_hop: fd00::2 fe80::2
            0000 
            """
        let routes = try PlayedRoute.parse(try BIRDReply(text))
        try #require(routes.count == 3)
        #expect(routes[0].prefix == Prefix("10.65.2.0/26") && routes[1].prefix == routes[0].prefix)
        #expect(routes.map(\.source) == ["Mesh_4_2", "Mesh_4_3", "Mesh_6_2"])
        let first = routes[0].attributes
        #expect(
            first.asPath?.segments.map(\.type) == [.sequence, .set, .sequence] && first.asPath?.decisionLength == 3)
        #expect(first.communities == [Community(65000, 2), Community(65000, 3)] && first.largeCommunities.count == 2)
        #expect(first.localPref == 2_147_482_623 && first.multiExitDisc == 7 && first.origin == .igp)
        #expect(routes[1].attributes.origin == .incomplete && routes[1].attributes.asPath == ASPath())
        #expect(
            routes[2].attributes.nextHop == IPAddress("fd00::2") && routes[2].linkLocalNextHop == IPAddress("fe80::2"))
    }

    @Test func `routes of BIRD 1_6`() throws {
        let text = """
            1007-10.65.2.0/26       via 10.0.0.2 on eth0 [Mesh_10_0_0_2 10:48:42] * (100/0) [i]
            1008-	Type: BGP unicast univ
            1012-	BGP.origin: IGP
             	BGP.as_path: 
             	BGP.next_hop: 10.0.0.2
             	BGP.local_pref: 100
            1007-                   via 10.0.0.3 on eth0 [Mesh_10_0_0_3 10:48:43] (100/0) [i]
            1012-	BGP.next_hop: 10.0.0.3
            1007-10.65.1.0/26       blackhole [static1 10:48:40] * (200)
            1008-	Type: static blackhole univ
            0000 
            """
        let routes = try PlayedRoute.parse(try BIRDReply(text))
        #expect(routes.map { "\($0.prefix)" } == ["10.65.2.0/26", "10.65.2.0/26", "10.65.1.0/26"])
        #expect(routes.map(\.source) == ["Mesh_10_0_0_2", "Mesh_10_0_0_3", "static1"])
        #expect(routes[0].attributes.localPref == 100 && routes[1].attributes.nextHop == IPAddress("10.0.0.3"))
    }

    @Test(arguments: [
        "1007-nonsense [a]\n", "1007-10.0.0.0/24 unicast a\n", "1007-             via 10.0.0.1 [x 1]\n",
        "1012-\tBGP.med: 1\n", "1007-10.0.0.0/24 u [a 1]\n1012-\tBGP.med: x\n",
        "1007-10.0.0.0/24 u [a 1]\n1012-\tBGP.as_path: 1 two\n", "1007-10.0.0.0/24 u [a 1]\n1012-\tBGP.next_hop: x\n",
        "1007-10.0.0.0/24 u [a 1]\n1012-\tBGP.community: (70000,1)\n",
        "1007-10.0.0.0/24 u [a 1]\n1012-\tBGP.large_community: (1, 2)\n",
    ]) func `a route that is not understood is no route`(text: String) throws {
        let reply = try BIRDReply(text + "0000 \n")
        #expect(throws: BIRDError.self) { try PlayedRoute.parse(reply) }
    }
}

import Foundation
import StatusAPI
import Testing

/// `apusctl routes` of a peer, held against what that peer shows.
@Suite(.serialized, .enabled(if: getuid() == 0)) struct RouteQuestionLab {
    /// A route as BIRD shows it: attributes by name, of the block of lines behind a prefix.
    private static func bird(_ table: String, _ prefix: String) -> [String: String] {
        var attributes: [String: String] = [:]
        var isInside = false
        for line in table.split(separator: "\n").map(String.init) {
            if !line.hasPrefix("\t") && !line.hasPrefix(" ") { isInside = line.hasPrefix(prefix + " ") }
            guard isInside, let colon = line.range(of: ": ") else { continue }
            attributes[line[..<colon.lowerBound].trimmingCharacters(in: .whitespaces)] =
                line[colon.upperBound...].trimmingCharacters(in: .whitespaces)
        }
        return attributes
    }

    private static func rows(_ lab: Lab, _ side: String, _ more: String...) throws -> [String: RouteStatus] {
        let arguments = ["routes", "--peer", "BGPPeer/p", side, "--output", "json"] + more
        let output = try Lab.run(
            [Lab.products + "/apusctl"] + arguments + ["--socket", lab.folder + "/n.sock"])
        // While the agent starts there is no answer, or no such peer.
        guard output.status == 0 else { return [:] }
        let rows = try JSONDecoder().decode([RouteStatus].self, from: Data(output.text.utf8))
        return Dictionary(rows.map { ($0.prefix, $0) }) { first, _ in first }
    }

    @Test(arguments: [64512, 65000])
    func `advertised is what BIRD received, received is what BIRD exports, accepted is what is left of it`(
        peerAS: Int
    ) throws {
        let lab = try BirdTests.pair()
        try lab.write(
            "r.yaml",
            BirdTests.node
                + Lab.object(
                    "BGPFilter", "f",
                    "exportV4: [{action: Accept, cidr: 10.65.0.0/16, matchOperator: In, operations: "
                        + "[{addCommunity: {value: '64512:65'}}]}], "
                        + "importV4: [{action: Reject, cidr: 10.71.0.0/24, matchOperator: Equal}]")
                + Lab.object(
                    "BGPPeer", "p",
                    "peerIP: 10.0.0.2, asNumber: \(peerAS), families: [ipv4, ipv6], filters: [f]"))
        try lab.startAgent("n", in: "node")
        try BirdTests.startBird(
            lab, "local 10.0.0.2 as \(peerAS); neighbor 10.0.0.1 as 64512;",
            statics: """
                route 10.70.0.0/24 blackhole { bgp_community.add((65000,7)); bgp_med = 5; };
                route 10.71.0.0/24 blackhole;
                route fd00:70::/64 blackhole;
                """)
        try lab.wait(30, "all routes are there") {
            try Self.rows(lab, "received").count == 3
                && BirdTests.bird(lab, "show route protocol n").contains("fd00:65:1::/122")
        }

        let table = try BirdTests.bird(lab, "show route all protocol n")
        let sent = try Self.rows(lab, "advertised")
        #expect(Set(sent.keys) == ["10.65.1.0/26", "fd00:65:1::/122"], "\(sent.keys)\n\(table)")
        for (prefix, row) in sent {
            let seen = Self.bird(table, prefix)
            #expect(seen["BGP.next_hop"]?.hasPrefix(row.nextHop ?? "none") ?? false, "\(prefix) \(seen) \(row)")
            #expect((seen["BGP.as_path"] ?? "") == row.asPath, "\(prefix) \(seen)")
            #expect(seen["BGP.origin"]?.lowercased() == row.origin.lowercased(), "\(prefix) \(seen)")
            let communities = row.communities.map { "(\($0.replacingOccurrences(of: ":", with: ",")))" }
            #expect((seen["BGP.community"] ?? "") == communities.joined(separator: " "), "\(prefix) \(seen)")
            // BIRD shows its own default on external sessions.
            if peerAS == 64512 { #expect(seen["BGP.local_pref"] == row.localPref.map { "\($0)" }, "\(seen)") }
            #expect(row.isWaiting == false)
        }
        #expect(sent["10.65.1.0/26"]?.communities == ["64512:65"])

        let exported = try BirdTests.bird(lab, "show route export n")
        let received = try Self.rows(lab, "received")
        #expect(Set(received.keys) == ["10.70.0.0/24", "10.71.0.0/24", "fd00:70::/64"])
        #expect(received.keys.allSatisfy { exported.contains($0) })
        let first = try #require(received["10.70.0.0/24"])
        #expect(first.communities == ["65000:7"] && first.nextHop == "10.0.0.2")
        // BIRD takes a static route's MED off towards another AS.
        #expect(first.med == (peerAS == 64512 ? 5 : nil))
        #expect(first.asPath == (peerAS == 64512 ? "" : "\(peerAS)"))
        #expect(received["10.71.0.0/24"]?.ineligible == .rejectedByFilter)
        #expect(try Set(Self.rows(lab, "accepted").keys) == ["10.70.0.0/24", "fd00:70::/64"])
        #expect(try Array(Self.rows(lab, "received", "--community", "65000:7").keys) == ["10.70.0.0/24"])

        // What is wrong is said with what would be right.
        let typo = try lab.ctl("n", "routes", "--peer", "BGPPeer/o", "advertised")
        #expect(typo.status == 1 && typo.text.contains("did you mean BGPPeer/p"), "\(typo.text)")
        let command = try lab.ctl("n", "rotues")
        #expect(command.status == 2 && command.text.contains("Did you mean apusctl routes?"), "\(command.text)")
        let side = try lab.ctl("n", "routes", "--peer", "p", "advertized")
        #expect(side.status == 2 && side.text.contains("did you mean advertised?"), "\(side.text)")
    }
}

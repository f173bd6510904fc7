import Foundation
import Testing

/// Two routers at one address, BIRD at 179 and GoBGP at 1790, with different AS numbers and passwords.
@Suite(.serialized, .enabled(if: getuid() == 0)) struct TwoPortsLab {
    @Test func `BIRD and GoBGP at one address are two peers, each with its routes and its password`() throws {
        let lab = try BirdTests.pair()
        try BirdTests.startBird(
            lab, "local 10.0.0.2 as 65001; neighbor 10.0.0.1 as 64512; password \"one\";",
            statics: "route 10.70.0.0/24 blackhole;")
        let folder = lab.folder
        try """
        [global.config]
        as = 65002
        router-id = "10.0.0.22"
        port = 1790
        [[neighbors]]
        [neighbors.config]
        neighbor-address = "10.0.0.1"
        peer-as = 64512
        auth-password = "two"
        [neighbors.timers.config]
        connect-retry = 5
        """.write(toFile: folder + "/gobgp.toml", atomically: true, encoding: .utf8)
        _ = try lab.start(
            ["gobgpd", "-f", folder + "/gobgp.toml", "--api-hosts", "127.0.0.1:50051"], in: "peer", log: "gobgp.log")
        func gobgp(_ command: String) throws -> Lab.Output {
            let words = command.split(separator: " ").map { String($0) }
            return try Lab.run(["ip", "netns", "exec", lab.name("peer"), "gobgp"] + words)
        }
        try lab.wait(30, "GoBGP starts") { try gobgp("global").status == 0 }
        _ = try gobgp("global rib add 10.80.0.0/24 nexthop 10.0.0.2")
        try FileManager.default.createDirectory(atPath: folder + "/secrets/s", withIntermediateDirectories: true)
        for key in ["one", "two"] {
            let path = folder + "/secrets/s/" + key
            try key.write(toFile: path, atomically: false, encoding: .utf8)
            try lab.must("chmod 600 \(path)")
        }
        try lab.write(
            "r.yaml",
            BirdTests.node
                + Lab.object(
                    "BGPPeer", "bird",
                    "peerIP: 10.0.0.2, asNumber: 65001, password: {secretKeyRef: {name: s, key: one}}")
                + Lab.object(
                    "BGPPeer", "gobgp",
                    "peerIP: '10.0.0.2:1790', asNumber: 65002, password: {secretKeyRef: {name: s, key: two}}"))
        try lab.startAgent("n", in: "node")
        try lab.wait(60, "both are up and their routes are in the kernel") {
            let routes = try BirdTests.routes(lab)
            return try lab.ctl("n", "peer", "10.0.0.2:179").status == 0
                && lab.ctl("n", "peer", "10.0.0.2:1790").status == 0
                && routes.contains("10.70.0.0/24 via 10.0.0.2") && routes.contains("10.80.0.0/24 via 10.0.0.2")
        }
        // Our block is at both.
        try lab.wait(10, "both have our block") {
            try BirdTests.bird(lab, "show route").contains("10.65.1.0/26")
                && gobgp("global rib").text.contains("10.65.1.0/26")
        }
        #expect(try lab.ctl("n", "routes").text.contains("10.0.0.2:1790"))
        let peers = try lab.ctl("n", "peers").text
        #expect(peers.contains("10.0.0.2 ") && peers.contains("10.0.0.2:1790 "), "\(peers)")
        #expect(try lab.ctl("n", "why", "10.65.1.0/26").text.contains("10.0.0.2:1790"))
        // The one's end is not the other's.
        _ = try gobgp("neighbor 10.0.0.1 disable")
        try lab.wait(20, "GoBGP's session and route are gone") {
            try lab.ctl("n", "peer", "10.0.0.2:1790").status != 0 && !BirdTests.routes(lab).contains("10.80.0.0/24")
        }
        #expect(try lab.ctl("n", "peer", "10.0.0.2:179").status == 0)
        #expect(try BirdTests.routes(lab).contains("10.70.0.0/24 via 10.0.0.2"))
        _ = try gobgp("neighbor 10.0.0.1 enable")
        try lab.wait(60, "GoBGP's session is back") { try lab.ctl("n", "peer", "10.0.0.2:1790").status == 0 }
    }
}

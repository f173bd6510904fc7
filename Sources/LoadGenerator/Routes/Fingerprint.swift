package import BGPMessages
package import NetTypes

/// Which attribute set this is, whatever its encoding: a hash over what must arrive, by what is expected of the speaker
/// in between.
package enum Fingerprint {
    /// What a sender's set must look like at a receiver, but for its next hop.
    static func expected(_ sent: PathAttributes, _ scenario: LoadScenario, sender: Int) -> UInt64 {
        var set = sent
        if scenario.expectation == .reflected {
            set.originatorID = scenario.identifier(sender)
        } else if scenario.expectation == .external {
            set.asPath = (set.asPath ?? ASPath()).prepending(scenario.targetAS)
            set.multiExitDisc = nil
        }
        return hash(set)
    }

    /// What a receiver got, but for its next hop. Nil where something is there or missing that must not: no
    /// CLUSTER_LIST on a reflected route, LOCAL_PREF from another AS.
    package static func received(_ set: PathAttributes, _ scenario: LoadScenario) -> UInt64? {
        switch scenario.expectation {
        case .reflected: if set.clusterList.isEmpty || set.localPref == nil { return nil }
        case .external, .transparent: if scenario.externalAS != nil, set.localPref != nil { return nil }
        }
        return hash(set)
    }

    /// A route's next hop, from NEXT_HOP or MP_REACH_NLRI; 0 where the speaker in between puts its own.
    package static func hop(_ address: IPAddress?, _ scenario: LoadScenario) -> UInt64 {
        guard scenario.expectation != .external, let address else { return 0 }
        return (address.high ^ (address.low &* 31) ^ UInt64(address.family.index)) &* 0x9E37_79B9_7F4A_7C15 | 1
    }

    private static func hash(_ set: PathAttributes) -> UInt64 {
        var canonical = set
        canonical.clusterList = []
        canonical.nextHop = nil
        // Some add a metric of 0 where there was none (RFC 4271 9.1.2.2 c makes them equal).
        if canonical.multiExitDisc == 0 { canonical.multiExitDisc = nil }
        canonical.communities.sort()
        var state: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in canonical.encoded() { state = (state ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        return state
    }
}

// MARK: BGPFilter (contract 2.4)
extension Schemas {
    private static let ruleFields: [FieldSpec] = [
        FieldSpec(
            "action", .choice(of: BGPFilter.Rule.Action.self), required: true, .softRefresh,
            "What becomes of a route that matches everything below."),
        FieldSpec("cidr", .cidr, .softRefresh, "A prefix to compare with, by matchOperator."),
        FieldSpec(
            "matchOperator", .choice(of: BGPFilter.Rule.MatchOperator.self), .softRefresh,
            "Needed with cidr. In: the same prefix or one inside it."),
        FieldSpec(
            "prefixLength",
            .object([
                FieldSpec("min", .integer(0...128), default: "that of cidr", .softRefresh, "Shortest."),
                FieldSpec("max", .integer(0...128), default: "32 or 128", .softRefresh, "Longest."),
            ]), .softRefresh, "Lengths of the route's prefix. Needs cidr; NotIn and NotEqual negate both together."),
        FieldSpec(
            "source", .choice(["RemotePeers"]), .softRefresh,
            "Only routes that a peer announced, not our own; true of all on import."),
        FieldSpec(
            "interface", .string, .softRefresh,
            "Only routes that leave by this interface; * stands for any characters, anywhere."),
        FieldSpec(
            "peerType", .choice(of: BGPFilter.Rule.PeerType.self), .softRefresh, "Only on sessions of this kind."),
        FieldSpec(
            "communities",
            .object([
                FieldSpec(
                    "values", .list(.community), required: true, .softRefresh,
                    "One community or large community, which the route must have.")
            ]),
            .softRefresh, "Communities of the route."),
        FieldSpec(
            "asPathPrefix", .list(.integer(1...4_294_967_295)), .softRefresh, "AS numbers that the AS_PATH begins with."
        ),
        FieldSpec(
            "priority", .integer(1...65535), .softRefresh,
            "Kernel metric of the route, as LOCAL_PREF carries it; 1024 where it carries none."),
        FieldSpec(
            "operations",
            .list(
                .object([
                    FieldSpec(
                        "addCommunity",
                        .object([FieldSpec("value", .community, required: true, .softRefresh, "The community.")]),
                        .softRefresh,
                        "Adds a community."),
                    FieldSpec(
                        "prependASPath",
                        .object([
                            FieldSpec(
                                "prefix", .list(.integer(1...4_294_967_295)), required: true, .softRefresh,
                                "At most 10 numbers, in the order of the path.")
                        ]), .softRefresh, "Prepends AS numbers."),
                    FieldSpec(
                        "setPriority",
                        .object([FieldSpec("value", .integer(1...65535), required: true, .softRefresh, "The metric.")]),
                        .softRefresh,
                        "Sets the kernel metric, carried by LOCAL_PREF: 2147483647 - metric."),
                ])), .softRefresh, "What changes in an accepted route; at most 10, one in each entry."),
    ]

    static let bgpFilter = KindSpec(
        kind: "BGPFilter",
        documentation:
            "Rules that routes of a peer meet, in order; the first one that matches decides. What matches none is "
            + "accepted on import, and on export goes by the peer's export field. An accepting export rule lets "
            + "transit pass.",
        fields: [
            FieldSpec("importV4", .list(.object(ruleFields)), .softRefresh, "IPv4 routes from the peer."),
            FieldSpec("importV6", .list(.object(ruleFields)), .softRefresh, "IPv6 routes from the peer."),
            FieldSpec("exportV4", .list(.object(ruleFields)), .softRefresh, "IPv4 routes to the peer."),
            FieldSpec("exportV6", .list(.object(ruleFields)), .softRefresh, "IPv6 routes to the peer."),
        ])
}

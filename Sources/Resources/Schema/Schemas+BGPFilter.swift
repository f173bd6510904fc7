// MARK: BGPFilter (contract 2.4)
extension Schemas {
    private static let ruleFields: [FieldSpec] = [
        FieldSpec(
            "action", .choice(of: BGPFilter.Rule.Action.self), required: true, effect: .softRefresh,
            documentation: "What becomes of a route that matches everything below."),
        FieldSpec("cidr", .cidr, effect: .softRefresh, documentation: "A prefix to compare with, by matchOperator."),
        FieldSpec(
            "matchOperator", .choice(of: BGPFilter.Rule.MatchOperator.self), effect: .softRefresh,
            documentation: "Needed with cidr. In: the same prefix or one inside it."),
        FieldSpec(
            "prefixLength",
            .object([
                FieldSpec(
                    "min", .integer(0...128), default: "that of cidr", effect: .softRefresh, documentation: "Shortest."),
                FieldSpec(
                    "max", .integer(0...128), default: "32 or 128", effect: .softRefresh, documentation: "Longest."),
            ]), effect: .softRefresh,
            documentation: "Lengths of the route's prefix. Needs cidr; NotIn and NotEqual negate both together."),
        FieldSpec(
            "source", .choice(["RemotePeers"]), effect: .softRefresh,
            documentation: "Only routes that a peer announced, not our own; true of all on import."),
        FieldSpec(
            "interface", .string, effect: .softRefresh,
            documentation: "Only routes that leave by this interface; * stands for any characters, anywhere."),
        FieldSpec(
            "peerType", .choice(of: BGPFilter.Rule.PeerType.self), effect: .softRefresh,
            documentation: "Only on sessions of this kind."),
        FieldSpec(
            "communities",
            .object([
                FieldSpec(
                    "values", .list(.community), required: true, effect: .softRefresh,
                    documentation: "One community or large community, which the route must have.")
            ]),
            effect: .softRefresh, documentation: "Communities of the route."),
        FieldSpec(
            "asPathPrefix", .list(.asNumber(1...4_294_967_295)), effect: .softRefresh,
            documentation: "AS numbers that the AS_PATH begins with."
        ),
        FieldSpec(
            "priority", .integer(1...65535), effect: .softRefresh,
            documentation: "Kernel metric of the route, as LOCAL_PREF carries it; 1024 where it carries none."),
        FieldSpec(
            "operations",
            .list(
                .object([
                    FieldSpec(
                        "addCommunity",
                        .object([
                            FieldSpec(
                                "value", .community, required: true, effect: .softRefresh,
                                documentation: "The community.")
                        ]),
                        effect: .softRefresh,
                        documentation: "Adds a community."),
                    FieldSpec(
                        "prependASPath",
                        .object([
                            FieldSpec(
                                "prefix", .list(.asNumber(1...4_294_967_295)), required: true, effect: .softRefresh,
                                documentation: "At most 10 numbers, in the order of the path.")
                        ]), effect: .softRefresh, documentation: "Prepends AS numbers."),
                    FieldSpec(
                        "setPriority",
                        .object([
                            FieldSpec(
                                "value", .integer(1...65535), required: true, effect: .softRefresh,
                                documentation: "The metric.")
                        ]),
                        effect: .softRefresh,
                        documentation: "Sets the kernel metric, carried by LOCAL_PREF: 2147483647 - metric."),
                ])), effect: .softRefresh,
            documentation: "What changes in an accepted route; at most 10, one in each entry."),
    ]

    static let bgpFilter = KindSpec(
        kind: "BGPFilter",
        documentation:
            "Rules that routes of a peer meet, in order; the first one that matches decides. What matches none is "
            + "accepted on import, and on export goes by the peer's export field. An accepting export rule lets "
            + "transit pass.",
        fields: [
            FieldSpec(
                "importV4", .list(.object(ruleFields)), effect: .softRefresh,
                documentation: "IPv4 routes from the peer."),
            FieldSpec(
                "importV6", .list(.object(ruleFields)), effect: .softRefresh,
                documentation: "IPv6 routes from the peer."),
            FieldSpec(
                "exportV4", .list(.object(ruleFields)), effect: .softRefresh, documentation: "IPv4 routes to the peer."),
            FieldSpec(
                "exportV6", .list(.object(ruleFields)), effect: .softRefresh, documentation: "IPv6 routes to the peer."),
        ])
}

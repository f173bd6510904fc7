// swift-tools-version: 6.2
import PackageDescription

/// Swift 6 mode is the tools version's default. Every target of ours is built with the same strictness.
let strict: [SwiftSetting] = [
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    // `@_lifetime`: views into storage are spans, which cannot outlive it.
    .enableExperimentalFeature("Lifetimes"),
    .treatAllWarnings(as: .error),
    // A release sees across modules: the small functions of NetTypes and BGPMessages are inlined where prefixes are
    // read one by one.
    .unsafeFlags(["-cross-module-optimization"], .when(configuration: .release)),
]

/// SE-0458: what the compiler cannot prove safe is marked `unsafe`, with the reason beside it.
let memorySafe: [SwiftSetting] = strict + [.strictMemorySafety()]

/// The hot core gets its arithmetic, ownership and memory checked as everyone else: no check is loosened here.
func core(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: memorySafe)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

/// Under a sanitizer (`scripts/sanitize.sh`) the labs are left out: they run the daemon itself, and building it there
/// costs as much as all the rest.
let labs: [Target] =
    Context.environment["APUS_SANITIZE"] != nil
    ? []
    : [
        tests(
            "LabTests",
            [
                "StrictWire", "apusd", "apusctl", "apus-load", "Resources", "CLinux", "KernelRoutes", "FIB", "LinuxIO",
                "NetTypes",
            ])
    ]

let package = Package(
    name: "apus",
    products: [
        .executable(name: "apusd", targets: ["apusd"]),
        .executable(name: "apusctl", targets: ["apusctl"]),
        .executable(name: "apus-load", targets: ["apus-load"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    ],
    targets: [
        // C, and nothing but C: system libraries behind `static inline` wrappers.
        .target(name: "CLinux"),
        .systemLibrary(name: "CLibMNL", pkgConfig: "libmnl", providers: [.apt(["libmnl-dev"])]),
        .systemLibrary(name: "CLibYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),

        // Pure core: values only, no I/O, no clock, no Foundation.
        core("NetTypes"),
        core("BGPMessages", ["NetTypes"]),
        core("BGPSession", ["BGPMessages", "NetTypes"]),
        core("BGPRouting", ["BGPMessages", "NetTypes"]),
        core("BGPSpeaker", ["BGPSession", "BGPRouting", "BGPMessages", "NetTypes"]),
        core("BFD", ["NetTypes"]),
        core("FIB", ["NetTypes"]),

        // What an operator declared, and what follows from it: values in, values out.
        core(
            "Planning",
            [
                "Resources", "StatusAPI", "BGPSpeaker", "BGPSession", "BGPRouting", "BGPMessages", "FIB", "Crypto",
                "NetTypes",
            ]),

        // Edges: text, JSON and disk to values.
        core("Resources", ["NetTypes", "CLibYAML"]),
        core("ResourceFiles", ["Resources", "LinuxIO"]),
        core("StatusAPI", ["NetTypes"]),
        // What states, reasons and findings are called for people: in apusctl, the log and /readiness alike.
        core("Wording", ["StatusAPI", "LinuxIO"]),

        // Shells: the only callers of the operating system.
        core("LinuxIO", ["NetTypes", "CLinux"]),
        core("KernelRoutes", ["FIB", "NetTypes", "LinuxIO", "CLibMNL", "CLinux"]),
        core("Crypto", ["COpenSSL"]),
        core("LoadGenerator", ["BGPSession", "BGPMessages", "NetTypes", "LinuxIO"]),

        // What stands below the speaker, as a protocol, and the one that does nothing.
        core("ForwardingPlane", ["Planning", "BGPSpeaker", "BGPRouting", "FIB", "StatusAPI", "NetTypes"]),
        // What the kernel should have: values in, values out.
        core(
            "Forwarding",
            ["Planning", "Resources", "StatusAPI", "BGPRouting", "BGPMessages", "FIB", "NetTypes"]),
        // The only code that changes the host.
        core(
            "Dataplane",
            [
                "Forwarding", "ForwardingPlane", "Planning", "Resources", "StatusAPI", "BGPSpeaker", "BGPRouting",
                "FIB", "LinuxIO", "NetTypes",
                .product(name: "Logging", package: "swift-log"),
            ]),
        // Sockets of peers and their queues; neighbors on unnumbered links.
        core(
            "Transport",
            [
                "ForwardingPlane", "BGPRouting", "BGPSession", "BGPMessages", "LinuxIO", "NetTypes",
                .product(name: "Logging", package: "swift-log"),
            ]),
        // The threads around the routing thread: resources, status, metrics and health, BFD; the log.
        core(
            "Edges",
            [
                "Resources", "ResourceFiles", "StatusAPI", "Wording", "BFD", "LinuxIO", "NetTypes",
                .product(name: "Logging", package: "swift-log"),
            ]),
        // A whole node but for its threads, sockets and clock: it runs in memory, too.
        core(
            "Node",
            [
                "ForwardingPlane", "Planning", "Resources", "StatusAPI", "Wording", "BGPSpeaker", "BGPSession",
                "BGPRouting", "BGPMessages", "BFD", "FIB", "LinuxIO", "NetTypes",
                .product(name: "Logging", package: "swift-log"),
            ]),
        // Answers to questions: they read a node, and change nothing.
        core(
            "Status",
            [
                "Node", "ForwardingPlane", "Planning", "Resources", "StatusAPI", "BGPSpeaker", "BGPSession",
                "BGPRouting", "BGPMessages", "BFD", "LinuxIO", "NetTypes",
            ]),
        // A whole node on a copy of a host, with peers that are played.
        core(
            "Rehearsal",
            [
                "Node", "Status", "ForwardingPlane", "Planning", "Resources", "StatusAPI", "BGPSpeaker", "BGPSession",
                "BGPRouting", "BGPMessages", "FIB", "LinuxIO", "NetTypes",
                .product(name: "Logging", package: "swift-log"),
            ]),
        // What BIRD has, and a comparison with what a rehearsed node would.
        core("Shadow", ["Rehearsal", "Planning", "StatusAPI", "BGPMessages", "FIB", "NetTypes"]),
        // The routing thread: a node on sockets, under real time.
        core(
            "NodeDaemon",
            [
                "Node", "Status", "Rehearsal", "Transport", "Edges", "ForwardingPlane", "Planning", "Resources",
                "ResourceFiles", "StatusAPI", "Wording", "BGPSpeaker", "BGPSession", "BGPRouting", "BGPMessages", "BFD",
                "FIB",
                "LinuxIO", "NetTypes",
                .product(name: "Logging", package: "swift-log"),
            ]),

        // Two compositions: the reflector's has no way to the kernel's routes (Tests/LayeringTests).
        core(
            "AgentDaemon",
            [
                "NodeDaemon", "Shadow", "Rehearsal", "ForwardingPlane", "Dataplane", "Forwarding", "KernelRoutes",
                "Planning", "Resources",
                "BGPSession", "Edges", "ResourceFiles", "StatusAPI", "FIB",
                "LinuxIO", "NetTypes",
                .product(name: "Logging", package: "swift-log"),
            ]),
        core(
            "ReflectorDaemon",
            ["NodeDaemon", "Rehearsal", "ForwardingPlane", "Resources", "BGPSession", "FIB", "LinuxIO", "NetTypes"]),

        .executableTarget(
            name: "apusd",
            dependencies: [
                "AgentDaemon", "ReflectorDaemon", "NodeDaemon", "Edges", "Planning", "Resources", "FIB", "LinuxIO",
                "NetTypes",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: memorySafe),
        .executableTarget(
            name: "apusctl",
            dependencies: [
                "StatusAPI", "Wording", "LinuxIO", "NetTypes",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: memorySafe),

        .executableTarget(
            name: "apus-load",
            dependencies: [
                "LoadGenerator", "LinuxIO", "NetTypes",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: memorySafe),

        .executableTarget(
            name: "MicroBenchmarks", dependencies: ["BGPRouting", "BGPMessages", "NetTypes"], path: "Benchmarks/Micro",
            swiftSettings: memorySafe),

        // A reader of BGP streams for tests, on purpose without a line of the speaker's own code.
        // Optimized: it reads every byte of full tables.
        .target(
            name: "StrictWire", path: "Tests/StrictWire",
            swiftSettings: strict + [.unsafeFlags(["-O"], .when(configuration: .debug))]),
        tests("StrictWireTests", ["StrictWire"]),
        tests("NetTypesTests", ["NetTypes"]),
        tests("BGPMessagesTests", ["BGPMessages", "NetTypes"]),
        tests("BGPSessionTests", ["BGPSession", "BGPMessages", "NetTypes"]),
        tests("BGPRoutingTests", ["BGPRouting", "BGPMessages", "NetTypes"]),
        tests("BGPSpeakerTests", ["StrictWire", "BGPSpeaker", "BGPSession", "BGPRouting", "BGPMessages", "NetTypes"]),
        tests("BFDTests", ["BFD", "NetTypes"]),
        tests(
            "ConformanceTests",
            ["StrictWire", "FIB", "BGPSpeaker", "BGPSession", "BGPRouting", "BGPMessages", "NetTypes"]),
        .testTarget(
            name: "FuzzTests",
            dependencies: ["BFD", "BGPSpeaker", "BGPSession", "BGPRouting", "BGPMessages", "NetTypes"],
            exclude: ["Corpus"],
            swiftSettings: strict),
        tests("LinuxIOTests", ["LinuxIO", "NetTypes"]),
        tests("LoadGeneratorTests", ["LoadGenerator", "BGPMessages", "NetTypes"]),
        tests("FIBTests", ["FIB", "NetTypes"]),
        tests("CryptoTests", ["Crypto"]),
        tests("StatusAPITests", ["StatusAPI", "Wording", "apusctl", "NetTypes"]),
        tests("ResourcesTests", ["Resources", "ResourceFiles", "LinuxIO", "NetTypes"]),
        tests(
            "PlanningTests",
            [
                "Planning", "Resources", "StatusAPI", "Wording", "BGPSpeaker", "BGPSession", "BGPRouting",
                "BGPMessages", "FIB", "NetTypes",
            ]),
        tests(
            "AgentTests",
            [
                "Node", "Status", "Edges", "Transport", "NodeDaemon", "Rehearsal", "Shadow", "Dataplane", "Forwarding",
                "ForwardingPlane",
                "Planning", "Resources", "BFD", "BGPSpeaker",
                "BGPSession", "BGPRouting", "BGPMessages", "StatusAPI", "Wording", "FIB",
                "LinuxIO", "NetTypes",
                .product(name: "Logging", package: "swift-log"),
            ]),
        tests(
            "ShadowTests",
            [
                "Shadow", "Rehearsal", "Dataplane", "ForwardingPlane", "Forwarding", "Planning", "Resources",
                "StatusAPI",
                "BGPMessages", "FIB", "NetTypes",
                .product(name: "Logging", package: "swift-log"),
            ]),
        tests("LayeringTests", ["Resources"]),
    ] + labs
)

import NetTypes

/// What a run found: one JSON document, whose fields apus-load(8) lists. Times in seconds, memory in bytes.
package struct LoadReport: Codable, Sendable {
    package struct Latency: Codable, Sendable {
        package var count = 0
        /// Microseconds.
        package var p50 = 0.0
        package var p90 = 0.0
        package var p99 = 0.0
        package var p999 = 0.0
        package var max = 0.0
    }

    /// What was measured in a phase. One property per field of the JSON object.
    package struct Phase: Codable, Sendable {
        package var name: String
        package var ok = false
        /// From the first byte sent to the moment when the last receiver held exactly what it must.
        package var seconds = 0.0
        package var firstReceiverSeconds: Double?
        package var medianReceiverSeconds: Double?
        /// Of the process under test, until it was idle again.
        package var cpuSeconds: Double?
        package var residentBytes: Int?
        package var peakResidentBytes: Int?
        package var generatorCPUSeconds = 0.0
        /// The generator was busy nearly all the time, and the process under test was not: the time says more of the
        /// generator.
        package var isGeneratorBound = false
        /// Routes that the receivers must hold in the end, all of them together.
        package var routes = 0
        package var updatesReceived = 0
        package var announcementsReceived = 0
        package var withdrawalsReceived = 0
        /// After the phase: routes that are not there, that are there and must not be, and whose attributes are not
        /// what was sent.
        package var missing = 0
        package var unexpected = 0
        package var wrong = 0
        /// Announcements of a receiver's own routes that were sent back to it.
        package var returned = 0
        /// Churn: UPDATEs sent a second, and how long after the last one everything had arrived.
        package var rate: Double?
        package var lagSeconds: Double?
        package var latency: Latency?
    }

    package var tool = "apus-load"
    package var version: String
    package var speakers: Int
    package var senders: Int
    package var receivers: Int
    package var prefixes: Int
    package var sets: Int
    package var establishSeconds = 0.0
    package var phases: [Phase] = []
    /// What went wrong, in sentences; empty where nothing did.
    package var problems: [String] = []
    package var ok: Bool { problems.isEmpty && phases.allSatisfy(\.ok) }

    enum CodingKeys: String, CodingKey {
        case tool, version, speakers, senders, receivers, prefixes, sets, establishSeconds, phases, problems, ok
    }

    package init(_ scenario: LoadScenario, version: String) {
        self.version = version
        speakers = scenario.speakers
        senders = scenario.senders
        receivers = scenario.receiverRange.count
        prefixes = scenario.prefixes
        sets = scenario.sets
    }

    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        version = try values.decode(String.self, forKey: .version)
        speakers = try values.decode(Int.self, forKey: .speakers)
        senders = try values.decode(Int.self, forKey: .senders)
        receivers = try values.decode(Int.self, forKey: .receivers)
        prefixes = try values.decode(Int.self, forKey: .prefixes)
        sets = try values.decode(Int.self, forKey: .sets)
        establishSeconds = try values.decode(Double.self, forKey: .establishSeconds)
        phases = try values.decode([Phase].self, forKey: .phases)
        problems = try values.decode([String].self, forKey: .problems)
    }

    package func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(tool, forKey: .tool)
        try values.encode(version, forKey: .version)
        try values.encode(speakers, forKey: .speakers)
        try values.encode(senders, forKey: .senders)
        try values.encode(receivers, forKey: .receivers)
        try values.encode(prefixes, forKey: .prefixes)
        try values.encode(sets, forKey: .sets)
        try values.encode(establishSeconds, forKey: .establishSeconds)
        try values.encode(phases, forKey: .phases)
        try values.encode(problems, forKey: .problems)
        try values.encode(ok, forKey: .ok)
    }
}

import FoundationEssentials

/// JSON, one document a line.
package enum StatusCodec {
    /// A request is a few words; more is not a request.
    package static let maximumRequest = 4096
    /// The files of a plan are some more.
    package static let maximumPlan = 1 << 20
    /// How much a request may be, by how it begins: keys are sorted.
    package static func limit(of beginning: some Sequence<UInt8>) -> Int {
        Array(beginning.prefix(planBeginning.count)) == planBeginning ? maximumPlan : maximumRequest
    }
    private static let planBeginning = Array("{\"command\":\"plan\",".utf8)

    package static func encode(_ value: some Encodable) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return (try? encoder.encode(value)).map { [UInt8]($0) }
            ?? Array("{\"error\":\"the answer cannot be encoded\"}".utf8)
    }

    /// For people and scripts: indented.
    package static func pretty(_ value: some Encodable) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        return (try? encoder.encode(value)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
    }

    /// What a line asks, validated. The line is anybody's who may open the socket.
    package static func question(_ line: [UInt8]) throws(RequestError) -> StatusQuestion {
        let most = limit(of: line)
        guard line.count <= most else {
            throw RequestError(text: "the request is longer than \(most) bytes")
        }
        guard String(validating: line, as: UTF8.self) != nil,
            let request = try? JSONDecoder().decode(StatusRequest.self, from: Data(line))
        else {
            throw RequestError(text: "the request is not understood; apusctl and apusd must be of the same version")
        }
        return try StatusQuestion(request)
    }
    package static func answer(_ bytes: [UInt8]) -> StatusAnswer? {
        try? JSONDecoder().decode(StatusAnswer.self, from: Data(bytes))
    }
}

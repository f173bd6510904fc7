import FoundationEssentials

/// JSON, one document a line.
package enum StatusCodec {
    /// A request is a few words; more is not a request.
    package static let maximumRequest = 4096

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
        guard line.count <= maximumRequest else {
            throw RequestError(text: "the request is longer than \(maximumRequest) bytes")
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

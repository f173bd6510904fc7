import Testing

/// What a BGP speaker does that its peers can see, with the check of each line.
///
/// docs/conformance.md is written from what these checks do (`APUS_WRITE_DOCS=1 swift test --filter ConformanceTests`).
enum Conformance {
    struct Item: Sendable, CustomTestStringConvertible {
        enum Kind: Sendable {
            case check(@Sendable () throws -> Void)
            /// Needs a kernel or a real peer: the lab test of this name shows it.
            case lab(String)
            case notApplicable(String)
        }
        let number: Int
        let text: String
        let source: String
        let kind: Kind

        init(_ number: Int, _ text: String, _ source: String, _ check: @escaping @Sendable () throws -> Void) {
            self.number = number
            self.text = text
            self.source = source
            kind = .check(check)
        }
        init(_ number: Int, _ text: String, _ source: String, _ kind: Kind) {
            self.number = number
            self.text = text
            self.source = source
            self.kind = kind
        }
        var testDescription: String { "\(number): \(text)" }
    }

    static let items =
        framing + machine + updates + attributes + decisions + refreshes + restarts + dissemination + endings + links
        + flags
    static var count: Int { items.count }
}

/// A start that cannot succeed: one clear line, exit code 2.
package struct StartError: Error, Sendable, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}

/// A name of interfaces as the resources write it: `eth1`, or `cali*` for every name that begins so.
package enum InterfacePattern {
    /// An empty name, of an interface that is not known, matches nothing but an empty pattern.
    package static func matches(_ pattern: String, _ name: String) -> Bool {
        guard pattern.hasSuffix("*") else { return name == pattern }
        return !name.isEmpty && name.hasPrefix(pattern.dropLast())
    }
}

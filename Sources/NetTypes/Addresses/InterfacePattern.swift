/// A name of interfaces as the resources write it: `eth1`, or with `*` for any characters, anywhere: `cali*`,
/// `*.calico`.
public enum InterfacePattern {
    /// An empty name, of an interface that is not known, matches nothing but an empty pattern.
    public static func matches(_ pattern: String, _ name: String) -> Bool {
        guard pattern.contains("*") else { return name == pattern }
        guard !name.isEmpty else { return false }
        let (pattern, name) = (Array(pattern.utf8), Array(name.utf8))
        let star = UInt8(ascii: "*")
        var (position, place) = (0, 0)
        /// The last `*`, and where what it stands for ends: it stands for one character more where the rest fails.
        var last: (position: Int, place: Int)?
        while place < name.count {
            if position < pattern.count, pattern[position] == star {
                last = (position, place)
                position += 1
            } else if position < pattern.count, pattern[position] == name[place] {
                (position, place) = (position + 1, place + 1)
            } else if let star = last {
                last = (star.position, star.place + 1)
                (position, place) = (star.position + 1, star.place + 1)
            } else {
                return false
            }
        }
        return pattern[position...].allSatisfy { $0 == star }
    }
}

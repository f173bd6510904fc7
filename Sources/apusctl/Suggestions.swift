import NetTypes
import StatusAPI

/// The names among `known` that somebody may have meant, the nearest first, at most three: those that differ in at most
/// a third of their letters, or begin with what was written.
func nearest(to wanted: String, among known: [String]) -> [String] {
    let limit = max(1, (wanted.count + 1) / 3)
    let ranked = Set(known).map { name in
        let plain = name.split(separator: "/").last.map(String.init) ?? name
        let isBeginning = wanted.count > 1 && (name.hasPrefix(wanted) || plain.hasPrefix(wanted))
        return (name, isBeginning ? 1 : min(editDistance(wanted, name), editDistance(wanted, plain)))
    }
    return ranked.filter { $0.1 <= limit }.sorted { ($0.1, $0.0) < ($1.1, $1.0) }.prefix(3).map(\.0)
}

/// `; did you mean a, b?`, or nothing.
func suggestion(_ wanted: String, among known: [String]) -> String {
    let names = nearest(to: wanted, among: known)
    return names.isEmpty ? "" : "; did you mean \(names.joined(separator: ", "))?"
}

/// Letters to insert, delete, replace or exchange with their neighbor to make one text of the other (Damerau and
/// Levenshtein, adjacent exchanges).
func editDistance(_ a: String, _ b: String) -> Int {
    let (a, b) = (Array(a), Array(b))
    var rows = [[Int]](repeating: [Int](repeating: 0, count: b.count + 1), count: a.count + 1)
    for i in 0...a.count {
        for j in 0...b.count {
            if i == 0 || j == 0 {
                rows[i][j] = i + j
                continue
            }
            let step = a[i - 1] == b[j - 1] ? 0 : 1
            rows[i][j] = min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + step)
            if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] {
                rows[i][j] = min(rows[i][j], rows[i - 2][j - 2] + 1)
            }
        }
    }
    return rows[a.count][b.count]
}

extension CommonOptions {
    /// The address of the one peer that is meant, with its port where that is not 179.
    func address(ofPeer wanted: String) throws -> String {
        let answer = try ask(StatusRequest(.peer, argument: wanted))
        let found = (answer.peers ?? []).map { PeerAddress.text($0.address, port: $0.port) }
        if found.count > 1 {
            throw Failure(
                code: 2, message: "several peers are meant by \(wanted): \(found.joined(separator: ", ")); name one")
        }
        guard let only = found.first else { throw unknown(peer: wanted, answer.error) }
        return only
    }

    /// What is said where the daemon has no such peer: its sentence, and the nearest names and addresses.
    func unknown(peer wanted: String, _ error: String?) -> Failure {
        let error = error ?? "no peer has the address or name \(wanted)"
        guard error.hasPrefix("no peer has the address or name"),
            let peers = try? ask(StatusRequest(.peers)).peers
        else { return Failure.no(error) }
        if peers.isEmpty { return Failure.no(error + "; there are no peers") }
        let known = peers.flatMap { [$0.name, PeerAddress.text($0.address, port: $0.port)] }
        return Failure.no(error + suggestion(wanted, among: known))
    }
}

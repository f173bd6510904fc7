package import Rehearsal

extension PlayedPeers {
    /// Asks one BIRD. `ask`: sends a command and returns the whole reply.
    package mutating func read(_ ask: (String) throws(BIRDError) -> BIRDReply) throws(BIRDError) {
        for session in try PlayedSession.parse(try ask("show protocols all")) {
            var result = Session(session: session)
            // BIRD refuses to list what leaves by a session that is down.
            if session.isEstablished {
                result.received = try PlayedRoute.parse(try ask("show route all protocol \(session.name)"))
                result.sent = try PlayedRoute.parse(try ask("show route all export \(session.name)"))
            }
            sessions.append(result)
        }
    }
}

/// What the BIRDs of a host have: sessions, the routes that came by each, and those that leave by each.
package struct BIRDState: Sendable {
    package struct Session: Sendable {
        package var session: BIRDSession
        /// As they passed BIRD's import filter.
        package var received: [BIRDRoute] = []
        /// As they passed its export filter.
        package var sent: [BIRDRoute] = []

        package init(session: BIRDSession) { self.session = session }
    }
    package var sessions: [Session] = []

    package init() {}

    /// Asks one BIRD. `ask`: sends a command and returns the whole reply.
    package mutating func read(_ ask: (String) throws(BIRDError) -> BIRDReply) throws(BIRDError) {
        for session in try BIRDSession.parse(try ask("show protocols all")) {
            var result = Session(session: session)
            // BIRD refuses to list what leaves by a session that is down.
            if session.isEstablished {
                result.received = try BIRDRoute.parse(try ask("show route all protocol \(session.name)"))
                result.sent = try BIRDRoute.parse(try ask("show route all export \(session.name)"))
            }
            sessions.append(result)
        }
    }
}

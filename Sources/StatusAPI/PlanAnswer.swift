/// What would become of a session.
package enum SessionChange: String, Codable, Sendable, CaseIterable {
    /// Nothing.
    case stay
    /// It would go on under other settings.
    case refresh
    /// It would end, and be made anew.
    case reset
    case appear
    case vanish
}

/// Why a session would be made anew.
package enum SessionResetReason: String, Codable, Sendable, CaseIterable {
    case address, localAS, remoteAS, routerID, families, addPath, capabilities
    case password, tcpAO, ttlSecurity, source, port
}

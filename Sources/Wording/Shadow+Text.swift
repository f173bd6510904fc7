import LinuxIO
package import StatusAPI

extension BIRDFailure {
    package var text: String {
        switch self {
        case .notUnderstood(let line): "BIRD's reply is not understood: \"\(line)\""
        case .refused(let text): "BIRD refuses to say: \(text)"
        case .unreachable(let code):
            "BIRD cannot be asked: \(errorText(code)); name its control sockets with --bird-sockets"
        }
    }
}

extension ShadowReason {
    package var text: String {
        switch self {
        case .heldDown(let reason): reason.text
        case .refused(let reason, let rule): reason.text + (rule.map { " (\($0))" } ?? "")
        }
    }
}

extension ShadowDifference {
    /// What differs, in a word or two.
    package var what: String {
        let thing =
            switch kind {
            case .session: "session"
            case .received: "route from peer"
            case .announced: "route to peer"
            case .route: "kernel route"
            }
        return thing + (field.map { ": \($0)" } ?? "")
    }
}

extension SessionChange {
    package var text: String {
        switch self {
        case .stay: "the session stays"
        case .refresh: "the session goes on with other settings"
        case .reset: "the session is reset"
        case .appear: "a session appears"
        case .vanish: "the session vanishes"
        }
    }
}

/// The values of a field that has a few names: the schema, the parser and the typed value come from one type, and
/// cannot disagree.
package protocol FieldChoice: RawRepresentable<String>, CaseIterable, Sendable, Hashable {}

extension FieldType {
    /// One of a type's names, in the order of its declaration.
    package static func choice<Choice: FieldChoice>(of type: Choice.Type) -> FieldType {
        .choice(Choice.allCases.map(\.rawValue))
    }
}

extension BGPConfiguration {
    package enum BindMode: String, FieldChoice {
        case none = "None"
        case nodeIP = "NodeIP"
    }
    package enum NextHopTracking: String, FieldChoice { case kernel, none }
    package enum LogSeverity: String, FieldChoice {
        case trace = "Trace"
        case debug = "Debug"
        case info = "Info"
        case warning = "Warning"
        case error = "Error"
        case fatal = "Fatal"
    }
}

extension BGPPeer {
    package enum ImportMode: String, FieldChoice { case safe, all }
    package enum ExportMode: String, FieldChoice { case own, pools, all }
    package enum GracefulRestart: String, FieldChoice { case on, helper, off }
    package enum NextHopMode: String, FieldChoice {
        case auto = "Auto"
        case itself = "Self"
        case keep = "Keep"
    }
    package enum PrefixLimitAction: String, FieldChoice { case restart, idle, warn }
    /// What this node is to the peer (RFC 9234).
    package enum Role: String, FieldChoice {
        case provider, customer, peer, rs
        case rsClient = "rs-client"
    }
    package enum ReversePeering: String, FieldChoice {
        case auto = "Auto"
        case manual = "Manual"
    }
    package enum FamilyName: String, FieldChoice { case ipv4, ipv6 }
}

extension BGPPeer.TCPAO {
    /// RFC 5926.
    package enum Algorithm: String, FieldChoice {
        case hmacSHA1 = "hmac-sha1-96"
        case aes128CMAC = "aes-128-cmac-96"
        case hmacSHA256 = "hmac-sha256-128"
    }
}

extension BGPFilter.Rule {
    package enum Action: String, FieldChoice {
        case accept = "Accept"
        case reject = "Reject"
    }
    package enum MatchOperator: String, FieldChoice {
        case equal = "Equal"
        case notEqual = "NotEqual"
        case isIn = "In"
        case notIn = "NotIn"
    }
    package enum PeerType: String, FieldChoice {
        case external = "eBGP"
        case `internal` = "iBGP"
    }
}

extension FelixConfiguration {
    package enum Switch: String, FieldChoice {
        case enabled = "Enabled"
        case disabled = "Disabled"
    }
    package enum SourceSpoofing: String, FieldChoice {
        case disabled = "Disabled"
        case any = "Any"
    }
}

extension IPPool {
    package enum EncapsulationMode: String, FieldChoice {
        case never = "Never"
        case always = "Always"
        case crossSubnet = "CrossSubnet"
    }
}

extension BlockAffinity {
    package enum State: String, FieldChoice { case confirmed, pending, pendingDeletion }
}

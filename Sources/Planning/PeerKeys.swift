package import Resources
import StatusAPI

/// What the first segment of a peer's connection depends on: keys and the TTL.
package struct PeerKeys: Sendable, Hashable {
    /// TCP MD5 (RFC 2385).
    package var password: [UInt8]?
    /// Number of hops to the peer (RFC 5082); nil: any TTL is accepted.
    package var ttlSecurityHops: Int?
    /// TCP-AO (RFC 5925).
    package var authentication: AuthenticationKey?

    /// A TCP-AO master key (RFC 5925 section 3.1).
    package struct AuthenticationKey: Sendable, Hashable {
        package var secret: [UInt8]
        package var sendID: UInt8
        package var receiveID: UInt8
        /// As the resource says.
        package var algorithm: BGPPeer.TCPAO.Algorithm
    }

    /// The keys of a planned peer. Where one that was asked for is missing, `missing` is set to the reason: there is no
    /// session without it.
    init(_ planned: PlannedPeer, _ secrets: Secrets, authenticationFailure: Int32?, missing: inout HoldReason?) {
        ttlSecurityHops = planned.options.ttlSecurity
        if let reference = planned.password {
            password = secrets.values[reference]
            if password == nil { missing = HoldReason(reference, secrets.failures[reference]) }
        }
        if let key = planned.options.tcpAO {
            missing = missing ?? authenticationFailure.map { .noTCPAO(code: $0) }
            if let secret = secrets.values[key.secret] {
                authentication = AuthenticationKey(
                    secret: secret, sendID: key.sendID, receiveID: key.receiveID, algorithm: key.algorithm)
            } else {
                missing = missing ?? HoldReason(key.secret, secrets.failures[key.secret])
            }
        }
    }
}

extension HoldReason {
    fileprivate init(_ reference: SecretReference, _ failure: Secrets.Failure?) {
        let secret = "\(reference)"
        self =
            switch failure {
            case .missing(let file)?: .secretMissing(secret: secret, file: file)
            case .readableByOthers(let file)?: .secretReadableByOthers(secret: secret, file: file)
            case .empty(let file)?: .secretEmpty(secret: secret, file: file)
            case .tooLong?: .secretTooLong(secret: secret)
            case .unreadable(let file, let why)?: .secretUnreadable(secret: secret, file: file, why: why)
            case nil: .secretMissing(secret: secret, file: "\(reference.name)/\(reference.key)")
            }
    }
}

internal import COpenSSL

/// Digests of libcrypto.
package enum Digest {
    /// SHA-256 of some bytes: 32 octets. Nil where libcrypto refuses (an allocation failed).
    package static func sha256(_ bytes: [UInt8]) -> [UInt8]? { digest(bytes, EVP_sha256()) }

    /// SHA-1: 20 octets. For names that others derive by it too (contract 2.7), not for secrets.
    package static func sha1(_ bytes: [UInt8]) -> [UInt8]? { digest(bytes, EVP_sha1()) }

    private static func digest(_ bytes: [UInt8], _ algorithm: OpaquePointer?) -> [UInt8]? {
        var result = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var length: UInt32 = 0
        guard EVP_Digest(bytes, bytes.count, &result, &length, algorithm, nil) == 1 else { return nil }
        return Array(result.prefix(Int(length)))
    }
}

internal import COpenSSL

/// Digests of libcrypto.
package enum Digest {
    /// SHA-256 of some bytes: 32 octets. Nil where libcrypto refuses (an allocation failed).
    package static func sha256(_ bytes: [UInt8]) -> [UInt8]? {
        var result = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var length: UInt32 = 0
        guard EVP_Digest(bytes, bytes.count, &result, &length, EVP_sha256(), nil) == 1 else { return nil }
        return Array(result.prefix(Int(length)))
    }
}

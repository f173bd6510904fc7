internal import COpenSSL

// `unsafe` here: OpenSSL is given the addresses of two arrays for the length of the call, and keeps none.

/// Digests of names, which are no secrets, by OpenSSL.
package enum Digest {
    /// SHA-256 (FIPS 180-4): 32 bytes.
    package static func sha256(_ bytes: [UInt8]) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
        let isDone = unsafe apus_sha256(bytes, bytes.count, &result)
        precondition(isDone != 0, "SHA-256 has no failure that a caller can cause")
        return result
    }

    /// SHA-1 (FIPS 180-4): 20 bytes. For names that others derive by it too: Felix makes a VXLAN device's MAC address
    /// so.
    package static func sha1(_ bytes: [UInt8]) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: Int(SHA_DIGEST_LENGTH))
        let isDone = unsafe apus_sha1(bytes, bytes.count, &result)
        precondition(isDone != 0, "SHA-1 has no failure that a caller can cause")
        return result
    }
}

internal import CLibMD

// `unsafe` here: libmd is given the addresses of a variable and of an array for the length of the call, and keeps none.

/// Digests of names, which are no secrets, by libmd.
package enum Digest {
    /// SHA-256 (FIPS 180-4): 32 octets.
    package static func sha256(_ bytes: [UInt8]) -> [UInt8] {
        var context = SHA2_CTX()
        var result = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
        unsafe SHA256Init(&context)
        unsafe SHA256Update(&context, bytes, bytes.count)
        unsafe SHA256Final(&result, &context)
        return result
    }

    /// SHA-1: 20 octets. For names that others derive by it too (contract 2.7).
    package static func sha1(_ bytes: [UInt8]) -> [UInt8] {
        var context = SHA1_CTX()
        var result = [UInt8](repeating: 0, count: Int(SHA1_DIGEST_LENGTH))
        unsafe SHA1Init(&context)
        unsafe SHA1Update(&context, bytes, bytes.count)
        unsafe SHA1Final(&result, &context)
        return result
    }
}

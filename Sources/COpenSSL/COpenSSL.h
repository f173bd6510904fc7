/*
 * OpenSSL's digests. The functions below are the low-level ones, which OpenSSL 3 deprecates in favor of EVP: the first
 * digest by EVP loads a provider and its tables, up to 2 MB that stay resident (docs/decisions/0019-openssl-for-digests.md).
 */
#pragma once
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

/* Returns 0 where OpenSSL refuses. `digest` has SHA_DIGEST_LENGTH bytes. */
static inline int apus_sha1(const void *bytes, size_t count, unsigned char *digest) {
    SHA_CTX context;
    return SHA1_Init(&context) && SHA1_Update(&context, bytes, count) && SHA1_Final(digest, &context);
}

/* Returns 0 where OpenSSL refuses. `digest` has SHA256_DIGEST_LENGTH bytes. */
static inline int apus_sha256(const void *bytes, size_t count, unsigned char *digest) {
    SHA256_CTX context;
    return SHA256_Init(&context) && SHA256_Update(&context, bytes, count) && SHA256_Final(digest, &context);
}

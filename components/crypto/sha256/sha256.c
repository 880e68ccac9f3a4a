/* SPDX-License-Identifier: MIT OR Apache-2.0
 * sha256.c: SHA-256 by mbedTLS, behind a struct that shows nothing of it.
 *
 * The library's functions fail only for hardware that is not built in; a failure here is our mistake.
 */
#include "crypto/sha256/sha256.h"
#include "core/assert.h"
#include "mbedtls/sha256.h"

_Static_assert(sizeof(mbedtls_sha256_context) <= sizeof(struct sha256), "struct sha256 is too small for this mbedTLS");
_Static_assert(_Alignof(mbedtls_sha256_context) <= _Alignof(struct sha256), "struct sha256 is aligned too little");

static mbedtls_sha256_context *context_of(struct sha256 *hash)
{
    return (mbedtls_sha256_context *)(void *)hash->state;
}

void sha256_init(struct sha256 *hash)
{
    mbedtls_sha256_init(context_of(hash));
    int failed = mbedtls_sha256_starts(context_of(hash), 0);
    ASSERT(failed == 0);
}

void sha256_update(struct sha256 *hash, const void *bytes, size_t size)
{
    int failed = mbedtls_sha256_update(context_of(hash), bytes, size);
    ASSERT(failed == 0);
}

void sha256_final(struct sha256 *hash, uint8_t digest[SHA256_BYTES])
{
    int failed = mbedtls_sha256_finish(context_of(hash), digest);
    ASSERT(failed == 0);
    mbedtls_sha256_free(context_of(hash)); /* wipes */
}

void sha256_bytes(const void *bytes, size_t size, uint8_t digest[SHA256_BYTES])
{
    struct sha256 hash;

    sha256_init(&hash);
    sha256_update(&hash, bytes, size);
    sha256_final(&hash, digest);
}

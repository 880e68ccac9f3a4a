/* SPDX-License-Identifier: MIT OR Apache-2.0
 * sha256.h: SHA-256 (FIPS 180-4), in one piece or as the bytes come. Pure: BOOT, LOOP or THREAD; never fails.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES 32u

/* Opaque, so that callers need not see the library's headers; no heap behind it, so it may be copied or forgotten. */
struct sha256 {
    uint64_t state[16];
};

void sha256_init(struct sha256 *hash);
void sha256_update(struct sha256 *hash, const void *bytes, size_t size);
/* The state is wiped; sha256_init() starts anew. */
void sha256_final(struct sha256 *hash, uint8_t digest[SHA256_BYTES]);
/* All at once. */
void sha256_bytes(const void *bytes, size_t size, uint8_t digest[SHA256_BYTES]);

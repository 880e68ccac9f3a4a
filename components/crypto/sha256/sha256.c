/* SPDX-License-Identifier: MIT OR Apache-2.0
 * sha256.c: SHA-256 by mbedTLS, behind a struct that shows nothing of it; whole blocks by the CPU, when it has what
 * sha256_blocks.h wants.
 *
 * The library's functions fail only for hardware that is not built in; a failure here is our mistake.
 */
#include "crypto/sha256/sha256.h"
#include "core/assert.h"
#include "mbedtls/private_access.h"
#include "mbedtls/sha256.h"
#include "sha256_blocks.h"

_Static_assert(sizeof(mbedtls_sha256_context) <= sizeof(struct sha256), "struct sha256 is too small for this mbedTLS");
_Static_assert(_Alignof(mbedtls_sha256_context) <= _Alignof(struct sha256), "struct sha256 is aligned too little");

static struct {
    bool asked;               /* CPUID is asked once: under a hypervisor it is an exit */
    sha256_blocks_fn *blocks; /* NULL: mbedTLS does all */
} cpu;

static mbedtls_sha256_context *context_of(struct sha256 *hash)
{
    return (mbedtls_sha256_context *)(void *)hash->state;
}

void sha256_init(struct sha256 *hash)
{
    if (!cpu.asked) { /* two rooms may ask at once, and are told the same */
        cpu.blocks = sha256_blocks_best();
        cpu.asked = true;
    }
    mbedtls_sha256_init(context_of(hash));
    int failed = mbedtls_sha256_starts(context_of(hash), 0);
    ASSERT(failed == 0);
}

static void update(mbedtls_sha256_context *context, const uint8_t *bytes, size_t size)
{
    int failed = mbedtls_sha256_update(context, bytes, size);
    ASSERT(failed == 0);
}

/* The whole blocks at the front, when the library holds no part of one; how many bytes that are. */
static size_t update_blocks(mbedtls_sha256_context *context, const uint8_t *bytes, size_t size)
{
    uint32_t *total = context->MBEDTLS_PRIVATE(total); /* bytes, the lower half first */
    size_t taken = size - size % SHA256_BLOCK;

    ASSERT(total[0] % SHA256_BLOCK == 0);
    cpu.blocks(context->MBEDTLS_PRIVATE(state), bytes, taken / SHA256_BLOCK);
    uint64_t sum = (total[0] | (uint64_t)total[1] << 32) + taken;
    total[0] = (uint32_t)sum;
    total[1] = (uint32_t)(sum >> 32);
    return taken;
}

void sha256_update(struct sha256 *hash, const void *bytes, size_t size)
{
    mbedtls_sha256_context *context = context_of(hash);
    const uint8_t *p = bytes;
    size_t begun = context->MBEDTLS_PRIVATE(total)[0] % SHA256_BLOCK;

    if (cpu.blocks != NULL && begun + size >= SHA256_BLOCK) {
        size_t head = begun == 0 ? 0 : SHA256_BLOCK - begun;
        update(context, p, head);
        head += update_blocks(context, p + head, size - head);
        p += head;
        size -= head;
    }
    update(context, p, size);
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

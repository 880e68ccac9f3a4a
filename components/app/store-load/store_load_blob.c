/* SPDX-License-Identifier: MIT OR Apache-2.0
 * store_load_blob.c: what is in a blob.
 */
#include <string.h>
#include "store_load.h"

#define BLOBS STORE_LOAD_BLOBS

static struct {
    bool known[BLOBS];
    uint8_t digest[BLOBS][SHA256_BYTES];
} self;

uint32_t load_blob_size(int blob)
{
    static const uint32_t sizes[] = {100, 5000, 0, 4096, 1, 40000, 512, 12288};

    unsigned count = sizeof sizes / sizeof sizes[0];
    uint32_t size = sizes[(unsigned)blob % count];

    size += (unsigned)blob < count ? 0 : (uint32_t)blob; /* no two are the same, nor both empty */
    return size * STORE_LOAD_SCALE;
}

static uint64_t word(int blob, uint64_t at)
{
    uint64_t z = ((uint64_t)blob + 1) * 0x9e3779b97f4a7c15u + at;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    return z ^ z >> 27;
}

void load_blob_fill(int blob, uint64_t at, uint8_t *bytes, uint32_t size)
{
    for (uint32_t i = 0; i < size; i += 8) {
        uint64_t w = word(blob, at + i);
        memcpy(bytes + i, &w, size - i < 8 ? size - i : 8);
    }
}

static void digest_make(int blob)
{
    struct sha256 hash;
    uint8_t piece[512];
    uint32_t size = load_blob_size(blob);

    sha256_init(&hash);
    for (uint32_t at = 0; at < size; at += sizeof piece) {
        uint32_t n = size - at < sizeof piece ? size - at : (uint32_t)sizeof piece;
        load_blob_fill(blob, at, piece, n);
        sha256_update(&hash, piece, n);
    }
    sha256_final(&hash, self.digest[blob]);
    self.known[blob] = true;
}

const uint8_t *load_blob_digest(int blob)
{
    if (!self.known[blob]) {
        digest_make(blob);
    }
    return self.digest[blob];
}

int load_blob_of(struct capnp_data digest)
{
    for (int i = 0; i < BLOBS && digest.size == SHA256_BYTES; i++) {
        if (memcmp(load_blob_digest(i), digest.bytes, SHA256_BYTES) == 0) {
            return i;
        }
    }
    return NO_BLOB;
}

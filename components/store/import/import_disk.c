/* SPDX-License-Identifier: MIT OR Apache-2.0
 * import_disk.c: bytes of the disk, with a few blocks kept: formats ask for the same ones again and again. The thread's.
 */
#include <string.h>
#include "core/assert.h"
#include "import.h"

#define SECTOR 512u
#define BLOCK 4096u
#define KEPT 32u

struct kept {
    uint64_t block; /* its number + 1; 0: none */
    uint64_t used;  /* when; the least goes first */
    unsigned char bytes[BLOCK];
};

static struct {
    import_read_fn *read;
    uint64_t sectors;
    uint64_t now;
    struct kept kept[KEPT];
} self;

void import_disk_init(import_read_fn *read, uint64_t sectors, uint32_t unit)
{
    ASSERT(unit >= 1 && unit <= BLOCK / SECTOR && (unit & (unit - 1)) == 0);
    self.read = read;
    self.sectors = sectors & ~(uint64_t)(unit - 1);
    for (unsigned i = 0; i < KEPT; i++) {
        self.kept[i].block = 0;
    }
}

uint64_t import_disk_bytes(void)
{
    return self.sectors * SECTOR;
}

static struct kept *find(uint64_t block)
{
    struct kept *oldest = &self.kept[0];

    for (unsigned i = 0; i < KEPT; i++) {
        if (self.kept[i].block == block + 1) {
            return &self.kept[i];
        }
        if (self.kept[i].used < oldest->used) {
            oldest = &self.kept[i];
        }
    }
    return oldest;
}

/* The block, which the disk has at least a part of. */
static enum import_answer keep(uint64_t block, const unsigned char **bytes) REQUIRES(THREAD)
{
    struct kept *kept = find(block);
    uint64_t sector = block * (BLOCK / SECTOR);
    uint64_t left = self.sectors - sector;

    if (kept->block != block + 1) {
        kept->block = 0;
        enum import_answer answer =
            self.read(sector, left < BLOCK / SECTOR ? (uint32_t)left : BLOCK / SECTOR, kept->bytes);
        if (answer != IMPORT_OK) {
            return answer;
        }
        kept->block = block + 1;
    }
    kept->used = ++self.now;
    *bytes = kept->bytes;
    return IMPORT_OK;
}

static enum import_answer read_part(uint64_t at, unsigned char *out, uint32_t size) REQUIRES(THREAD)
{
    const unsigned char *block;
    enum import_answer answer = keep(at / BLOCK, &block);

    if (answer == IMPORT_OK) {
        memcpy(out, block + at % BLOCK, size);
    }
    return answer;
}

/* Whole blocks go straight to where they are wanted. */
static enum import_answer read_bytes(uint64_t at, unsigned char *out, uint32_t size) REQUIRES(THREAD)
{
    enum import_answer answer = IMPORT_OK;
    uint32_t part;

    for (; size > 0 && answer == IMPORT_OK; at += part, out += part, size -= part) {
        if (at % BLOCK == 0 && size >= 2 * BLOCK) {
            part = size & ~(BLOCK - 1);
            answer = self.read(at / SECTOR, part / SECTOR, out);
        } else {
            part = BLOCK - (uint32_t)(at % BLOCK);
            part = part < size ? part : size;
            answer = read_part(at, out, part);
        }
    }
    return answer;
}

enum import_answer import_disk_read(const struct import_part *part, uint64_t offset, void *bytes, uint32_t size)
{
    if (offset > part->size || size > part->size - offset) {
        return IMPORT_DAMAGED;
    }
    if (part->begin > import_disk_bytes() || part->begin + offset + size > import_disk_bytes()) {
        return IMPORT_DAMAGED; /* the partition table, or the volume, says more than there is */
    }
    return read_bytes(part->begin + offset, bytes, size);
}

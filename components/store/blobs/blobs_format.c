/* SPDX-License-Identifier: MIT OR Apache-2.0
 * blobs_format.c: checks and makes the structures of the disk. Pure: no state, no device; what the fuzzer drives.
 */
#include "blobs_format.h"
#include "core/assert.h"
#include "lib/crc32c/crc32c.h"
#include <string.h>

#define COUNT_MAX (UINT64_MAX / 2) /* what counts up by ones is never beyond: nothing here wraps */

static const char superblock_magic[8] = {'c', 'a', 'p', 'O', 'S', 's', 't', '1'};

static bool all_zero(const uint8_t *bytes, size_t size)
{
    uint8_t any = 0;
    for (size_t i = 0; i < size; i++) {
        any |= bytes[i];
    }
    return any == 0;
}

uint64_t blobs_data_blocks(uint64_t size)
{
    return size / BLOBS_BLOCK + (size % BLOBS_BLOCK != 0);
}

uint64_t blobs_extent_blocks(uint64_t size)
{
    uint64_t data = blobs_data_blocks(size);
    return data + data / BLOBS_CRCS_PER_BLOCK + (data % BLOBS_CRCS_PER_BLOCK != 0);
}

/* Bytes that a snapshot takes at most: packed as badly as records can be, half of each sector is lost. */
static uint64_t snapshot_bytes(uint64_t blobs, uint64_t names)
{
    return 2 * (blobs * 64 + names * BLOBS_RECORD_BYTES_MAX);
}

bool blobs_log_holds(const struct blobs_geometry *geometry, uint64_t blobs, uint64_t names)
{
    return blobs_data_blocks(snapshot_bytes(blobs, names)) + BLOBS_LOG_SPARE <= geometry->log_blocks;
}

status_t blobs_geometry_plan(uint64_t blocks, uint32_t group_align, uint64_t objects_max, uint64_t names_max,
                             struct blobs_geometry *geometry, uint64_t *least)
{
    /* A half holds a snapshot of full tables, and as much again for what is logged before the next snapshot. */
    uint64_t log_blocks = blobs_data_blocks(2 * snapshot_bytes(objects_max, names_max)) + BLOBS_LOG_SPARE;
    ASSERT(group_align >= 1 && group_align <= BLOBS_SECTORS_PER_BLOCK);
    uint64_t data_start = BLOBS_SUPERBLOCKS + 2 * log_blocks;
    *least = data_start + 256;
    if (blocks < *least || log_blocks > BLOBS_LOG_BLOCKS_MAX) {
        return ST_RANGE;
    }
    *geometry = (struct blobs_geometry){blocks, (uint32_t)log_blocks, data_start, group_align};
    return ST_OK;
}

static uint32_t superblock_crc(const struct blobs_superblock *superblock)
{
    struct blobs_superblock copy = *superblock;
    copy.crc = 0;
    return crc32c_update(0, &copy, sizeof(copy));
}

void blobs_superblock_seal(struct blobs_superblock *superblock)
{
    memcpy(superblock->magic, superblock_magic, sizeof(superblock_magic));
    superblock->version = BLOBS_VERSION;
    superblock->crc = superblock_crc(superblock);
}

status_t blobs_superblock_check(const void *sector, uint64_t disk_blocks, struct blobs_superblock *result,
                                struct blobs_geometry *geometry)
{
    struct blobs_superblock s;
    memcpy(&s, sector, sizeof(s));
    if (memcmp(s.magic, superblock_magic, sizeof(superblock_magic)) != 0) {
        return ST_STALE;
    }
    if (s.crc != superblock_crc(&s)) {
        return ST_PROTO;
    }
    if (s.version != BLOBS_VERSION) {
        return ST_UNSUPPORTED;
    }
    uint64_t data_start = BLOBS_SUPERBLOCKS + 2 * (uint64_t)s.log_blocks;
    if (data_start >= s.blocks || s.live_half > 1 || s.generation == 0 || s.next_generation <= s.generation ||
        s.next_generation > COUNT_MAX || s.sequence > COUNT_MAX || s.log_blocks < BLOBS_LOG_SPARE ||
        s.log_blocks > BLOBS_LOG_BLOCKS_MAX || s.group_align == 0 || s.group_align > BLOBS_SECTORS_PER_BLOCK ||
        s.zero_word != 0 || !all_zero(s.zero, sizeof(s.zero))) {
        return ST_PROTO;
    }
    if (s.blocks > disk_blocks) {
        return ST_RANGE;
    }
    *result = s;
    *geometry = (struct blobs_geometry){s.blocks, s.log_blocks, data_start, s.group_align};
    return ST_OK;
}

static uint32_t log_crc(const struct blobs_log_sector *sector, const uint8_t uuid[16])
{
    static const uint8_t no_crc[4];
    uint32_t crc = crc32c_update(0, uuid, 16);
    crc = crc32c_update(crc, sector, offsetof(struct blobs_log_sector, crc));
    crc = crc32c_update(crc, no_crc, sizeof(no_crc));
    size_t rest = offsetof(struct blobs_log_sector, generation);
    return crc32c_update(crc, (const uint8_t *)sector + rest, BLOBS_SECTOR - rest);
}

void blobs_log_sector_seal(struct blobs_log_sector *sector, const uint8_t uuid[16])
{
    sector->magic = BLOBS_LOG_MAGIC;
    sector->crc = log_crc(sector, uuid);
}

bool blobs_log_sector_check(const void *sector, const uint8_t uuid[16], uint64_t generation, uint32_t position)
{
    const struct blobs_log_sector *s = sector;
    return s->magic == BLOBS_LOG_MAGIC && s->generation == generation && s->position == position &&
           s->used <= BLOBS_LOG_PAYLOAD && s->last <= 1 && s->crc == log_crc(s, uuid);
}

bool blobs_name_valid(const char *name, size_t size)
{
    if (size == 0 || size > BLOBS_NAME_MAX) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        uint8_t c = (uint8_t)name[i];
        if (c < 0x20 || c == 0x7f) {
            return false;
        }
    }
    return true;
}

/* Bytes of the character at `p`; 0: none in UTF-8, or a control character above ASCII. */
static size_t utf8_length(const uint8_t *p, size_t left)
{
    static const uint32_t least[] = {0, 0, 0xa0, 0x800, 0x10000}; /* by length: what is shorter written is not UTF-8 */
    size_t length = p[0] < 0x80 ? 1 : p[0] < 0xc0 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf8 ? 4 : 0;
    if (length > left) {
        return 0;
    }
    uint32_t code = length > 1 ? p[0] & (0x7fu >> length) : p[0];
    for (size_t i = 1; i < length; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
        code = code << 6 | (p[i] & 0x3fu);
    }
    bool surrogate = code >= 0xd800 && code < 0xe000;
    return code < least[length] || code > 0x10ffff || surrogate ? 0 : length;
}

bool blobs_name_is_text(const char *name, size_t size)
{
    for (size_t i = 0, length; i < size; i += length) {
        length = utf8_length((const uint8_t *)name + i, size - i);
        if (length == 0) {
            return false;
        }
    }
    return true;
}

/* A record: kind, name_size, two zero bytes; then digest (BLOB, BIND); then size, start, blocks (BLOB) or the name. */
static uint32_t record_bytes(enum blobs_record_kind kind, uint32_t name_size)
{
    switch (kind) {
    case BLOBS_RECORD_BLOB:
        return 4 + BLOBS_DIGEST + 24;
    case BLOBS_RECORD_BIND:
        return 4 + BLOBS_DIGEST + name_size;
    case BLOBS_RECORD_UNBIND:
        return 4 + name_size;
    case BLOBS_RECORD_DROP:
        return 4 + BLOBS_DIGEST;
    }
    return 0;
}

static status_t extent_check(const struct blobs_record *r, const struct blobs_geometry *g)
{
    if (r->size > g->blocks * BLOBS_BLOCK || r->blocks != blobs_extent_blocks(r->size)) {
        return ST_PROTO;
    }
    if (r->blocks == 0) {
        return r->start == 0 ? ST_OK : ST_PROTO;
    }
    if (r->start < g->data_start || r->start >= g->blocks || r->blocks > g->blocks - r->start) {
        return ST_PROTO;
    }
    return ST_OK;
}

static status_t record_body(const uint8_t *p, const struct blobs_geometry *geometry, struct blobs_record *r)
{
    if (r->kind != BLOBS_RECORD_UNBIND) {
        memcpy(r->digest, p, BLOBS_DIGEST);
        p += BLOBS_DIGEST;
    }
    if (r->kind == BLOBS_RECORD_BLOB) {
        memcpy(&r->size, p, 8);
        memcpy(&r->start, p + 8, 8);
        memcpy(&r->blocks, p + 16, 8);
        return r->name_size == 0 ? extent_check(r, geometry) : ST_PROTO;
    }
    if (r->kind == BLOBS_RECORD_DROP) {
        return r->name_size == 0 ? ST_OK : ST_PROTO;
    }
    memcpy(r->name, p, r->name_size);
    return blobs_name_valid(r->name, r->name_size) ? ST_OK : ST_PROTO;
}

status_t blobs_record_next(const struct blobs_log_sector *sector, uint32_t *offset,
                           const struct blobs_geometry *geometry, struct blobs_record *record)
{
    ASSERT(sector->used <= BLOBS_LOG_PAYLOAD && *offset <= sector->used);
    uint32_t left = sector->used - *offset;
    if (left == 0) {
        return ST_RANGE;
    }
    const uint8_t *p = sector->payload + *offset;
    if (left < 4 || p[2] != 0 || p[3] != 0) {
        return ST_PROTO;
    }
    struct blobs_record r = {.kind = p[0], .name_size = p[1]};
    uint32_t bytes = record_bytes(r.kind, r.name_size);
    if (bytes == 0 || bytes > left) {
        return ST_PROTO;
    }
    status_t s = record_body(p + 4, geometry, &r);
    if (s == ST_OK) {
        *offset += bytes;
        *record = r;
    }
    return s;
}

bool blobs_record_put(struct blobs_log_sector *sector, const struct blobs_record *r)
{
    uint32_t bytes = record_bytes(r->kind, r->name_size);
    ASSERT(bytes != 0 && sector->used <= BLOBS_LOG_PAYLOAD);
    if (bytes > BLOBS_LOG_PAYLOAD - sector->used) {
        return false;
    }
    uint8_t *p = sector->payload + sector->used;
    p[0] = (uint8_t)r->kind;
    p[1] = r->name_size;
    p[2] = p[3] = 0;
    p += 4;
    if (r->kind != BLOBS_RECORD_UNBIND) {
        memcpy(p, r->digest, BLOBS_DIGEST);
        p += BLOBS_DIGEST;
    }
    if (r->kind == BLOBS_RECORD_BLOB) {
        memcpy(p, &r->size, 8);
        memcpy(p + 8, &r->start, 8);
        memcpy(p + 16, &r->blocks, 8);
    } else if (r->name_size > 0) {
        memcpy(p, r->name, r->name_size);
    }
    sector->used = (uint16_t)(sector->used + bytes);
    return true;
}

/* Signatures of what people keep on disks, by offset, strongest first. */
static const struct signature {
    uint16_t offset;
    uint8_t size;
    const char *bytes;
    const char *what;
} signatures[] = {
    {0, 7, "capOSst", "a capOS store of another version or a damaged one"},
    {512, 8, "EFI PART", "a GPT partition table"},
    {1080, 2, "\x53\xef", "an ext2/3/4 file system"},
    {0, 4, "XFSB", "an XFS file system"},
    {0, 6, "LUKS\xba\xbe", "a LUKS encrypted volume"},
    {3, 8, "NTFS    ", "an NTFS file system"},
    {54, 5, "FAT16", "a FAT16 file system"},
    {82, 5, "FAT32", "a FAT32 file system"},
    {4086, 10, "SWAPSPACE2", "a Linux swap area"},
    {536, 8, "LVM2 001", "an LVM physical volume"},
    {510, 2, "\x55\xaa", "an MBR partition table or boot sector"},
};

const char *blobs_recognise(const void *first_8k)
{
    const char *bytes = first_8k;
    for (size_t i = 0; i < sizeof(signatures) / sizeof(signatures[0]); i++) {
        const struct signature *s = &signatures[i];
        if (memcmp(bytes + s->offset, s->bytes, s->size) == 0) {
            return s->what;
        }
    }
    return all_zero(first_8k, 2 * BLOBS_BLOCK) ? "nothing but zeros, and not the mark of a blank disk made by capos"
                                               : "data of an unknown kind";
}

bool blobs_is_blank(const void *first_4k)
{
    const size_t mark = sizeof(BLOBS_BLANK_MARK) - 1;
    return memcmp(first_4k, BLOBS_BLANK_MARK, mark) == 0 &&
           all_zero((const uint8_t *)first_4k + mark, BLOBS_BLOCK - mark);
}

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * blobs_format.h: the form of the disk (provisional, version 1), and the one door through which its bytes become facts.
 *
 * All numbers are little-endian. A block is 4 KiB, a sector 512 bytes, which is what a disk writes whole.
 *
 *   block 0, 1      superblock, two copies; the valid one with the higher sequence counts
 *   log half 0, 1   log_blocks each; one is live. Sector i of a half is a log sector of the live generation or leftover
 *   data            extents: a blob's blocks, then one block of CRCs for each 1,024 of them
 *
 *  (1) A log sector carries the CRC of itself, begun with the volume's UUID, so that leftovers of an earlier format
 *      never pass. Its generation must be the superblock's, its position its own.
 *  (2) Each sector names the CRC of the one before: sectors of a group that was cut off and of the one written over it
 *      after recovery can never be taken for one group.
 *  (3) Records of one group take effect together; the last sector of a group says so. A group is on the disk before the
 *      next begins, so a valid sector of a later group behind a bad one is damage, and a bad one without is the end.
 */
#pragma once
#include "core/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BLOBS_SECTOR 512u
#define BLOBS_BLOCK 4096u
#define BLOBS_SECTORS_PER_BLOCK (BLOBS_BLOCK / BLOBS_SECTOR)
#define BLOBS_CRCS_PER_BLOCK (BLOBS_BLOCK / 4u)
#define BLOBS_DIGEST 32u
#define BLOBS_NAME_MAX 255u
#define BLOBS_VERSION 1u
#define BLOBS_SUPERBLOCKS 2u
#define BLOBS_GROUP_SECTORS_MAX 64u                                             /* one group: 32 KiB */
#define BLOBS_LOG_SPARE (2 * BLOBS_GROUP_SECTORS_MAX / BLOBS_SECTORS_PER_BLOCK) /* blocks of a half behind a snapshot */
#define BLOBS_LOG_BLOCKS_MAX (UINT32_MAX / BLOBS_SECTORS_PER_BLOCK)             /* so that its sectors can be counted */
#define BLOBS_BLANK_MARK "capos blank disk v1\n"

struct blobs_superblock {
    char magic[8]; /* "capOSst1" */
    uint32_t version;
    uint32_t crc; /* over the sector with this field zero */
    uint8_t uuid[16];
    uint64_t sequence; /* grows by one at each write; copy is sequence % 2 */
    uint64_t blocks;   /* of the whole volume */
    uint64_t generation;
    uint32_t log_blocks;  /* of each half */
    uint32_t live_half;   /* 0 or 1 */
    uint32_t group_align; /* sectors: groups begin at multiples, so that a torn physical block holds one group only */
    uint32_t zero_word;
    uint64_t next_generation; /* no half has it yet: a snapshot takes it, durable, before it writes anything */
    uint8_t zero[432];
};
_Static_assert(sizeof(struct blobs_superblock) == BLOBS_SECTOR, "one sector");

#define BLOBS_LOG_MAGIC 0x676f6c63u /* "clog" */
#define BLOBS_LOG_PAYLOAD 472u
struct blobs_log_sector {
    uint32_t magic;
    uint32_t crc; /* over the sector with this field zero, begun with the UUID */
    uint64_t generation;
    uint32_t position; /* sector in its half */
    uint32_t group;    /* counts from 0 in each generation */
    uint16_t used;     /* bytes of payload */
    uint16_t last;     /* 1: the group ends here */
    uint32_t previous; /* CRC of the log sector before this one, 0 for the first of a half */
    uint8_t zero[8];
    uint8_t payload[BLOBS_LOG_PAYLOAD];
};
_Static_assert(sizeof(struct blobs_log_sector) == BLOBS_SECTOR, "one sector");

enum blobs_record_kind {
    BLOBS_RECORD_BLOB = 1,   /* digest, size, start, blocks: the blob exists */
    BLOBS_RECORD_BIND = 2,   /* digest, name: the name means it */
    BLOBS_RECORD_UNBIND = 3, /* name: free again */
    BLOBS_RECORD_DROP = 4,   /* digest: the blob is no more */
};

struct blobs_record {
    enum blobs_record_kind kind;
    uint8_t digest[BLOBS_DIGEST];
    uint64_t size;   /* BLOB */
    uint64_t start;  /* BLOB: first block */
    uint64_t blocks; /* BLOB: data and CRC blocks */
    uint8_t name_size;
    char name[BLOBS_NAME_MAX]; /* BIND, UNBIND; no NUL */
};
#define BLOBS_RECORD_BYTES_MAX (4u + BLOBS_DIGEST + BLOBS_NAME_MAX)

/* Where things stand on a volume. */
struct blobs_geometry {
    uint64_t blocks;
    uint32_t log_blocks;
    uint64_t data_start; /* block */
    uint32_t group_align;
};
/* The first position at or after this one where a group may begin. */
static inline uint32_t blobs_group_start(const struct blobs_geometry *g, uint32_t position)
{
    return (position + g->group_align - 1) / g->group_align * g->group_align;
}
static inline uint64_t blobs_log_block(const struct blobs_geometry *g, uint32_t half)
{
    return BLOBS_SUPERBLOCKS + (uint64_t)half * g->log_blocks;
}
/* Blocks that a blob of this size takes. size is at most 2^56. */
uint64_t blobs_data_blocks(uint64_t size);
uint64_t blobs_extent_blocks(uint64_t size);
/* For a volume of so many blocks, on a disk that writes `group_align` sectors at once, that shall hold these tables.
 * ST_RANGE: too small; *least is what would do. */
status_t blobs_geometry_plan(uint64_t blocks, uint32_t group_align, uint64_t objects_max, uint64_t names_max,
                             struct blobs_geometry *geometry, uint64_t *least);

/* Whether a snapshot of so many blobs and names leaves room in its half for what is logged behind it. */
bool blobs_log_holds(const struct blobs_geometry *geometry, uint64_t blobs, uint64_t names);

/* The door. `sector` is what the disk said. ST_OK: *result is checked and *geometry follows from it.
 * ST_STALE: no superblock of ours. ST_UNSUPPORTED: ours, another version. ST_PROTO: ours and damaged. ST_RANGE: ours, and
 * the volume is larger than the disk. */
status_t blobs_superblock_check(const void *sector, uint64_t disk_blocks, struct blobs_superblock *result,
                                struct blobs_geometry *geometry);
void blobs_superblock_seal(struct blobs_superblock *superblock);
/* True when it is the sector that belongs at `position` of the half of this generation. */
bool blobs_log_sector_check(const void *sector, const uint8_t uuid[16], uint64_t generation, uint32_t position);
void blobs_log_sector_seal(struct blobs_log_sector *sector, const uint8_t uuid[16]);

/* Takes the next record at *offset of a checked sector. ST_RANGE: no more. ST_PROTO: nonsense under a good CRC. */
status_t blobs_record_next(const struct blobs_log_sector *sector, uint32_t *offset,
                           const struct blobs_geometry *geometry, struct blobs_record *record);
/* Appends. False: it does not fit into this sector. */
bool blobs_record_put(struct blobs_log_sector *sector, const struct blobs_record *record);
/* 1 to 255 bytes, none of them a control character. */
bool blobs_name_valid(const char *name, size_t size);
/* What a name that a peer gives must be besides, for it comes back as Text: UTF-8, without the control characters above
 * ASCII (U+0080 to U+009F). */
bool blobs_name_is_text(const char *name, size_t size);

/* What stands in the first 8 KiB of a disk that is not ours, in words. */
const char *blobs_recognise(const void *first_8k);
/* Made by `capos` for us and never used. The first block says so alone: the first format of a disk begins with the second,
 * and a power cut may leave anything there. */
bool blobs_is_blank(const void *first_4k);

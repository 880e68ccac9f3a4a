/* SPDX-License-Identifier: MIT OR Apache-2.0
 * volume.h: a disk made into the parts that SQLite's files stand in: a database of 4-KiB pages that are all checked, and a log.
 * docs/decisions/0007 has the reasons; README.md the layout.
 *
 *  (1) What a page's last committed state was, is what volume_page_read() gives, or an error: never torn, stale, rotten or
 *      another's bytes. volume_commit() makes the state: it holds all page writes before it, or, after a cut, none that the
 *      log does not hold too.
 *  (2) The log is bytes; volume_log_sync() makes all that was written before it durable. What was read or written once in this
 *      life is checked when it is read again; what a cut or rot did before is for the log's own checksums.
 *  (3) Nothing on the disk is believed before it was checked, and nothing there stops the machine.
 *  (4) After a write or FLUSH that failed the volume takes no more writes, until it is mounted again.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "core/room.h"
#include "core/status.h"
#include "lib/disk/disk_io.h"

#define VOLUME_MAGIC 0x656d756c6f762173ull /* "s!volume" */
#define VOLUME_VERSION 1u
#define VOLUME_COPIES 2u /* of the superblock */
#define VOLUME_BLANK_MARK                                                                                              \
    "capos blank disk v1\n" /* begins a disk that `capos` made, to be formatted without being asked to */
#define VOLUME_PAGE_BYTES DISK_BLOCK_BYTES
#define VOLUME_LEAF_PAGES 1024u /* pages whose CRCs are one block */
#define VOLUME_INDEX_LEAVES 512u
#define VOLUME_INDEX_MAX 416u
#define VOLUME_RUNS_MAX 40u
#define VOLUME_LOG_BLOCKS_MIN 16u
#define VOLUME_LOG_READ_MAX 16u /* blocks read at once when the log is read in order */

/* On the disk, little-endian, in both copies. */
struct volume_run {
    uint64_t start; /* block: first the two homes of each of its leaves, then its pages */
    uint64_t pages; /* a multiple of VOLUME_LEAF_PAGES */
};
/* Of a leaf or an index block, in its parent. */
struct volume_entry {
    uint32_t crc;
    uint32_t home; /* 1 or 2; VOLUME_NO_HOME: never written, all zero */
};
#define VOLUME_NO_HOME 0u

struct volume_super {
    uint64_t magic;
    uint32_t version;
    uint32_t block_bytes;
    uint8_t uuid[16];
    uint64_t generation;
    uint64_t blocks; /* of all but the data; the disk may have grown since */
    uint64_t log_start;
    uint64_t log_blocks;
    uint64_t index_start; /* two homes each */
    uint64_t index_count;
    uint64_t free_start; /* from here on nothing is used */
    uint64_t page_count; /* of the database */
    uint64_t run_count;
    struct volume_run run[VOLUME_RUNS_MAX];
    struct volume_entry index[VOLUME_INDEX_MAX];
    uint64_t data_start; /* blocks that are lent to whoever keeps data here, and not looked at */
    uint64_t data_blocks;
    uint32_t reserved;
    uint32_t crc; /* of all before it */
};
_Static_assert(sizeof(struct volume_super) == DISK_BLOCK_BYTES, "one block");

/* A block of the map that is in memory. */
struct volume_node {
    bool valid;
    bool dirty;
    uint32_t number; /* of the leaf, or of the index block */
    uint64_t used;   /* when, to choose whom to drop */
    unsigned char *data;
};
struct volume_cache {
    struct volume_node *node;
    uint32_t count;
};

struct volume_memory { /* kept for the life of the volume; any thread's memory */
    void *bytes;
    uint64_t size;
};
/* What a volume needs: nodes of the map's cache, and for each block of the longest log that it shall take. */
#define VOLUME_INDEX_CACHE 4u
#define VOLUME_MEMORY(leaves, log_blocks)                                                                              \
    (((leaves) + VOLUME_INDEX_CACHE) * (DISK_BLOCK_BYTES + sizeof(struct volume_node)) + (log_blocks)*5ull +           \
     (VOLUME_LOG_READ_MAX + 1ull) * DISK_BLOCK_BYTES + 4096u)

struct volume_counters {
    uint64_t page_reads, page_writes, leaf_reads, leaf_writes, commits, log_reads, log_writes, log_syncs;
    uint64_t errors; /* CRCs that were wrong */
};

/* The thread's own. */
struct volume {
    struct disk_io *io;
    struct volume_super super; /* the working state; the disk has the state of the last commit */
    bool changed;              /* there is something to commit */
    bool super_loose;          /* copy B of the superblock was written, and no FLUSH came since */
    status_t failed;           /* (4) */
    struct volume_cache leaves;
    struct volume_cache indexes;
    uint64_t clock; /* for volume_node.used */
    /* Which homes were written since the last commit, and may be written again. */
    uint64_t leaf_moved[VOLUME_INDEX_MAX * VOLUME_INDEX_LEAVES / 64];
    uint64_t index_moved[(VOLUME_INDEX_MAX + 63) / 64];
    uint32_t *log_crc;         /* by block of the log */
    uint8_t *log_known;        /* which of them are set */
    uint64_t log_room;         /* blocks that those have room for */
    unsigned char *log_window; /* what was read last */
    uint64_t log_window_start;
    uint32_t log_window_count;
    uint64_t log_next;       /* the block after the last that was read: then the window is read ahead */
    unsigned char *log_tail; /* the block that is being filled */
    uint64_t log_tail_block; /* UINT64_MAX: none */
    bool log_tail_dirty;
    struct volume_counters count;
};

/* Gives the volume its memory. ST_NOMEM: less than VOLUME_MEMORY(1, VOLUME_LOG_BLOCKS_MIN). */
status_t volume_init(struct volume *volume, struct disk_io *io, const struct volume_memory *memory, uint32_t leaves);
/* One copy of the superblock, as it stands; the status as of volume_mount(). crc32c_init() was called. */
status_t volume_super_read(struct disk_io *io, unsigned copy, struct volume_super *super) REQUIRES(THREAD);
/* The block that it stands in. */
uint64_t volume_super_block(unsigned copy);

/* How a disk is divided that becomes a store's: an eighth for the database and its log, and not less than they need; the rest is
 * for data. `log_most`: what the memory of those who mount it is for. data_blocks 0: the disk is too small. */
#define VOLUME_LOG_BLOCKS_USUAL 1024u
struct volume_shape {
    uint64_t log_blocks, data_blocks;
};
struct volume_shape volume_shape(uint64_t disk_blocks, uint64_t log_most);

/* Whether the disk has the mark, at which it is to be formatted. `block`: room for one. */
status_t volume_blank(struct disk_io *io, void *block, bool *blank) REQUIRES(THREAD);
/* Makes an empty volume, whatever was there, with `data_blocks` at its end for others' data. A cut leaves the disk as it was, or
 * with the mark. ST_FULL: the disk is too small. ST_NOMEM: more log than the memory is for. */
status_t volume_format(struct volume *volume, const uint8_t uuid[16], uint64_t log_blocks, uint64_t data_blocks)
    REQUIRES(THREAD);
/* ST_STALE: there is nothing (blank). ST_UNSUPPORTED: something else, or a later version. ST_PROTO: a volume of ours, but damaged.
 * ST_NOMEM: its log is longer than the memory is for. Each is logged with what was found. */
status_t volume_mount(struct volume *volume) REQUIRES(THREAD);

/* --- the database --- */

/* ST_RANGE: there is no such page. ST_PROTO: it is not what was written there, said in the log. A page that lies within the
 * database and was never written is zero. */
status_t volume_page_read(struct volume *volume, uint64_t page, void *data) REQUIRES(THREAD);
/* Makes the database longer if need be. ST_FULL: the disk is. */
status_t volume_page_write(struct volume *volume, uint64_t page, const void *data) REQUIRES(THREAD);
/* Makes it shorter. */
status_t volume_truncate(struct volume *volume, uint64_t page_count) REQUIRES(THREAD);
/* (1) Durable when it says ST_OK. */
status_t volume_commit(struct volume *volume) REQUIRES(THREAD);
/* Pages that the database can have, ever, on this disk. */
uint64_t volume_pages_max(const struct volume *volume);

/* --- the data --- */

/* What others wrote to the data blocks, and was taken by the disk, is durable when this says ST_OK. */
status_t volume_data_sync(struct volume *volume) REQUIRES(THREAD);

/* --- the log --- */

uint64_t volume_log_bytes(const struct volume *volume);
/* ST_RANGE: beyond its end. ST_PROTO: not what was there before. */
status_t volume_log_read(struct volume *volume, uint64_t offset, void *data, uint32_t size) REQUIRES(THREAD);
/* The same, before anything is made of it: what is read here is not held to be what was there. */
status_t volume_log_peek(struct volume *volume, uint64_t offset, void *data, uint32_t size) REQUIRES(THREAD);
/* A write of the first byte begins the log anew: what stood behind it need not be kept. ST_FULL: beyond its end. */
status_t volume_log_write(struct volume *volume, uint64_t offset, const void *data, uint32_t size) REQUIRES(THREAD);
status_t volume_log_sync(struct volume *volume) REQUIRES(THREAD);
/* Nothing in the log is valid any more; durable. */
status_t volume_log_clear(struct volume *volume) REQUIRES(THREAD);

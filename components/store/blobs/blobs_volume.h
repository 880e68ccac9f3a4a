/* SPDX-License-Identifier: MIT OR Apache-2.0
 * blobs_volume.h: the engine of the store: one volume on one disk. Everything here is LOOP unless it says BOOT.
 *
 * What a caller hands over (an op, a write, a read, with the memory it points to) is lent until its done(), which comes
 * exactly once and may come before the function returns.
 */
#pragma once
#include "blobs_index.h"
#include "core/list.h"
#include "core/mem.h"
#include "crypto/sha256/sha256.h"
#include "lib/blkdev/blkdev.h"

#define BLOBS_CHUNK_MAX 65536u /* bytes of one write or read */
#define BLOBS_BUFFER_SECTORS (BLOBS_CHUNK_MAX / BLOBS_SECTOR)
_Static_assert(BLOBS_BUFFER_SECTORS > BLOBS_GROUP_SECTORS_MAX + BLOBS_SECTORS_PER_BLOCK,
               "replay sees a group whole, and the begin of the next");

struct blobs_volume;
struct random;

/* One transfer. `done` is called when it ended; queued when the disk's depth is used up. */
struct blobs_io {
    struct blk_request request;
    struct blk_segment segment[2];
    struct blobs_volume *volume;
    void (*done)(struct blobs_io *io, status_t status);
};

/* A change that waits to be durable. */
struct blobs_op {
    struct blobs_record record; /* [I] what to do */
    void (*done)(struct blobs_op *op,
                 status_t status);  /* ST_OK; ST_STALE: no such blob or name; ST_DENIED: still named;
                                                         * ST_FULL: a table is; ST_IO: the disk failed */
    uint8_t previous[BLOBS_DIGEST]; /* result of BIND and UNBIND: what the name meant */
    bool had_previous;
    bool duplicate;   /* result of BLOB: it was there already, the extent is not used */
    struct list node; /* [L] */
};

enum blobs_state {
    BLOBS_MOUNTING, /* nothing is known yet: asking again helps */
    BLOBS_FOREIGN,  /* the disk is not ours, or damaged: only format */
    BLOBS_FORMATTING,
    BLOBS_MOUNTED,
    BLOBS_READ_ONLY, /* a write of the log failed: reads go on */
};

/* Keys: [I] fixed after init  [L] the owning loop only */
struct blobs_volume {
    struct blkdev *disk;                          /* [I] */
    struct random *random;                        /* [I] or NULL */
    struct blobs_index index;                     /* [L] */
    enum blobs_state state;                       /* [L] */
    char why[120];                                /* [L] FOREIGN, READ_ONLY: in words */
    struct blobs_geometry geometry;               /* [L] when mounted */
    struct blobs_superblock superblock;           /* [L] what the disk has */
    void (*changed)(struct blobs_volume *volume); /* [I] after state changed */

    uint8_t *buffer;    /* [I] BLOBS_BUFFER_SECTORS sectors: the group on its way, or what is replayed */
    struct blobs_io io; /* [L] the journal's one transfer */
    void (*next)(struct blobs_volume *volume); /* [L] what follows when it succeeded; NULL: the journal is idle */
    void (*after_superblock)(struct blobs_volume *volume); /* [L] */
    bool planning;                                         /* [L] */
    struct list waiting;                                   /* [L] ops */
    struct list group;                                     /* [L] ops of the group that is being written */
    uint32_t stamp;         /* [L] of the group being planned; blob.touched and name.touched compare with it */
    uint32_t group_blobs;   /* [L] BLOB records planned in it */
    uint32_t group_names;   /* [L] names that it adds */
    uint32_t group_sectors; /* [L] in buffer */
    uint32_t position;      /* [L] sector of the live half where the next group goes */
    uint32_t group_number;  /* [L] */
    uint32_t chain;         /* [L] CRC of the last log sector */
    uint32_t cursor;        /* [L] snapshot: next blob, then next name; replay: sectors in buffer */
    uint32_t half;          /* [L] snapshot: the one being written */
    uint64_t generation;    /* [L] of the half being written or read */

    struct list io_waiting;             /* [L] requests beyond the disk's depth */
    uint32_t io_out;                    /* [L] with the disk, at most its depth */
    bool io_advancing;                  /* [L] io_advance is on the stack */
    uint64_t groups_written, snapshots; /* [L] counters */
};

/* BOOT. The volume is unmounted; blobs_mount() goes on from the loop. ST_UNSUPPORTED: a disk that cannot serve, logged. */
status_t blobs_volume_init(struct blobs_volume *volume, struct blkdev *disk, uint32_t objects, uint32_t names)
    REQUIRES(BOOT);
void blobs_mount(struct blobs_volume *volume) REQUIRES(LOOP);
/* Makes the disk ours and empty. Only when FOREIGN, MOUNTED or READ_ONLY and with no op, upload or source open. */
void blobs_format(struct blobs_volume *volume) REQUIRES(LOOP);

/* Runs a transfer of `bytes` at a block. */
void blobs_io_start(struct blobs_io *io) REQUIRES(LOOP);
static inline void blobs_io_set(struct blobs_io *io, struct blobs_volume *volume, enum blk_op op, uint64_t sector,
                                void (*done)(struct blobs_io *io, status_t status))
{
    io->volume = volume;
    io->done = done;
    io->request = (struct blk_request){.op = op, .sector = sector, .segment = io->segment};
}
static inline void blobs_io_add(struct blobs_io *io, void *data, uint32_t size)
{
    io->segment[io->request.segment_count++] = (struct blk_segment){data, size};
}

/* Lends an op: it is durable, or refused, at done(). */
void blobs_op_submit(struct blobs_volume *volume, struct blobs_op *op) REQUIRES(LOOP);

/* blobs_journal.c and blobs_mount.c between themselves */
void blobs_journal_kick(struct blobs_volume *volume) REQUIRES(LOOP);
void blobs_transfer(struct blobs_volume *volume, enum blk_op op, uint64_t sector, uint32_t bytes,
                    void (*next)(struct blobs_volume *volume)) REQUIRES(LOOP);
void blobs_superblock_write(struct blobs_volume *volume, void (*next)(struct blobs_volume *volume)) REQUIRES(LOOP);
void blobs_state_set(struct blobs_volume *volume, enum blobs_state state) REQUIRES(LOOP);

/* --- a blob on its way in --- */
struct blobs_write {
    uint8_t *bytes; /* 4-aligned, lent until done(), and may be moved a little: blobs_upload.c, aligned() */
    uint32_t size;  /* at most BLOBS_CHUNK_MAX */
    void (*done)(struct blobs_write *write, status_t status);
    struct blobs_upload *upload;
    struct blobs_io io;
    struct list node;
};

/* A block's worth of memory that is either being filled or being written. */
struct blobs_block {
    void *bytes;                 /* [I] BLOBS_BLOCK */
    struct blobs_upload *upload; /* [I] */
    bool busy;                   /* [L] being written */
    struct blobs_io io;
};

struct blobs_upload {
    struct blobs_volume *volume;
    uint64_t size;                                                  /* [I] announced */
    uint64_t received;                                              /* [L] bytes taken in order */
    uint64_t start;                                                 /* [I] extent */
    uint64_t data_blocks;                                           /* [I] */
    uint64_t next_block;                                            /* [L] data blocks whose write has begun */
    struct sha256 hash;                                             /* [L] */
    struct blobs_block carry[2];                                    /* bytes that do not fill a block yet */
    struct blobs_block crcs[2];                                     /* CRCs of the data blocks of one CRC block */
    uint8_t carry_at, crcs_at;                                      /* [L] which one is being filled */
    uint32_t carry_used;                                            /* [L] */
    uint32_t io_out;                                                /* [L] transfers in flight */
    status_t failed;                                                /* [L] the first failure */
    struct list waiting;                                            /* [L] writes that wait for a buffer */
    struct blobs_op op;                                             /* [L] the commit */
    void (*finished)(struct blobs_upload *upload, status_t status); /* [L] set by blobs_upload_finish */
    void (*closed)(struct blobs_upload *upload);                    /* [L] set by blobs_upload_close */
    bool committed;                                                 /* [L] the extent belongs to a blob */
    bool committing;                                                /* [L] the op is lent */
    bool advancing;                                                 /* [L] upload_advance is on the stack */
    bool padded; /* [L] finish has written what was left in carry and crcs */
};
/* The buffers of an upload are there already (BOOT). ST_FULL: no room on the disk. ST_AGAIN, ST_IO: not mounted. */
void blobs_upload_init(struct blobs_upload *upload) REQUIRES(BOOT);
status_t blobs_upload_open(struct blobs_volume *volume, struct blobs_upload *upload, uint64_t size) REQUIRES(LOOP);
/* In order. ST_RANGE at done: more than was announced. */
void blobs_upload_write(struct blobs_upload *upload, struct blobs_write *write) REQUIRES(LOOP);
/* ST_RANGE: bytes are missing. Else the digest stands in op.record.digest. */
void blobs_upload_finish(struct blobs_upload *upload, void (*finished)(struct blobs_upload *upload, status_t status))
    REQUIRES(LOOP);
/* Whatever its state. The memory is the caller's again at closed(). */
void blobs_upload_close(struct blobs_upload *upload, void (*closed)(struct blobs_upload *upload)) REQUIRES(LOOP);

/* --- a blob being read --- */
#define BLOBS_READ_BLOCKS (BLOBS_CHUNK_MAX / BLOBS_BLOCK + 1)
struct blobs_read {
    uint64_t offset;
    uint8_t *bytes;                                                         /* device-reachable; room for `size` */
    uint32_t size;                                                          /* at most BLOBS_CHUNK_MAX */
    void (*done)(struct blobs_read *read, status_t status, uint32_t bytes); /* fewer at the end and at block borders */
    struct blobs_source *source;
    struct blobs_io io;
    uint8_t *bounce; /* [I] a block: for what is not a whole block */
    uint32_t crc[BLOBS_READ_BLOCKS];
    uint32_t whole; /* bytes that go straight to `bytes` */
    uint32_t part;  /* bytes of the block in `bounce` that are wanted, from `skip` on */
    uint32_t skip;
    struct list node;
};

struct blobs_source {
    struct blobs_volume *volume;
    struct blobs_blob *blob; /* [L] pinned */
    uint32_t *crcs;          /* [I] a block */
    uint64_t crc_block;      /* [L] which one stands there; UINT64_MAX: none */
    struct blobs_io crc_io;
    bool loading;                                /* [L] */
    bool advancing;                              /* [L] source_advance is on the stack */
    uint32_t reads_out;                          /* [L] */
    struct list waiting;                         /* [L] reads that wait for another CRC block */
    void (*closed)(struct blobs_source *source); /* [L] */
};
void blobs_source_init(struct blobs_source *source) REQUIRES(BOOT);
void blobs_source_open(struct blobs_volume *volume, struct blobs_source *source, struct blobs_blob *blob)
    REQUIRES(LOOP);
void blobs_read_init(struct blobs_read *read) REQUIRES(BOOT);
/* Bytes that a read of at most `limit` at `offset` will give. */
uint32_t blobs_read_size(const struct blobs_source *source, uint64_t offset, uint32_t limit);
void blobs_source_read(struct blobs_source *source, struct blobs_read *read) REQUIRES(LOOP);
void blobs_source_close(struct blobs_source *source, void (*closed)(struct blobs_source *source)) REQUIRES(LOOP);

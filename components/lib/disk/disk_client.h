/* SPDX-License-Identifier: MIT OR Apache-2.0
 * disk_client.h: a disk_io over a BlockDevice capability, through a thread's own ring.
 *
 *  (1) The thread's ring may serve others too: completions that are not the client's go to `other`.
 *  (2) At most one read, flush or info is out, and at most `writes_max` writes; each has its part of the region and of the
 *      ring's message area.
 */
#pragma once
#include <stdbool.h>
#include "core/region.h"
#include "core/ring.h"
#include "lib/disk/disk.capnp.h"
#include "lib/disk/disk_io.h"

#define DISK_CLIENT_READ_MAX 16u /* blocks at once */
#define DISK_CLIENT_WRITES 16u   /* on their way at once */
#define DISK_CLIENT_SLOTS (DISK_CLIENT_WRITES + 1u)
#define DISK_CLIENT_SLOT_BYTES 256u                                   /* of the message area */
#define DISK_CLIENT_AREA (DISK_CLIENT_SLOTS * DISK_CLIENT_SLOT_BYTES) /* what it takes of the area */
#define DISK_CLIENT_REGION ((DISK_CLIENT_READ_MAX + DISK_CLIENT_WRITES) * DISK_BLOCK_BYTES)
#define DISK_CLIENT_COMPLETIONS DISK_CLIENT_SLOTS /* what it takes of the CQ */
#define DISK_CLIENT_TAG 0x6469736b00000000ull     /* of its entries' user_data */

struct disk_slot { /* the thread's */
    bool out;
    bool again;             /* out, but refused for want of memory: to be submitted once more */
    uint16_t method;        /* of the last call */
    status_t status;        /* of the last call */
    uint64_t block;         /* WRITE: where it goes */
    struct message message; /* the params' */
    struct message_segment segment;
    struct block_device_read_params_builder params;
};

struct disk_client_config {
    struct ring_shared *ring;
    uint32_t area_offset;  /* DISK_CLIENT_AREA bytes of the message area are the client's */
    cap_t disk;            /* a BlockDevice */
    cap_t region;          /* to lend: DISK_CLIENT_REGION bytes at least, with both rights */
    struct region *memory; /* the same region */
    bool reads_only;       /* nothing is written: the disk may be read only */
    void (*other)(void *context,
                  const struct ring_cqe *cqe); /* THREAD; or NULL: every completion must be the client's */
    void *context;
};

struct disk_client { /* the thread's */
    struct disk_io io;
    struct disk_client_config config;
    uint32_t writes_max;
    uint64_t sectors; /* of 512 bytes: the last may be less than a block */
    uint32_t logical_bytes, physical_bytes;
    status_t failed;                          /* of a write, not told yet */
    struct disk_slot slot[DISK_CLIENT_SLOTS]; /* [0] for what waits; the others write */
};

/* Asks the disk what it is. ST_UNSUPPORTED: a block is too small or too large for it, it takes fewer than two calls at once,
 * or it is read only, and something is to be written. Or why the call failed. */
status_t disk_client_open(struct disk_client *client, const struct disk_client_config *config) REQUIRES(THREAD);

/* For who reads what others wrote: sectors of 512 bytes, in multiples of the disk's logical_bytes. No write may be on its way.
 * Answers as disk_read() does. */
status_t disk_client_read(struct disk_client *client, uint64_t sector, uint32_t sectors, void *data) REQUIRES(THREAD);

/* Submits what stands in the ring, and takes all that has completed, the client's and others' (1); waits for one completion if
 * `wait`. Whoever shares the ring takes completions by this alone: some are the client's, of writes that run ahead. */
void disk_client_turn(struct disk_client *client, bool wait) REQUIRES(THREAD);

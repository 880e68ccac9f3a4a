/* SPDX-License-Identifier: MIT OR Apache-2.0
 * disk.h: the medium behind a node's disk: sectors, a write cache that a power cut empties in any legal way, and faults.
 *
 *  (1) What was written and not yet covered by a FLUSH that ended is in the cache: reads see it, a cut may keep or lose it,
 *      each write for itself, whole or by sectors. A FLUSH covers the writes that had ended when it was asked for.
 *  (2) A request ends at a time of the disk's choosing; a write can be read from its beginning on. Of one that fails, or that a
 *      reset meets, any sectors may be there.
 *  (3) Two writes that meet and are under way at once land in either order.
 *  (4) A disk may have fewer bytes behind it than it says (a sparse file, a pool that is shared). When those run out, reads and
 *      writes of what was written before go on; the first write to any other block of FULL_BLOCK fails, until there is room again.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "random.h"
#include "sim_protocol.h"

#define SECTOR 512u
#define FULL_BLOCK 65536u /* as of a qcow2 file, or a thin pool */

struct node;
struct disk;

/* Chances in a million, per request. */
struct disk_faults {
    uint32_t error; /* fails: (2) */
    uint32_t slow;  /* takes up to slow_ns_max */
    uint64_t slow_ns_max;
    uint32_t stall; /* likewise, much longer */
    uint64_t stall_ns_max;
    uint32_t rot;         /* of a read: one bit of the medium is turned for good */
    uint32_t misdirect;   /* of a read: another place's sectors */
    uint32_t stale;       /* of a read: what was there before the last write */
    uint32_t lying_flush; /* says that it flushed, and did not */
    uint32_t tear_grain;  /* bytes that a cut writes whole: 512 or 4096; 0: a write is whole or absent */
    bool full;            /* (4) */
};

struct disk *disk_new(uint64_t sectors, struct random random);
void disk_free(struct disk *disk);
uint64_t disk_sectors(const struct disk *disk);
struct disk_faults *disk_faults(struct disk *disk);
/* A request comes at this time; its end is queued for the node. False: it is none that a disk can have. */
bool disk_command(struct disk *disk, struct node *node, uint64_t time_ns, const struct sim_message *message,
                  const char *body);
/* An answer reaches its node: a FLUSH takes effect. */
void disk_answered(struct disk *disk, const struct sim_message *message);
/* The power went: the cache becomes one of the outcomes that are legal. Gives how many writes were torn. */
uint32_t disk_cut(struct disk *disk);
/* The machine starts anew, the disk has power: the cache has any part of what was under way; a FLUSH from now on covers that. */
void disk_reset(struct disk *disk, uint64_t time_ns);

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * disk.c: sectors in memory, twice: as the host reads them and as they would survive.
 */
#include "disk.h"
#include <stdlib.h>
#include <string.h>
#include "node.h"
#include "run.h"

#define LATENCY_NS 40000u /* of a good disk; not below LOOKAHEAD_NS */
#define JITTER_NS 60000u
#define BLANK_MARK "capos blank disk v1\n" /* as `capos` writes it to a disk that it makes */
_Static_assert(LATENCY_NS >= LOOKAHEAD_NS, "an answer may not come before what the node was let run to");

/* A write that a cut may still lose. They stand in the order in which they land. */
struct write {
    struct write *next;
    uint64_t sector;
    uint64_t end_ns; /* when it ended: a FLUSH from then on covers it */
    uint32_t size;
    char *lands; /* by sector, behind the bytes: 0: that one never does */
    char bytes[];
};

struct disk {
    uint64_t sectors;
    char *now;      /* as it reads */
    char *safe;     /* what no cut takes away */
    bool *has_room; /* by block of FULL_BLOCK: whoever keeps the disk's bytes has a place for these */
    struct write *first, **last;
    struct random random;
    struct disk_faults faults;
};

struct disk *disk_new(uint64_t sectors, struct random random)
{
    struct disk *disk = sim_alloc(sizeof *disk);

    disk->sectors = sectors;
    disk->now = sim_alloc(sectors * SECTOR);
    disk->safe = sim_alloc(sectors * SECTOR);
    disk->has_room = sim_alloc(sectors * SECTOR / FULL_BLOCK + 1);
    disk->has_room[0] = true;
    disk->last = &disk->first;
    disk->random = random;
    memcpy(disk->safe, BLANK_MARK, sizeof BLANK_MARK - 1);
    memcpy(disk->now, BLANK_MARK, sizeof BLANK_MARK - 1);
    return disk;
}

void disk_free(struct disk *disk)
{
    while (disk->first != NULL) {
        struct write *write = disk->first;
        disk->first = write->next;
        free(write);
    }
    free(disk->now);
    free(disk->safe);
    free(disk->has_room);
    free(disk);
}

uint64_t disk_sectors(const struct disk *disk)
{
    return disk->sectors;
}

struct disk_faults *disk_faults(struct disk *disk)
{
    return &disk->faults;
}

static bool inside(const struct disk *disk, uint64_t sector, uint32_t size)
{
    return size % SECTOR == 0 && sector <= disk->sectors && size / SECTOR <= disk->sectors - sector;
}

static void fired(const struct node *node, enum fault fault)
{
    node->run->faults.fired[fault]++;
}

static uint64_t end_time(struct disk *disk, const struct node *node, uint64_t time_ns)
{
    uint64_t end = time_ns + LATENCY_NS + random_below(&disk->random, JITTER_NS);

    if (random_chance(&disk->random, disk->faults.slow)) {
        end += random_below(&disk->random, disk->faults.slow_ns_max);
        fired(node, FAULT_SLOW_DISK);
    }
    if (random_chance(&disk->random, disk->faults.stall)) {
        end += random_below(&disk->random, disk->faults.stall_ns_max);
        fired(node, FAULT_STALL);
    }
    return end;
}

static struct event *answer(const struct sim_message *message, uint64_t time_ns, size_t size)
{
    struct event *event = event_new(time_ns, ACT_NODE, size);

    event->message.kind = SIM_DISK;
    event->message.port = message->port;
    event->message.a = message->a;
    event->message.flags = SIM_DISK_OK;
    return event;
}

/* --- reads ----------------------------------------------------------------------------------------------------------- */

static void read_damage(struct disk *disk, const struct node *node, uint64_t sector, uint32_t size, char *bytes)
{
    if (size > 0 && random_chance(&disk->random, disk->faults.rot)) {
        uint64_t bit = random_below(&disk->random, (uint64_t)size * 8);
        char turned = (char)(1 << bit % 8);
        disk->now[sector * SECTOR + bit / 8] ^= turned;
        disk->safe[sector * SECTOR + bit / 8] = disk->now[sector * SECTOR + bit / 8];
        bytes[bit / 8] ^= turned;
        fired(node, FAULT_ROT);
    }
    if (random_chance(&disk->random, disk->faults.misdirect)) {
        uint64_t other = random_below(&disk->random, disk->sectors - size / SECTOR + 1);
        memcpy(bytes, disk->now + other * SECTOR, size);
        fired(node, FAULT_MISDIRECT);
    }
    if (random_chance(&disk->random, disk->faults.stale)) {
        memcpy(bytes, disk->safe + sector * SECTOR, size);
        fired(node, FAULT_STALE);
    }
}

static bool read_begin(struct disk *disk, struct node *node, uint64_t time_ns, const struct sim_message *message,
                       const char *body)
{
    uint32_t size;

    if (message->size != sizeof size) {
        return false;
    }
    memcpy(&size, body, sizeof size);
    if (!inside(disk, message->b, size) || size > SIM_BODY_MAX) {
        return false;
    }
    bool fails = random_chance(&disk->random, disk->faults.error);
    struct event *event = answer(message, end_time(disk, node, time_ns), fails ? 0 : size);
    if (fails) {
        event->message.flags = SIM_DISK_ERROR;
        fired(node, FAULT_IO_ERROR);
    } else if (size > 0) {
        memcpy(event->body, disk->now + message->b * SECTOR, size);
        read_damage(disk, node, message->b, size, event->body);
    }
    node_tell(node, event);
    return true;
}

/* --- writes ---------------------------------------------------------------------------------------------------------- */

/* What of it stands within [from, to). */
static void land_within(const struct write *write, char *medium, uint64_t from, uint64_t to)
{
    for (uint32_t i = 0; i < write->size / SECTOR; i++) {
        uint64_t sector = write->sector + i;
        if (write->lands[i] != 0 && sector >= from && sector < to) {
            memcpy(medium + sector * SECTOR, write->bytes + i * SECTOR, SECTOR);
        }
    }
}

static void land(const struct write *write, char *medium)
{
    land_within(write, medium, 0, UINT64_MAX);
}

static bool meet(const struct write *a, const struct write *b)
{
    return a->sector < b->sector + b->size / SECTOR && b->sector < a->sector + a->size / SECTOR;
}

/* What is read where it went, and nowhere else: all that is in the cache there, in order. */
static void reread(struct disk *disk, const struct write *where)
{
    memcpy(disk->now + where->sector * SECTOR, disk->safe + where->sector * SECTOR, where->size);
    for (const struct write *write = disk->first; write != NULL; write = write->next) {
        land_within(write, disk->now, where->sector, where->sector + where->size / SECTOR);
    }
}

/* (3) Behind all that it meets and that has ended; before or behind what it meets and is under way with it. */
static struct write **place_for(struct disk *disk, const struct write *write, uint64_t time_ns)
{
    struct write **earliest = &disk->first;
    bool meets = false;

    for (struct write **at = &disk->first; *at != NULL; at = &(*at)->next) {
        if (!meet(*at, write)) {
            continue;
        }
        meets = (*at)->end_ns > time_ns;
        earliest = meets ? earliest : &(*at)->next;
    }
    return meets && random_below(&disk->random, 2) == 0 ? earliest : disk->last;
}

static void write_add(struct disk *disk, struct write *write, uint64_t time_ns)
{
    struct write **place = place_for(disk, write, time_ns);

    write->next = *place;
    *place = write;
    disk->last = write->next == NULL ? &write->next : disk->last;
    reread(disk, write);
}

/* Who keeps the disk's bytes has no place left: what was never written cannot be (disk.h, 4). True: some of it cannot. */
static bool take_room(struct disk *disk, struct write *write)
{
    bool refused = false;

    for (uint32_t i = 0; i < write->size / SECTOR; i++) {
        bool *has_room = &disk->has_room[(write->sector + i) * SECTOR / FULL_BLOCK];
        *has_room |= !disk->faults.full;
        refused |= !*has_room;
        write->lands[i] = *has_room;
    }
    return refused;
}

/* Of one that fails any part may land: nothing, all of it that can, or some sectors. */
static void land_partly(struct disk *disk, struct write *write)
{
    uint64_t how = random_below(&disk->random, 4);

    for (uint32_t i = 0; i < write->size / SECTOR && how != 0; i++) {
        write->lands[i] &= how == 1 || random_below(&disk->random, 2) == 0;
    }
    if (how == 0) {
        memset(write->lands, 0, write->size / SECTOR);
    }
}

static struct write *write_new(const struct sim_message *message, const char *body, uint64_t end_ns)
{
    struct write *write = sim_alloc(sizeof *write + message->size + message->size / SECTOR);

    write->sector = message->b;
    write->size = message->size;
    write->end_ns = end_ns;
    write->lands = write->bytes + message->size;
    memcpy(write->bytes, body, message->size);
    return write;
}

static bool write_begin(struct disk *disk, struct node *node, uint64_t time_ns, const struct sim_message *message,
                        const char *body)
{
    if (!inside(disk, message->b, message->size)) {
        return false;
    }
    struct event *event = answer(message, end_time(disk, node, time_ns), 0);
    struct write *write = write_new(message, body, event->time_ns);
    bool fails = random_chance(&disk->random, disk->faults.error);
    bool full = take_room(disk, write);
    if (fails || full) {
        event->message.flags = SIM_DISK_ERROR;
        fired(node, full ? FAULT_DISK_FULL : FAULT_IO_ERROR);
        land_partly(disk, write);
    }
    write_add(disk, write, time_ns);
    node_tell(node, event);
    return true;
}

/* What had ended by then is safe. */
static void flush(struct disk *disk, uint64_t time_ns)
{
    struct write **at = &disk->first;

    while (*at != NULL) {
        struct write *write = *at;
        if (write->end_ns > time_ns) {
            at = &write->next;
            continue;
        }
        land(write, disk->safe);
        *at = write->next;
        free(write);
    }
    disk->last = at;
}

static void flush_begin(struct disk *disk, struct node *node, uint64_t time_ns, const struct sim_message *message)
{
    struct event *event = answer(message, end_time(disk, node, time_ns), 0);

    if (random_chance(&disk->random, disk->faults.error)) {
        event->message.flags = SIM_DISK_ERROR;
        fired(node, FAULT_IO_ERROR);
    } else if (random_chance(&disk->random, disk->faults.lying_flush)) {
        fired(node, FAULT_LYING_FLUSH);
    } else {
        event->message.b = time_ns; /* disk_answered() makes it so, when it ends */
        event->message.reserved = 1;
    }
    node_tell(node, event);
}

bool disk_command(struct disk *disk, struct node *node, uint64_t time_ns, const struct sim_message *message,
                  const char *body)
{
    switch (message->flags) {
    case SIM_DISK_READ:
        return read_begin(disk, node, time_ns, message, body);
    case SIM_DISK_WRITE:
        return write_begin(disk, node, time_ns, message, body);
    case SIM_DISK_FLUSH:
        flush_begin(disk, node, time_ns, message);
        return true;
    default:
        return false;
    }
}

void disk_answered(struct disk *disk, const struct sim_message *message)
{
    if (message->reserved == 1) {
        flush(disk, message->b);
    }
}

/* --- the cut --------------------------------------------------------------------------------------------------------- */

/* Of a write that was torn each grain is there or not. */
static void tear(struct disk *disk, struct write *write)
{
    uint32_t grain = disk->faults.tear_grain / SECTOR;

    for (uint32_t at = 0; at < write->size / SECTOR; at += grain) {
        uint32_t n = write->size / SECTOR - at < grain ? write->size / SECTOR - at : grain;
        if (random_below(&disk->random, 2) != 0) {
            memset(write->lands + at, 0, n);
        }
    }
}

/* True: it is torn. */
static bool survive(struct disk *disk, struct write *write)
{
    bool torn = disk->faults.tear_grain != 0 && random_below(&disk->random, 4) == 0;

    if (torn) {
        tear(disk, write);
        land(write, disk->safe);
    } else if (random_below(&disk->random, 2) == 0) {
        land(write, disk->safe);
    }
    return torn;
}

uint32_t disk_cut(struct disk *disk)
{
    uint32_t torn = 0;

    while (disk->first != NULL) {
        struct write *write = disk->first;
        torn += survive(disk, write);
        disk->first = write->next;
        reread(disk, write);
        free(write);
    }
    disk->last = &disk->first;
    return torn;
}

/* What was under way has come as far as it has; a later boot reads that, and what it wrote upon that and flushed must not lose its
 * ground. */
void disk_reset(struct disk *disk, uint64_t time_ns)
{
    for (struct write *write = disk->first; write != NULL; write = write->next) {
        if (write->end_ns > time_ns) {
            write->end_ns = time_ns;
            land_partly(disk, write);
            reread(disk, write);
        }
    }
}

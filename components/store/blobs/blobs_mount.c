/* SPDX-License-Identifier: MIT OR Apache-2.0
 * blobs_mount.c: from a disk that nobody knows to a mounted volume, or to a reason why not.
 *
 *                         two copies       both agree                      end of log
 *   FLUSH ---> READ_SUPER ----------> CHECK ----------> REPLAY <--> (read) ----------> MOUNTED
 *     |            |                    | one is bad or older: REPAIR writes both, then REPLAY
 *     |            |                    | blank mark: FORMAT (both superblocks), then MOUNTED
 *     |            |                    | anything else, or damage in the log
 *     +------------+--> FOREIGN <-------+
 *
 *  (1) Replay only reads, so a cut at any time in it changes nothing. REPAIR writes what one copy says already.
 *  (2) The end of the log is the first group that is not whole. A sector of a later group behind it means that the log was
 *      damaged after it was acknowledged; then nothing is guessed and the volume is refused.
 *  (3) A machine that stopped leaves writes in the disk's cache, which a read sees and a power cut may still take. The FLUSH
 *      makes durable all that is read here: it is shown, and counts as there when the same is put again.
 */
#define LOG_TAG "store"
#include "blobs_volume.h"
#include "core/assert.h"
#include "core/fmt.h"
#include "core/log.h"
#include "core/loop.h"
#include "lib/entropy/random.h"
#include <string.h>

status_t blobs_volume_init(struct blobs_volume *v, struct blkdev *disk, uint32_t objects, uint32_t names)
{
    if (disk->logical_bytes != BLOBS_SECTOR || disk->bytes_max < BLOBS_CHUNK_MAX || disk->segments_max < 2) {
        log_err("disk %s: needs 512-byte sectors, 64-KiB requests and two segments a request", disk->name);
        return ST_UNSUPPORTED;
    }
    if (disk->read_only) {
        log_err("disk %s is read-only: attach it writable", disk->name);
        return ST_UNSUPPORTED;
    }
    *v = (struct blobs_volume){.disk = disk, .state = BLOBS_MOUNTING};
    list_init(&v->waiting);
    list_init(&v->group);
    list_init(&v->io_waiting);
    v->buffer = boot_alloc(BLOBS_BUFFER_SECTORS * BLOBS_SECTOR, BLOBS_BLOCK);
    blobs_index_init(&v->index, disk->sectors / BLOBS_SECTORS_PER_BLOCK, objects, names);
    return ST_OK;
}

static uint64_t disk_blocks(const struct blobs_volume *v)
{
    return v->disk->sectors / BLOBS_SECTORS_PER_BLOCK;
}

REQUIRES(LOOP)
static void refuse(struct blobs_volume *v, const char *what)
{
    fmt_text(v->why, sizeof(v->why), "%s", what);
    log_err("disk %s is not mounted: found %s", v->disk->name, v->why);
    log_err("nothing was written to it. To erase it and use it: capos call NODE store.format '(confirm = \"erase "
            "everything\")'");
    blobs_state_set(v, BLOBS_FOREIGN);
}

REQUIRES(LOOP)
static void mounted(struct blobs_volume *v)
{
    log_info("disk %s: %u blobs, %u names, %llu of %llu MiB free", v->disk->name, v->index.blob_count,
             v->index.name_count, (unsigned long long)(v->index.free_blocks / 256),
             (unsigned long long)(v->geometry.blocks / 256));
    blobs_state_set(v, BLOBS_MOUNTED);
    blobs_journal_kick(v);
}

/* --- replay --- */

static const struct blobs_log_sector *loaded(const struct blobs_volume *v, uint32_t i)
{
    return (const struct blobs_log_sector *)(const void *)(v->buffer + i * BLOBS_SECTOR);
}

static bool sector_belongs(const struct blobs_volume *v, uint32_t i)
{
    return blobs_log_sector_check(loaded(v, i), v->superblock.uuid, v->generation, v->position + i);
}

/* Sectors of the group that begins at the buffer's `i`-th sector; 0: it is not whole. */
static uint32_t group_length(const struct blobs_volume *v, uint32_t i)
{
    uint32_t chain = v->chain;
    for (uint32_t n = 0; i + n < v->cursor && n < BLOBS_GROUP_SECTORS_MAX; n++) {
        const struct blobs_log_sector *s = loaded(v, i + n);
        if (!sector_belongs(v, i + n) || s->group != v->group_number || s->previous != chain) {
            return 0;
        }
        if (s->last == 1) {
            return n + 1;
        }
        chain = s->crc;
    }
    return 0;
}

static status_t group_apply(struct blobs_volume *v, uint32_t i, uint32_t sectors)
{
    for (uint32_t n = 0; n < sectors; n++) {
        struct blobs_record record;
        uint32_t offset = 0;
        status_t s = blobs_record_next(loaded(v, i + n), &offset, &v->geometry, &record);
        for (; s == ST_OK; s = blobs_record_next(loaded(v, i + n), &offset, &v->geometry, &record)) {
            status_t applied = blobs_index_apply(&v->index, &record, true);
            if (applied != ST_OK) {
                return applied;
            }
        }
        if (s != ST_RANGE) {
            return s;
        }
        v->chain = loaded(v, i + n)->crc;
    }
    v->group_number++;
    return ST_OK;
}

static bool later_group_follows(const struct blobs_volume *v, uint32_t i)
{
    for (; i < v->cursor; i++) {
        if (sector_belongs(v, i) && loaded(v, i)->group > v->group_number) {
            return true;
        }
    }
    return false;
}

REQUIRES(LOOP)
static void replay_read(struct blobs_volume *v);

REQUIRES(LOOP)
static void replay_succeeded(struct blobs_volume *v)
{
    if (blobs_log_holds(&v->geometry, v->index.blob_count, v->index.name_count)) {
        mounted(v);
    } else {
        refuse(v, "a capOS store whose log is too small for its blobs and names");
    }
}

REQUIRES(LOOP)
static void replay_end(struct blobs_volume *v, uint32_t i)
{
    if (later_group_follows(v, i)) {
        refuse(v, "a capOS store whose log is damaged");
        return;
    }
    v->position += i;
    replay_succeeded(v);
}

/* The buffer holds v->cursor sectors from v->position on, which is where a group begins. */
static void replay_loaded(struct blobs_volume *v)
{
    room_assert_loop();
    uint32_t half_sectors = v->geometry.log_blocks * BLOBS_SECTORS_PER_BLOCK;
    bool at_end = v->position + v->cursor == half_sectors;
    uint32_t i = 0;
    while (i < v->cursor && (at_end || i + BLOBS_GROUP_SECTORS_MAX + BLOBS_SECTORS_PER_BLOCK <= v->cursor)) {
        uint32_t length = group_length(v, i);
        if (length == 0) {
            replay_end(v, i);
            return;
        }
        status_t s = group_apply(v, i, length);
        if (s != ST_OK) {
            refuse(v, s == ST_FULL ? "a capOS store with more blobs or names than objects_max and names_max allow"
                                   : "a capOS store whose log contradicts itself");
            return;
        }
        i = blobs_group_start(&v->geometry, v->position + i + length) - v->position;
    }
    if (i >= v->cursor && at_end) {
        v->position = half_sectors;
        replay_succeeded(v);
        return;
    }
    v->position += i;
    replay_read(v);
}

REQUIRES(LOOP)
static void replay_read(struct blobs_volume *v)
{
    uint32_t left = v->geometry.log_blocks * BLOBS_SECTORS_PER_BLOCK - v->position;
    v->cursor = left < BLOBS_BUFFER_SECTORS ? left : BLOBS_BUFFER_SECTORS;
    uint64_t sector = blobs_log_block(&v->geometry, v->superblock.live_half) * BLOBS_SECTORS_PER_BLOCK + v->position;
    blobs_transfer(v, BLK_READ, sector, v->cursor * BLOBS_SECTOR, replay_loaded);
}

static void replay_begin(struct blobs_volume *v)
{
    room_assert_loop();
    blobs_index_reset(&v->index, &v->geometry);
    v->generation = v->superblock.generation;
    v->position = 0;
    v->group_number = 0;
    v->chain = 0;
    replay_read(v);
}

/* --- format --- */

/* A volume's name need not be secret, only its own: clocks, the disk's serial and random bytes where there are any, hashed. */
static void make_uuid(const struct blobs_volume *v, uint8_t uuid[16], uint64_t *generation)
{
    struct {
        uint64_t clock, wall, sectors, before;
        uint8_t random[32];
        char id[sizeof(v->disk->id)];
    } seed = {.clock = clock_ns(), .wall = clock_wall_ns(), .sectors = v->disk->sectors};
    seed.before = v->superblock.generation ^ v->superblock.sequence;
    memcpy(seed.id, v->disk->id, sizeof(seed.id));
    if (v->random != NULL) {
        status_ignore(random_fill(v->random, seed.random, sizeof(seed.random)),
                      "clocks alone make a name, if a poorer one");
    }
    uint8_t digest[SHA256_BYTES];
    sha256_bytes(&seed, sizeof(seed), digest);
    memcpy(uuid, digest, 16);
    uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40); /* RFC 4122: version 4, variant 1 */
    uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
    memcpy(generation, digest + 16, 4); /* leftovers of an earlier format have another generation, and another UUID */
    *generation = (*generation & 0x7fffffffu) + 1;
}

static uint32_t group_align(const struct blobs_volume *v)
{
    uint32_t sectors = v->disk->physical_bytes / BLOBS_SECTOR;
    return sectors < 1 ? 1 : sectors > BLOBS_SECTORS_PER_BLOCK ? BLOBS_SECTORS_PER_BLOCK : sectors;
}

void blobs_format(struct blobs_volume *v)
{
    ASSERT(v->next == NULL && list_empty(&v->waiting) && list_empty(&v->group));
    uint64_t least;
    status_t s =
        blobs_geometry_plan(disk_blocks(v), group_align(v), v->index.blob_max, v->index.name_max, &v->geometry, &least);
    if (s != ST_OK) {
        char text[sizeof(v->why)];
        fmt_text(text, sizeof(text), "a disk of %llu KiB; these objects_max and names_max need %llu KiB",
                 (unsigned long long)disk_blocks(v) * 4, (unsigned long long)least * 4);
        refuse(v, text);
        return;
    }
    uint64_t generation = 0;
    struct blobs_superblock fresh = {.blocks = disk_blocks(v), .log_blocks = v->geometry.log_blocks};
    fresh.group_align = v->geometry.group_align;
    make_uuid(v, fresh.uuid, &generation);
    fresh.generation = generation;
    fresh.next_generation = generation + 1;
    v->superblock = fresh;
    log_info("disk %s: formatting", v->disk->name);
    blobs_state_set(v, BLOBS_FORMATTING);
    blobs_superblock_write(v, replay_begin);
}

/* --- the superblock --- */

REQUIRES(LOOP)
static void choose(struct blobs_volume *v, const status_t status[2], const struct blobs_superblock copy[2],
                   const struct blobs_geometry geometry[2])
{
    unsigned best = status[0] != ST_OK || (status[1] == ST_OK && copy[1].sequence > copy[0].sequence);
    v->superblock = copy[best];
    v->geometry = geometry[best];
    bool agree = status[0] == ST_OK && status[1] == ST_OK && copy[0].generation == copy[1].generation &&
                 memcmp(copy[0].uuid, copy[1].uuid, sizeof(copy[0].uuid)) == 0;
    if (agree) {
        replay_begin(v);
        return;
    }
    log_warn("disk %s: one copy of the superblock is bad or older; writing it again", v->disk->name);
    blobs_superblock_write(v, replay_begin);
}

static void superblocks_loaded(struct blobs_volume *v)
{
    room_assert_loop();
    struct blobs_superblock copy[BLOBS_SUPERBLOCKS];
    struct blobs_geometry geometry[BLOBS_SUPERBLOCKS];
    status_t status[BLOBS_SUPERBLOCKS];
    for (unsigned i = 0; i < BLOBS_SUPERBLOCKS; i++) {
        status[i] = blobs_superblock_check(v->buffer + i * BLOBS_BLOCK, disk_blocks(v), &copy[i], &geometry[i]);
    }
    if (status[0] == ST_OK || status[1] == ST_OK) {
        choose(v, status, copy, geometry);
    } else if (status[0] == ST_UNSUPPORTED || status[1] == ST_UNSUPPORTED) {
        refuse(v, "a capOS store of another version");
    } else if (status[0] == ST_RANGE || status[1] == ST_RANGE) {
        refuse(v, "a capOS store that is larger than this disk");
    } else if (blobs_is_blank(v->buffer)) {
        blobs_format(v);
    } else if (status[0] == ST_PROTO || status[1] == ST_PROTO) {
        refuse(v, "a capOS store whose superblock is damaged");
    } else {
        refuse(v, blobs_recognise(v->buffer));
    }
}

static void mount_flushed(struct blobs_volume *v)
{
    room_assert_loop();
    blobs_transfer(v, BLK_READ, 0, BLOBS_SUPERBLOCKS * BLOBS_BLOCK, superblocks_loaded);
}

void blobs_mount(struct blobs_volume *v)
{
    if (disk_blocks(v) < BLOBS_SUPERBLOCKS) {
        refuse(v, "a disk of less than 8 KiB");
        return;
    }
    blobs_transfer(v, BLK_FLUSH, 0, 0, mount_flushed);
}

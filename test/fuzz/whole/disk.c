/* SPDX-License-Identifier: MIT OR Apache-2.0
 * disk.c: a disk that answers in the order in which it was asked, the next time that the image waits.
 */
#include "disk.h"
#include <stdlib.h>
#include <string.h>
#include "lib/crc32c/crc32c.h"
#include "store/blobs/blobs_format.h"
#include "world.h"

#define WAITING_MAX 256u
#define SUPERBLOCK_MAGIC "capOSst1"

struct asked {
    struct sim_message message;
    uint8_t *bytes; /* to write */
    uint32_t size;
};

static struct {
    struct asked asked[WAITING_MAX];
    unsigned asked_count;
    struct {
        unsigned count; /* so many answers from here on */
        uint8_t kind, xor;
        uint16_t at;
    } bad;
} self;

struct disk *disk;

static void disk_write(size_t at, const uint8_t *bytes, size_t size)
{
    memcpy(disk->bytes + at, bytes, size);
    for (size_t page = at / DISK_PAGE; page * DISK_PAGE < at + size; page++) {
        disk->written[page] = true;
    }
}

void disk_asked(const struct sim_message *message, const uint8_t *body)
{
    struct asked *asked = &self.asked[self.asked_count++];
    uint64_t sectors = DISK_SECTORS;

    *asked = (struct asked){.message = *message, .size = message->size};
    if (message->flags == SIM_DISK_READ) {
        memcpy(&asked->size, body, sizeof asked->size);
    } else if (message->size > 0) {
        asked->bytes = malloc(message->size);
        memcpy(asked->bytes, body, message->size);
    }
    if (self.asked_count == WAITING_MAX || message->b > sectors || asked->size > (sectors - message->b) * DISK_SECTOR) {
        world_broken("%u bytes of the disk at sector %lu", asked->size, (unsigned long)message->b);
    }
}

static void answer_bad(struct sim_message *reply, uint8_t *bytes)
{
    self.bad.count--;
    world_excuse();
    if (reply->size == 0 || self.bad.kind % 3 == 0) {
        reply->flags = SIM_DISK_ERROR;
        reply->size = 0;
        return;
    }
    bytes[self.bad.at % reply->size] ^= self.bad.xor ;
}

static void answer(struct asked *asked)
{
    static uint8_t bytes[SIM_BODY_MAX];
    size_t at = asked->message.b * DISK_SECTOR;
    struct sim_message reply = {.kind = SIM_DISK, .port = PORT_DISK, .a = asked->message.a, .flags = SIM_DISK_OK};

    if (asked->message.flags == SIM_DISK_READ) {
        reply.size = asked->size;
        memcpy(bytes, disk->bytes + at, asked->size);
    } else if (asked->message.flags == SIM_DISK_WRITE) {
        disk_write(at, asked->bytes, asked->size);
    }
    free(asked->bytes);
    if (self.bad.count > 0) {
        answer_bad(&reply, bytes);
    }
    world_tell(reply, bytes);
}

void disk_answer(void)
{
    for (unsigned i = 0; i < self.asked_count; i++) {
        answer(&self.asked[i]);
    }
    self.asked_count = 0;
}

/* --- the input ------------------------------------------------------------------------------------------------------- */

static bool begins_with(size_t sector, const void *bytes, size_t size)
{
    return memcmp(disk->bytes + sector * DISK_SECTOR, bytes, size) == 0;
}

static bool is_superblock(size_t sector)
{
    return begins_with(sector, SUPERBLOCK_MAGIC, sizeof SUPERBLOCK_MAGIC - 1);
}

static bool is_log(size_t sector)
{
    static const uint32_t magic = BLOBS_LOG_MAGIC;

    return begins_with(sector, &magic, sizeof magic);
}

/* Number `n` of the sectors that bear a sum, counted over and over; DISK_SECTORS: there is none. */
static size_t sealed_find(unsigned n)
{
    size_t found[256];
    unsigned count = 0;

    for (size_t at = 0; at < DISK_SECTORS && count < sizeof found / sizeof found[0]; at++) {
        if (disk->written[at * DISK_SECTOR / DISK_PAGE] && (is_superblock(at) || is_log(at))) {
            found[count++] = at;
        }
    }
    return count > 0 ? found[n % count] : DISK_SECTORS;
}

static struct blobs_log_sector *log_at(size_t sector)
{
    return (struct blobs_log_sector *)(void *)(disk->bytes + sector * DISK_SECTOR);
}

/* The next of the same generation; DISK_SECTORS: there is none. */
static size_t log_next(size_t sector)
{
    for (size_t at = sector + 1; at <= sector + BLOBS_GROUP_SECTORS_MAX && at < DISK_SECTORS; at++) {
        if (is_log(at) && log_at(at)->generation == log_at(sector)->generation) {
            return at;
        }
    }
    return DISK_SECTORS;
}

/* Each names the sum of the one before. */
static void seal_log(size_t sector)
{
    const struct blobs_superblock *superblock = (const void *)disk->bytes;

    while (sector < DISK_SECTORS) {
        blobs_log_sector_seal(log_at(sector), superblock->uuid);
        size_t next = log_next(sector);
        if (next < DISK_SECTORS) {
            log_at(next)->previous = log_at(sector)->crc;
        }
        sector = next;
    }
}

static void seal(size_t sector)
{
    crc32c_init(); /* perhaps the image never ran here */
    if (is_superblock(sector)) {
        blobs_superblock_seal((void *)(disk->bytes + sector * DISK_SECTOR));
    } else if (is_log(sector)) {
        seal_log(sector);
    }
}

void disk_edit(bool sealed)
{
    unsigned where = take16();
    size_t size = take8();
    size_t at = (size_t)where * 64 % DISK_BYTES;

    world_excuse();
    if (sealed) {
        at = sealed_find(where >> 9) * DISK_SECTOR + where % DISK_SECTOR;
        size = size < DISK_SECTOR - where % DISK_SECTOR ? size : DISK_SECTOR - where % DISK_SECTOR;
    }
    const uint8_t *bytes = take_bytes(&size);
    if (at < DISK_BYTES) {
        disk_write(at, bytes, size < DISK_BYTES - at ? size : DISK_BYTES - at);
    }
    if (at < DISK_BYTES && sealed) {
        seal(at / DISK_SECTOR);
    }
}

void disk_spoil(void)
{
    self.bad.count = 1 + take8() % 8;
    self.bad.kind = take8();
    self.bad.at = take16();
    self.bad.xor = take8();
}

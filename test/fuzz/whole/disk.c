/* SPDX-License-Identifier: MIT OR Apache-2.0
 * disk.c: a disk that answers in the order in which it was asked, the next time that the image waits.
 */
#include "disk.h"
#include <stdlib.h>
#include <string.h>
#include "lib/crc32c/crc32c.h"
#include "lib/volume/volume.h"
#include "world.h"

#define WAITING_MAX 256u
#define SUPERBLOCK_MAGIC "s!volume"
#define LOG_HEADER 32u /* SQLite's "WAL format": a header, then frames, each with a page; numbers are big-endian */
#define FRAME_HEADER 24u
#define FRAME (FRAME_HEADER + DISK_PAGE)

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

static void disk_put(size_t at, const uint8_t *bytes, size_t size)
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
        disk_put(at, asked->bytes, asked->size);
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

static bool is_superblock(size_t page)
{
    return memcmp(disk->bytes + page * DISK_PAGE, SUPERBLOCK_MAGIC, sizeof SUPERBLOCK_MAGIC - 1) == 0;
}

/* Where the log is: bytes from here to there; none on a disk without a superblock. */
struct part {
    size_t begin, end;
};
static struct part log_part(void)
{
    const struct volume_super *super = (const void *)disk->bytes;
    bool there =
        is_superblock(0) && super->log_blocks <= DISK_PAGES && super->log_start <= DISK_PAGES - super->log_blocks;

    return there ? (struct part){super->log_start * DISK_PAGE, (super->log_start + super->log_blocks) * DISK_PAGE}
                 : (struct part){0, 0};
}

static bool is_log(size_t page)
{
    struct part log = log_part();

    return page * DISK_PAGE >= log.begin && page * DISK_PAGE < log.end;
}

/* Number `n` of the pages that bear a sum, counted over and over; DISK_PAGES: there is none. */
static size_t sealed_find(unsigned n)
{
    size_t found[256];
    unsigned count = 0;

    for (size_t at = 0; at < DISK_PAGES && count < sizeof found / sizeof found[0]; at++) {
        if (disk->written[at] && (is_superblock(at) || is_log(at))) {
            found[count++] = at;
        }
    }
    return count > 0 ? found[n % count] : DISK_PAGES;
}

static uint32_t big(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void big_put(uint8_t *at, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++) {
        at[i] = (uint8_t)(value >> (24 - 8 * i));
    }
}

/* SQLite's sum goes on from frame to frame. Words are little-endian, as the log's first byte-order mark says on this machine. */
static void log_sum(uint32_t sum[2], const uint8_t *bytes, size_t size)
{
    uint32_t word[2];

    for (size_t at = 0; at < size; at += sizeof word) {
        memcpy(word, bytes + at, sizeof word);
        sum[0] += word[0] + sum[1];
        sum[1] += word[1] + sum[0];
    }
}

/* Frames of this log, not of an earlier one, which has another salt. */
static void seal_log(void)
{
    struct part log = log_part();
    uint8_t *header = disk->bytes + log.begin;
    uint32_t sum[2] = {0, 0};

    log_sum(sum, header, LOG_HEADER - 8);
    big_put(header + 24, sum[0]);
    big_put(header + 28, sum[1]);
    for (size_t at = log.begin + LOG_HEADER; at + FRAME <= log.end && big(disk->bytes + at + 8) == big(header + 16);
         at += FRAME) {
        uint8_t *frame = disk->bytes + at;
        log_sum(sum, frame, 8);
        log_sum(sum, frame + FRAME_HEADER, DISK_PAGE);
        big_put(frame + 16, sum[0]);
        big_put(frame + 20, sum[1]);
    }
}

static void seal(size_t page)
{
    struct volume_super *super = (void *)(disk->bytes + page * DISK_PAGE);

    crc32c_init(); /* perhaps the image never ran here */
    if (is_superblock(page)) {
        super->crc = crc32c_update(0, super, offsetof(struct volume_super, crc));
    } else if (is_log(page)) {
        seal_log();
    }
}

void disk_edit(bool sealed)
{
    unsigned where = take16();
    size_t size = take8();
    size_t at = (size_t)where * 256 % DISK_BYTES;

    world_excuse();
    if (sealed) {
        size_t inside = where % 512 * 8;
        at = sealed_find(where >> 9) * DISK_PAGE + inside;
        size = size < DISK_PAGE - inside ? size : DISK_PAGE - inside;
    }
    const uint8_t *bytes = take_bytes(&size);
    if (at < DISK_BYTES) {
        disk_put(at, bytes, size < DISK_BYTES - at ? size : DISK_BYTES - at);
    }
    if (at < DISK_BYTES && sealed) {
        seal(at / DISK_PAGE);
    }
}

void disk_spoil(void)
{
    self.bad.count = 1 + take8() % 8;
    self.bad.kind = take8();
    self.bad.at = take16();
    self.bad.xor = take8();
}

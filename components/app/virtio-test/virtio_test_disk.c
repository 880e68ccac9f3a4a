/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio_test_disk.c: writes patterns in many segments and many requests at once, flushes, reads back and compares; and
 * what must be refused is.
 *
 *   WRITE (a request per place) -> FLUSH -> READ (the same places, other segments) -> compare -> next round, other pattern
 *
 * Where the disk can, some rounds begin with a DISCARD of the places, some with WRITE_ZEROES, which are read back, and some of
 * the writes are durable by themselves.
 *
 * At last the disk is revoked amid reads of all places. When they have ended nothing may be written to their memory any more.
 */
#define LOG_TAG "virtio-test"
#include "core/log.h"
#include "core/mem.h"
#include "virtio_test.h"
#include <string.h>

#define PLACES 16u
#define PLACE_BYTES (20u * 1024u) /* five segments of 4 KiB, or three uneven ones */
#define SEGMENTS 5u
#define QUIET 0x5a /* what nobody writes */
#define QUIET_NS (100 * NS_PER_MS)

static struct disk_test {
    struct blkdev *disk;
    uint8_t *memory; /* PLACES times PLACE_BYTES */
    struct blk_request request[PLACES];
    struct blk_segment segment[PLACES][SEGMENTS];
    uint64_t sector[PLACES];
    enum blk_op phase;
    bool revoked;
    bool zeroed; /* what is read is zeroes, and the round has not begun to write */
    unsigned round;
    unsigned waiting;
    bool bad;
    struct work revoke;      /* a turn after the last reads began */
    struct timer afterwards; /* armed when they have ended */
} self;

static uint8_t pattern(unsigned place, unsigned i)
{
    return self.zeroed ? 0 : (uint8_t)(i * 31 + i / 509 + place * 7 + self.round * 13);
}

static uint8_t *place_memory(unsigned place)
{
    return self.memory + place * PLACE_BYTES;
}

static void cut(unsigned place, const uint32_t *sizes, uint16_t count)
{
    uint8_t *at = place_memory(place);

    for (uint16_t i = 0; i < count; i++) {
        self.segment[place][i] = (struct blk_segment){.data = at, .size = sizes[i]};
        at += sizes[i];
    }
    self.request[place].segment = self.segment[place];
    self.request[place].segment_count = count;
}

static void on_done(struct blk_request *request, status_t status);

static void send(unsigned place, enum blk_op op) REQUIRES(LOOP)
{
    self.request[place].op = op;
    self.request[place].sector = self.sector[place];
    self.request[place].sector_count = PLACE_BYTES / BLKDEV_SECTOR_BYTES;
    self.request[place].durable = self.disk->has_durable && (place + self.round) % 3 == 0;
    self.request[place].done = on_done;
    status_t s = blkdev_submit(self.disk, &self.request[place]);
    if (s != ST_OK) {
        log_err("disk: submit of op %u: %s", (unsigned)op, status_name(s));
        self.bad = true;
        return;
    }
    self.waiting++;
}

static void phase_begin(enum blk_op phase) REQUIRES(LOOP)
{
    static const uint32_t even[SEGMENTS] = {4096, 4096, 4096, 4096, 4096};
    const uint32_t block = self.disk->logical_bytes;
    const uint32_t uneven[] = {block, PLACE_BYTES - 2 * block, block};

    self.phase = phase;
    if (phase == BLK_FLUSH) {
        send(0, BLK_FLUSH);
        return;
    }
    for (unsigned place = 0; place < PLACES; place++) {
        bool by_even = (place + (phase == BLK_READ)) % 2 == 0;
        cut(place, by_even ? even : uneven, by_even ? SEGMENTS : 3);
        for (unsigned i = 0; i < PLACE_BYTES; i++) {
            place_memory(place)[i] = phase == BLK_WRITE ? pattern(place, i) : 0xee;
        }
        send(place, phase);
    }
}

static bool compare(void)
{
    for (unsigned place = 0; place < PLACES; place++) {
        for (unsigned i = 0; i < PLACE_BYTES; i++) {
            if (place_memory(place)[i] != pattern(place, i)) {
                log_err("disk: round %u place %u byte %u is 0x%x", self.round, place, i,
                        (unsigned)place_memory(place)[i]);
                return false;
            }
        }
    }
    return true;
}

static bool refused(uint64_t sector, uint16_t count, uint32_t size, enum blk_op op, status_t want) REQUIRES(LOOP)
{
    static struct blk_segment segment;
    static struct blk_request request;

    segment = (struct blk_segment){.data = self.memory, .size = size};
    request =
        (struct blk_request){.op = op, .sector = sector, .segment = &segment, .segment_count = count, .done = on_done};
    status_t s = blkdev_submit(self.disk, &request);
    if (s != want) {
        log_err("disk: sector %llu size %u: %s, not %s", (unsigned long long)sector, (unsigned)size, status_name(s),
                status_name(want));
    }
    return s == want;
}

static bool refusals(void) REQUIRES(LOOP)
{
    uint64_t end = self.disk->sectors;
    uint32_t block = self.disk->logical_bytes;

    return refused(end, 1, block, BLK_READ, ST_RANGE) && refused(end - 1, 1, 2 * block, BLK_WRITE, ST_RANGE) &&
           refused(UINT64_MAX, 1, block, BLK_READ, ST_RANGE) && refused(0, 0, block, BLK_READ, ST_BADARG) &&
           refused(0, 1, block - 1, BLK_WRITE, ST_BADARG) && refused(0, 1, 0, BLK_READ, ST_BADARG) &&
           refused(0, (uint16_t)(self.disk->segments_max + 1), block, BLK_READ, ST_BADARG) &&
           refused(0, 0, 0, BLK_DISCARD, self.disk->discard_sectors_max == 0 ? ST_UNSUPPORTED : ST_BADARG) &&
           refused(0, 0, 0, BLK_WRITE_ZEROES, self.disk->zeroes_sectors_max == 0 ? ST_UNSUPPORTED : ST_BADARG);
}

static void round_begin(void) REQUIRES(LOOP)
{
    bool discard = self.disk->discard_sectors_max != 0 && self.round % 4 == 3;

    self.zeroed = self.disk->zeroes_sectors_max != 0 && self.round % 4 == 1;
    phase_begin(discard ? BLK_DISCARD : self.zeroed ? BLK_WRITE_ZEROES : BLK_WRITE);
}

static void revoke_begin(void) REQUIRES(LOOP)
{
    phase_begin(BLK_READ);
    self.revoked = true;
    loop_post(&self.revoke); /* not now: the doorbell rings at the turn's end */
}

static void on_revoke(struct work *work)
{
    (void)work;
    room_assert_loop();
    blkdev_revoke(self.disk);
}

/* All reads have ended, some of them perhaps well. */
static void revoke_end(void) REQUIRES(LOOP)
{
    memset(self.memory, QUIET, (size_t)PLACES * PLACE_BYTES);
    timer_set(&self.afterwards, clock_ns() + QUIET_NS);
}

static void on_afterwards(struct timer *timer)
{
    (void)timer;
    room_assert_loop();
    for (unsigned i = 0; i < PLACES * PLACE_BYTES; i++) {
        self.bad = self.bad || self.memory[i] != QUIET;
    }
    if (self.bad) {
        log_err("disk: written to after it was revoked");
    }
    bool closed = refused(0, 1, self.disk->logical_bytes, BLK_READ, ST_CLOSED);
    virtio_test_done("disk", !self.bad && closed && self.disk->dead);
}

/* The places hold what they should. */
static void round_go_on(void) REQUIRES(LOOP)
{
    if (self.zeroed) {
        self.zeroed = false;
        phase_begin(BLK_WRITE);
    } else if (++self.round == VIRTIO_TEST_ROUNDS) {
        revoke_begin();
    } else {
        round_begin();
    }
}

static void phase_end(void) REQUIRES(LOOP)
{
    switch (self.phase) {
    case BLK_DISCARD:
        phase_begin(BLK_WRITE);
        return;
    case BLK_WRITE:
        phase_begin(BLK_FLUSH);
        return;
    case BLK_WRITE_ZEROES:
    case BLK_FLUSH:
        phase_begin(BLK_READ);
        return;
    case BLK_READ:
        self.bad = self.bad || !compare();
        break;
    }
    if (self.bad) {
        virtio_test_done("disk", false);
    } else {
        round_go_on();
    }
}

static void on_done(struct blk_request *request, status_t status)
{
    room_assert_loop();
    if (self.revoked) {
        self.waiting--;
        if (self.waiting == 0) {
            revoke_end();
        }
        return;
    }
    if (status != ST_OK) {
        log_err("disk: op %u at %llu: %s", (unsigned)request->op, (unsigned long long)request->sector,
                status_name(status));
        self.bad = true;
    }
    if (--self.waiting == 0) {
        phase_end();
    }
}

void virtio_test_disk_init(struct blkdev *disk)
{
    self.disk = disk;
    work_init(&self.revoke, on_revoke);
    timer_init(&self.afterwards, on_afterwards);
    self.memory = boot_alloc((size_t)PLACES * PLACE_BYTES, 4096);
}

void virtio_test_disk_begin(void)
{
    uint64_t stride = (self.disk->sectors / PLACES) & ~(uint64_t)(self.disk->logical_bytes / BLKDEV_SECTOR_BYTES - 1);

    if (stride < PLACE_BYTES / BLKDEV_SECTOR_BYTES || self.disk->segments_max < SEGMENTS || self.disk->depth < PLACES) {
        log_err("disk: %llu sectors, %u segments, depth %u are too few for this test",
                (unsigned long long)self.disk->sectors, (unsigned)self.disk->segments_max, (unsigned)self.disk->depth);
        virtio_test_done("disk", false);
        return;
    }
    for (unsigned place = 0; place < PLACES; place++) {
        self.sector[place] = stride * place; /* the last one ends at the end or before */
    }
    self.bad = !refusals();
    round_begin();
}

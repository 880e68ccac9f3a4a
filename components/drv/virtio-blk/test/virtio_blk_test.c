/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio_blk_test.c: a disk played by the test: what it says of itself, requests, errors, lies, death.
 */
#include "test.h"
#include "config.h"
enum {
    ARENA_BYTES = 2 * VIRTIO_BLK_MEMORY_BYTES,
    POOL_BYTES = 2 * VIRTIO_BLK_DMA_BYTES
}; /* more than its second queue takes */
#undef VIRTIO_BLK_QUEUES
#undef VIRTIO_BLK_MEMORY_BYTES
#undef VIRTIO_BLK_DMA_BYTES
#define VIRTIO_BLK_QUEUES 2
#define VIRTIO_BLK_MEMORY_BYTES ARENA_BYTES
#define VIRTIO_BLK_DMA_BYTES POOL_BYTES
#include "../virtio_blk.c"
#undef LOG_TAG
#include "../virtio_blk_start.c"
#include "lib/virtio/test/fake_device.h"

#define REQUESTS 200u

static struct blk_request requests[REQUESTS];
static struct blk_segment segments[REQUESTS][4];
static status_t answers[REQUESTS];
static unsigned answered[REQUESTS];
static uint8_t data[64 * 1024];

static void on_done(struct blk_request *request, status_t status)
{
    answers[request - requests] = status;
    answered[request - requests]++;
}

static void config_put(size_t offset, uint64_t value, unsigned width)
{
    memcpy(fake.config + offset, &value, width);
}

/* While boot waits for GET_ID, time passes with each look at the clock. */
uint64_t clock_ns(void)
{
    return test_clock_ns += NS_PER_MS;
}

static status_t begin_with(uint64_t offered)
{
    memset(&virtio_blk_self, 0, sizeof virtio_blk_self);
    memset(answered, 0, sizeof answered);
    for (unsigned i = 0; i < REQUESTS; i++) {
        answers[i] = (status_t)1;
    }
    virtio_blk_wire_bus(&fake.bus);
    fake.offered |= offered;
    return virtio_blk_start();
}

/* A disk of 1,000 sectors; its GET_ID is out and stays unanswered. */
static struct blkdev *begin(uint64_t offered)
{
    struct fake_chain chain;

    fake_begin(VIRTIO_BLK, 0);
    config_put(CONFIG_CAPACITY, 1000, 8);
    config_put(CONFIG_SEG_MAX, 20, 4);
    REQUIRE(begin_with(offered | BLK_F_SEG_MAX) == ST_OK);
    REQUIRE(fake_pop(0, &chain) && chain.out == 1 && chain.in == 2);
    test_room = ROOM_LOOP;
    return virtio_blk_provide_disk();
}

static status_t submit(unsigned i, enum blk_op op, uint64_t sector, uint16_t count, uint32_t size)
{
    for (unsigned s = 0; s < 4; s++) {
        segments[i][s] = (struct blk_segment){data + 1024 * s, size};
    }
    requests[i] = (struct blk_request){
        .op = op, .sector = sector, .segment = segments[i], .segment_count = count, .done = on_done};
    return blkdev_submit(&virtio_blk_self.blkdev, &requests[i]);
}

static void answer(const struct fake_chain *chain, uint8_t status, uint32_t written)
{
    *chain->segment[chain->out + chain->in - 1].bytes = status;
    fake_push(0, chain->head, written);
}

static void test_what_it_is(void)
{
    fake_begin(VIRTIO_BLK, 0);
    config_put(CONFIG_CAPACITY, 0x123456789, 8);
    config_put(CONFIG_SEG_MAX, 126, 4);
    config_put(CONFIG_BLK_SIZE, 4096, 4);
    config_put(CONFIG_PHYSICAL_EXPONENT, 2, 1);
    config_put(CONFIG_SIZE_MAX, 70000, 4);
    CHECK(begin_with(BLK_F_SIZE_MAX | BLK_F_SEG_MAX | BLK_F_BLK_SIZE | BLK_F_TOPOLOGY | BLK_F_RO | BLK_F_FLUSH) ==
          ST_OK);
    struct blkdev *disk = virtio_blk_provide_disk();
    CHECK_EQ(disk->sectors, 0x123456789);
    CHECK_EQ(disk->logical_bytes, 4096);
    CHECK_EQ(disk->physical_bytes, 16384);
    CHECK_EQ(disk->segments_max, VIRTIO_BLK_SEGMENTS_MAX);
    CHECK_EQ(disk->bytes_max, 69632); /* whole blocks */
    CHECK(disk->read_only && disk->has_flush);
    CHECK_STR(disk->id, "");

    struct blkdev *plain = begin(0);
    CHECK(!plain->read_only && !plain->has_flush && plain->logical_bytes == 512 && plain->physical_bytes == 512);
    CHECK_EQ(plain->segments_max, 20);
    CHECK_EQ(plain->bytes_max, 1 << 20);
}

static void test_nonsense_is_refused(void)
{
    static const uint32_t sizes[] = {0, 256, 513, 131072};

    for (unsigned i = 0; i < 4; i++) {
        fake_begin(VIRTIO_BLK, 0);
        config_put(CONFIG_BLK_SIZE, sizes[i], 4);
        CHECK(begin_with(BLK_F_BLK_SIZE) == ST_PROTO);
        CHECK_EQ(fake.status, 0); /* reset and left */
    }
    fake_begin(VIRTIO_BLK, 0);
    config_put(CONFIG_CAPACITY, UINT64_MAX / 512 + 1, 8);
    CHECK(begin_with(0) == ST_PROTO);
    fake_begin(VIRTIO_BLK, 0);
    CHECK(begin_with(BLK_F_SEG_MAX) == ST_UNSUPPORTED); /* no segments at all */
    fake_begin(VIRTIO_NET, 0);
    CHECK(begin_with(0) == ST_UNSUPPORTED);
    CHECK(strstr(test_log_last, "no virtio disk") != NULL);
}

static void test_requests_look_as_they_should(void)
{
    struct fake_chain chain;

    begin(BLK_F_FLUSH);
    CHECK(submit(0, BLK_WRITE, 7, 3, 1024) == ST_OK);
    CHECK(submit(1, BLK_READ, 9, 2, 512) == ST_OK);
    CHECK(submit(2, BLK_FLUSH, 5, 4, 512) == ST_OK);
    CHECK_EQ(fake.notified[0], 1); /* of GET_ID; the doorbell of these rings at the end of the turn */
    fake_turn();
    CHECK_EQ(fake.notified[0], 2);
    REQUIRE(fake_pop(0, &chain));
    CHECK(chain.out == 4 && chain.in == 1 && chain.segment[0].size == 16 && chain.segment[4].size == 1);
    CHECK(chain.segment[2].bytes == data + 1024 && chain.segment[2].size == 1024);
    CHECK_BYTES(chain.segment[0].bytes, "\1\0\0\0\0\0\0\0\7\0\0\0\0\0\0\0", 16);
    REQUIRE(fake_pop(0, &chain));
    CHECK(chain.out == 1 && chain.in == 3 && chain.segment[2].bytes == data + 1024 && chain.segment[2].size == 512);
    CHECK_BYTES(chain.segment[0].bytes, "\0\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\0", 16);
    REQUIRE(fake_pop(0, &chain));
    CHECK(chain.out == 1 && chain.in == 1);
    CHECK_BYTES(chain.segment[0].bytes, "\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
}

static void test_answers(void)
{
    struct fake_chain chain[4];

    begin(BLK_F_FLUSH);
    CHECK(submit(0, BLK_READ, 0, 2, 512) == ST_OK);
    CHECK(submit(1, BLK_WRITE, 0, 1, 512) == ST_OK);
    CHECK(submit(2, BLK_FLUSH, 0, 0, 0) == ST_OK);
    CHECK(submit(3, BLK_READ, 0, 1, 512) == ST_OK);
    for (unsigned i = 0; i < 4; i++) {
        REQUIRE(fake_pop(0, &chain[i]));
    }
    answer(&chain[2], STATUS_UNSUPP, 1);
    answer(&chain[0], STATUS_OK, 1025);
    answer(&chain[3], STATUS_IOERR, 1);
    answer(&chain[1], STATUS_OK, 1);
    fake_interrupt(0);
    CHECK(answers[0] == ST_OK && answers[1] == ST_OK && answers[2] == ST_UNSUPPORTED && answers[3] == ST_IO);
    CHECK_EQ(virtio_blk_self.blkdev.count.errors, 2);
    CHECK_EQ(virtio_blk_self.blkdev.count.read_bytes, 1024);
    CHECK_EQ(virtio_blk_self.blkdev.count.write_bytes, 512);
    CHECK_EQ(virtio_blk_self.taken, 0);
}

/* More than slots and descriptors hold: `depth` are taken, in order, and every one is answered. */
static void test_depth_and_order(void)
{
    struct blkdev *disk = begin(0);
    struct fake_chain chain;
    unsigned done = 0;

    virtio_blk_self.blkdev.segments_max = 4;
    CHECK_EQ(disk->depth, VIRTIO_BLK_DEPTH);
    for (unsigned i = 0; i < disk->depth; i++) {
        CHECK(submit(i, BLK_READ, i, 4, 512) == ST_OK);
    }
    CHECK(submit(REQUESTS - 1, BLK_READ, 0, 4, 512) == ST_FULL);
    CHECK(!list_empty(&virtio_blk_self.waiting)); /* 32 of 6 descriptors do not fit into 128 */
    while (fake_pop(0, &chain)) {
        uint64_t sector;
        memcpy(&sector, chain.segment[0].bytes + 8, 8);
        CHECK_EQ(sector, done);
        answer(&chain, STATUS_OK, 4 * 512 + 1);
        done++;
        fake_interrupt(0);
    }
    CHECK_EQ(done, disk->depth);
    for (unsigned i = 0; i < disk->depth; i++) {
        CHECK(answered[i] == 1 && answers[i] == ST_OK);
    }
}

static void test_refused_without_the_device(void)
{
    begin(BLK_F_RO);
    CHECK(submit(0, BLK_WRITE, 0, 1, 512) == ST_DENIED);
    CHECK(submit(0, BLK_READ, 1000, 1, 512) == ST_RANGE);
    CHECK(submit(0, BLK_READ, 999, 2, 512) == ST_RANGE);
    CHECK(submit(0, BLK_READ, UINT64_MAX, 1, 512) == ST_RANGE);
    CHECK(submit(0, BLK_READ, 999, 1, 512) == ST_OK);
    CHECK(submit(1, BLK_READ, 0, 1, 100) == ST_BADARG);
    CHECK(submit(1, BLK_READ, 0, 0, 512) == ST_BADARG);
    CHECK(submit(1, BLK_READ, 0, 21, 512) == ST_BADARG);
    CHECK(submit(1, BLK_READ, 0, 1, 2u << 20) == ST_BADARG);
    CHECK(submit(1, BLK_DISCARD, 0, 0, 0) == ST_DENIED && submit(1, BLK_WRITE_ZEROES, 0, 0, 0) == ST_DENIED);
    virtio_blk_self.blkdev.read_only = false;
    CHECK(submit(1, BLK_DISCARD, 0, 0, 0) == ST_UNSUPPORTED && submit(1, BLK_WRITE_ZEROES, 0, 0, 0) == ST_UNSUPPORTED);
    segments[1][0] = (struct blk_segment){data + 2, 512};
    requests[1].op = BLK_READ;
    requests[1].segment_count = 1;
    CHECK(blkdev_submit(&virtio_blk_self.blkdev, &requests[1]) == ST_BADARG); /* not 4-aligned */
    CHECK(virtio_blk_self.blkdev.has_durable);                                /* no cache: every write is */
    requests[1].op = BLK_WRITE;
    requests[1].durable = true;
    segments[1][0].data = data;
    virtio_blk_self.blkdev.has_durable = false;
    CHECK(blkdev_submit(&virtio_blk_self.blkdev, &requests[1]) == ST_UNSUPPORTED);
}

/* After this lie every request is answered once with ST_IO, after the device confirmed the reset, and none is taken. */
static void expect_death(unsigned count)
{
    CHECK_EQ(fake.device.state, VIRTIO_STOPPING);
    CHECK(submit(REQUESTS - 1, BLK_READ, 0, 1, 512) == ST_CLOSED);
    CHECK_EQ(fake.status, 0);
    fake_turn();
    CHECK_EQ(fake.device.state, VIRTIO_STOPPED);
    for (unsigned i = 0; i < count; i++) {
        CHECK(answered[i] == 1 && answers[i] == ST_IO);
    }
    CHECK(virtio_blk_self.taken == 0 && virtio_blk_self.blkdev.count.broken_rules == 1);
    CHECK(submit(REQUESTS - 1, BLK_READ, 0, 1, 512) == ST_CLOSED);
}

static void three_out(struct fake_chain *chain)
{
    begin(0);
    for (unsigned i = 0; i < 3; i++) {
        CHECK(submit(i, BLK_READ, i, 1, 512) == ST_OK);
        REQUIRE(fake_pop(0, &chain[i]));
    }
}

static void test_lies(void)
{
    struct fake_chain chain[3];

    three_out(chain);
    fake_push(0, chain[1].head, 513); /* a status that was never written */
    fake_interrupt(0);
    expect_death(3);

    three_out(chain);
    answer(&chain[1], STATUS_OK, 511); /* a read that is one byte short */
    fake_interrupt(0);
    expect_death(3);

    three_out(chain);
    answer(&chain[1], 3, 513); /* no such status */
    fake_interrupt(0);
    expect_death(3);

    three_out(chain);
    fake_push(0, 77, 1); /* a chain that it does not have */
    fake_interrupt(0);
    expect_death(3);

    three_out(chain);
    answer(&chain[1], STATUS_OK, 514); /* past what it was lent */
    fake_interrupt(0);
    expect_death(3);
}

/* Requests in the driver's own queue die with the device too; a reset that is not confirmed gives nothing back. */
static void test_death_with_waiting(void)
{
    begin(0);
    virtio_blk_self.blkdev.segments_max = 4;
    for (unsigned i = 0; i < VIRTIO_BLK_DEPTH; i++) {
        CHECK(submit(i, BLK_WRITE, i, 4, 512) == ST_OK);
    }
    fake.never_resets = true;
    fake_push(0, 500, 0);
    fake_interrupt(0);
    fake_turn();
    CHECK_EQ(answered[0], 0);
    fake.status = 0;
    test_clock_ns += NS_PER_S;
    fake_turn();
    for (unsigned i = 0; i < VIRTIO_BLK_DEPTH; i++) {
        CHECK(answered[i] == 1 && answers[i] == ST_IO);
    }
}

/* A device that asks to be reset itself: the driver hears of it only when it has stopped. */
static void test_device_gives_up(void)
{
    begin(0);
    CHECK(submit(0, BLK_WRITE, 0, 1, 512) == ST_OK);
    fake.status |= VIRTIO_STATUS_NEEDS_RESET;
    virtio_interrupt(&fake.device, 0, true);
    fake_turn();
    CHECK(answered[0] == 1 && answers[0] == ST_IO);
    CHECK(submit(1, BLK_WRITE, 0, 1, 512) == ST_CLOSED);
}

/* A disk without a cache never sees a FLUSH, and it succeeds; not from inside the submission. */
static void test_flush_without_cache(void)
{
    struct fake_chain chain;

    begin(0);
    CHECK(submit(0, BLK_FLUSH, 0, 0, 0) == ST_OK);
    CHECK(!fake_pop(0, &chain) && answered[0] == 0);
    fake_turn();
    CHECK(answered[0] == 1 && answers[0] == ST_OK && virtio_blk_self.taken == 0);
    CHECK(submit(1, BLK_FLUSH, 0, 0, 0) == ST_OK); /* and one that the device's death overtakes */
    fake_push(0, 99, 0);
    fake_interrupt(0);
    fake_turn();
    CHECK(answered[1] == 1 && virtio_blk_self.taken == 0);
}

/* GET_ID that is answered at last takes nobody's request with it. */
static void test_late_id(void)
{
    struct fake_chain chain;

    begin(0);
    fake.seen[0] = 0;
    REQUIRE(fake_pop(0, &chain));
    CHECK_EQ(chain.segment[1].size, 20);
    CHECK(submit(0, BLK_READ, 0, 1, 512) == ST_OK);
    answer(&chain, STATUS_OK, 21);
    fake_interrupt(0);
    CHECK(answered[0] == 0 && fake.device.state == VIRTIO_RUNNING);
    REQUIRE(fake_pop(0, &chain));
    answer(&chain, STATUS_OK, 513);
    fake_interrupt(0);
    CHECK(answered[0] == 1 && answers[0] == ST_OK);
}

static void after_s(unsigned seconds)
{
    test_clock_ns += seconds * NS_PER_S;
    fake_turn();
}

/* A request that is not answered in time takes the disk with it: not before the deadline, and not later than twice that.
 * Others that are answered do not hide it. */
static void test_overdue(void)
{
    struct fake_chain chain, next;

    begin(0);
    CHECK(submit(0, BLK_READ, 0, 1, 512) == ST_OK);
    REQUIRE(fake_pop(0, &chain));
    after_s(VIRTIO_BLK_DEADLINE_S - 1);
    CHECK(submit(1, BLK_WRITE, 0, 1, 512) == ST_OK);
    REQUIRE(fake_pop(0, &next));
    after_s(2);
    CHECK(virtio_blk_self.blkdev.count.overdue == 0 && fake.device.state == VIRTIO_RUNNING);
    answer(&next, STATUS_OK, 1);
    fake_interrupt(0);
    CHECK(submit(2, BLK_WRITE, 0, 1, 512) == ST_OK);
    CHECK(virtio_blk_self.health.why == NULL);
    after_s(VIRTIO_BLK_DEADLINE_S);
    CHECK_EQ(virtio_blk_self.blkdev.count.overdue, 1);
    CHECK(fake.device.state == VIRTIO_STOPPING && virtio_blk_self.health.why != NULL);
    CHECK(submit(3, BLK_READ, 0, 1, 512) == ST_CLOSED);
    fake_turn();
    CHECK(answered[0] == 1 && answers[0] == ST_IO && answered[2] == 1 && answers[2] == ST_IO);
    CHECK(answered[1] == 1 && answers[1] == ST_OK && virtio_blk_self.taken == 0);
    CHECK(virtio_blk_self.blkdev.count.broken_rules == 0);
    after_s(10 * VIRTIO_BLK_DEADLINE_S);
    CHECK_EQ(fake.device.state, VIRTIO_STOPPED); /* (5): for good */
}

/* A disk that is answered is watched no longer than one deadline more, and one that is busy for ever is not overdue. */
static void test_not_overdue(void)
{
    struct fake_chain chain;

    begin(0);
    for (unsigned i = 0; i < 20; i++) {
        CHECK(submit(i, BLK_READ, 0, 1, 512) == ST_OK);
        after_s(VIRTIO_BLK_DEADLINE_S / 2 + 1);
        REQUIRE(fake_pop(0, &chain));
        answer(&chain, STATUS_OK, 513);
        fake_interrupt(0);
    }
    CHECK(timer_armed(&virtio_blk_self.watch) && fake.device.state == VIRTIO_RUNNING);
    after_s(VIRTIO_BLK_DEADLINE_S);
    CHECK(!timer_armed(&virtio_blk_self.watch) && virtio_blk_self.health.why == NULL);
}

/* It is not there any more: its registers read all ones, and nobody confirms the reset. */
static void test_gone(void)
{
    struct fake_chain chain;

    begin(0);
    CHECK(submit(0, BLK_READ, 0, 1, 512) == ST_OK);
    REQUIRE(fake_pop(0, &chain));
    fake.gone = true;
    after_s(VIRTIO_BLK_DEADLINE_S);
    after_s(VIRTIO_BLK_DEADLINE_S);
    fake_turn();
    CHECK(answered[0] == 1 && answers[0] == ST_IO);
}

/* --- ranges, tables, queues ------------------------------------------------------------------------------------------ */

static status_t clear(unsigned i, enum blk_op op, uint64_t sector, uint64_t count)
{
    requests[i] = (struct blk_request){.op = op, .sector = sector, .sector_count = count, .done = on_done};
    return blkdev_submit(&virtio_blk_self.blkdev, &requests[i]);
}

/* A disk of 1,000 sectors in blocks of 1 KiB that discards 100 sectors at most and zeroes 64; GET_ID is out. */
static struct blkdev *begin_ranges(uint64_t offered, uint8_t may_unmap)
{
    struct fake_chain chain;

    fake_begin(VIRTIO_BLK, 0);
    config_put(CONFIG_CAPACITY, 1000, 8);
    config_put(CONFIG_SEG_MAX, 30, 4);
    config_put(CONFIG_BLK_SIZE, 1024, 4);
    config_put(CONFIG_QUEUES, 3, 2);
    config_put(CONFIG_DISCARD_SECTORS_MAX, 101, 4);
    config_put(CONFIG_DISCARD_ALIGNMENT, 16, 4);
    config_put(CONFIG_ZEROES_SECTORS_MAX, 64, 4);
    config_put(CONFIG_ZEROES_MAY_UNMAP, may_unmap, 1);
    REQUIRE(begin_with(offered | BLK_F_SEG_MAX | BLK_F_BLK_SIZE) == ST_OK);
    REQUIRE(fake_pop(0, &chain));
    test_room = ROOM_LOOP;
    return virtio_blk_provide_disk();
}

static void test_ranges(void)
{
    struct fake_chain chain;
    struct blkdev *disk = begin_ranges(BLK_F_DISCARD | BLK_F_WRITE_ZEROES | BLK_F_FLUSH, 1);

    CHECK(disk->discard_sectors_max == 100 && disk->discard_sectors == 16 && disk->zeroes_sectors_max == 64);
    CHECK(clear(0, BLK_DISCARD, 0, 0) == ST_BADARG && clear(0, BLK_DISCARD, 0, 102) == ST_BADARG);
    CHECK(clear(0, BLK_DISCARD, 1, 2) == ST_BADARG && clear(0, BLK_DISCARD, 2, 1) == ST_BADARG); /* blocks of two */
    CHECK(clear(0, BLK_DISCARD, 902, 100) == ST_RANGE && clear(0, BLK_WRITE_ZEROES, UINT64_MAX - 1, 2) == ST_RANGE);
    CHECK(clear(0, BLK_WRITE_ZEROES, 0, 66) == ST_BADARG);
    CHECK(clear(0, BLK_DISCARD, 900, 100) == ST_OK && clear(1, BLK_WRITE_ZEROES, 6, 64) == ST_OK);
    REQUIRE(fake_pop(0, &chain));
    CHECK(chain.out == 2 && chain.in == 1 && chain.segment[0].size == 16 && chain.segment[1].size == 16);
    CHECK_BYTES(chain.segment[0].bytes, "\x0b\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    CHECK_BYTES(chain.segment[1].bytes, "\x84\3\0\0\0\0\0\0\x64\0\0\0\0\0\0\0", 16);
    answer(&chain, STATUS_OK, 1);
    REQUIRE(fake_pop(0, &chain));
    CHECK_BYTES(chain.segment[0].bytes, "\x0d\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    CHECK_BYTES(chain.segment[1].bytes, "\6\0\0\0\0\0\0\0\x40\0\0\0\1\0\0\0", 16); /* it may unmap */
    answer(&chain, STATUS_UNSUPP, 1);
    fake_interrupt(0);
    CHECK(answers[0] == ST_OK && answers[1] == ST_UNSUPPORTED && virtio_blk_self.taken == 0);
    CHECK(disk->count.discards == 1 && disk->count.zeroes == 0 && disk->count.errors == 1);

    begin_ranges(BLK_F_WRITE_ZEROES, 0);
    CHECK(clear(0, BLK_WRITE_ZEROES, 0, 2) == ST_OK);
    REQUIRE(fake_pop(0, &chain));
    CHECK_BYTES(chain.segment[1].bytes + 8, "\2\0\0\0\0\0\0\0", 8); /* it may not */
    CHECK(clear(1, BLK_DISCARD, 0, 2) == ST_UNSUPPORTED);
}

/* With tables a long chain takes one descriptor: all that are taken are with the device. */
static void test_tables(void)
{
    struct fake_chain chain;
    struct blkdev *disk = begin_ranges(VIRTIO_F_INDIRECT_DESC, 0);

    CHECK(submit(0, BLK_WRITE, 0, 1, 1024) == ST_OK);
    REQUIRE(fake_pop(0, &chain));
    CHECK(!chain.indirect && chain.out == 2 && chain.in == 1);
    answer(&chain, STATUS_OK, 1);
    fake_interrupt(0);
    for (unsigned i = 1; i <= disk->depth; i++) {
        CHECK(submit(i, i % 2 == 0 ? BLK_READ : BLK_WRITE, 2 * i, 4, 1024) == ST_OK);
    }
    CHECK(list_empty(&virtio_blk_self.waiting));
    for (unsigned i = 1; i <= disk->depth; i++) {
        REQUIRE(fake_pop(0, &chain));
        CHECK(chain.indirect && chain.out == (i % 2 == 0 ? 1 : 5) && chain.in == (i % 2 == 0 ? 5 : 1));
        CHECK(chain.segment[2].bytes == data + 1024 * (i % 2 == 0 ? 1 : 1) && chain.segment[0].bytes[8] == 2 * i);
        answer(&chain, STATUS_OK, i % 2 == 0 ? 4097 : 1);
    }
    fake_interrupt(0);
    for (unsigned i = 0; i <= disk->depth; i++) {
        CHECK(answered[i] == 1 && answers[i] == ST_OK);
    }
    CHECK(submit(1, BLK_READ, 0, 4, 1024) == ST_OK);
    REQUIRE(fake_pop(0, &chain));
    answer(&chain, STATUS_OK, 4098); /* past what its table lends */
    fake_interrupt(0);
    CHECK_EQ(fake.device.state, VIRTIO_STOPPING);
}

/* A request comes round to every queue, so the smallest says what it may be. */
static void test_queues_of_several_sizes(void)
{
    for (unsigned size = 2; size <= 8; size *= 2) {
        fake_begin(VIRTIO_BLK, 0);
        fake.queue_size_others = (uint16_t)size;
        config_put(CONFIG_CAPACITY, 1000, 8);
        config_put(CONFIG_SEG_MAX, 30, 4);
        config_put(CONFIG_QUEUES, 2, 2);
        CHECK_EQ(begin_with(BLK_F_MQ | BLK_F_SEG_MAX | VIRTIO_F_INDIRECT_DESC), size == 2 ? ST_UNSUPPORTED : ST_OK);
        CHECK(size == 2 || virtio_blk_self.blkdev.segments_max == size - 2);
        test_room = ROOM_BOOT;
    }
}

/* Quiesce, then scrub: until the device confirmed its reset nothing ends and nothing is touched; then nothing is left. */
static void test_revoked(void)
{
    const struct virtq *q = &virtio_blk_self.queue[0];
    struct blk_slot *slot;

    begin_ranges(VIRTIO_F_INDIRECT_DESC | BLK_F_FLUSH, 0);
    slot = virtio_blk_self.slot;
    CHECK(submit(0, BLK_WRITE, 2, 4, 1024) == ST_OK);
    fake.never_resets = true;
    blkdev_revoke(&virtio_blk_self.blkdev);
    fake_turn();
    CHECK(answered[0] == 0 && submit(1, BLK_READ, 0, 1, 1024) == ST_CLOSED);
    CHECK(fake_grant.state == DEVICE_REVOKING && fake_silenced == 0);
    CHECK(!test_all_zero(slot->wrap, sizeof *slot->wrap) && !test_all_zero(slot->table.desc, 16));
    fake.status = 0;
    after_s(1);
    CHECK(answered[0] == 1 && answers[0] == ST_IO && virtio_blk_self.taken == 0);
    CHECK(test_all_zero(slot->wrap, (VIRTIO_BLK_DEPTH + 1) * sizeof *slot->wrap));
    CHECK(test_all_zero(slot->table.desc, (VIRTIO_BLK_DEPTH + 1) * TABLE_SIZE * 16));
    CHECK(test_all_zero(q->memory.cpu, virtq_bytes(q->size)) && fake_scrubbed(&fake_grant) && fake_silenced > 0);
    blkdev_revoke(&virtio_blk_self.blkdev); /* harmless */
    CHECK(virtio_blk_self.blkdev.count.broken_rules == 0);
}

int main(void)
{
    RUN(test_revoked);
    RUN(test_ranges);
    RUN(test_tables);
    RUN(test_queues_of_several_sizes);
    RUN(test_what_it_is);
    RUN(test_nonsense_is_refused);
    RUN(test_requests_look_as_they_should);
    RUN(test_answers);
    RUN(test_depth_and_order);
    RUN(test_refused_without_the_device);
    RUN(test_lies);
    RUN(test_death_with_waiting);
    RUN(test_device_gives_up);
    RUN(test_flush_without_cache);
    RUN(test_late_id);
    RUN(test_overdue);
    RUN(test_not_overdue);
    RUN(test_gone);
    return test_end();
}

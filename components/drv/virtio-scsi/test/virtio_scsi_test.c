/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio_scsi_test.c: an adapter and a disk played by the test: what they say of themselves, requests, sense, lateness, resets,
 * events, lies.
 */
#include "test.h"
#include "../virtio_scsi_command.c"
#include "../virtio_scsi.c"
#undef LOG_TAG
#include "../virtio_scsi_control.c"
#undef LOG_TAG
#include "../virtio_scsi_start.c"
#include "lib/virtio/test/fake_device.h"

#define REQUESTS 200u
#define DEADLINE_S VIRTIO_SCSI_DEADLINE_S

static struct blk_request requests[REQUESTS];
static struct blk_segment segments[REQUESTS][4];
static status_t answers[REQUESTS];
static unsigned answered[REQUESTS];
static uint8_t data[64 * 1024];

/* What the disk says while BOOT waits. */
static struct {
    unsigned target;     /* where it is */
    unsigned attentions; /* so many commands fail with UNIT ATTENTION, after INQUIRY */
    unsigned not_ready;  /* so many TEST UNIT READY fail */
    uint8_t silent;      /* an operation that is never answered, or 0xff */
    bool no_capacity_16, no_mode_sense, no_pages;
    uint64_t last;
    uint32_t block;
    uint8_t mode, caching;
    uint32_t unmap_max;
    uint8_t provisioning;
    unsigned asked[256];
} disk;

static void on_done(struct blk_request *request, status_t status)
{
    answers[request - requests] = status;
    answered[request - requests]++;
}

static void put(uint8_t *bytes, unsigned size, uint64_t value)
{
    virtio_scsi_put(bytes, size, value);
}

/* Ends a command: sense 0 is GOOD. `in` bytes of data were written. */
static void end(const struct fake_chain *chain, uint8_t key, uint8_t asc, uint32_t in)
{
    unsigned at = chain->out;
    struct scsi_response response = {.status = key != 0 ? STATUS_CHECK_CONDITION : STATUS_GOOD};
    uint32_t room = 0;

    for (unsigned i = at + 1; i < chain->out + chain->in; i++) {
        room += chain->segment[i].size;
    }
    if (key != 0) {
        response.sense_size = 18;
        response.sense[0] = 0x70;
        response.sense[2] = key;
        response.sense[12] = asc;
    }
    response.residual = key == 0 ? room - in : 0;
    memcpy(chain->segment[at].bytes, &response, sizeof response);
    fake_push(QUEUE_REQUEST, chain->head, (uint32_t)sizeof response + in);
}

static void respond(const struct fake_chain *chain, uint8_t code)
{
    struct scsi_response response = {.response = code};

    memcpy(chain->segment[chain->out].bytes, &response, sizeof response);
    fake_push(QUEUE_REQUEST, chain->head, sizeof response);
}

static uint32_t boot_page(uint8_t page, uint8_t *at)
{
    at[1] = page;
    switch (page) {
    case 0:
        return 36;
    case 0x80:
        at[3] = 8;
        memcpy(at + 4, "  ser 7\1", 8);
        return 12;
    case 0xb0:
        put(at + 8, 4, 100);
        put(at + 20, 4, disk.unmap_max);
        put(at + 24, 4, 1);
        put(at + 28, 4, 16);
        put(at + 36, 8, 1ull << 40);
        return 64;
    default:
        at[5] = disk.provisioning;
        return 8;
    }
}

static void boot_answer(const struct fake_chain *chain)
{
    const uint8_t *lun = chain->segment[0].bytes;
    const uint8_t *cdb = lun + 19;
    uint8_t *at = chain->in > 1 ? chain->segment[chain->out + 1].bytes : NULL;

    disk.asked[cdb[0]]++;
    if (cdb[0] == disk.silent) {
        return;
    }
    if (lun[1] != disk.target) {
        respond(chain, RESPONSE_BAD_TARGET);
    } else if (cdb[0] == INQUIRY && disk.no_pages && cdb[2] != 0) {
        end(chain, SENSE_ILLEGAL_REQUEST, ASC_INVALID_FIELD, 0);
    } else if (cdb[0] == INQUIRY) {
        end(chain, 0, 0, boot_page(cdb[2], at));
    } else if (disk.attentions > 0) {
        disk.attentions--;
        end(chain, SENSE_UNIT_ATTENTION, ASC_RESET, 0);
    } else if (cdb[0] == TEST_UNIT_READY && disk.not_ready > 0) {
        disk.not_ready--;
        end(chain, SENSE_NOT_READY, 4, 0);
    } else if (cdb[0] == SERVICE_IN_16 && !disk.no_capacity_16) {
        put(at, 8, disk.last);
        put(at + 8, 4, disk.block);
        at[13] = 3;
        end(chain, 0, 0, 32);
    } else if (cdb[0] == READ_CAPACITY_10) {
        put(at, 4, disk.last);
        put(at + 4, 4, disk.block);
        end(chain, 0, 0, 8);
    } else if (cdb[0] == MODE_SENSE_6 && !disk.no_mode_sense) {
        at[2] = disk.mode;
        at[4] = 8;
        at[5] = 18;
        at[6] = disk.caching;
        end(chain, 0, 0, 24);
    } else if (cdb[0] == TEST_UNIT_READY) {
        end(chain, 0, 0, 0);
    } else {
        end(chain, SENSE_ILLEGAL_REQUEST, ASC_INVALID_OPCODE, 0);
    }
}

/* While boot waits, time passes with each look at the clock, and the disk works. */
uint64_t clock_ns(void)
{
    struct fake_chain chain;

    if (test_room == ROOM_BOOT && fake.queue[QUEUE_REQUEST] != NULL && fake_pop(QUEUE_REQUEST, &chain)) {
        boot_answer(&chain);
    }
    return test_clock_ns += test_room == ROOM_BOOT ? NS_PER_MS : 0;
}

static void config_put(size_t offset, uint64_t value, unsigned width)
{
    memcpy(fake.config + offset, &value, width);
}

/* A disk of 1,000 blocks of 512 at target 2, with a cache. */
static void prepare(void)
{
    fake_begin(VIRTIO_SCSI, SCSI_F_HOTPLUG);
    memset(&disk, 0, sizeof disk);
    memset(&virtio_scsi_self, 0, sizeof virtio_scsi_self);
    memset(answered, 0, sizeof answered);
    disk.target = 2;
    disk.silent = 0xff;
    disk.last = 999;
    disk.block = 512;
    disk.mode = MODE_FUA;
    disk.caching = CACHING_ENABLED;
    disk.unmap_max = 64;
    disk.provisioning = PROVISIONING_UNMAP | PROVISIONING_WRITE_SAME;
    config_put(CONFIG_SEG_MAX, 20, 4);
    config_put(CONFIG_MAX_SECTORS, 0xffff, 4);
    config_put(CONFIG_SENSE_SIZE, SENSE_BYTES, 4);
    config_put(CONFIG_CDB_SIZE, CDB_BYTES, 4);
    config_put(CONFIG_MAX_TARGET, 255, 2);
}

static status_t start(void)
{
    virtio_scsi_wire_bus(&fake.bus);
    return virtio_scsi_start();
}

static struct blkdev *go(void)
{
    struct fake_chain chain;

    REQUIRE(start() == ST_OK);
    test_room = ROOM_LOOP;
    REQUIRE(!fake_pop(QUEUE_REQUEST, &chain));
    return virtio_scsi_provide_disk();
}

static struct blkdev *begin(void)
{
    prepare();
    return go();
}

static status_t submit(unsigned i, enum blk_op op, uint64_t sector, uint16_t count, uint32_t size)
{
    for (unsigned s = 0; s < 4; s++) {
        segments[i][s] = (struct blk_segment){data + 8192 * s, size};
    }
    answered[i] = 0;
    requests[i] = (struct blk_request){.op = op,
                                       .sector = sector,
                                       .segment = segments[i],
                                       .segment_count = count,
                                       .sector_count = size,
                                       .done = on_done};
    return blkdev_submit(&virtio_scsi_self.blkdev, &requests[i]);
}

static bool ended(unsigned i, status_t status)
{
    return answered[i] == 1 && answers[i] == status;
}

static struct fake_chain pop(void)
{
    struct fake_chain chain;

    fake_turn();
    REQUIRE(fake_pop(QUEUE_REQUEST, &chain));
    return chain;
}

static void after_ms(unsigned ms)
{
    test_clock_ns += ms * NS_PER_MS;
    fake_turn();
}

/* --- at boot ---------------------------------------------------------------------------------------------------------------- */

static void test_what_it_is(void)
{
    struct blkdev *blk = begin();
    CHECK(blk->sectors == 1000 && blk->logical_bytes == 512 && blk->physical_bytes == 4096 && blk->segments_max == 20);
    CHECK(blk->has_flush && blk->has_durable && !blk->read_only);
    CHECK(blk->bytes_max == 51200 && blk->discard_sectors_max == 64 && blk->discard_sectors == 16);
    CHECK(blk->zeroes_sectors_max == RANGE_SECTORS_MAX && virtio_scsi_self.limits.unmap);
    CHECK_STR(blk->id, "ser7?");
    CHECK_EQ(virtio_scsi_self.limits.target, 2);

    prepare();
    disk.no_capacity_16 = disk.no_pages = true;
    disk.block = 4096;
    disk.mode = MODE_WRITE_PROTECTED;
    disk.caching = 0;
    blk = go();
    CHECK(blk->sectors == 8000 && blk->logical_bytes == 4096 && blk->read_only && !blk->has_flush && blk->has_durable);
    CHECK(blk->discard_sectors_max == 0 && blk->zeroes_sectors_max == 0 && blk->bytes_max == 1 << 20);
    prepare();
    disk.no_mode_sense = true;
    blk = go();
    CHECK(blk->has_flush && !blk->has_durable && !blk->read_only); /* what is safe */
}

static void test_it_takes_its_time(void)
{
    prepare();
    disk.attentions = 3;
    disk.not_ready = 100;
    go();
    CHECK(disk.asked[TEST_UNIT_READY] == 104);
    prepare();
    disk.not_ready = UINT32_MAX;
    CHECK(start() == ST_IO && test_clock_ns < (VIRTIO_SCSI_READY_S + 2) * NS_PER_S);
    CHECK_EQ(fake.status, 0); /* reset and left */
}

static void test_nonsense_is_refused(void)
{
    static const uint32_t blocks[] = {0, 256, 513, 8192};

    for (unsigned i = 0; i < 4; i++) {
        prepare();
        disk.block = blocks[i];
        CHECK(start() == ST_UNSUPPORTED && fake.status == 0);
    }
    prepare();
    disk.last = UINT64_MAX;
    CHECK(start() == ST_PROTO);
    prepare();
    config_put(CONFIG_CDB_SIZE, 16, 4);
    CHECK(start() == ST_PROTO);
    prepare();
    disk.target = VIRTIO_SCSI_TARGETS; /* one too far */
    CHECK(start() == ST_UNSUPPORTED && disk.asked[INQUIRY] == VIRTIO_SCSI_TARGETS);
    prepare();
    config_put(CONFIG_MAX_TARGET, 1, 2);
    CHECK(start() == ST_UNSUPPORTED && disk.asked[INQUIRY] == 2);
    prepare();
    disk.silent = TEST_UNIT_READY;
    CHECK(start() == ST_TIMEOUT && test_clock_ns < 10 * NS_PER_S);
    fake_begin(VIRTIO_BLK, 0);
    CHECK(start() == ST_UNSUPPORTED && strstr(test_log_last, "no virtio SCSI adapter") != NULL);
}

/* --- requests ----------------------------------------------------------------------------------------------------------------- */

static void test_requests_look_as_they_should(void)
{
    begin();
    CHECK(submit(0, BLK_WRITE, 7, 2, 1024) == ST_OK && submit(1, BLK_READ, 9, 1, 512) == ST_OK);
    requests[2] =
        (struct blk_request){.op = BLK_WRITE, .sector = 1, .segment = segments[1], .segment_count = 1, .durable = true};
    requests[2].done = on_done;
    CHECK(blkdev_submit(&virtio_scsi_self.blkdev, &requests[2]) == ST_OK);
    CHECK(submit(3, BLK_FLUSH, 0, 0, 0) == ST_OK && submit(4, BLK_DISCARD, 900, 0, 64) == ST_OK);
    CHECK(submit(5, BLK_WRITE_ZEROES, 8, 0, 16) == ST_OK);
    struct fake_chain c = pop();
    CHECK(c.out == 3 && c.in == 1 && c.segment[0].size == 51 && c.segment[3].size == 108);
    CHECK_BYTES(c.segment[0].bytes, "\1\2\x40\0\0\0\0\0", 8);
    CHECK_BYTES(c.segment[0].bytes + 19, "\x2a\0\0\0\0\7\0\0\4\0\0\0\0\0\0\0", 16);
    CHECK(c.segment[1].bytes == data && c.segment[2].bytes == data + 8192 && c.segment[2].size == 1024);
    c = pop();
    CHECK(c.out == 1 && c.in == 2 && c.segment[1].size == 108 && c.segment[2].bytes == data);
    CHECK_BYTES(c.segment[0].bytes + 19, "\x28\0\0\0\0\x09\0\0\1\0", 10);
    c = pop();
    CHECK_BYTES(c.segment[0].bytes + 19, "\x2a\x08\0\0\0\1\0\0\1\0", 10); /* FUA */
    c = pop();
    CHECK(c.out == 1 && c.in == 1 && c.segment[0].bytes[19] == 0x35);
    c = pop();
    CHECK(c.out == 2 && c.segment[1].size == 24 && c.segment[0].bytes[19] == 0x42 && c.segment[0].bytes[27] == 24);
    CHECK_BYTES(c.segment[1].bytes, "\0\x16\0\x10\0\0\0\0\0\0\0\0\0\0\3\x84\0\0\0\x40\0\0\0\0", 24);
    c = pop();
    CHECK(c.out == 2 && c.segment[1].size == 512 && c.segment[1].bytes[511] == 0);
    CHECK_BYTES(c.segment[0].bytes + 19, "\x93\x08\0\0\0\0\0\0\0\x08\0\0\0\x10\0\0", 16);
}

static void test_far_places(void)
{
    prepare();
    disk.last = 1ull << 40;
    disk.block = 4096;
    go();
    CHECK(submit(0, BLK_READ, 8ull << 32, 1, 4096) == ST_OK &&
          submit(1, BLK_WRITE, 8ull * UINT32_MAX, 1, 4096) == ST_OK);
    struct fake_chain c = pop();
    CHECK_BYTES(c.segment[0].bytes + 19, "\x88\0\0\0\0\1\0\0\0\0\0\0\0\1\0\0", 16);
    c = pop();
    CHECK_EQ(c.segment[0].bytes[19], 0x8a); /* its end is not below 2^32 */
}

static void test_answers(void)
{
    static const struct {
        uint8_t key, asc;
        status_t status;
    } cases[] = {{0, 0, ST_OK},
                 {SENSE_RECOVERED, 0x17, ST_OK},
                 {3, 0x11, ST_IO},
                 {4, 0x44, ST_IO},
                 {SENSE_NOT_READY, ASC_NO_MEDIUM, ST_IO},
                 {SENSE_ILLEGAL_REQUEST, ASC_INVALID_OPCODE, ST_UNSUPPORTED},
                 {SENSE_ILLEGAL_REQUEST, ASC_INVALID_FIELD, ST_UNSUPPORTED},
                 {SENSE_ILLEGAL_REQUEST, 0x21, ST_IO},
                 {7, 0x27, ST_IO}};

    begin();
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CHECK(submit(i, BLK_WRITE, 0, 1, 512) == ST_OK);
        struct fake_chain c = pop();
        end(&c, cases[i].key, cases[i].asc, 0);
        fake_interrupt(QUEUE_REQUEST);
        CHECK(ended(i, cases[i].status));
    }
    CHECK_STR(fake.device.note.text, "disk0 at fake: last failure: sense 7/27/00");
    CHECK(submit(20, BLK_READ, 0, 1, 1024) == ST_OK);
    struct fake_chain c = pop();
    end(&c, 0, 0, 512); /* half of it */
    fake_interrupt(QUEUE_REQUEST);
    CHECK(ended(20, ST_IO));
    CHECK(submit(21, BLK_READ, 0, 1, 1024) == ST_OK);
    c = pop();
    respond(&c, 7); /* the target failed */
    fake_interrupt(QUEUE_REQUEST);
    CHECK(ended(21, ST_IO) && virtio_scsi_self.taken == 0 && fake.device.state == VIRTIO_RUNNING);
}

/* Sent again a while later, but not for ever. */
static void test_retries(void)
{
    begin();
    CHECK(submit(0, BLK_READ, 5, 1, 512) == ST_OK);
    struct fake_chain c = pop();
    end(&c, SENSE_UNIT_ATTENTION, 0x2a, 0);
    fake_interrupt(QUEUE_REQUEST);
    CHECK(answered[0] == 0 && !fake_pop(QUEUE_REQUEST, &c));
    after_ms(20);
    c = pop();
    CHECK(c.segment[0].bytes[19 + 5] == 5);
    respond(&c, RESPONSE_BUSY);
    fake_interrupt(QUEUE_REQUEST);
    after_ms(20);
    c = pop();
    end(&c, 0, 0, 512);
    fake_interrupt(QUEUE_REQUEST);
    CHECK(ended(0, ST_OK));
    CHECK(submit(1, BLK_READ, 0, 1, 512) == ST_OK);
    unsigned tries = 0;
    for (; answered[1] == 0 && tries < 100; tries++) {
        c = pop();
        end(&c, SENSE_NOT_READY, 4, 0);
        fake_interrupt(QUEUE_REQUEST);
        after_ms(20);
    }
    CHECK(tries == RETRIES_MAX + 1 && ended(1, ST_IO) && virtio_scsi_self.taken == 0);
}

static void good(unsigned i, enum blk_op op)
{
    CHECK(submit(i, op, 0, 1, 512) == ST_OK);
    struct fake_chain c = pop();
    end(&c, 0, 0, op == BLK_READ ? 512 : 0);
    fake_interrupt(QUEUE_REQUEST);
}

/* No FLUSH vouches for what was cached before a reset. */
static void test_flush_after_a_reset(void)
{
    begin();
    good(0, BLK_WRITE);
    CHECK(submit(1, BLK_READ, 0, 1, 512) == ST_OK);
    struct fake_chain c = pop();
    end(&c, SENSE_UNIT_ATTENTION, ASC_RESET, 0);
    fake_interrupt(QUEUE_REQUEST);
    good(2, BLK_FLUSH);
    CHECK(ended(0, ST_OK) && ended(2, ST_IO));
    good(3, BLK_FLUSH);
    CHECK(ended(3, ST_OK));
    good(4, BLK_WRITE);
    CHECK(submit(5, BLK_FLUSH, 0, 0, 0) == ST_OK && submit(6, BLK_FLUSH, 0, 0, 0) == ST_OK); /* in flight */
    struct fake_chain first = pop();
    c = pop();
    virtio_scsi_was_reset();
    end(&c, 0, 0, 0);
    end(&first, 0, 0, 0);
    fake_interrupt(QUEUE_REQUEST);
    CHECK(ended(5, ST_IO) && ended(6, ST_IO));
    good(7, BLK_WRITE);
    good(8, BLK_FLUSH);
    virtio_scsi_was_reset(); /* nothing to lose */
    good(9, BLK_FLUSH);
    CHECK(ended(8, ST_OK) && ended(9, ST_OK));
}

/* --- what goes wrong -------------------------------------------------------------------------------------------- */

/* Abort, reset of the unit, reset of the device, a deadline apart. */
static void test_late(void)
{
    struct fake_chain c, tmf;

    begin();
    CHECK(submit(0, BLK_WRITE, 0, 1, 512) == ST_OK);
    c = pop();
    after_ms(DEADLINE_S * 1000);
    CHECK(!fake_pop(QUEUE_CONTROL, &tmf));
    after_ms(DEADLINE_S * 1000);
    REQUIRE(fake_pop(QUEUE_CONTROL, &tmf));
    CHECK(tmf.out == 1 && tmf.in == 1 && tmf.segment[0].size == 24 && tmf.segment[0].bytes[4] == TMF_ABORT_TASK);
    CHECK_BYTES(tmf.segment[0].bytes + 8, "\1\2\x40\0\0\0\0\0", 8);
    CHECK(memcmp(tmf.segment[0].bytes + 16, c.segment[0].bytes + 8, 8) == 0);
    fake_push(QUEUE_CONTROL, tmf.head, 1);
    fake_interrupt(QUEUE_CONTROL);
    CHECK_EQ(virtio_scsi_self.tmf_busy, 0);
    after_ms(DEADLINE_S * 1000);
    REQUIRE(fake_pop(QUEUE_CONTROL, &tmf));
    CHECK_EQ(tmf.segment[0].bytes[4], TMF_UNIT_RESET);
    CHECK(answered[0] == 0 && fake.device.state == VIRTIO_RUNNING);
    after_ms(DEADLINE_S * 1000);
    fake_turn();
    CHECK(ended(0, ST_IO) && submit(1, BLK_READ, 0, 1, 512) == ST_CLOSED && virtio_scsi_self.health.why != NULL);
    CHECK(virtio_scsi_self.blkdev.count.overdue == 1 && virtio_scsi_self.taken == 0);

    begin();
    CHECK(submit(0, BLK_WRITE, 0, 1, 512) == ST_OK);
    c = pop();
    after_ms(DEADLINE_S * 1000);
    after_ms(DEADLINE_S * 1000);
    respond(&c, RESPONSE_ABORTED); /* that helped */
    fake_interrupt(QUEUE_REQUEST);
    CHECK(ended(0, ST_IO) && fake.device.state == VIRTIO_RUNNING);
    good(1, BLK_READ);
    CHECK(ended(1, ST_OK));
    after_ms(DEADLINE_S * 1000);
    CHECK(!timer_armed(&virtio_scsi_self.watch)); /* an idle disk does not tick */
}

static void event(uint32_t what, unsigned target, uint32_t reason)
{
    struct fake_chain c;
    struct scsi_event e = {.event = what, .reason = reason};

    virtio_scsi_lun(e.lun, target, 0);
    REQUIRE(fake_pop(QUEUE_EVENT, &c) && c.in == 1 && c.segment[0].size == 16);
    memcpy(c.segment[0].bytes, &e, sizeof e);
    fake_push(QUEUE_EVENT, c.head, sizeof e);
    fake_interrupt(QUEUE_EVENT);
}

static void test_events(void)
{
    struct fake_chain c;

    begin();
    for (unsigned i = 0; i < 3 * EVENTS; i++) { /* each buffer comes back */
        event(EVENT_NONE, 2, 0);
    }
    event(EVENTS_MISSED, 0, 0);
    event(EVENT_PARAM_CHANGE, 2, 0x2a | 9 << 8);
    event(EVENT_TRANSPORT_RESET, 3, REASON_REMOVED); /* another's */
    good(0, BLK_WRITE);
    event(EVENT_TRANSPORT_RESET, 2, REASON_HARD);
    good(1, BLK_FLUSH);
    CHECK(ended(0, ST_OK) && ended(1, ST_IO));
    CHECK(submit(2, BLK_WRITE, 0, 1, 512) == ST_OK);
    c = pop();
    event(EVENT_TRANSPORT_RESET, 2, REASON_REMOVED);
    CHECK(submit(3, BLK_READ, 0, 1, 512) == ST_CLOSED && answered[2] == 0);
    respond(&c, RESPONSE_BAD_TARGET);
    fake_interrupt(QUEUE_REQUEST);
    CHECK(ended(2, ST_IO) && virtio_scsi_self.taken == 0);
    begin();
    CHECK(submit(0, BLK_READ, 0, 1, 512) == ST_OK); /* no event came */
    c = pop();
    respond(&c, RESPONSE_BAD_TARGET);
    fake_interrupt(QUEUE_REQUEST);
    CHECK(ended(0, ST_IO) && submit(1, BLK_READ, 0, 1, 512) == ST_CLOSED);
}

/* Quiesce, then scrub: until the device confirmed its reset nothing ends and nothing is touched; then nothing is left. */
static void test_revoked(void)
{
    const struct virtio_scsi *scsi = &virtio_scsi_self;

    prepare();
    fake.offered |= VIRTIO_F_INDIRECT_DESC;
    go();
    CHECK(submit(0, BLK_WRITE, 2, 4, 512) == ST_OK && submit(1, BLK_DISCARD, 2, 0, 16) == ST_OK);
    CHECK(tmf_send(TMF_UNIT_RESET, 0));
    fake.never_resets = true;
    blkdev_revoke(&virtio_scsi_self.blkdev);
    fake_turn();
    CHECK(answered[0] == 0 && submit(2, BLK_READ, 0, 1, 512) == ST_CLOSED);
    CHECK(!test_all_zero(scsi->slot->wrap, sizeof *scsi->slot->wrap) && !test_all_zero(scsi->slot->table.desc, 16));
    fake.status = 0;
    after_ms(1000);
    CHECK(ended(0, ST_IO) && ended(1, ST_IO) && scsi->taken == 0);
    CHECK(test_all_zero(scsi->slot->wrap, (VIRTIO_SCSI_DEPTH + 1) * sizeof *scsi->slot->wrap));
    CHECK(test_all_zero(scsi->slot->table.desc, (VIRTIO_SCSI_DEPTH + 1) * TABLE_SIZE * 16));
    CHECK(test_all_zero(scsi->tmf, TMFS * sizeof *scsi->tmf) &&
          test_all_zero(scsi->event, EVENTS * sizeof *scsi->event));
    for (unsigned i = 0; i < QUEUES; i++) {
        CHECK(test_all_zero(scsi->queue[i].memory.cpu, virtq_bytes(scsi->queue[i].size)));
    }
    CHECK(fake_scrubbed(&fake_grant) && fake_silenced > 0);
}

static void expect_death(void)
{
    CHECK_EQ(fake.device.state, VIRTIO_STOPPING);
    fake_turn();
    CHECK(ended(0, ST_IO) && ended(1, ST_IO) && virtio_scsi_self.taken == 0);
    CHECK(submit(2, BLK_READ, 0, 1, 512) == ST_CLOSED && virtio_scsi_self.blkdev.count.broken_rules == 1);
}

static void test_lies(void)
{
    for (unsigned lie = 0; lie < 6; lie++) {
        begin();
        CHECK(submit(0, BLK_READ, 0, 1, 512) == ST_OK && submit(1, BLK_WRITE, 0, 1, 512) == ST_OK);
        struct fake_chain c = pop();
        struct scsi_response response = {0};
        switch (lie) {
        case 0:
            fake_push(QUEUE_REQUEST, c.head, 620); /* nothing was written */
            break;
        case 1:
            respond(&c, 77);
            break;
        case 2:
            end(&c, 0, 0, 511); /* no byte of it is missing, it says below */
            memcpy(c.segment[1].bytes, &response, sizeof response);
            break;
        case 3:
            response.residual = 513;
            memcpy(c.segment[1].bytes, &response, sizeof response);
            fake_push(QUEUE_REQUEST, c.head, 620);
            break;
        case 4:
            fake_push(QUEUE_REQUEST, 99, 0);
            break;
        default:
            fake_push(QUEUE_EVENT, 99, 16);
            break;
        }
        fake_interrupt(lie == 5 ? QUEUE_EVENT : QUEUE_REQUEST);
        expect_death();
    }
}

/* Sense that is too long, too short or of no format says nothing. */
static void test_sense_formats(void)
{
    struct scsi_slot slot = {0};
    struct scsi_answer a;
    struct scsi_response r = {.status = STATUS_CHECK_CONDITION, .sense_size = 8, .sense = {0x72, 6, 0x29, 1}};

    CHECK(virtio_scsi_verdict(&r, &slot, sizeof r, &a) == VERDICT_RESET && a.key == 6 && a.asc == 0x29 && a.ascq == 1);
    r.sense_size = 97;
    CHECK_EQ(virtio_scsi_verdict(&r, &slot, sizeof r, &a), VERDICT_FAILED);
    r.sense_size = 3;
    CHECK_EQ(virtio_scsi_verdict(&r, &slot, sizeof r, &a), VERDICT_FAILED);
    r.sense_size = 96;
    r.sense[0] = 0x7f;
    CHECK_EQ(virtio_scsi_verdict(&r, &slot, sizeof r, &a), VERDICT_FAILED);
    r = (struct scsi_response){.status = 0x18};
    CHECK_EQ(virtio_scsi_verdict(&r, &slot, sizeof r, &a), VERDICT_FAILED); /* somebody else has reserved it */
    r.status = STATUS_TASK_SET_FULL;
    CHECK_EQ(virtio_scsi_verdict(&r, &slot, sizeof r, &a), VERDICT_RETRY);
}

int main(void)
{
    RUN(test_what_it_is);
    RUN(test_it_takes_its_time);
    RUN(test_nonsense_is_refused);
    RUN(test_requests_look_as_they_should);
    RUN(test_far_places);
    RUN(test_answers);
    RUN(test_retries);
    RUN(test_flush_after_a_reset);
    RUN(test_late);
    RUN(test_events);
    RUN(test_lies);
    RUN(test_revoked);
    RUN(test_sense_formats);
    return test_end();
}

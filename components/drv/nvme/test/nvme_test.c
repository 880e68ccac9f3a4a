/* SPDX-License-Identifier: MIT OR Apache-2.0
 * nvme_test.c: a controller played by the test: what it says of itself, requests, errors, lies, time-outs, resets, death.
 */
#include "test.h"
#include "../nvme.h"
static uint32_t namespace_wanted;
#undef NVME_NAMESPACE
#define NVME_NAMESPACE namespace_wanted
#include "../nvme.c"
#include "../nvme_queue.c"
#include "../nvme_prp.c"
#include "../nvme_bringup.c"
#undef LOG_TAG
#include "../nvme_control.c"
#undef LOG_TAG
#include "../nvme_start.c"
#include "fake_nvme.h"

#define REQUESTS 200u
#define TIMEOUT_NS (NVME_TIMEOUT_MS * NS_PER_MS)

static struct blk_request requests[REQUESTS];
static struct blk_segment segments[REQUESTS][4];
static status_t answers[REQUESTS];
static unsigned answered[REQUESTS];
static uint8_t data[64 * 4096] __attribute__((aligned(4096)));

static void on_done(struct blk_request *request, status_t status)
{
    answers[request - requests] = status;
    answered[request - requests]++;
}

static status_t start(void)
{
    memset(&nvme_self, 0, sizeof nvme_self);
    memset(answered, 0, sizeof answered);
    for (unsigned i = 0; i < REQUESTS; i++) {
        answers[i] = (status_t)1;
    }
    nvme_wire_bus(&fake.bus);
    return nvme_start();
}

static struct blkdev *go(void)
{
    REQUIRE(start() == ST_OK);
    test_room = ROOM_LOOP;
    return nvme_provide_disk();
}

static struct blkdev *begin(void)
{
    fake_begin();
    return go();
}

static struct blk_request *ask(unsigned i, enum blk_op op, uint64_t sector, uint16_t count, uint32_t size)
{
    for (unsigned s = 0; s < 4; s++) {
        segments[i][s] = (struct blk_segment){data + 8192 * s, size};
    }
    answered[i] = 0;
    requests[i] = (struct blk_request){
        .op = op, .sector = sector, .segment = segments[i], .segment_count = count, .done = on_done};
    return &requests[i];
}

static status_t submit(unsigned i, enum blk_op op, uint64_t sector, uint16_t count, uint32_t size)
{
    return blkdev_submit(&nvme_self.blkdev, ask(i, op, sector, count, size));
}

static struct nvme_command pop(void)
{
    struct nvme_command command = {.opcode = 0xff};

    CHECK(fake_pop(1, &command));
    return command;
}

static void answer(const struct nvme_command *command, uint16_t status)
{
    fake_complete(1, command->id, status, 0);
}

static bool ended(unsigned i, status_t status)
{
    return answered[i] == 1 && answers[i] == status;
}

/* Lets so much time pass, a look every millisecond. */
static void pass(uint64_t ns)
{
    for (uint64_t end = test_clock_ns + ns; test_clock_ns < end;) {
        test_clock_ns += NS_PER_MS;
        fake_turn();
    }
}

/* A request goes through as if nothing had been. */
static void expect_alive(unsigned i)
{
    struct nvme_command command;

    CHECK_EQ(nvme_self.state, NVME_RUNNING);
    CHECK(submit(i, BLK_READ, i, 1, 512) == ST_OK);
    fake_turn();
    while (fake_pop(1, &command)) {
        answer(&command, 0);
    }
    fake_interrupt(nvme_self.irq_count > 1);
    CHECK(ended(i, ST_OK));
}

/* --- at boot ------------------------------------------------------------------------------------------------------------ */

static void test_what_it_is(void)
{
    fake_begin();
    fake.controller[77] = 5;  /* MDTS: 128 KiB */
    fake.controller[520] = 0; /* no discard */
    fake.controller[525] = 0; /* no cache */
    fake.names[0] = 7;
    fake.names[4] = 9;
    fake.space[26] = 2; /* the third format */
    fake.space[25] = 2;
    fake.space[138] = 12;
    fake.space[24] = 0x10;
    fake.space[64] = 3;     /* prefers four blocks */
    fake.space[99] = 1;     /* write-protected */
    fake.cap |= 2ull << 32; /* doorbells 16 bytes apart */
    struct blkdev *disk = go();
    CHECK(disk->sectors == 8000 && disk->logical_bytes == 4096 && disk->physical_bytes == 16384);
    CHECK(disk->read_only && !disk->has_flush && disk->has_durable);
    CHECK(disk->discard_sectors_max == 0 && disk->zeroes_sectors_max == 0);
    CHECK(disk->bytes_max == 1 << 20 && disk->segments_max == BLKDEV_SEGMENTS_MAX && disk->depth == NVME_DEPTH);
    CHECK(nvme_self.identity.command_bytes == 131072 && nvme_self.identity.nsid == 7);
    CHECK_STR(disk->id, "serial 7");
    CHECK(fake.rings[1].size == NVME_QUEUE_SIZE && fake.rings[1].interrupts && !fake.pin);

    disk = begin();
    CHECK(disk->logical_bytes == 512 && disk->physical_bytes == 512 && disk->has_flush &&
          disk->discard_sectors_max != 0);
    CHECK_EQ(disk->zeroes_sectors_max, 65536);
    CHECK(!disk->read_only && nvme_self.identity.command_bytes == NVME_COMMAND_MAX);
}

static void test_little_is_enough(void)
{
    fake_begin();
    fake.version = 0x10000; /* has no list of namespaces */
    fake.fails_opcode = 0xff;
    fake.names[0] = 0;
    fake.cap = (fake.cap & ~0xffffull) | 3; /* MQES: four entries */
    fake.queue_result = 0;                  /* one queue */
    fake.vectors = 1;
    go();
    CHECK(fake.rings[1].size == 4 && nvme_self.irq_count == 1);
    expect_alive(0);

    fake_begin();
    fake.function.msix_count = 0;
    go();
    CHECK(fake.pin && nvme_self.irq_count == 0);
    CHECK(submit(0, BLK_READ, 0, 1, 512) == ST_OK);
    fake_turn();
    struct nvme_command command = pop();
    answer(&command, 0);
    fake_interrupt(0);
    CHECK(ended(0, ST_OK));
}

/* The option: the list is asked for from there on, and it must be there. */
static void test_namespace_by_option(void)
{
    namespace_wanted = 9;
    fake_begin();
    fake.names[0] = 9;
    fake.names[4] = 12;
    go();
    CHECK(nvme_self.identity.nsid == 9 && fake.names_above == 8 && strstr(test_log_last, "several") == NULL);
    fake_begin();
    fake.names[0] = 10;
    CHECK(start() == ST_UNSUPPORTED);
    fake_begin();
    fake.names[0] = 0;
    CHECK(start() == ST_UNSUPPORTED);
    namespace_wanted = 0;
    fake_begin();
    go();
    CHECK_EQ(fake.names_above, 0);
}

/* Each is one thing that is wrong. */
static status_t start_with(unsigned what)
{
    fake_begin();
    switch (what) {
    case 0:
        fake.cap &= ~(1ull << 37);
        break;
    case 1:
        fake.cap |= 1ull << 48;
        break;
    case 2:
        fake.controller[512] = 0x77;
        break;
    case 3:
        fake.controller[513] = 0x33;
        break;
    case 4:
        fake.names[0] = 0;
        break;
    case 5:
        fake.space[128] = 8;
        break;
    case 6:
        fake.space[130] = 13;
        break;
    case 7:
        fake.space[130] = 8;
        break;
    case 8:
        fake.space[26] = 1;
        fake.space[134] = 9;
        break;
    case 9:
        fake.space[0] = fake.space[1] = 0;
        break;
    case 10:
        memset(fake.space, 0xff, 8);
        break;
    case 11:
        fake.fails_opcode = 0x05;
        fake.fails_status = 0x101;
        break;
    case 12:
        fake.fails_opcode = 0x06;
        fake.fails_status = 2;
        break;
    case 13:
        fake.admin_silent = true;
        break;
    case 14:
        fake.admin_lies = true;
        break;
    case 15:
        fake.never_ready = true;
        break;
    case 16:
        fake.never_stops = true;
        break;
    case 17:
        fake.gone = true;
        break;
    case 18:
        fake.cap &= ~0xffffull; /* queues of one, which hold nothing */
        break;
    default:
        fake.function.subclass = 6;
        break;
    }
    return start();
}

static void test_nonsense_is_refused(void)
{
    static const status_t wanted[] = {ST_UNSUPPORTED, ST_UNSUPPORTED, ST_UNSUPPORTED, ST_UNSUPPORTED, ST_UNSUPPORTED,
                                      ST_UNSUPPORTED, ST_UNSUPPORTED, ST_UNSUPPORTED, ST_PROTO,       ST_PROTO,
                                      ST_PROTO,       ST_IO,          ST_IO,          ST_TIMEOUT,     ST_PROTO,
                                      ST_TIMEOUT,     ST_TIMEOUT,     ST_CLOSED,      ST_UNSUPPORTED, ST_UNSUPPORTED};

    for (unsigned i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        status_t s = start_with(i);
        if (s != wanted[i]) {
            printf("case %u: %s\n", i, status_name(s));
        }
        CHECK(s == wanted[i] && test_clock_ns < 20 * NS_PER_S);
        CHECK(i >= 18 || i < 2 || (fake.cc & 1) == 0); /* left switched off, or not touched at all */
    }
    CHECK(strstr(test_log_last, "no NVMe disk") != NULL);
}

/* Firmware is in the midst of switching it on: that must end before it can be switched off. */
static void test_firmware_was_there(void)
{
    fake_begin();
    test_room = ROOM_LOOP; /* so that fake_cc() looks */
    fake.csts = 0;
    fake.looks = 5;
    nvme_self = (struct nvme){.capabilities = fake.cap, .registers = {.base = 0, .size = 4096}};
    nvme_stop_begin(&nvme_self);
    status_t s = ST_AGAIN;
    for (unsigned i = 0; i < 20 && s == ST_AGAIN; i++) {
        s = nvme_stop_step(&nvme_self);
    }
    CHECK(s == ST_OK && fake.cc == 0 && fake.csts == 0);
}

/* --- requests ----------------------------------------------------------------------------------------------------------- */

static void test_requests_look_as_they_should(void)
{
    begin();
    CHECK(submit(0, BLK_WRITE, 7, 1, 4096) == ST_OK);
    CHECK(submit(1, BLK_READ, 9, 1, 512) == ST_OK);
    CHECK(submit(2, BLK_FLUSH, 5, 4, 512) == ST_OK);
    ask(3, BLK_WRITE, 11, 1, 1024)->durable = true;
    CHECK(blkdev_submit(&nvme_self.blkdev, &requests[3]) == ST_OK);
    ask(4, BLK_DISCARD, 100, 0, 0)->sector_count = 900;
    CHECK(blkdev_submit(&nvme_self.blkdev, &requests[4]) == ST_OK);
    CHECK_EQ(fake.rings[1].rung, 0);
    fake_turn();
    CHECK_EQ(fake.rings[1].rung, 1); /* one doorbell for all */
    struct nvme_command c = pop();
    CHECK(c.opcode == 1 && c.nsid == 1 && c.word10 == 7 && c.word11 == 0 && c.word12 == 7 && c.prp1 == (uintptr_t)data);
    c = pop();
    CHECK(c.opcode == 2 && c.word10 == 9 && c.word12 == 0 && c.flags == 0 && c.metadata == 0);
    c = pop();
    CHECK(c.opcode == 0 && c.nsid == 1 && c.prp1 == 0);
    c = pop();
    CHECK(c.opcode == 1 && c.word12 == ((1u << 30) | 1));
    c = pop();
    CHECK(c.opcode == 9 && c.word10 == 0 && c.word11 == 4);
    CHECK_BYTES((const void *)(uintptr_t)c.prp1, "\0\0\0\0\x84\x03\0\0\x64\0\0\0\0\0\0\0", 16);
}

/* Zeroes: as many blocks a command as data would be, and they may deallocate only where the namespace says so. */
static void test_zeroes(void)
{
    uint32_t most = NVME_COMMAND_MAX / 512;

    begin();
    ask(0, BLK_WRITE_ZEROES, 4, 0, 0)->sector_count = 2ull * most + 3;
    CHECK(blkdev_submit(&nvme_self.blkdev, &requests[0]) == ST_RANGE);
    fake_begin();
    fake.space[2] = 1; /* 66,536 blocks */
    fake.space[33] = 8;
    go();
    ask(0, BLK_WRITE_ZEROES, 4, 0, 0)->sector_count = 65537;
    CHECK(blkdev_submit(&nvme_self.blkdev, &requests[0]) == ST_BADARG);
    requests[0].sector_count = 2ull * most + 3;
    CHECK(blkdev_submit(&nvme_self.blkdev, &requests[0]) == ST_OK);
    fake_turn();
    struct nvme_command c[3] = {pop(), pop(), pop()};
    CHECK(c[0].opcode == 8 && c[0].word10 == 4 && c[0].word11 == 0 && c[0].word12 == (1u << 25 | (most - 1)));
    CHECK(c[1].word10 == 4 + most && c[2].word10 == 4 + 2 * most && c[2].word12 == (1u << 25 | 2));
    CHECK(c[0].prp1 == 0 && c[0].nsid == 1);
    for (unsigned i = 0; i < 3; i++) {
        CHECK(answered[0] == 0);
        answer(&c[i], 0);
        fake_interrupt(1);
    }
    CHECK(ended(0, ST_OK) && nvme_self.blkdev.count.zeroes == 1);
    CHECK(nvme_self.written == 1 && nvme_self.flushed == 0); /* as a write, it is for a FLUSH to vouch for */
}

/* Blocks of 4 KiB: sectors are ours, blocks are the controller's. */
static void test_large_blocks(void)
{
    fake_begin();
    fake.space[130] = 12;
    go();
    CHECK(submit(0, BLK_WRITE, 16, 2, 8192) == ST_OK);
    CHECK(submit(1, BLK_WRITE, 1, 1, 4096) == ST_BADARG && submit(1, BLK_WRITE, 0, 1, 512) == ST_BADARG);
    fake_turn();
    struct nvme_command c = pop();
    CHECK(c.word10 == 2 && c.word12 == 3 && c.prp1 == (uintptr_t)data);
}

static void test_answers(void)
{
    struct nvme_command c[5];

    begin();
    for (unsigned i = 0; i < 5; i++) {
        CHECK(submit(i, i == 2 ? BLK_FLUSH : i == 1 ? BLK_WRITE : BLK_READ, 0, 1, 1024) == ST_OK);
    }
    fake_turn();
    for (unsigned i = 0; i < 5; i++) {
        c[i] = pop();
    }
    answer(&c[2], NVME_INVALID_OPCODE);
    answer(&c[0], 0);
    answer(&c[3], 0x281); /* an unrecovered read error */
    answer(&c[1], 0);
    answer(&c[4], NVME_ABORTED); /* which we did not ask for */
    fake_interrupt(1);           /* one for all of them */
    CHECK(ended(0, ST_OK) && ended(1, ST_OK) && ended(2, ST_UNSUPPORTED) && ended(3, ST_IO) && ended(4, ST_IO));
    CHECK_EQ(fake.rings[1].cq_head, 5);
    CHECK(nvme_self.blkdev.count.errors == 3 && nvme_self.blkdev.count.read_bytes == 1024);
    CHECK(nvme_self.blkdev.count.write_bytes == 1024 && nvme_self.taken == 0);
}

/* A request of several commands is answered once, when all are; a failure is its answer, and what was not sent stays unsent. */
static void test_parts(void)
{
    struct nvme_command c[4];

    begin();
    CHECK(submit(0, BLK_WRITE, 100, 4, 512) == ST_OK); /* segments that do not meet on pages */
    fake_turn();
    for (unsigned i = 0; i < 4; i++) {
        c[i] = pop();
        CHECK(c[i].word10 == 100 + i && c[i].word12 == 0 && c[i].prp1 == (uintptr_t)(data + 8192 * i));
    }
    answer(&c[3], 0);
    answer(&c[1], 0x280);
    answer(&c[0], 0);
    fake_interrupt(1);
    CHECK_EQ(answered[0], 0);
    answer(&c[2], 0);
    fake_interrupt(1);
    CHECK(ended(0, ST_IO) && nvme_self.taken == 0);

    fake_begin();
    fake.cap = (fake.cap & ~0xffffull) | 3; /* three commands at a time */
    go();
    CHECK(submit(0, BLK_WRITE, 100, 4, 512) == ST_OK && submit(1, BLK_READ, 5, 1, 512) == ST_OK);
    fake_turn();
    for (unsigned i = 0; i < 3; i++) {
        c[i] = pop();
    }
    answer(&c[0], 0x280);
    fake_interrupt(1);
    answer(&c[1], 0);
    answer(&c[2], 0);
    fake_interrupt(1);
    fake_turn();
    CHECK(ended(0, ST_IO));
    struct nvme_command next = pop();
    CHECK(next.opcode == 2 && next.word10 == 5);
    answer(&next, 0);
    fake_interrupt(1);

    CHECK(submit(2, BLK_WRITE, 100, 4, 512) == ST_OK);
    fake_turn();
    for (unsigned i = 0; i < 3; i++) {
        c[i] = pop();
        answer(&c[i], 0);
    }
    fake_interrupt(1); /* all that was sent is answered, and a part is not sent */
    CHECK_EQ(answered[2], 0);
    fake_turn();
    c[3] = pop();
    answer(&c[3], 0);
    fake_interrupt(1);
    CHECK(ended(2, ST_OK));
}

/* More than the queue holds: `depth` are taken, in order, and every one is answered. */
static void test_depth_and_order(void)
{
    struct blkdev *disk = begin();
    struct nvme_command c;
    unsigned done = 0;

    for (unsigned i = 0; i < disk->depth; i++) {
        CHECK(submit(i, BLK_READ, 4 * i, 4, 512) == ST_OK);
    }
    CHECK(submit(REQUESTS - 1, BLK_READ, 0, 4, 512) == ST_FULL);
    CHECK(!list_empty(&nvme_self.waiting));
    fake_turn();
    while (fake_pop(1, &c)) {
        CHECK_EQ(c.word10, done++);
        answer(&c, 0);
        fake_interrupt(1);
        fake_turn();
    }
    CHECK_EQ(done, 4 * disk->depth);
    for (unsigned i = 0; i < disk->depth; i++) {
        CHECK(ended(i, ST_OK));
    }
}

static void test_refused_without_the_device(void)
{
    struct blkdev *disk = begin();

    CHECK(submit(0, BLK_READ, 1000, 1, 512) == ST_RANGE && submit(0, BLK_READ, 999, 2, 512) == ST_RANGE);
    CHECK(submit(0, BLK_READ, 0, 1, 100) == ST_BADARG && submit(0, BLK_READ, 0, 0, 512) == ST_BADARG);
    ask(0, BLK_DISCARD, 999, 0, 0)->sector_count = 2;
    CHECK(blkdev_submit(disk, &requests[0]) == ST_RANGE);
    requests[0].sector_count = 0;
    CHECK(blkdev_submit(disk, &requests[0]) == ST_BADARG);
    disk->read_only = true;
    requests[0].sector_count = 1;
    CHECK(blkdev_submit(disk, &requests[0]) == ST_DENIED && submit(0, BLK_WRITE, 0, 1, 512) == ST_DENIED);
}

static void test_flush_without_cache(void)
{
    struct nvme_command c;

    fake_begin();
    fake.controller[525] = 0;
    go();
    CHECK(submit(0, BLK_FLUSH, 0, 0, 0) == ST_OK && answered[0] == 0);
    fake_turn();
    CHECK(ended(0, ST_OK) && !fake_pop(1, &c));
}

/* --- lies --------------------------------------------------------------------------------------------------------------- */

static void three_out(struct nvme_command *c)
{
    begin();
    for (unsigned i = 0; i < 3; i++) {
        CHECK(submit(i, BLK_READ, i, 1, 512) == ST_OK);
    }
    fake_turn();
    for (unsigned i = 0; i < 3; i++) {
        c[i] = pop();
    }
}

/* After this lie every request ends once with ST_IO, after the controller stopped, and then it goes on. */
static void expect_reset(void)
{
    CHECK_EQ(nvme_self.state, NVME_STOPPING);
    CHECK(answered[0] + answered[1] + answered[2] == 0 && nvme_self.blkdev.count.broken_rules == 1);
    pass(100 * NS_PER_MS);
    CHECK(ended(0, ST_IO) && ended(1, ST_IO) && ended(2, ST_IO) && fake.starts == 2);
    expect_alive(3);
    CHECK(strstr(nvme_self.note.text, "1 resets") != NULL);
}

static void test_lies(void)
{
    struct nvme_command c[3];

    three_out(c);
    fake_complete(1, (uint16_t)(c[2].id + 1), 0, 0); /* nobody's */
    fake_interrupt(1);
    expect_reset();

    three_out(c);
    fake.rings[1].sq_head = 5; /* it fetched what was not there */
    answer(&c[1], 0);
    fake_interrupt(1);
    expect_reset();

    three_out(c);
    fake_complete(1, c[0].id, 0, 0);
    fake.rings[1].cq[0].heads += 1u << 16; /* of another queue */
    fake_interrupt(1);
    expect_reset();

    three_out(c);
    fake_complete(0, 77, 0, 0); /* an admin command that there was not */
    fake_interrupt(0);
    expect_reset();

    three_out(c); /* an answer twice: what came first is good */
    answer(&c[0], 0);
    answer(&c[0], 0);
    fake_interrupt(1);
    CHECK(ended(0, ST_OK) && nvme_self.state == NVME_STOPPING);
    pass(100 * NS_PER_MS);
    CHECK(ended(0, ST_OK) && ended(1, ST_IO) && ended(2, ST_IO));
}

/* --- time-outs ---------------------------------------------------------------------------------------------------------- */

/* An answer without an interrupt is found before anything is called late. */
static void test_lost_interrupt(void)
{
    begin();
    CHECK(submit(0, BLK_READ, 0, 1, 512) == ST_OK);
    fake_turn();
    struct nvme_command c = pop();
    answer(&c, 0);
    pass(2 * TIMEOUT_NS);
    CHECK(ended(0, ST_OK) && nvme_self.lost_interrupts == 1 && fake.aborts == 0 && nvme_self.resets == 0);
    for (unsigned i = 0; i < 3; i++) {
        CHECK(fake_timer[i] == NULL); /* nothing ticks while nothing is out */
    }
}

static void test_abort(void)
{
    begin();
    CHECK(submit(0, BLK_WRITE, 3, 1, 512) == ST_OK);
    fake_turn();
    struct nvme_command c = pop();
    pass(TIMEOUT_NS * 3 / 4);
    CHECK_EQ(fake.aborts, 0);
    pass(TIMEOUT_NS * 3 / 4 + NS_PER_MS);
    CHECK(fake.aborts == 1 && fake.abort.word10 == ((uint32_t)c.id << 16 | 1));
    fake_interrupt(0);
    answer(&c, NVME_ABORTED);
    fake_interrupt(1);
    fake_turn();
    CHECK_EQ(answered[0], 0);
    c = pop(); /* once more */
    CHECK(c.opcode == 1 && c.word10 == 3);
    pass(TIMEOUT_NS * 3 / 2 + 2 * NS_PER_MS);
    CHECK_EQ(fake.aborts, 2);
    answer(&c, NVME_ABORTED);
    fake_interrupt(1);
    CHECK(ended(0, ST_IO) && nvme_self.resets == 0);
    expect_alive(1);
}

/* Neither the command nor its abort: a reset, everything is sent again, once. */
static void test_reset_and_resend(void)
{
    struct nvme_command c[2];

    begin();
    CHECK(submit(0, BLK_WRITE, 3, 2, 512) == ST_OK && submit(1, BLK_READ, 5, 1, 512) == ST_OK);
    fake_turn();
    c[0] = pop();
    answer(&c[0], 0); /* of a part; all is sent again nevertheless */
    fake_interrupt(1);
    uint64_t begun = test_clock_ns;
    while (fake.starts == 1 && test_clock_ns < begun + 10 * TIMEOUT_NS) {
        pass(NS_PER_MS);
    }
    CHECK(test_clock_ns - begun <= 2 * TIMEOUT_NS + 100 * NS_PER_MS && fake.aborts == 2);
    pass(20 * NS_PER_MS);
    CHECK(answered[0] == 0 && answered[1] == 0);
    for (unsigned i = 0; i < 3; i++) {
        struct nvme_command again = pop();
        CHECK(again.opcode == 2 ? again.word10 == 5 : again.word10 == 3 || again.word10 == 4);
        if (again.opcode == 2) {
            answer(&again, 0);
        }
    }
    fake_interrupt(1);
    CHECK(ended(1, ST_OK));
    pass(2 * TIMEOUT_NS + 100 * NS_PER_MS); /* the write hangs once more */
    CHECK(ended(0, ST_IO) && nvme_self.resets == 2);
    expect_alive(2);
}

/* Of a request all that was sent is answered, and a part waits for room: it ends as what is out does, and nothing of it is sent
 * behind the reset, which may have cost what was answered. */
static void test_lie_amid_a_request(void)
{
    struct nvme_command c[3];

    fake_begin();
    fake.cap = (fake.cap & ~0xffffull) | 3; /* three commands at a time */
    go();
    CHECK(submit(0, BLK_WRITE, 100, 4, 512) == ST_OK);
    fake_turn();
    fake.wild = true;
    for (unsigned i = 0; i < 3; i++) {
        c[i] = pop();
        answer(&c[i], 0);
    }
    answer(&c[2], 0); /* twice */
    fake_interrupt(1);
    fake.wild = false;
    CHECK(answered[0] == 0 && nvme_self.state == NVME_STOPPING);
    pass(100 * NS_PER_MS);
    CHECK(ended(0, ST_IO) && fake.starts == 2 && !fake_pop(1, &c[0]));
    expect_alive(1);
}

static void test_failed_by_its_own_word(void)
{
    begin();
    CHECK(submit(0, BLK_READ, 3, 1, 512) == ST_OK);
    fake_turn();
    fake.csts = 3;
    pass(TIMEOUT_NS / 2 + 100 * NS_PER_MS);
    CHECK(fake.starts == 2 && nvme_self.blkdev.count.broken_rules == 0);
    struct nvme_command c = pop();
    answer(&c, 0);
    fake_interrupt(1);
    CHECK(ended(0, ST_OK));
}

/* --- what a reset costs ------------------------------------------------------------------------------------------------- */

static void do_all(void)
{
    struct nvme_command c;

    fake_turn();
    while (fake_pop(1, &c)) {
        answer(&c, 0);
    }
    fake_interrupt(1);
    fake_turn();
}

static void fail_and_recover(void)
{
    fake.csts = 3;
    on_watch(&nvme_self.watch);
    pass(100 * NS_PER_MS);
    CHECK_EQ(nvme_self.state, NVME_RUNNING);
}

static status_t flush(unsigned i)
{
    CHECK(submit(i, BLK_FLUSH, 0, 0, 0) == ST_OK);
    do_all();
    CHECK_EQ(answered[i], 1);
    return answers[i];
}

static void test_doubt(void)
{
    begin();
    CHECK(submit(0, BLK_WRITE, 0, 1, 512) == ST_OK);
    do_all();
    fail_and_recover(); /* the write had ended, and no FLUSH had come */
    CHECK(flush(1) == ST_IO && flush(2) == ST_OK);

    CHECK(submit(0, BLK_WRITE, 0, 1, 512) == ST_OK);
    do_all();
    CHECK(submit(1, BLK_FLUSH, 0, 0, 0) == ST_OK && submit(2, BLK_FLUSH, 0, 0, 0) == ST_OK);
    fake_turn();
    fail_and_recover(); /* FLUSHes were out: both fail, and the next does not */
    CHECK(ended(1, ST_IO) && ended(2, ST_IO) && flush(3) == ST_OK);

    CHECK(submit(0, BLK_WRITE, 0, 1, 512) == ST_OK);
    do_all();
    CHECK(submit(1, BLK_FLUSH, 0, 0, 0) == ST_OK);
    do_all();
    fail_and_recover(); /* all that had ended was flushed */
    CHECK(flush(2) == ST_OK);

    CHECK(submit(0, BLK_WRITE, 0, 1, 512) == ST_OK);
    fake_turn();
    fail_and_recover(); /* the write had not ended: it is sent again, and whoever waits for it flushes after it */
    do_all();
    CHECK(ended(0, ST_OK) && flush(1) == ST_OK);

    ask(0, BLK_WRITE, 0, 1, 512)->durable = true;
    CHECK(blkdev_submit(&nvme_self.blkdev, &requests[0]) == ST_OK);
    do_all();
    fail_and_recover();
    CHECK(flush(1) == ST_OK);
}

/* A write that ends while a FLUSH is out is not covered by it. */
static void test_doubt_of_what_a_flush_does_not_cover(void)
{
    begin();
    CHECK(submit(0, BLK_FLUSH, 0, 0, 0) == ST_OK && submit(1, BLK_WRITE, 0, 1, 512) == ST_OK);
    fake_turn();
    struct nvme_command c = pop();
    struct nvme_command write = pop();
    answer(&write, 0);
    answer(&c, 0);
    fake_interrupt(1);
    CHECK(ended(0, ST_OK) && ended(1, ST_OK));
    fail_and_recover();
    CHECK(flush(2) == ST_IO);
}

/* A FLUSH that is out at a reset tells of what it was to cover; a write that ended after it was asked for is told of by the
 * next. */
static void test_doubt_behind_a_flush_that_fails(void)
{
    begin();
    CHECK(submit(0, BLK_WRITE, 0, 1, 512) == ST_OK);
    do_all();
    CHECK(submit(1, BLK_FLUSH, 0, 0, 0) == ST_OK && submit(2, BLK_WRITE, 8, 1, 512) == ST_OK);
    fake_turn();
    struct nvme_command out = pop();
    struct nvme_command write = pop();
    CHECK(out.opcode == 0);
    answer(&write, 0);
    fake_interrupt(1);
    CHECK(ended(2, ST_OK));
    fail_and_recover();
    CHECK(ended(1, ST_IO));
    CHECK(flush(3) == ST_IO && flush(4) == ST_OK);
}

/* --- death -------------------------------------------------------------------------------------------------------------- */

static void expect_death(unsigned i)
{
    CHECK(ended(i, ST_IO) && nvme_self.taken == 0 && nvme_self.state == NVME_DEAD);
    CHECK(submit(REQUESTS - 1, BLK_READ, 0, 1, 512) == ST_CLOSED);
    CHECK(strstr(nvme_self.note.text, "dead") != NULL);
}

static void test_gone(void)
{
    begin();
    CHECK(submit(0, BLK_WRITE, 0, 1, 512) == ST_OK);
    fake_turn();
    fake.gone = true;
    pass(TIMEOUT_NS / 2 + 100 * NS_PER_MS);
    expect_death(0);
}

/* What it was lent stays lent until it stops. */
static void test_does_not_stop(void)
{
    begin();
    CHECK(submit(0, BLK_READ, 0, 1, 512) == ST_OK);
    fake_turn();
    fake.never_stops = true;
    fake_complete(1, 77, 0, 0);
    fake_interrupt(1);
    pass(60 * NS_PER_S);
    CHECK(answered[0] == 0 && submit(REQUESTS - 1, BLK_READ, 0, 1, 512) == ST_CLOSED);
    fake.csts = 0;
    pass(2 * NS_PER_S);
    expect_death(0);
}

/* A controller that stops in its own time has its memory back soon after. */
static void test_revoked_at_once(void)
{
    begin();
    fake.never_stops = true;
    blkdev_revoke(&nvme_self.blkdev);
    pass(10 * NS_PER_MS);
    CHECK(nvme_self.state == NVME_STOPPING);
    fake.never_stops = false;
    fake.csts = 0;
    pass(5 * NS_PER_MS);
    CHECK(nvme_self.state == NVME_DEAD && fake_scrubbed(&fake.function.grant));
}

/* Quiesce, then scrub: until the controller stopped nothing ends and nothing is touched; then nothing is left. */
static void test_revoked(void)
{
    const struct nvme_queue *q = &nvme_self.queue[1];

    begin();
    CHECK(submit(0, BLK_WRITE, 0, 4, 8192) == ST_OK);
    ask(1, BLK_DISCARD, 100, 0, 0)->sector_count = 900;
    CHECK(blkdev_submit(&nvme_self.blkdev, &requests[1]) == ST_OK);
    fake_turn();
    fake.never_stops = true;
    blkdev_revoke(&nvme_self.blkdev);
    pass(NS_PER_S);
    CHECK(answered[0] == 0 && submit(2, BLK_READ, 0, 1, 512) == ST_CLOSED);
    CHECK(!test_all_zero(q->sq, 64) && !test_all_zero(q->slot[0].list, 16));
    fake.never_stops = false;
    fake.csts = 0;
    pass(5 * NS_PER_S);
    CHECK(ended(0, ST_IO) && ended(1, ST_IO) && nvme_self.taken == 0 && nvme_self.state == NVME_DEAD);
    for (unsigned i = 0; i <= NVME_QUEUES; i++) {
        q = &nvme_self.queue[i];
        CHECK(test_all_zero(q->sq, q->size * 64u) && test_all_zero(q->cq, q->size * 16u));
        for (unsigned place = 0; i != 0 && place + 1 < q->size; place++) {
            CHECK(test_all_zero(q->slot[place].list, NVME_COMMAND_MAX / NVME_PAGE * 8));
        }
    }
    CHECK(test_all_zero(nvme_self.page, NVME_PAGE) && fake_scrubbed(&fake.function.grant) && fake_silenced > 0);
    blkdev_revoke(&nvme_self.blkdev); /* harmless */
    pass(NS_PER_S);
    CHECK(nvme_self.state == NVME_DEAD && fake.starts == 1);
}

static void test_another_disk(void)
{
    for (unsigned what = 0; what < 3; what++) {
        begin();
        CHECK(submit(0, BLK_WRITE, 0, 1, 512) == ST_OK);
        fake_turn();
        fake.controller[4] ^= what == 0;
        fake.space[0] ^= what == 1;
        fake.names[0] ^= what == 2 ? 3 : 0;
        fake.csts = 3;
        on_watch(&nvme_self.watch);
        pass(10 * NS_PER_S);
        expect_death(0);
    }
}

/* Five in ten minutes are borne; in a longer time, more. */
static void test_too_many_resets(void)
{
    begin();
    for (unsigned i = 0; i < RESETS_MAX; i++) {
        fail_and_recover();
    }
    pass(RESETS_SPAN_NS);
    for (unsigned i = 0; i < RESETS_MAX; i++) {
        fail_and_recover();
    }
    CHECK(submit(0, BLK_WRITE, 0, 1, 512) == ST_OK);
    fake_turn();
    fake.csts = 3;
    on_watch(&nvme_self.watch);
    pass(10 * NS_PER_S);
    expect_death(0);
}

static void test_does_not_start_again(void)
{
    begin();
    CHECK(submit(0, BLK_WRITE, 0, 1, 512) == ST_OK);
    fake_turn();
    fake.csts = 3;
    fake.admin_silent = true;
    pass(20 * TIMEOUT_NS);
    expect_death(0);
    CHECK_EQ(nvme_self.resets, RESETS_MAX + 1);
}

int main(void)
{
    RUN(test_what_it_is);
    RUN(test_little_is_enough);
    RUN(test_namespace_by_option);
    RUN(test_zeroes);
    RUN(test_nonsense_is_refused);
    RUN(test_firmware_was_there);
    RUN(test_requests_look_as_they_should);
    RUN(test_large_blocks);
    RUN(test_answers);
    RUN(test_parts);
    RUN(test_depth_and_order);
    RUN(test_refused_without_the_device);
    RUN(test_flush_without_cache);
    RUN(test_lies);
    RUN(test_lost_interrupt);
    RUN(test_abort);
    RUN(test_reset_and_resend);
    RUN(test_lie_amid_a_request);
    RUN(test_failed_by_its_own_word);
    RUN(test_doubt);
    RUN(test_doubt_of_what_a_flush_does_not_cover);
    RUN(test_doubt_behind_a_flush_that_fails);
    RUN(test_gone);
    RUN(test_does_not_stop);
    RUN(test_another_disk);
    RUN(test_revoked);
    RUN(test_revoked_at_once);
    RUN(test_too_many_resets);
    RUN(test_does_not_start_again);
    return test_end();
}

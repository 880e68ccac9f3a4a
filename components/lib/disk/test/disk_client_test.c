/* SPDX-License-Identifier: MIT OR Apache-2.0
 * disk_client_test.c: the client against a loop made of C: what it submits is what the schema says, writes run ahead and are not
 * overtaken, failures are told once, other completions pass through.
 */
#include "../disk_client.c"
#include "test.h"

#define SQ 4u
#define CQ 32u
#define DISK_CAP 0x500000001ull
#define REGION_CAP 0x600000002ull
#define BLOCKS 64u

static struct {
    struct ring_shared ring;
    struct ring_sqe sq[SQ];
    struct ring_cqe cq[CQ];
    uint64_t area[(DISK_CLIENT_AREA + 64) / 8];
    struct region region;
    unsigned char memory[DISK_CLIENT_REGION];
    unsigned char disk[BLOCKS][DISK_BLOCK_BYTES];
    struct ring_sqe held[CQ]; /* calls that are out */
    unsigned held_count, held_max;
    unsigned flushes;
    uint32_t depth, bytes_max;
    uint64_t sectors;
    bool read_only, reads_only; /* the disk; the client */
    bool hold_writes;           /* they end only when somebody waits */
    status_t fail;              /* the next write */
    unsigned others;
    struct disk_client client;
} t;

static void post(uint64_t user_data, status_t status)
{
    t.cq[t.ring.cq_tail++ % CQ] = (struct ring_cqe){.user_data = user_data, .status = status};
}

static unsigned char *area(uint32_t offset)
{
    return (unsigned char *)t.area + offset;
}

static void answer_info(const struct ring_sqe *sqe)
{
    struct message message;
    struct message_segment segment;
    capnp_message_build(&message, &segment, (uint64_t *)(void *)area(sqe->results_offset), sqe->results_words_max, NULL,
                        0);
    struct block_device_info_results_builder info = block_device_info_results_init(capnp_root(&message));
    block_device_info_results_set_sectors(info, t.sectors);
    block_device_info_results_set_read_only(info, t.read_only);
    block_device_info_results_set_logical_bytes(info, 512);
    block_device_info_results_set_physical_bytes(info, 4096);
    block_device_info_results_set_bytes_max(info, t.bytes_max);
    block_device_info_results_set_depth(info, (uint16_t)t.depth);
    CHECK(!message.failed);
    post(sqe->user_data, ST_OK);
}

static struct block_device_read_params_reader params_of(const struct ring_sqe *sqe, struct message *message,
                                                        struct message_segment *segment)
{
    capnp_message_read(message, segment, (uint64_t *)(void *)area(sqe->params_offset), sqe->params_words);
    return block_device_read_params_read(capnp_root(message));
}

/* Does the transfer. */
static void finish(const struct ring_sqe *sqe)
{
    struct message message;
    struct message_segment segment;
    struct block_device_read_params_reader params = params_of(sqe, &message, &segment);
    uint64_t sector = block_device_read_params_get_sector(params);
    uint32_t bytes = block_device_read_params_get_bytes(params);
    uint64_t offset = block_device_read_params_get_offset(params);
    cap_t cap;

    memcpy(&cap, area(sqe->caps_offset), sizeof cap);
    CHECK_EQ(cap, REGION_CAP);
    CHECK(capnp_kind(capnp_get_ref(params.s, 0)) == CAPNP_KIND_CAP);
    REQUIRE(offset + bytes <= sizeof t.memory && sector * 512 + bytes <= t.sectors * 512);
    unsigned char *at = t.disk[0] + sector * 512;
    status_t s = ST_OK;
    if (sqe->method_id == METHOD_READ) {
        memcpy(t.memory + offset, at, bytes);
    } else if (t.fail != ST_OK) {
        s = t.fail;
        t.fail = ST_OK;
    } else {
        memcpy(at, t.memory + offset, bytes);
    }
    post(sqe->user_data, s);
}

static void finish_one(void)
{
    struct ring_sqe sqe;

    if (t.held_count > 0) {
        sqe = t.held[--t.held_count]; /* the last first: order is nobody's promise */
        finish(&sqe);
    }
}

static void take(const struct ring_sqe *sqe)
{
    CHECK(sqe->op == RING_CALL && sqe->cap == DISK_CAP && sqe->interface_id == BLOCK_DEVICE_ID);
    if (sqe->method_id == METHOD_INFO) {
        answer_info(sqe);
    } else if (sqe->method_id == METHOD_FLUSH) {
        CHECK_EQ(t.held_count, 0); /* all writes have ended before it is asked for */
        t.flushes++;
        post(sqe->user_data, ST_OK);
    } else if (sqe->method_id == METHOD_WRITE && t.hold_writes) {
        t.held[t.held_count++] = *sqe;
        t.held_max = t.held_count > t.held_max ? t.held_count : t.held_max;
    } else {
        finish(sqe);
    }
}

status_t cap_enter(uint32_t completions, uint64_t timeout_ns)
{
    while (t.ring.sq_head != t.ring.sq_tail) {
        struct ring_sqe sqe = t.sq[t.ring.sq_head++ % SQ];
        take(&sqe);
    }
    while (t.ring.cq_tail - t.ring.cq_head < completions) {
        REQUIRE(t.held_count > 0); /* else it would wait for ever */
        finish_one();
    }
    return ST_OK;
}

static void other(void *context, const struct ring_cqe *cqe)
{
    CHECK(context == &t && cqe->user_data == 7);
    t.others++;
}

static status_t open_client(void)
{
    struct disk_client_config config = {.ring = &t.ring,
                                        .area_offset = 64,
                                        .disk = DISK_CAP,
                                        .region = REGION_CAP,
                                        .memory = &t.region,
                                        .reads_only = t.reads_only,
                                        .other = other,
                                        .context = &t};
    test_room = ROOM_THREAD;
    return disk_client_open(&t.client, &config);
}

static status_t begin(void)
{
    memset(&t, 0, sizeof t);
    t.ring = (struct ring_shared){
        .sq_size = SQ, .cq_size = CQ, .sq = t.sq, .cq = t.cq, .area = t.area, .area_bytes = sizeof t.area};
    t.region = (struct region){.base = t.memory, .bytes = sizeof t.memory, .rights = REGION_READ | REGION_WRITE};
    t.depth = 32;
    t.sectors = BLOCKS * 8;
    t.bytes_max = 1024 * 1024;
    return open_client();
}

static unsigned char *pattern(unsigned char *block, unsigned value)
{
    memset(block, (int)value, DISK_BLOCK_BYTES);
    return block;
}

static void test_open(void)
{
    CHECK_EQ(begin(), ST_OK);
    CHECK_EQ(t.client.io.blocks, BLOCKS);
    CHECK_EQ(t.client.physical_bytes, 4096);
    CHECK_EQ(t.client.writes_max, 16);
    t.depth = 4;
    CHECK_EQ(open_client(), ST_OK);
    CHECK_EQ(t.client.writes_max, 3); /* one for reads */
    t.depth = 1;
    CHECK_EQ(open_client(), ST_UNSUPPORTED);
    t.depth = 32;
    t.bytes_max = DISK_CLIENT_READ_MAX * DISK_BLOCK_BYTES - 1;
    CHECK_EQ(open_client(), ST_UNSUPPORTED);
}

static void test_write_and_read(void)
{
    static unsigned char in[40][DISK_BLOCK_BYTES], out[40][DISK_BLOCK_BYTES];

    REQUIRE(begin() == ST_OK);
    t.hold_writes = true;
    for (unsigned i = 0; i < 40; i++) { /* more than there are slots, and than the SQ takes */
        CHECK_EQ(disk_write(&t.client.io, 3 + i, pattern(in[i], i + 1)), ST_OK);
        pattern(in[i], i + 1);
    }
    CHECK_EQ(t.held_max, DISK_CLIENT_WRITES);             /* they ran ahead */
    CHECK_EQ(disk_read(&t.client.io, 3, 40, out), ST_OK); /* and are seen */
    CHECK_BYTES(out, in, sizeof in);
    CHECK_EQ(disk_flush(&t.client.io), ST_OK);
    CHECK_EQ(t.flushes, 1);
    CHECK_BYTES(t.disk[3], in, sizeof in);
}

/* Two writes of one block: the later is what stays, whatever order the disk would choose. */
static void test_not_overtaken(void)
{
    unsigned char block[DISK_BLOCK_BYTES];

    REQUIRE(begin() == ST_OK);
    t.hold_writes = true;
    for (unsigned i = 1; i <= 5; i++) {
        CHECK_EQ(disk_write(&t.client.io, 9, pattern(block, i)), ST_OK);
    }
    CHECK_EQ(disk_flush(&t.client.io), ST_OK);
    CHECK_EQ(t.disk[9][0], 5);
}

static void test_failures(void)
{
    unsigned char block[DISK_BLOCK_BYTES] = {0};

    REQUIRE(begin() == ST_OK);
    t.hold_writes = true;
    t.fail = ST_IO;
    CHECK_EQ(disk_write(&t.client.io, 1, block), ST_OK); /* on its way */
    CHECK_EQ(disk_flush(&t.client.io), ST_IO);
    CHECK_EQ(t.flushes, 0);                    /* nothing that failed is said to be durable */
    CHECK_EQ(disk_flush(&t.client.io), ST_OK); /* told once */
    CHECK_EQ(disk_write(&t.client.io, BLOCKS, block), ST_RANGE);
    CHECK_EQ(disk_read(&t.client.io, BLOCKS - 1, 2, block), ST_RANGE);
    CHECK_EQ(disk_read(&t.client.io, UINT64_MAX, 1, block), ST_RANGE);
}

/* A call that finds no memory is made again, and is no failure of the disk's. */
static void test_no_memory(void)
{
    const status_t refusals[] = {ST_AGAIN, ST_FULL};
    unsigned char block[DISK_BLOCK_BYTES];

    for (unsigned i = 0; i < 2; i++) {
        REQUIRE(begin() == ST_OK);
        t.hold_writes = true;
        t.fail = refusals[i];
        CHECK_EQ(disk_write(&t.client.io, 3, pattern(block, 6)), ST_OK);
        CHECK_EQ(disk_flush(&t.client.io), ST_OK);
        CHECK_EQ(t.fail, ST_OK);
        CHECK_BYTES(t.disk[3], block, sizeof block);
    }
}

/* Sectors of a disk that ends inside a block, and may be read only for who writes nothing. */
static void test_sectors(void)
{
    static unsigned char out[DISK_CLIENT_READ_MAX * DISK_BLOCK_BYTES + 3 * 512];

    REQUIRE(begin() == ST_OK);
    t.read_only = true;
    t.sectors = BLOCKS * 8 - 3;
    CHECK_EQ(open_client(), ST_UNSUPPORTED);
    t.reads_only = true;
    REQUIRE(open_client() == ST_OK);
    CHECK_EQ(t.client.sectors, BLOCKS * 8 - 3);
    CHECK_EQ(t.client.io.blocks, BLOCKS - 1);
    CHECK_EQ(t.client.logical_bytes, 512);
    for (unsigned i = 0; i < sizeof t.disk; i++) {
        t.disk[i / DISK_BLOCK_BYTES][i % DISK_BLOCK_BYTES] = (unsigned char)(i / 512 * 7 + i);
    }
    uint32_t count = sizeof out / 512;
    CHECK_EQ(disk_client_read(&t.client, 5, count, out), ST_OK); /* in two calls */
    CHECK_BYTES(out, (unsigned char *)t.disk + (size_t)5 * 512, sizeof out);
    CHECK_EQ(disk_client_read(&t.client, BLOCKS * 8 - 4, 1, out), ST_OK);
    CHECK_BYTES(out, (unsigned char *)t.disk + (size_t)(BLOCKS * 8 - 4) * 512, 512);
    CHECK_EQ(disk_client_read(&t.client, BLOCKS * 8 - 4, 2, out), ST_RANGE);
}

static void test_others_pass(void)
{
    unsigned char block[DISK_BLOCK_BYTES];

    REQUIRE(begin() == ST_OK);
    post(7, ST_OK);
    CHECK_EQ(disk_read(&t.client.io, 0, 1, block), ST_OK);
    CHECK_EQ(t.others, 1);
}

int main(void)
{
    RUN(test_open);
    RUN(test_write_and_read);
    RUN(test_not_overtaken);
    RUN(test_failures);
    RUN(test_no_memory);
    RUN(test_sectors);
    RUN(test_others_pass);
    return test_end();
}

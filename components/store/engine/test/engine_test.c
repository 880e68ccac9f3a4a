/* SPDX-License-Identifier: MIT OR Apache-2.0
 * engine_test.c: the engine's loop against a disk whose transfers end in any order, with its thread played by the test: blobs of
 * all sizes in chunks of all sizes, on a disk whose room is in pieces, come back whole; what fails or is dropped gives everything
 * back.
 */
#include "../../blobs/test/boot_memory.h"
#include "asker.h"
#include "config.h"
#include "../engine.c"
#include "lib/store/store.capnp.h"
#include "../../../lib/volume/test/test_disk.h"

#define BLOCK DISK_BLOCK_BYTES
#define LOG_BLOCKS 256u
#define DATA_BLOCKS 600u
#define DISK_SIZE (17u + LOG_BLOCKS + 2 + 1026 + DATA_BLOCKS)
#define LEAVES 4u
#define PENDING_MAX 16u
#define BLOB_MAX 400000u

status_t sqlite_start(void);

/* --- of core --------------------------------------------------------------------------------------------------------- */

void ready_hold(struct ready *ready)
{
    (void)ready;
}

void ready_release(struct ready *ready)
{
    (void)ready;
}

void work_init(struct work *work, void (*run)(struct work *work))
{
    work->run = run;
}

void loop_post_boot(struct work *work)
{
    (void)work; /* the test runs it */
}

void diag_command_add(struct diag_command *command)
{
    CHECK_STR(command->name, "store");
}

void diag_print(const char *format, ...)
{
    (void)format;
}

uint64_t clock_wall_ns(void)
{
    return 7;
}

/* --- the thread ------------------------------------------------------------------------------------------------------ */

static struct volume volume;
static struct catalog catalog;
static uint64_t memory[VOLUME_MEMORY(LEAVES, LOG_BLOCKS) / 8 + 1];

status_t engine_thread_init(void)
{
    return ST_OK;
}

/* --- the disk -------------------------------------------------------------------------------------------------------- */

static struct {
    struct blkdev device;
    struct blk_request *pending[PENDING_MAX];
    unsigned count;
    unsigned fail_writes; /* so many more succeed */
} data;

static status_t data_submit(struct blkdev *device, struct blk_request *request)
{
    status_t s = blkdev_check(device, request);

    REQUIRE(data.count < PENDING_MAX);
    if (s == ST_OK) {
        data.pending[data.count++] = request;
    }
    return s;
}

static void move_bytes(const struct blk_request *request)
{
    unsigned char *at = disk_at(0) + request->sector * BLKDEV_SECTOR_BYTES;

    for (unsigned i = 0; i < request->segment_count; i++) {
        const struct blk_segment *segment = &request->segment[i];
        memcpy(request->op == BLK_READ ? segment->data : at, request->op == BLK_READ ? at : segment->data,
               segment->size);
        at += segment->size;
    }
}

static void data_step(void)
{
    unsigned i = (unsigned)(test_random() % data.count);
    struct blk_request *request = data.pending[i];
    bool fails = request->op == BLK_WRITE && runs_out(&data.fail_writes);

    data.pending[i] = data.pending[--data.count];
    if (!fails) {
        move_bytes(request);
    }
    request->done(request, fails ? ST_IO : ST_OK);
}

/* What a change names, the disk has taken. */
static void check_order(const struct catalog_op *op)
{
    for (uint32_t i = 0; i < op->extent_count; i++) {
        const struct catalog_run *run = &op->extent[i].run;
        for (unsigned k = 0; k < data.count; k++) {
            uint64_t block = data.pending[k]->sector / ENGINE_SECTORS;
            CHECK(data.pending[k]->op == BLK_READ || block < run->start || block >= run->start + run->blocks);
        }
    }
}

static void play_thread(void)
{
    struct volume_memory given = {memory, sizeof memory};

    test_room = ROOM_THREAD;
    if (engine_self.desk.command == ENGINE_RUN) {
        for (uint32_t i = 0; i < engine_self.desk.count; i++) {
            check_order(engine_self.desk.batch[i]);
        }
        catalog_run(&catalog, engine_self.desk.batch, engine_self.desk.count);
        while (catalog_care(&catalog)) {
        }
    } else {
        REQUIRE(volume_init(&volume, &disk.io, &given, LEAVES) == ST_OK);
        REQUIRE(volume_format(&volume, engine_self.desk.seed, LOG_BLOCKS, DATA_BLOCKS) == ST_OK);
        REQUIRE(catalog_open(&catalog, &volume, engine_self.desk.seed, 32) == CATALOG_OK);
        engine_self.desk.state = ENGINE_MOUNTED;
    }
    test_room = ROOM_LOOP;
    list_remove(&engine_self.bell.node);
    call_return(&engine_self.bell);
}

/* One thing that may happen next does. False: there is none. */
static bool happen(void)
{
    bool rung = engine_self.bell.out;

    if (!rung && data.count == 0) {
        return false;
    }
    if (data.count == 0 || (rung && test_random() % 2 == 0)) {
        play_thread();
    } else {
        data_step();
    }
    return true;
}

static void settle(void)
{
    while (happen()) {
    }
}

/* --- what a peer asks for -------------------------------------------------------------------------------------------- */

static struct asker ask, chunks[4];
static uint8_t *bytes; /* BLOB_MAX */

static void fresh(void)
{
    static const struct blkdev_ops ops = {data_submit};
    static bool started;

    disk_new(DISK_SIZE);
    data.device = (struct blkdev){.ops = &ops,
                                  .name = "disk0",
                                  .sectors = DISK_SIZE * ENGINE_SECTORS,
                                  .logical_bytes = 512,
                                  .physical_bytes = 4096,
                                  .bytes_max = 1u << 20,
                                  .segments_max = 8,
                                  .depth = 5};
    data.fail_writes = UINT32_MAX;
    if (!started) {
        test_room = ROOM_BOOT;
        REQUIRE(sqlite_start() == ST_OK);
        engine_wire_data(&data.device);
        REQUIRE(engine_start() == ST_OK);
        test_room = ROOM_LOOP;
        start_work.run(&start_work);
        bytes = malloc(BLOB_MAX);
        started = true;
    } else {
        test_room = ROOM_THREAD;
        catalog_close(&catalog);
        test_room = ROOM_LOOP;
        store_format_params_set_confirm(
            store_format_begin(&ask.call, &engine_self.store, asker_params(&ask), &asker_source),
            capnp_text("erase everything"));
        object_call(&engine_self.store, &ask.call);
    }
    settle();
    CHECK_EQ(engine_self.state, ENGINE_MOUNTED);
}

static struct object *put(uint64_t size)
{
    struct object *store = &engine_self.store;

    store_put_params_set_size(store_put_begin(&ask.call, store, asker_params(&ask), &asker_source), size);
    object_call(store, &ask.call);
    settle();
    return ask.returned == 1 ? object_get(store_put_results_get_upload(store_put_answer(&ask.call))) : NULL;
}

/* Up to four chunks at once, of up to `most` bytes. */
static bool write_all(struct object *upload, uint32_t size, uint32_t most)
{
    bool ok = true;

    for (uint32_t at = 0; at < size;) {
        for (unsigned i = 0; i < 4; i++) {
            uint32_t n = 1 + (uint32_t)(test_random() % most);
            n = n < size - at ? n : size - at;
            byte_sink_write_params_set_chunk(
                byte_sink_write_begin(&chunks[i].call, upload, asker_params(&chunks[i]), &asker_source),
                capnp_data(bytes + at, n));
            at += n;
            if (n > 0) {
                object_call(upload, &chunks[i].call);
            }
        }
        settle();
        for (unsigned i = 0; i < 4; i++) {
            ok = ok && chunks[i].failed == 0;
            CHECK(!chunks[i].call.out);
        }
    }
    return ok;
}

static bool finish(struct object *upload, uint8_t digest[CATALOG_DIGEST])
{
    (void)upload_finish_begin(&ask.call, upload, asker_params(&ask), &asker_source);
    object_call(upload, &ask.call);
    settle();
    if (ask.returned == 1) {
        memcpy(digest, upload_finish_results_get_digest(upload_finish_answer(&ask.call)).bytes, CATALOG_DIGEST);
    }
    return ask.returned == 1;
}

static void fill(unsigned blob, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(blob * 77 + i * 3 + i / 4096 * 5);
    }
}

static bool put_whole(unsigned blob, uint32_t size, uint32_t most, uint8_t digest[CATALOG_DIGEST])
{
    uint8_t right[CATALOG_DIGEST];
    struct object *upload = put(size);

    if (upload == NULL) {
        return false;
    }
    fill(blob, size);
    bool ok = write_all(upload, size, most) && finish(upload, digest);
    object_put(upload);
    settle();
    sha256_bytes(bytes, size, right);
    CHECK(!ok || memcmp(right, digest, CATALOG_DIGEST) == 0);
    return ok;
}

static struct object *get(const uint8_t digest[CATALOG_DIGEST])
{
    struct object *store = &engine_self.store;

    store_get_params_set_digest(store_get_begin(&ask.call, store, asker_params(&ask), &asker_source),
                                capnp_data(digest, CATALOG_DIGEST));
    object_call(store, &ask.call);
    settle();
    return ask.returned == 1 ? object_get(store_get_results_get_blob(store_get_answer(&ask.call))) : NULL;
}

/* Four reads at once, anywhere. */
static void read_some(struct object *blob, uint32_t size)
{
    uint32_t at[4];
    uint32_t limit[4];

    for (unsigned i = 0; i < 4; i++) {
        at[i] = (uint32_t)(test_random() % (size + 10));
        limit[i] = (uint32_t)(test_random() % 70000);
        struct byte_source_read_params_builder params =
            byte_source_read_begin(&chunks[i].call, blob, asker_params(&chunks[i]), &asker_source);
        byte_source_read_params_set_offset(params, at[i]);
        byte_source_read_params_set_limit(params, limit[i]);
        object_call(blob, &chunks[i].call);
    }
    settle();
    for (unsigned i = 0; i < 4; i++) {
        REQUIRE(chunks[i].returned == 1);
        struct capnp_data got = byte_source_read_results_get_chunk(byte_source_read_answer(&chunks[i].call));
        uint32_t left = at[i] < size ? size - at[i] : 0;
        uint32_t most = limit[i] < ENGINE_CHUNK_MAX ? limit[i] : ENGINE_CHUNK_MAX;
        CHECK_EQ(got.size, left < most ? left : most);
        CHECK(got.size == 0 || memcmp(got.bytes, bytes + at[i], got.size) == 0);
    }
}

static void check_blob(unsigned blob, uint32_t size, const uint8_t digest[CATALOG_DIGEST])
{
    struct object *source = get(digest);

    REQUIRE(source != NULL);
    fill(blob, size);
    for (unsigned i = 0; i < 4; i++) {
        read_some(source, size);
    }
    for (unsigned i = 0; i < 4; i++) {
        asker_forget(&chunks[i]);
    }
    asker_forget(&ask);
    object_put(source);
    settle();
}

static bool forget(const uint8_t digest[CATALOG_DIGEST])
{
    struct object *store = &engine_self.store;

    store_remove_params_set_digest(store_remove_begin(&ask.call, store, asker_params(&ask), &asker_source),
                                   capnp_data(digest, CATALOG_DIGEST));
    object_call(store, &ask.call);
    settle();
    return ask.returned == 1 && store_remove_results_get_removed(store_remove_answer(&ask.call));
}

/* Nobody has anything open: everything is given back, and the tables agree. */
static void nothing_is_left(uint64_t used)
{
    for (unsigned i = 0; i < 4; i++) {
        asker_forget(&chunks[i]);
    }
    asker_forget(&ask);
    settle();
    CHECK_EQ(engine_self.open, 0);
    CHECK_EQ(engine_self.out, 0);
    CHECK_EQ(catalog.lend_count, 0);
    CHECK_EQ(catalog.hold_count, 0);
    CHECK_EQ(catalog.reserved_blocks, 0);
    CHECK_EQ(catalog.state.free_blocks, DATA_BLOCKS - used);
    test_room = ROOM_THREAD;
    CHECK_EQ(catalog_check(&catalog), 0);
    test_room = ROOM_LOOP;
}

/* --- tests ----------------------------------------------------------------------------------------------------------- */

/* Small blobs until the disk is full, and every other one removed: what is free is in pieces of one to five blocks. */
static void break_up(void)
{
    static uint8_t digest[DATA_BLOCKS][CATALOG_DIGEST];
    unsigned count = 0;

    while (put_whole(1000 + count, (1 + count % 5) * BLOCK - count, 20000, digest[count])) {
        count++;
    }
    CHECK(strncmp(ask.reason, "full: put", 9) == 0 && catalog.state.free_blocks < 5);
    for (unsigned i = 0; i < count; i += 2) {
        CHECK(forget(digest[i]));
    }
}

static void test_sizes(void)
{
    static const uint32_t sizes[] = {0, 1, 1999, 2000, 2001, 4095, 4096, 4097, 65536, 65537, 200000, 399999};
    uint8_t digest[12][CATALOG_DIGEST];

    fresh();
    break_up();
    uint64_t used = DATA_BLOCKS - catalog.state.free_blocks;
    for (unsigned i = 0; i < 12; i++) {
        REQUIRE(put_whole(i, sizes[i], i % 3 == 0 ? 65536 : i % 3 == 1 ? 5000 : 30000, digest[i]));
        used += sizes[i] <= ENGINE_INSIDE_MAX ? 0 : (sizes[i] + BLOCK - 1) / BLOCK;
    }
    for (unsigned i = 0; i < 12; i++) {
        check_blob(i, sizes[i], digest[i]);
    }
    uint8_t again[CATALOG_DIGEST];
    CHECK(put_whole(10, sizes[10], 65536, again)); /* is there: takes no room */
    nothing_is_left(used);
}

static void test_dropped(void)
{
    fresh();
    break_up();
    uint64_t used = DATA_BLOCKS - catalog.state.free_blocks;
    for (unsigned round = 0; round < 30; round++) {
        struct object *upload = put(150000);
        REQUIRE(upload != NULL);
        fill(round, 150000);
        CHECK(write_all(upload, (uint32_t)(test_random() % 150000), 65536));
        object_put(upload);
        settle();
        asker_forget(&ask);
        settle();
    }
    nothing_is_left(used);
}

/* Too little, too much, too many. */
static void test_refused(void)
{
    uint8_t digest[CATALOG_DIGEST];

    fresh();
    CHECK(put(DATA_BLOCKS * BLOCK + 1ull) == NULL);
    CHECK(strncmp(ask.reason, "full: put", 9) == 0);
    struct object *upload = put(5000);
    REQUIRE(upload != NULL);
    CHECK(write_all(upload, 4000, 4000));
    CHECK(!finish(upload, digest));
    CHECK(strncmp(ask.reason, "only 4000 of the 5000 bytes", 27) == 0);
    CHECK(!write_all(upload, 1001, 1001) || chunks[0].failed == 0);
    object_put(upload);
    settle();
    struct object *open[ENGINE_UPLOADS_MAX];
    for (unsigned i = 0; i < ENGINE_UPLOADS_MAX; i++) {
        open[i] = put(30 * BLOCK);
        REQUIRE(open[i] != NULL);
    }
    CHECK(put(1) == NULL && ask.type == EXCEPTION_OVERLOADED);
    object_put(open[0]);
    settle();
    CHECK(put(200 * BLOCK) == NULL); /* the others' room is promised */
    CHECK(strncmp(ask.reason, "full: put", 9) == 0 && ask.type == EXCEPTION_OVERLOADED);
    for (unsigned i = 1; i < ENGINE_UPLOADS_MAX; i++) {
        object_put(open[i]);
    }
    settle();
    nothing_is_left(0);
}

/* Some write of data fails: the upload says so, and all its room comes back. */
static void test_data_fails(void)
{
    uint8_t digest[CATALOG_DIGEST];

    for (unsigned allowed = 0; allowed < 12; allowed++) {
        fresh();
        data.fail_writes = allowed;
        CHECK(!put_whole(1, 200000, 20000, digest));
        data.fail_writes = UINT32_MAX;
        CHECK(put_whole(1, 200000, 20000, digest));
        check_blob(1, 200000, digest);
        CHECK(forget(digest));
        nothing_is_left(0);
    }
}

/* A block that is not what was written is never given out. */
static void test_rot(void)
{
    uint8_t digest[CATALOG_DIGEST];

    fresh();
    REQUIRE(put_whole(1, 9 * BLOCK, 65536, digest));
    disk_at(volume.super.data_start + 4)[77] ^= 1;
    struct object *source = get(digest);
    REQUIRE(source != NULL);
    struct byte_source_read_params_builder params =
        byte_source_read_begin(&ask.call, source, asker_params(&ask), &asker_source);
    byte_source_read_params_set_limit(params, 65536);
    object_call(source, &ask.call);
    settle();
    CHECK(ask.failed == 1 && strstr(ask.reason, "gave back what was not written") != NULL);
    asker_forget(&ask);
    object_put(source);
    nothing_is_left(9);
}

int main(void)
{
    RUN(test_sizes);
    RUN(test_dropped);
    RUN(test_refused);
    RUN(test_data_fails);
    RUN(test_rot);
    disk_free();
    free(bytes);
    return test_end();
}

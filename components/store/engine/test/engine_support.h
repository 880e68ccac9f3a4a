/* SPDX-License-Identifier: MIT OR Apache-2.0
 * engine_support.h: for the tests of the engine's loop: a disk whose transfers end in any order, the thread played by the test, and
 * a peer that puts, gets and forgets blobs.
 */
#pragma once
#include "boot_memory.h"
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
    list_init(&work->node);
}

static struct list posted = {&posted, &posted};
static struct list turn_ends = {&turn_ends, &turn_ends};

void loop_post(struct work *work)
{
    list_remove(&work->node);
    list_push_back(&posted, &work->node);
}

void loop_at_turn_end(struct work *work)
{
    list_remove(&work->node);
    list_push_back(&turn_ends, &work->node);
}

static bool run_one(struct list *list)
{
    struct list *node = list_pop_front(list);

    if (node != NULL) {
        struct work *work = CONTAINER_OF(node, struct work, node);
        work->run(work);
    }
    return node != NULL;
}

/* One turn ends, and the next begins. False: nothing was to be done. */
static bool next_turn(void)
{
    bool any = false;

    while (run_one(&turn_ends)) {
        any = true;
    }
    while (run_one(&posted)) {
        any = true;
    }
    return any;
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

static struct timer *armed;  /* the scrub's */
static bool time_stands;     /* it does not fire */
static struct timer *expiry; /* of what is kept: the first that is made */
static struct timer *late;   /* the same, while it is armed: only a test fires it */

void timer_init(struct timer *timer, void (*fire)(struct timer *timer))
{
    *timer = (struct timer){.fire = fire};
    expiry = expiry == NULL ? timer : expiry;
}

void timer_set(struct timer *timer, uint64_t deadline_ns)
{
    struct timer **place = timer == expiry ? &late : &armed;

    REQUIRE(*place == NULL || *place == timer);
    timer->deadline_ns = deadline_ns;
    *place = timer;
}

void timer_cancel(struct timer *timer)
{
    armed = armed == timer ? NULL : armed;
}

bool timer_armed(const struct timer *timer)
{
    return armed == timer || late == timer;
}

static void fire(void)
{
    struct timer *timer = armed;

    armed = NULL;
    test_clock_ns = test_clock_ns > timer->deadline_ns ? test_clock_ns : timer->deadline_ns;
    timer->fire(timer);
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
    uint64_t bad_block;   /* reads of it fail; 0: none */
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

static bool is_bad(const struct blk_request *request)
{
    uint64_t block = request->sector / ENGINE_SECTORS;
    uint32_t blocks = 0;

    for (unsigned i = 0; i < request->segment_count; i++) {
        blocks += request->segment[i].size / BLOCK;
    }
    return request->op == BLK_READ && data.bad_block != 0 && data.bad_block - block < blocks;
}

static void data_step(void)
{
    unsigned i = (unsigned)(test_random() % data.count);
    struct blk_request *request = data.pending[i];
    bool fails = is_bad(request) || (request->op == BLK_WRITE && runs_out(&data.fail_writes));

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

static bool happen_in_turn(void)
{
    bool rung = engine_self.bell.out;
    bool may_fire = armed != NULL && !time_stands;

    if (!rung && data.count == 0 && !may_fire) {
        return false;
    }
    if (may_fire && ((!rung && data.count == 0) || test_random() % 4 == 0)) {
        fire();
    } else if (data.count == 0 || (rung && test_random() % 2 == 0)) {
        play_thread();
    } else {
        data_step();
    }
    return true;
}

/* One thing that may happen next does, and the turn ends. False: there is none. */
static bool happen(void)
{
    bool any = happen_in_turn();

    return next_turn() || any;
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
        volume_format_params_set_confirm(
            volume_format_begin(&ask.call, &engine_self.volume, asker_params(&ask), &asker_source),
            capnp_text("erase everything"));
        object_call(&engine_self.volume, &ask.call);
    }
    settle();
    CHECK_EQ(engine_self.state, ENGINE_MOUNTED);
}

/* `digest`: NULL: not said. */
static struct object *put_declared(uint64_t size, const uint8_t *digest)
{
    struct object *store = &engine_self.store;
    struct store_put_params_builder params = store_put_begin(&ask.call, store, asker_params(&ask), &asker_source);

    store_put_params_set_size(params, size);
    if (digest != NULL) {
        store_put_params_set_digest(params, capnp_data(digest, CATALOG_DIGEST));
    }
    object_call(store, &ask.call);
    settle();
    return ask.returned == 1 ? object_get(store_put_results_get_upload(store_put_answer(&ask.call))) : NULL;
}

static struct object *put(uint64_t size)
{
    return put_declared(size, NULL);
}

/* Up to four chunks at once, of up to `most` bytes. */
static bool write_from(struct object *upload, uint32_t at, uint32_t size, uint32_t most)
{
    bool ok = true;

    while (at < size) {
        for (unsigned i = 0; i < 4; i++) {
            uint32_t n = 1 + (uint32_t)(test_random() % most);
            n = n < size - at ? n : size - at;
            struct byte_sink_write_params_builder params =
                byte_sink_write_begin(&chunks[i].call, upload, asker_params(&chunks[i]), &asker_source);
            byte_sink_write_params_set_chunk(params, capnp_data(bytes + at, n));
            if (i % 2 == 0) {
                byte_sink_write_params_set_offset(params, at);
            }
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

static bool write_all(struct object *upload, uint32_t size, uint32_t most)
{
    return write_from(upload, 0, size, most);
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

static inline bool put_whole(unsigned blob, uint32_t size, uint32_t most, uint8_t digest[CATALOG_DIGEST])
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

static inline void check_blob(unsigned blob, uint32_t size, const uint8_t digest[CATALOG_DIGEST])
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

static inline bool forget(const uint8_t digest[CATALOG_DIGEST])
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

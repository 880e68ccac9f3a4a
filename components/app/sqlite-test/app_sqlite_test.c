/* SPDX-License-Identifier: MIT OR Apache-2.0
 * app_sqlite_test.c: a thread that opens the disk's volume (and makes it on a blank disk), verifies what earlier runs left, goes
 * on with transactions, verifies again, and halts the machine. Lines with `@` say what it did: who cuts the power can hold it
 * to them.
 *
 *   @ open N            N transactions are there, whole, and nothing else
 *   @ done N            transaction N is acknowledged
 *   @ rows N FLUSHES    N rows of the other table are there
 *   @ fail WHAT CODE    and the machine halts with 1
 */
#include "config.h"
#include "core/loop.h"
#include "core/mem.h"
#include "core/thread.h"
#include "lib/disk/disk_client.h"
#include "lib/entropy/random.h"
#include "lib/mark/mark.h"
#include "lib/sqlite/sqlite.h"
#include "lib/sqlite/sqlite_trial.h"
#define LOG_TAG "sqlite-test"
#include "core/log.h"

#define NAME "app/sqlite-test"
#define STACK (128u * 1024u)
#define AREA 8192u /* the disk client's part, and then one message */
#define LEAVES 16u
#define LOG_BLOCKS APP_SQLITE_TEST_LOG_BLOCKS
#define ROWS_A_TRANSACTION 500u
_Static_assert(DISK_CLIENT_AREA + 64 <= AREA, "room for the last call");

static struct {
    cap_t disk;   /* [I] */
    cap_t region; /* [I] */
    cap_t judge;  /* [I] */
    struct region *memory;
    struct volume_memory volume_memory;
    uint8_t seed[32];
    struct disk_client client; /* the thread's from here on */
    struct volume volume;
    sqlite3 *db;
} self;

/* --- the end --------------------------------------------------------------------------------------------------------- */

/* An object whose methods halt the machine: the method's number is the exit code. */
static void judge_call(struct object *object, struct call *call)
{
    room_assert_loop();
    int status = call->method_id;

    call_return(call);
    loop_halt(status);
}

static void halt(struct ring_shared *ring, uint16_t status) REQUIRES(THREAD)
{
    struct ring_sqe sqe = {.op = RING_CALL,
                           .cap = self.judge,
                           .method_id = status,
                           .params_offset = DISK_CLIENT_AREA,
                           .params_words = 1,
                           .results_offset = DISK_CLIENT_AREA + 8,
                           .results_words_max = 1};

    (void)ring_submit(ring, &sqe);
    for (;;) {
        status_ignore(cap_enter(ring->cq_size, UINT64_MAX), "the machine halts");
    }
}

static bool held(bool ok, const char *what, long code)
{
    if (!ok) {
        log_err("@ fail %s %ld", what, code);
    }
    return ok;
}

/* --- the disk -------------------------------------------------------------------------------------------------------- */

static bool mount(struct ring_shared *ring) REQUIRES(THREAD)
{
    struct disk_client_config config = {.ring = ring, .disk = self.disk, .region = self.region, .memory = self.memory};

    status_t s = disk_client_open(&self.client, &config);
    if (s == ST_OK) {
        s = volume_init(&self.volume, &self.client.io, &self.volume_memory, LEAVES);
    }
    if (s == ST_OK) {
        s = volume_mount(&self.volume);
    }
    if (s == ST_STALE) {
        log_info("the disk is blank: a volume is made");
        s = volume_format(&self.volume, self.seed, LOG_BLOCKS, 0);
    }
    return held(s == ST_OK, "mount", s);
}

/* --- transactions ---------------------------------------------------------------------------------------------------- */

static bool verified(unsigned n) REQUIRES(THREAD)
{
    return held(trial_ok(self.db, n), "verify", (long)n);
}

static bool go_on(unsigned *n) REQUIRES(THREAD)
{
    const unsigned wanted = APP_SQLITE_TEST_TRANSACTIONS;

    for (unsigned i = 0; i < wanted; i++) {
        MARK_BEGIN();
        int r = trial_transaction(self.db, *n + 1);
        MARK_END();
        if (!held(r == SQLITE_OK, "transaction", r)) {
            return false;
        }
        ++*n;
        log_info("@ done %u", *n);
    }
    return verified(*n);
}

static bool rows(void) REQUIRES(THREAD)
{
    int r = trial_run(self.db, "CREATE TABLE IF NOT EXISTS many(k INTEGER PRIMARY KEY, name TEXT, v BLOB);"
                               "CREATE UNIQUE INDEX IF NOT EXISTS many_name ON many(name)");

    const unsigned wanted = APP_SQLITE_TEST_ROWS;

    for (unsigned done = 0; done < wanted && r == SQLITE_OK; done += ROWS_A_TRANSACTION) {
        char sql[240];
        (void)sqlite3_snprintf(
            (int)sizeof sql, sql,
            "INSERT INTO many(name,v) SELECT printf('/a/directory/file-%%08d', i), randomblob(40) FROM "
            "(WITH RECURSIVE c(i) AS (VALUES(%u) UNION ALL SELECT i+1 FROM c WHERE i<%u) SELECT i FROM c)",
            done, done + ROWS_A_TRANSACTION - 1);
        r = trial_run(self.db, sql);
    }
    int64_t count = trial_number(self.db, "SELECT count(*) FROM many");
    log_info("@ rows %ld %lu", (long)count, (unsigned long)self.volume.count.log_syncs);
    return held(r == SQLITE_OK, "rows", r);
}

/* Of one block each, one after the other, through the ring. */
static bool reads(void) REQUIRES(THREAD)
{
    static unsigned char block[DISK_BLOCK_BYTES];
    const unsigned wanted = APP_SQLITE_TEST_READS;
    status_t s = ST_OK;

    for (unsigned i = 0; i < wanted && s == ST_OK; i++) {
        MARK_BEGIN();
        s = disk_read(&self.client.io, i * 31 % LOG_BLOCKS, 1, block);
        MARK_END();
    }
    return held(s == ST_OK, "read", s);
}

static bool test(struct ring_shared *ring) REQUIRES(THREAD)
{
    if (!mount(ring) || !reads()) {
        return false;
    }
    int r = sqlite_open(&self.volume, self.seed, sizeof self.seed, &self.db);
    if (!held(r == SQLITE_OK, "open", r)) {
        return false;
    }
    if (trial_number(self.db, "SELECT count(*) FROM sqlite_master") == 0) {
        r = trial_make(self.db);
    }
    unsigned n = (unsigned)trial_number(self.db, "SELECT n FROM state");
    if (!held(r == SQLITE_OK, "make", r) || !verified(n)) {
        return false;
    }
    log_info("@ open %u", n);
    if (!go_on(&n) || (APP_SQLITE_TEST_ROWS > 0 && !rows())) {
        return false;
    }
    int64_t used;
    int64_t most;
    sqlite_memory(&used, &most);
    log_info("heap %ld bytes at most; %lu pages; %lu checkpoints, %lu blocks of the log, %lu FLUSHes of it", (long)most,
             (unsigned long)self.volume.super.page_count, (unsigned long)self.volume.count.commits,
             (unsigned long)self.volume.count.log_writes, (unsigned long)self.volume.count.log_syncs);
    r = sqlite_close(self.db);
    return held(r == SQLITE_OK, "close", r);
}

static void work(struct ring_shared *ring, void *context)
{
    room_assert_thread();
    bool passed = test(ring);

    log_info("%s", passed ? "PASS" : "FAIL");
    halt(ring, passed ? 0 : 1);
}

/* --- start ----------------------------------------------------------------------------------------------------------- */

void app_sqlite_test_wire_disk(struct object *disk) REQUIRES(BOOT);
void app_sqlite_test_wire_disk(struct object *disk)
{
}

void app_sqlite_test_wire_random(struct random *random) REQUIRES(BOOT);
void app_sqlite_test_wire_random(struct random *random)
{
    status_ignore(random_fill(random, self.seed, sizeof self.seed), "nothing here is a secret");
}

status_t app_sqlite_test_start(void) REQUIRES(BOOT);
status_t app_sqlite_test_start(void)
{
    static const struct object_ops judge_ops = {.call = judge_call};
    static struct object judge;
    struct cap_table *table = domain_table(NAME);

    object_init(&judge, &judge_ops);
    self.memory = region_new("disk buffers", DISK_CLIENT_REGION, REGION_READ | REGION_WRITE);
    self.volume_memory.size = VOLUME_MEMORY(LEAVES, LOG_BLOCKS);
    self.volume_memory.bytes = boot_alloc_named("volume", self.volume_memory.size, 64);
    status_t s = domain_cap(NAME, "disk", &self.disk);
    if (s == ST_OK) {
        s = domain_give(table, &self.memory->object, CAP_ALL, &self.region);
    }
    if (s == ST_OK) {
        s = domain_give(table, &judge, CAP_ALL, &self.judge);
    }
    if (s == ST_OK) {
        (void)thread_new(&(struct thread_config){.name = "sqlite-test",
                                                 .entry = work,
                                                 .stack_bytes = STACK,
                                                 .sq_size = 32,
                                                 .cq_size = 64,
                                                 .area_bytes = AREA,
                                                 .caps = table});
    }
    return s;
}

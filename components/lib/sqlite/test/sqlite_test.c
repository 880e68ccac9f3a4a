/* SPDX-License-Identifier: MIT OR Apache-2.0
 * sqlite_test.c: SQLite on a volume on a disk in memory: it keeps what it acknowledged, through every cut of a run of transactions
 * with every subset of the unflushed writes; it says so when a page rots, when the disk is full and when it fails.
 *
 * CRASH_SUBSETS=N tries that many subsets of the unflushed writes at each cut; all of them, where there are not more.
 */
#include "../sqlite.c"
#include "../sqlite_vfs.c"
#include "../sqlite_trial.h"
#include "../../volume/test/test_disk.h"

#define LOG_BLOCKS 64u
#define DISK_SIZE (17u + LOG_BLOCKS + 2 + 2 * 1026)
#define LEAVES 4u
#define TRANSACTIONS 30u

uint64_t clock_wall_ns(void)
{
    return test_clock_ns;
}
static struct volume volume;
static uint64_t memory[VOLUME_MEMORY(LEAVES, LOG_BLOCKS) / 8 + 1];
static const uint8_t uuid[16] = "test volume";
static sqlite3 *db;

static int open_db(void)
{
    struct volume_memory given = {memory, sizeof memory};

    test_room = ROOM_BOOT;
    if (heap == NULL) {
        REQUIRE(sqlite_start() == ST_OK);
    }
    test_room = ROOM_THREAD;
    REQUIRE(volume_init(&volume, &disk.io, &given, LEAVES) == ST_OK);
    if (volume_mount(&volume) != ST_OK) {
        return SQLITE_CANTOPEN;
    }
    return sqlite_open(&volume, "seed", 4, &db);
}

/* Ends without a word: as a cut does, but the disk keeps all. */
static void drop_db(void)
{
    disk.recording = false;
    disk.fail_writes = 0; /* what close would still write is not wanted */
    REQUIRE(sqlite_close(db) == SQLITE_OK);
    disk.fail_writes = UINT32_MAX;
}

static void begin(uint64_t blocks)
{
    struct volume_memory given = {memory, sizeof memory};

    disk_new(blocks);
    REQUIRE(volume_init(&volume, &disk.io, &given, LEAVES) == ST_OK);
    REQUIRE(volume_format(&volume, uuid, LOG_BLOCKS, 0) == ST_OK);
    REQUIRE(open_db() == SQLITE_OK);
}

/* --- tests ----------------------------------------------------------------------------------------------------------- */

static void test_lives(void)
{
    begin(DISK_SIZE);
    CHECK_EQ(trial_make(db), SQLITE_OK);
    for (unsigned n = 1; n <= 60; n++) {
        CHECK_EQ(trial_transaction(db, n), SQLITE_OK);
    }
    CHECK(trial_ok(db, 60));
    CHECK(volume.count.commits > 2); /* checkpoints came by themselves */
    CHECK_EQ(sqlite_close(db), SQLITE_OK);
    REQUIRE(open_db() == SQLITE_OK);
    CHECK(trial_ok(db, 60));
    CHECK_EQ(trial_number(db, "PRAGMA max_page_count"), 2048);
    CHECK_EQ(trial_transaction(db, 61), SQLITE_OK);
    drop_db();
    REQUIRE(open_db() == SQLITE_OK);
    CHECK(trial_ok(db, 61)); /* out of the log */
    drop_db();
}

/* A transaction that changes one page, over and over: one FLUSH each, and no block that holds a commit is written again before
 * the log begins anew. */
static void test_commit_cost(void)
{
    begin(DISK_SIZE);
    REQUIRE(trial_run(db, "CREATE TABLE t(n); INSERT INTO t VALUES(0); PRAGMA wal_checkpoint(TRUNCATE)") == SQLITE_OK);
    disk_record();
    for (unsigned i = 0; i < 10; i++) {
        CHECK_EQ(trial_run(db, "UPDATE t SET n=n+1"), SQLITE_OK);
    }
    unsigned flushes = 0;
    uint64_t durable = 0; /* the last block that a FLUSH covers */
    uint64_t last = 0;
    for (unsigned i = 0; i < disk.event_count; i++) {
        const struct event *event = &disk.event[i];
        flushes += event->data == NULL ? 1 : 0;
        durable = event->data == NULL ? last : durable;
        last = event->data == NULL ? last : event->block;
        CHECK(event->data == NULL || flushes <= 1 || event->block > durable); /* the first FLUSH is of the log's head */
    }
    CHECK(flushes <= 11);
    drop_db();
}

/* Every block of the database that is in use rots, one after the other: what is read is right or an error. */
static void test_rot(void)
{
    begin(DISK_SIZE);
    REQUIRE(trial_make(db) == SQLITE_OK);
    for (unsigned n = 1; n <= 20; n++) {
        REQUIRE(trial_transaction(db, n) == SQLITE_OK);
    }
    uint64_t free = (uint64_t)trial_number(db, "PRAGMA freelist_count"); /* nobody reads those */
    REQUIRE(sqlite_close(db) == SQLITE_OK);
    unsigned found = 0;
    uint64_t pages = volume.super.page_count;
    uint64_t first = volume.super.run[0].start;
    for (uint64_t block = first; block < first + 2 + pages; block++) {
        disk_at(block)[1000] ^= 4;
        bool opened = open_db() == SQLITE_OK;
        bool ok = opened && trial_ok(db, 20);
        found += ok ? 0 : 1;
        CHECK(ok || volume.count.errors > 0); /* and it was the CRC that found it */
        if (opened) {
            drop_db();
        }
        disk_at(block)[1000] ^= 4;
    }
    CHECK(found >= pages - free && found <= pages - free + 1); /* with the leaf's home that is in use */
    REQUIRE(open_db() == SQLITE_OK);
    CHECK(trial_ok(db, 20));
    drop_db();
}

/* A block of the log rots while nobody has it open: what is opened has lost the last commit at most, which may be a cut's. */
static void test_log_rot_at_rest(void)
{
    static uint8_t before[DISK_SIZE * DISK_BLOCK_BYTES];
    unsigned refused = 0;
    unsigned shorter = 0;

    begin(DISK_SIZE);
    REQUIRE(trial_make(db) == SQLITE_OK);
    REQUIRE(trial_run(db, "PRAGMA wal_checkpoint(TRUNCATE)") == SQLITE_OK);
    for (unsigned n = 1; n <= 4; n++) {
        REQUIRE(trial_transaction(db, n) == SQLITE_OK);
    }
    drop_db();
    memcpy(before, disk_at(0), sizeof before);
    for (unsigned at = 0; at < LOG_BLOCKS * DISK_BLOCK_BYTES; at += 509) {
        disk_at(17)[at] ^= 1;
        int r = open_db();
        CHECK(r == SQLITE_OK || r == SQLITE_IOERR_DATA);
        refused += r == SQLITE_OK ? 0 : 1;
        if (r == SQLITE_OK) {
            unsigned there = (unsigned)trial_number(db, "SELECT n FROM state");
            CHECK(there >= 3 && trial_ok(db, there));
            shorter += there == 3 ? 1 : 0;
            drop_db();
        }
        memcpy(disk_at(0), before, sizeof before);
    }
    CHECK(refused > 20 && shorter > 2);
}

/* A block of the log that was right when it was recovered, and is not any more. */
static void test_log_rot(void)
{
    unsigned found = 0;

    begin(DISK_SIZE);
    REQUIRE(trial_make(db) == SQLITE_OK && trial_transaction(db, 1) == SQLITE_OK);
    drop_db();
    for (unsigned block = 0; block < 40; block++) {
        REQUIRE(open_db() == SQLITE_OK &&
                trial_transaction(db, 2 + block) == SQLITE_OK); /* the log begins anew at an open */
        disk_at(17 + block)[2000] ^= 1;
        volume.log_window_count = 0;
        CHECK_EQ(sqlite3_db_release_memory(db), SQLITE_OK); /* its cache: the log is read */
        bool ok = trial_ok(db, 2 + block);
        found += ok ? 0 : 1;
        CHECK(ok || volume.count.errors > 0);
        disk_at(17 + block)[2000] ^= 1;
        drop_db();
    }
    CHECK(found > 2); /* not those of which there is a later state */
    REQUIRE(open_db() == SQLITE_OK);
    CHECK(trial_ok(db, 41));
    drop_db();
}

/* The log is shorter than the transaction: refused, undone, and life goes on. */
static void test_log_full(void)
{
    begin(DISK_SIZE);
    REQUIRE(trial_make(db) == SQLITE_OK && trial_transaction(db, 1) == SQLITE_OK);
    REQUIRE(trial_run(db, "CREATE TABLE big(v)") == SQLITE_OK);
    CHECK_EQ(trial_run(
                 db, "INSERT INTO big SELECT randomblob(4000) FROM (WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT "
                     "i+1 FROM c WHERE i<200) SELECT i FROM c)"),
             SQLITE_FULL);
    CHECK_EQ(trial_number(db, "SELECT count(*) FROM big"), 0);
    CHECK_EQ(trial_transaction(db, 2), SQLITE_OK);
    CHECK(trial_ok(db, 2));
    drop_db();
    REQUIRE(open_db() == SQLITE_OK);
    CHECK(trial_ok(db, 2));
    drop_db();
}

/* Transactions about as long as the log, each ended by a cut at once: what was refused is not there, what was not is. */
static void test_log_just_full(void)
{
    unsigned refused = 0;

    for (unsigned rows = LOG_BLOCKS - 10; rows < LOG_BLOCKS + 2; rows++) {
        char sql[200];
        snprintf(sql, sizeof sql,
                 "INSERT INTO big WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM c WHERE i<%u) SELECT "
                 "randomblob(4000) FROM c",
                 rows);
        begin(DISK_SIZE);
        REQUIRE(trial_run(db, "CREATE TABLE big(v); PRAGMA wal_checkpoint(TRUNCATE)") == SQLITE_OK);
        int r = trial_run(db, sql);
        CHECK(r == SQLITE_OK || r == SQLITE_FULL);
        refused += r == SQLITE_OK ? 0 : 1;
        drop_db();
        REQUIRE(open_db() == SQLITE_OK);
        CHECK_EQ(trial_number(db, "SELECT count(*) FROM big"), r == SQLITE_OK ? rows : 0);
        drop_db();
    }
    CHECK_EQ(refused, 5); /* of 12: two pages more than rows change, and the last of 63 frames is the filling */
}

/* The same of commits of one page each, one behind the other. */
static void test_log_just_full_of_small(void)
{
    char sql[80];
    unsigned done = 0;
    int r = SQLITE_OK;

    begin(DISK_SIZE);
    REQUIRE(trial_run(db, "CREATE TABLE one(v); INSERT INTO one VALUES(0); PRAGMA wal_checkpoint(TRUNCATE);"
                          "PRAGMA wal_autocheckpoint = 0") == SQLITE_OK);
    while (r == SQLITE_OK && done < LOG_BLOCKS) {
        snprintf(sql, sizeof sql, "UPDATE one SET v = %u", done + 1);
        r = trial_run(db, sql);
        done += r == SQLITE_OK ? 1 : 0;
    }
    CHECK(r == SQLITE_FULL && done > LOG_BLOCKS / 2 - 3);
    REQUIRE(volume_log_sync(&volume) == ST_OK); /* what was left in memory of the refused one would be there now */
    drop_db();
    REQUIRE(open_db() == SQLITE_OK);
    CHECK_EQ(trial_number(db, "SELECT v FROM one"), done);
    drop_db();
}

/* The disk is full: refused when it is committed, never at a checkpoint; what is deleted makes room. */
static void test_disk_full(void)
{
    unsigned rows = 0;
    int r = SQLITE_OK;

    begin(17u + LOG_BLOCKS + 2 + 1026);
    REQUIRE(trial_run(db, "CREATE TABLE big(v)") == SQLITE_OK);
    while (r == SQLITE_OK && rows < 2000) {
        r = trial_run(db, "INSERT INTO big VALUES(randomblob(40000))");
        rows += r == SQLITE_OK ? 1 : 0;
    }
    CHECK_EQ(r, SQLITE_FULL);
    CHECK(rows > 80);
    CHECK_EQ(volume.failed, ST_OK);
    CHECK_EQ(trial_run(db, "PRAGMA wal_checkpoint(TRUNCATE)"), SQLITE_OK);
    CHECK(volume.super.page_count > 1000 && volume.super.page_count <= 1024);
    CHECK(trial_integrity(db));
    CHECK_EQ(trial_run(db, "DELETE FROM big WHERE rowid<20"), SQLITE_OK);
    CHECK_EQ(trial_run(db, "INSERT INTO big VALUES(randomblob(40000))"), SQLITE_OK);
    CHECK_EQ(trial_number(db, "SELECT count(*) FROM big"), rows - 19 + 1);
    CHECK_EQ(sqlite_close(db), SQLITE_OK);
}

/* The disk fails at every write of some transactions in turn: an error, and after the next mount all that was acknowledged. */
static void test_failures(void)
{
    for (unsigned allowed = 0; allowed < 80; allowed += 1 + allowed / 8) {
        unsigned acknowledged = 0;
        begin(DISK_SIZE);
        REQUIRE(trial_make(db) == SQLITE_OK);
        disk.fail_writes = allowed;
        while (acknowledged < TRANSACTIONS && trial_transaction(db, acknowledged + 1) == SQLITE_OK) {
            acknowledged++;
        }
        CHECK(acknowledged < TRANSACTIONS && volume.failed == ST_IO);
        CHECK(trial_transaction(db, acknowledged + 1) != SQLITE_OK); /* nor any later one */
        drop_db();
        REQUIRE(open_db() == SQLITE_OK);
        CHECK(trial_ok(db, acknowledged) || trial_ok(db, acknowledged + 1));
        drop_db();
    }
}

static void test_read_failures(void)
{
    begin(DISK_SIZE);
    REQUIRE(trial_make(db) == SQLITE_OK && trial_transaction(db, 1) == SQLITE_OK);
    for (unsigned allowed = 0; allowed < 40; allowed++) {
        drop_db();
        disk.fail_reads = allowed;
        bool opened = open_db() == SQLITE_OK;
        bool ok = opened && trial_ok(db, 1);
        CHECK(ok || disk.fail_reads == 0);
        disk.fail_reads = UINT32_MAX;
        if (!opened) {
            REQUIRE(open_db() == SQLITE_OK);
        }
    }
    CHECK(trial_ok(db, 1));
    drop_db();
}

static void test_other_files(void)
{
    begin(DISK_SIZE);
    CHECK_EQ(trial_run(db, "ATTACH 'other' AS o"), SQLITE_CANTOPEN);
    CHECK_EQ(trial_run(db, "VACUUM INTO 'other'"), SQLITE_CANTOPEN);
    CHECK_EQ(trial_run(db, "CREATE TEMP TABLE t(x); INSERT INTO t VALUES(1)"), SQLITE_OK); /* in memory */
    CHECK_EQ(trial_run(db, "CREATE TABLE u(x); INSERT INTO u VALUES(1); VACUUM"), SQLITE_OK);
    test_clock_ns = 0;
    CHECK(trial_number(db, "SELECT strftime('%Y','now')") >= 1970);
    drop_db();
}

/* --- cuts ------------------------------------------------------------------------------------------------------------ */

static unsigned acknowledged_at[TRANSACTIONS + 1]; /* how many events there were */

/* Goes on where a cut left it, on what recovery found in the log, until the log has begun anew. */
static bool goes_on(unsigned n)
{
    for (unsigned i = 0; i < 8; i++, n++) {
        if (trial_transaction(db, n + 1) != SQLITE_OK) {
            return false;
        }
    }
    drop_db();
    return open_db() == SQLITE_OK && trial_ok(db, n);
}

static void check_cut(unsigned cut, const char *what, bool go_on)
{
    unsigned n = 0;

    while (n < TRANSACTIONS && acknowledged_at[n + 1] <= cut) {
        n++;
    }
    if (open_db() != SQLITE_OK) {
        test_failed(__FILE__, __LINE__, "cut at %u (%s): does not open", cut, what);
        return;
    }
    unsigned there = (unsigned)trial_number(db, "SELECT n FROM state");
    bool ok = (there == n || (n < TRANSACTIONS && there == n + 1)) && trial_ok(db, there);
    if (!ok || (go_on && !goes_on(there))) {
        test_failed(__FILE__, __LINE__, "cut at %u (%s): not the state after %u transactions", cut, what, n);
    }
    test_counted();
    drop_db();
}

static unsigned try_cut(unsigned cut, uint64_t subsets)
{
    unsigned open = cut - disk_unflushed(cut);
    bool all = open < 40 && 1ull << open <= subsets;
    uint64_t count = all ? 1ull << open : subsets;

    for (uint64_t i = 0; i < count; i++) {
        disk_cut(cut, all ? i : test_random(), -1);
        check_cut(cut, "a subset", false);
    }
    if (open > 0) { /* all of them, and one torn */
        disk_cut(cut, UINT64_MAX, (int)(test_random() % open));
        check_cut(cut, "torn", cut % 3 == 0);
    }
    return (unsigned)count + (open > 0 ? 1 : 0);
}

/* The log was to begin anew, and all that a cut left of that is a block of its header as it was, with nothing behind its first
 * sector. What comes then has salts of its own: else the commits that stand behind it would be taken for ones that follow it. */
static void test_torn_restart(void)
{
    char sql[48];
    int n = 0;

    begin(DISK_SIZE);
    REQUIRE(trial_run(db, "CREATE TABLE small(x)") == SQLITE_OK);
    REQUIRE(sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_RESTART, NULL, NULL) == SQLITE_OK);
    while (n < 6) {
        snprintf(sql, sizeof sql, "INSERT INTO small VALUES(%d)", n++);
        REQUIRE(trial_run(db, sql) == SQLITE_OK);
    }
    REQUIRE(sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_FULL, NULL, NULL) == SQLITE_OK);
    drop_db();
    memset(disk_at(volume.super.log_start) + 512, 0xa5, DISK_BLOCK_BYTES - 512);
    for (unsigned boot = 0; boot < 3; boot++) {
        REQUIRE(open_db() == SQLITE_OK);
        CHECK_EQ(trial_number(db, "SELECT count(*) FROM small"), n);
        snprintf(sql, sizeof sql, "INSERT INTO small VALUES(%d)", n++);
        CHECK_EQ(trial_run(db, sql), SQLITE_OK);
        drop_db();
    }
}

static void test_cuts(void)
{
    const char *wanted = getenv("CRASH_SUBSETS");
    uint64_t subsets = wanted != NULL ? strtoull(wanted, NULL, 0) : 2;
    unsigned states = 0;

    begin(DISK_SIZE);
    REQUIRE(trial_make(db) == SQLITE_OK);
    disk_record();
    for (unsigned n = 1; n <= TRANSACTIONS; n++) {
        REQUIRE(trial_transaction(db, n) == SQLITE_OK);
        acknowledged_at[n] = disk.event_count;
    }
    unsigned events = disk.event_count;
    CHECK(volume.count.commits >= 2);
    drop_db();
    for (unsigned cut = 0; cut <= events; cut++) {
        states += try_cut(cut, subsets);
    }
    printf("%u crash states of %u events\n", states, events);
}

int main(void)
{
    RUN(test_lives);
    RUN(test_commit_cost);
    RUN(test_rot);
    RUN(test_log_rot);
    RUN(test_log_rot_at_rest);
    RUN(test_log_full);
    RUN(test_log_just_full);
    RUN(test_log_just_full_of_small);
    RUN(test_disk_full);
    RUN(test_failures);
    RUN(test_read_failures);
    RUN(test_other_files);
    RUN(test_torn_restart);
    RUN(test_cuts);
    disk_free();
    return test_end();
}

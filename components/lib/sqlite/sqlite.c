/* SPDX-License-Identifier: MIT OR Apache-2.0
 * sqlite.c: SQLite's memory, and a database opened the one way that the VFS is made for: exclusive, write-ahead log, full sync.
 *
 *  (1) A new database gets its first page with a journal in memory: that page and volume_commit() are one atomic step,
 *      so no file for a journal is needed.
 */
#include <string.h>
#include "config.h"
#include "core/assert.h"
#include "core/mem.h"
#include "sqlite_private.h"
#define LOG_TAG "sqlite"
#include "core/log.h"

#define ALLOCATION_MIN 64 /* of MEMSYS5 */

static void *heap; /* [I] after BOOT */
static size_t heap_bytes;
static bool image; /* what is opened is written to, and its disk may be cut: (4) of sqlite_log.c */
static bool salvage;

void sqlite_heap_use(void *bytes, size_t size)
{
    heap = bytes;
    heap_bytes = size;
    image = false;
}

status_t sqlite_start(void) REQUIRES(BOOT);
status_t sqlite_start(void)
{
    sqlite_heap_use(boot_alloc_named("SQLite's heap", SQLITE_HEAP, 64), SQLITE_HEAP);
    image = true;
    return ST_OK;
}

static void say(void *context, int code, const char *message)
{
    if ((code & 0xff) != SQLITE_NOTICE && (code & 0xff) != SQLITE_SCHEMA) {
        log_warn("(%d) %s", code, message);
    }
}

static int initialize(void)
{
    int r = sqlite3_config(SQLITE_CONFIG_HEAP, heap, (int)heap_bytes, ALLOCATION_MIN);

    if (r == SQLITE_OK) {
        r = sqlite3_config(SQLITE_CONFIG_LOG, say, NULL);
    }
    return r == SQLITE_OK ? sqlite3_initialize() : r;
}

/* Runs a pragma, which must answer `wanted` (NULL: whatever). SQLITE_MISUSE: it answered something else. */
static int pragma(sqlite3 *db, const char *sql, const char *wanted)
{
    sqlite3_stmt *statement;
    int r = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);

    if (r != SQLITE_OK) {
        return r;
    }
    r = sqlite3_step(statement);
    const char *answer = r == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : "";
    bool right = wanted == NULL || (answer != NULL && strcmp(answer, wanted) == 0);
    int end = sqlite3_finalize(statement);
    if (end != SQLITE_OK) {
        return end;
    }
    return right ? SQLITE_OK : SQLITE_MISUSE;
}

static int pragma_number(sqlite3 *db, const char *name, uint64_t number)
{
    char sql[80];

    (void)sqlite3_snprintf((int)sizeof sql, sql, "PRAGMA %s=%llu", name, (unsigned long long)number);
    return pragma(db, sql, NULL);
}

/* (1) */
static int use_log(sqlite3 *db)
{
    int r = pragma(db, "PRAGMA journal_mode", "wal");

    if (r != SQLITE_MISUSE) {
        return r;
    }
    r = pragma(db, "PRAGMA journal_mode=MEMORY", "memory");
    return r == SQLITE_OK ? pragma(db, "PRAGMA journal_mode=WAL", "wal") : r;
}

static int set_up(sqlite3 *db, const struct volume *volume)
{
    int r = pragma(db, "PRAGMA locking_mode=EXCLUSIVE", "exclusive");

    if (r == SQLITE_OK) {
        r = pragma(db, "PRAGMA synchronous=FULL", NULL);
    }
    if (r == SQLITE_OK) {
        r = use_log(db);
    }
    if (r == SQLITE_OK) {
        r = pragma_number(db, "max_page_count", volume_pages_max(volume));
    }
    if (r == SQLITE_OK) { /* half of the log for what is being written when it is time to empty it */
        r = pragma_number(db, "wal_autocheckpoint", volume_log_bytes(volume) / FRAME_BYTES / 2);
    }
    return r;
}

void sqlite_salvage(void)
{
    salvage = true;
}

/* Nothing that was acknowledged is behind a break. *bare: (4) of sqlite_log.c. */
static int log_is_whole(struct volume *volume, bool *bare) REQUIRES(THREAD)
{
    struct sqlite_log log = {0};
    bool none = volume->super.page_count == 0; /* then there is no log either */
    status_t s = none ? ST_STALE : sqlite_log_look(volume, &log);

    *bare = log.bare;
    if (s != ST_OK) {
        return s == ST_STALE ? SQLITE_OK : SQLITE_IOERR_READ;
    }
    if (log.lost == 0) {
        return SQLITE_OK;
    }
    log_err("the log is damaged behind its page %llu: at least %llu pages of acknowledged commits cannot be reached",
            (unsigned long long)log.frames, (unsigned long long)log.lost);
    return salvage ? SQLITE_OK : SQLITE_IOERR_DATA;
}

int sqlite_open(struct volume *volume, const void *seed, size_t seed_bytes, sqlite3 **db)
{
    ASSERT(heap != NULL);
    *db = NULL;
    sqlite_vfs_use(volume, seed, seed_bytes);
    bool bare = false;
    int r = log_is_whole(volume, &bare);
    if (r == SQLITE_OK) {
        r = initialize();
    }
    if (r == SQLITE_OK) {
        r = sqlite3_open_v2(SQLITE_NAME, db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    }
    if (r == SQLITE_OK) {
        (void)sqlite3_extended_result_codes(*db, 1);
        r = set_up(*db, volume);
    }
    if (r == SQLITE_OK && bare && image) {
        r = sqlite3_wal_checkpoint_v2(*db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    }
    if (r != SQLITE_OK) {
        log_err("the database cannot be opened: %d", r);
        (void)sqlite3_close(*db); /* NULL is nothing */
        *db = NULL;
        (void)sqlite3_shutdown();
    }
    return r;
}

int sqlite_close(sqlite3 *db)
{
    int r = sqlite3_close(db);

    if (r == SQLITE_OK) {
        r = sqlite3_shutdown();
    }
    return r;
}

void sqlite_memory(int64_t *used, int64_t *most)
{
    sqlite3_int64 now = 0;
    sqlite3_int64 high = 0;

    (void)sqlite3_status64(SQLITE_STATUS_MEMORY_USED, &now, &high, 0);
    *used = now;
    *most = high;
}

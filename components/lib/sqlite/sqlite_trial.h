/* SPDX-License-Identifier: MIT OR Apache-2.0
 * sqlite_trial.h: for tests, on the host and on a machine: transactions whose outcome is known, so that after a cut one can say
 * whether exactly the first `n` of them are there.
 */
#pragma once
#include <stdbool.h>
#include <string.h>
#include "lib/sqlite/sqlite.h"

#define TRIAL_KEYS 40u
#define TRIAL_PER_TRANSACTION 3u
#define TRIAL_VALUE_MAX 5000u

static inline int trial_run(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static inline int64_t trial_number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement;
    int64_t result = -1;

    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK) {
        result = sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : -2;
        (void)sqlite3_finalize(statement);
    }
    return result;
}

static inline bool trial_integrity(sqlite3 *db)
{
    sqlite3_stmt *statement;

    if (sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &statement, NULL) != SQLITE_OK) {
        return false;
    }
    bool ok =
        sqlite3_step(statement) == SQLITE_ROW && strcmp((const char *)sqlite3_column_text(statement, 0), "ok") == 0;
    (void)sqlite3_finalize(statement);
    return ok;
}

/* Transaction `n` (from 1) gives these keys new values. */
static inline unsigned trial_key_of(unsigned n, unsigned i)
{
    return (n * 7 + i * 13) % TRIAL_KEYS;
}
static inline unsigned trial_value_size(unsigned n, unsigned key)
{
    return (n * 977 + key * 131) % TRIAL_VALUE_MAX;
}
static inline const unsigned char *trial_value_of(unsigned n, unsigned key)
{
    static unsigned char bytes[TRIAL_VALUE_MAX];

    for (unsigned i = 0; i < TRIAL_VALUE_MAX; i++) {
        bytes[i] = (unsigned char)(n * 31 + key * 7 + i);
    }
    return bytes;
}

static inline int trial_make(sqlite3 *db)
{
    return trial_run(db, "CREATE TABLE state(n INTEGER); INSERT INTO state VALUES(0);"
                         "CREATE TABLE kv(k INTEGER PRIMARY KEY, n INTEGER, v BLOB); CREATE INDEX kv_n ON kv(n)");
}

static inline int trial_put(sqlite3 *db, unsigned n, unsigned key)
{
    sqlite3_stmt *statement;
    int r = sqlite3_prepare_v2(db, "INSERT OR REPLACE INTO kv VALUES(?,?,?)", -1, &statement, NULL);

    if (r != SQLITE_OK) {
        return r;
    }
    (void)sqlite3_bind_int64(statement, 1, key);
    (void)sqlite3_bind_int64(statement, 2, n);
    (void)sqlite3_bind_blob(statement, 3, trial_value_of(n, key), (int)trial_value_size(n, key), SQLITE_STATIC);
    (void)sqlite3_step(statement);
    return sqlite3_finalize(statement);
}

static inline int trial_transaction(sqlite3 *db, unsigned n)
{
    int r = trial_run(db, "BEGIN");

    for (unsigned i = 0; i < TRIAL_PER_TRANSACTION && r == SQLITE_OK; i++) {
        r = trial_put(db, n, trial_key_of(n, i));
    }
    if (r == SQLITE_OK) {
        r = trial_run(db, "UPDATE state SET n=n+1");
    }
    if (r == SQLITE_OK) {
        r = trial_run(db, "COMMIT");
    }
    if (r != SQLITE_OK && !sqlite3_get_autocommit(db)) {
        (void)trial_run(db, "ROLLBACK");
    }
    return r;
}

/* What stands at `key` after `n` transactions: the number of the transaction that wrote it; 0: none did. */
static inline unsigned trial_writer_of(unsigned n, unsigned key)
{
    for (; n > 0; n--) {
        for (unsigned i = 0; i < TRIAL_PER_TRANSACTION; i++) {
            if (trial_key_of(n, i) == key) {
                return n;
            }
        }
    }
    return 0;
}

static inline bool trial_row_ok(sqlite3 *db, unsigned n, unsigned key)
{
    sqlite3_stmt *statement;
    unsigned writer = trial_writer_of(n, key);

    if (sqlite3_prepare_v2(db, "SELECT n,v FROM kv WHERE k=?", -1, &statement, NULL) != SQLITE_OK) {
        return false;
    }
    (void)sqlite3_bind_int64(statement, 1, key);
    bool row = sqlite3_step(statement) == SQLITE_ROW;
    bool ok = row == (writer != 0);
    if (row && ok) {
        ok = sqlite3_column_int64(statement, 0) == writer &&
             sqlite3_column_bytes(statement, 1) == (int)trial_value_size(writer, key) &&
             memcmp(sqlite3_column_blob(statement, 1), trial_value_of(writer, key), trial_value_size(writer, key)) == 0;
    }
    (void)sqlite3_finalize(statement);
    return ok;
}

/* All of the first `n` transactions and nothing else. */
static inline bool trial_ok(sqlite3 *db, unsigned n)
{
    bool ok = trial_integrity(db) && trial_number(db, "SELECT n FROM state") == n;

    for (unsigned key = 0; key < TRIAL_KEYS && ok; key++) {
        ok = trial_row_ok(db, n, key);
    }
    return ok;
}

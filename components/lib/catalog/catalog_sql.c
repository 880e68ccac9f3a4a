/* SPDX-License-Identifier: MIT OR Apache-2.0
 * catalog_sql.c: the tables and every statement there is; binding and stepping. Rules in catalog_private.h.
 */
#include <stdarg.h>
#include "catalog_private.h"
#include "core/assert.h"
#define LOG_TAG "catalog"
#include "core/log.h"

/* A node's columns, in the order in which catalog_tree.c takes them. */
#define NODE "parent, id, object, born, kind, made_ns, made_clock, changed_ns, changed_clock, name"

static const char *const sql[Q_COUNT] = {
    [Q_BEGIN] = "BEGIN",
    [Q_COMMIT] = "COMMIT",
    [Q_ROLLBACK] = "ROLLBACK",
    [Q_SAVE] = "SAVEPOINT operation",
    [Q_RELEASE] = "RELEASE operation",
    [Q_BACK] = "ROLLBACK TO operation",

    [Q_TABLES] = "SELECT 1 FROM sqlite_master LIMIT 1",
    [Q_META_NEW] = "INSERT INTO meta(version) VALUES(?1)",
    [Q_META] = "SELECT version, free_blocks, next_node, generation, last_snapshot, objects, nodes, snapshots FROM meta",
    [Q_META_SET] = "UPDATE meta SET free_blocks=?1, next_node=?2, generation=?3, last_snapshot=?4, objects=?5, "
                   "nodes=?6, snapshots=?7",

    [Q_FREE_AT] = "SELECT start, blocks FROM free WHERE start<=?1 ORDER BY start DESC LIMIT 1",
    [Q_FREE_BEFORE] = "SELECT start, blocks FROM free WHERE start>=?1 ORDER BY start LIMIT 1",
    [Q_FREE_FIT] = "SELECT start, blocks FROM free WHERE blocks>=?1 ORDER BY blocks, start LIMIT ?2",
    [Q_FREE_LARGEST] = "SELECT start, blocks FROM free ORDER BY blocks DESC, start DESC LIMIT ?1",
    [Q_FREE_PUT] = "INSERT OR REPLACE INTO free VALUES(?1, ?2)",
    [Q_FREE_DROP] = "DELETE FROM free WHERE start=?1",

    [Q_EXTENT] = "SELECT start, blocks, refs FROM extent WHERE id=?1",
    [Q_EXTENT_NEXT] = "SELECT id FROM extent WHERE id>?1 ORDER BY id LIMIT 1",
    [Q_EXTENT_LAST] = "SELECT coalesce(max(id), 0) FROM extent",
    [Q_EXTENT_NEW] = "INSERT INTO extent(start, blocks, refs) VALUES(?1, ?2, 1)",
    [Q_EXTENT_REFS] = "UPDATE extent SET refs=refs+?2 WHERE id=?1",
    [Q_EXTENT_DROP] = "DELETE FROM extent WHERE id=?1",
    [Q_SUMS] = "SELECT crcs FROM sums WHERE extent=?1",
    [Q_SUMS_NEW] = "INSERT INTO sums VALUES(?1, ?2)",
    [Q_SUMS_DROP] = "DELETE FROM sums WHERE extent=?1",

    [Q_PIECE_AT] = "SELECT at, extent, skip, blocks FROM piece WHERE object=?1 AND at<=?2 ORDER BY at DESC LIMIT 1",
    [Q_PIECE_NEXT] = "SELECT at, extent, skip, blocks FROM piece WHERE object=?1 AND at>=?2 ORDER BY at LIMIT 1",
    [Q_PIECE_NEW] = "INSERT INTO piece VALUES(?1, ?2, ?3, ?4, ?5)",
    [Q_PIECE_DROP] = "DELETE FROM piece WHERE object=?1 AND at=?2",
    [Q_PIECE_SCAN] =
        "SELECT object, at, extent, skip, blocks FROM piece WHERE (object, at)>(?1, ?2) ORDER BY object, at"
        " LIMIT ?3",
    [Q_PIECES_MOVE] = "UPDATE piece SET object=?2 WHERE object=?1 AND at>=?3",
    [Q_PIECES_COPY] = "INSERT INTO piece SELECT ?2, at, extent, skip, blocks FROM piece WHERE object=?1",
    [Q_PIECES_SHARE] = "UPDATE extent SET refs=refs+(SELECT count(*) FROM piece WHERE object=?1 AND extent=extent.id)"
                       " WHERE id IN (SELECT extent FROM piece WHERE object=?1)",

    [Q_OBJECT] = "SELECT id, size, names, pins, state, digest, bytes IS NOT NULL FROM object WHERE id=?1",
    [Q_OBJECT_DIGEST] = "SELECT id, size, names, pins, state, digest, bytes IS NOT NULL FROM object WHERE digest=?1",
    [Q_OBJECT_NEW] = "INSERT INTO object(state, size, names, pins) VALUES(?1, 0, 0, 0)",
    [Q_OBJECT_SET] = "UPDATE object SET state=?2, size=?3, digest=?4, bytes=?5 WHERE id=?1",
    [Q_OBJECT_BYTES] = "SELECT bytes FROM object WHERE id=?1",
    [Q_OBJECT_NAMES] = "UPDATE object SET names=names+?2 WHERE id=?1",
    [Q_OBJECT_PINS] = "UPDATE object SET pins=pins+?2 WHERE id=?1",
    [Q_OBJECT_DOOM] = "UPDATE object SET state=2, digest=NULL, names=0, pins=0 WHERE id=?1",
    [Q_OBJECT_DROP] = "DELETE FROM object WHERE id=?1",
    [Q_OBJECT_LOOSE] = "SELECT id, state, size FROM object WHERE names=0 AND pins=0 AND id>?1 ORDER BY id LIMIT 1",

    [Q_OBJECT_ENDED] = "SELECT id FROM object WHERE state<>1 AND id>?1 ORDER BY id LIMIT 1",

    [Q_NODE] = "SELECT " NODE " FROM node WHERE parent=?1 AND name=?2 AND died=0x7fffffffffffffff",
    [Q_NODE_THEN] = "SELECT " NODE " FROM node WHERE parent=?1 AND name=?2 AND born<=?3 AND died>?3",
    [Q_NODE_ID] = "SELECT " NODE " FROM node WHERE id=?1 AND died=0x7fffffffffffffff",
    [Q_NODE_ID_THEN] = "SELECT " NODE " FROM node WHERE id=?1 AND died>?2 AND born<=?2",
    [Q_NODE_SCAN] = "SELECT id, died, object FROM node WHERE (id, died)>(?1, ?2) ORDER BY id, died LIMIT ?3",
    [Q_NODE_NEW] =
        "INSERT INTO node(" NODE ", died) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 0x7fffffffffffffff)",
    [Q_NODE_DIE] = "UPDATE node SET died=?3 WHERE parent=?1 AND name=?2 AND died=0x7fffffffffffffff",
    [Q_NODE_DROP] = "DELETE FROM node WHERE parent=?1 AND name=?2 AND died=?3",
    [Q_NODE_CHANGED] = "UPDATE node SET changed_ns=?2, changed_clock=?3 WHERE id=?1 AND died=0x7fffffffffffffff",
    [Q_NODE_ANY] = "SELECT 1 FROM node WHERE parent=?1 AND died=0x7fffffffffffffff LIMIT 1",
    [Q_NODE_BEHIND] = "SELECT id, kind, died FROM node WHERE parent=?1 AND name>?2 ORDER BY name, died",
    [Q_LIST] =
        "SELECT " NODE " FROM node WHERE parent=?1 AND name>=?2 AND died=0x7fffffffffffffff ORDER BY name LIMIT ?3",
    [Q_LIST_THEN] =
        "SELECT " NODE " FROM node WHERE parent=?1 AND name>=?2 AND born<=?4 AND died>?4 ORDER BY name LIMIT ?3",

    [Q_SNAPSHOT] = "SELECT generation FROM snapshot WHERE generation=?1",
    [Q_SNAPSHOT_NEW] = "INSERT INTO snapshot VALUES(?1, ?2, ?3, ?4)",
    [Q_SNAPSHOT_DROP] = "DELETE FROM snapshot WHERE generation=?1",
    [Q_SNAPSHOT_LAST] = "SELECT coalesce(max(generation), 0) FROM snapshot",
    [Q_SNAPSHOT_LIST] =
        "SELECT generation, label, made_ns, made_clock FROM snapshot WHERE generation>?1 ORDER BY generation LIMIT ?2",
    [Q_DEAD] = "SELECT parent, name, died, object FROM node WHERE died<0x7fffffffffffffff AND"
               " NOT EXISTS(SELECT 1 FROM snapshot WHERE generation>=born AND generation<died) LIMIT 1",
};

static const char schema[] =
    "CREATE TABLE meta(version INTEGER, free_blocks INTEGER, next_node INTEGER, generation INTEGER, last_snapshot "
    "INTEGER,"
    " objects INTEGER, nodes INTEGER, snapshots INTEGER);"
    "CREATE TABLE free(start INTEGER PRIMARY KEY, blocks INTEGER NOT NULL);"
    "CREATE INDEX free_blocks ON free(blocks, start);"
    "CREATE TABLE object(id INTEGER PRIMARY KEY AUTOINCREMENT, state INTEGER NOT NULL, size INTEGER NOT NULL,"
    " names INTEGER NOT NULL, pins INTEGER NOT NULL, digest BLOB, bytes BLOB);"
    "CREATE UNIQUE INDEX object_digest ON object(digest) WHERE digest IS NOT NULL;"
    "CREATE INDEX object_loose ON object(id) WHERE names=0 AND pins=0;"
    "CREATE INDEX object_ended ON object(id) WHERE state<>1;"
    "CREATE TABLE extent(id INTEGER PRIMARY KEY, start INTEGER NOT NULL, blocks INTEGER NOT NULL, refs INTEGER NOT "
    "NULL);"
    "CREATE TABLE sums(extent INTEGER PRIMARY KEY, crcs BLOB NOT NULL);"
    "CREATE TABLE piece(object INTEGER, at INTEGER, extent INTEGER NOT NULL, skip INTEGER NOT NULL, blocks INTEGER NOT "
    "NULL,"
    " PRIMARY KEY(object, at)) WITHOUT ROWID;"
    "CREATE TABLE node(parent INTEGER, name TEXT, died INTEGER, born INTEGER NOT NULL, id INTEGER NOT NULL, kind "
    "INTEGER NOT NULL,"
    " object INTEGER NOT NULL, made_ns INTEGER, made_clock INTEGER, changed_ns INTEGER, changed_clock INTEGER,"
    " PRIMARY KEY(parent, name, died)) WITHOUT ROWID;"
    "CREATE INDEX node_id ON node(id, died);"
    "CREATE INDEX node_dead ON node(died) WHERE died<0x7fffffffffffffff;"
    "CREATE TABLE snapshot(generation INTEGER PRIMARY KEY, label TEXT NOT NULL, made_ns INTEGER, made_clock INTEGER);";

/* --- errors ---------------------------------------------------------------------------------------------------------- */

enum catalog_answer catalog_trouble(const struct catalog *catalog)
{
    switch (catalog->code & 0xff) {
    case SQLITE_OK:
        return CATALOG_OK;
    case SQLITE_FULL:
        return CATALOG_FULL;
    case SQLITE_NOMEM:
        return CATALOG_LIMIT;
    case SQLITE_CORRUPT:
    case SQLITE_CONSTRAINT: /* what we put in breaks no rule: what is there does */
        return CATALOG_DAMAGED;
    default:
        return catalog->code == SQLITE_IOERR_DATA ? CATALOG_DAMAGED : CATALOG_FAILED;
    }
}

static void note(struct catalog *catalog, int code)
{
    if (catalog->code == SQLITE_OK && code != SQLITE_OK) {
        catalog->code = code;
    }
}

/* --- statements ------------------------------------------------------------------------------------------------------ */

static sqlite3_stmt *prepared(struct catalog *catalog, enum statement which) REQUIRES(THREAD)
{
    sqlite3_stmt **statement = &catalog->statement[which];

    if (*statement == NULL) {
        int r = sqlite3_prepare_v3(catalog->db, sql[which], -1, SQLITE_PREPARE_PERSISTENT, statement, NULL);
        note(catalog, r);
    }
    return *statement;
}

static int bind_one(sqlite3_stmt *statement, int at, char type, va_list *arguments)
{
    const void *bytes;

    switch (type) {
    case 'i':
        return sqlite3_bind_int64(statement, at, va_arg(*arguments, int64_t));
    case 't':
        bytes = va_arg(*arguments, const void *);
        return sqlite3_bind_text(statement, at, bytes, (int)va_arg(*arguments, uint32_t), SQLITE_STATIC);
    case 'b':
        bytes = va_arg(*arguments, const void *);
        return sqlite3_bind_blob(statement, at, bytes, (int)va_arg(*arguments, uint32_t), SQLITE_STATIC);
    default:
        ASSERT(type == 'n');
        return sqlite3_bind_null(statement, at);
    }
}

static sqlite3_stmt *query(struct catalog *catalog, enum statement which, const char *types, va_list *arguments)
    REQUIRES(THREAD)
{
    sqlite3_stmt *statement = prepared(catalog, which);

    if (statement == NULL) {
        return NULL;
    }
    (void)sqlite3_reset(statement); /* says again what its last step said */
    for (int i = 0; types[i] != 0; i++) {
        note(catalog, bind_one(statement, i + 1, types[i], arguments));
    }
    return statement;
}

sqlite3_stmt *catalog_query(struct catalog *catalog, enum statement which, const char *types, ...)
{
    va_list arguments;

    va_start(arguments, types);
    sqlite3_stmt *statement = query(catalog, which, types, &arguments);
    va_end(arguments);
    return statement;
}

bool catalog_row(struct catalog *catalog, sqlite3_stmt *statement)
{
    if (statement == NULL || catalog->code != SQLITE_OK) {
        return false;
    }
    int r = sqlite3_step(statement);
    if (r == SQLITE_ROW) {
        return true;
    }
    note(catalog, r == SQLITE_DONE ? SQLITE_OK : r);
    (void)sqlite3_reset(statement);
    return false;
}

enum catalog_answer catalog_do(struct catalog *catalog, enum statement which, const char *types, ...)
{
    va_list arguments;

    va_start(arguments, types);
    sqlite3_stmt *statement = query(catalog, which, types, &arguments);
    va_end(arguments);
    (void)catalog_row(catalog, statement);
    return catalog_trouble(catalog);
}

uint64_t catalog_u64(sqlite3_stmt *statement, int column)
{
    return (uint64_t)sqlite3_column_int64(statement, column);
}

void catalog_rest(struct catalog *catalog)
{
    for (unsigned i = 0; i < Q_COUNT; i++) {
        if (catalog->statement[i] != NULL && sqlite3_stmt_busy(catalog->statement[i])) {
            (void)sqlite3_reset(catalog->statement[i]);
        }
    }
}

void catalog_finalize(struct catalog *catalog)
{
    for (unsigned i = 0; i < Q_COUNT; i++) {
        (void)sqlite3_finalize(catalog->statement[i]); /* NULL is nothing */
        catalog->statement[i] = NULL;
    }
}

enum catalog_answer catalog_make_tables(struct catalog *catalog)
{
    note(catalog, sqlite3_exec(catalog->db, schema, NULL, NULL, NULL));
    return catalog_trouble(catalog);
}

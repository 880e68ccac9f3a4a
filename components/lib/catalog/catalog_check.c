/* SPDX-License-Identifier: MIT OR Apache-2.0
 * catalog_check.c: whether the tables agree with each other.
 *
 *  (1) Each question lists what is wrong; an empty answer is a good one. All of them need sorting, in SQLite's heap: a catalog of
 *      more than some hundred thousand rows wants a larger heap than an image has (CATALOG_LIMIT, said in the log).
 */
#include <string.h>
#include "catalog_private.h"
#define LOG_TAG "catalog"
#include "core/log.h"

#define FAULTS_SAID 20u

static const struct {
    const char *sql;
    const char *what; /* of the two numbers that a row has */
} question[] = {
    {"SELECT start, blocks FROM (SELECT start, blocks, lead(start, 1, 0x7fffffffffffffff) OVER (ORDER BY start) AS "
     "next FROM"
     " (SELECT start, blocks FROM free UNION ALL SELECT start, blocks FROM extent)) WHERE start+blocks>next OR "
     "blocks<1",
     "blocks from %lld on, %lld of them, belong to two"},
    {"SELECT (SELECT total(blocks) FROM free)+(SELECT total(blocks) FROM extent), ?1 WHERE"
     " (SELECT total(blocks) FROM free)+(SELECT total(blocks) FROM extent)<>?1",
     "%lld blocks are free or in use, and there are %lld"},
    {"SELECT (SELECT total(blocks) FROM free), free_blocks FROM meta WHERE free_blocks<>(SELECT total(blocks) FROM "
     "free)",
     "%lld blocks are free, and %lld were counted"},
    {"SELECT extent.id, refs FROM extent LEFT JOIN (SELECT extent AS e, count(*) AS n FROM piece GROUP BY extent) ON "
     "e=extent.id"
     " WHERE refs IS NOT n",
     "extent %lld has not %lld pieces"},
    {"SELECT object, at FROM piece LEFT JOIN extent ON extent.id=piece.extent WHERE extent.id IS NULL OR skip<0 OR "
     "piece.blocks<1"
     " OR skip+piece.blocks>extent.blocks",
     "object %lld, block %lld: no such part of an extent"},
    {"SELECT object, at FROM (SELECT object, at, blocks, lead(at, 1, 0x7fffffffffffffff) OVER (PARTITION BY object "
     "ORDER BY at)"
     " AS next FROM piece) WHERE at+blocks>next",
     "object %lld, block %lld: two pieces"},
    {"SELECT id, blocks FROM extent LEFT JOIN sums ON extent=id WHERE crcs IS NULL OR length(crcs)<>4*blocks",
     "extent %lld: no CRCs of its %lld blocks"},
    {"SELECT extent, 0 FROM sums WHERE extent NOT IN (SELECT id FROM extent)",
     "CRCs of extent %lld, of which there are %lld"},
    {"SELECT DISTINCT object, 0 FROM piece WHERE object NOT IN (SELECT id FROM object)",
     "pieces of object %lld, of which there are %lld"},
    {"SELECT id, names FROM object LEFT JOIN (SELECT object AS o, count(*) AS n FROM node WHERE object<>0 GROUP BY "
     "object) ON o=id"
     " WHERE state<>2 AND names<>coalesce(n, 0)",
     "object %lld has not %lld names"},
    {"SELECT id, object FROM node WHERE object<>0 AND object NOT IN (SELECT id FROM object WHERE state=1)",
     "node %lld means object %lld, which is none"},
    /* What nothing shows any more goes in any order: a directory may go before what was in it. */
    {"SELECT id, parent FROM node WHERE parent>2 AND parent NOT IN (SELECT id FROM node WHERE kind=1) AND"
     " (died=0x7fffffffffffffff OR EXISTS(SELECT 1 FROM snapshot WHERE generation>=born AND generation<died))",
     "node %lld stands in %lld, which is no directory"},
    {"SELECT id, parent FROM node AS n WHERE died=0x7fffffffffffffff AND parent>2 AND NOT EXISTS"
     " (SELECT 1 FROM node AS p WHERE p.id=n.parent AND p.died=n.died)",
     "node %lld is there, and its directory %lld is not"},
    {"SELECT id, count(*) FROM node WHERE died=0x7fffffffffffffff GROUP BY id HAVING count(*)>1",
     "node %lld is there %lld times"},
    {"SELECT (SELECT count(*) FROM object), objects FROM meta WHERE objects<>(SELECT count(*) FROM object)",
     "%lld objects are there, and %lld were counted"},
    {"SELECT (SELECT count(*) FROM node), nodes FROM meta WHERE nodes<>(SELECT count(*) FROM node)",
     "%lld rows of names are there, and %lld were counted"},
    {"SELECT (SELECT max(id) FROM node), next_node FROM meta WHERE next_node<=(SELECT max(id) FROM node)",
     "node %lld is there, and %lld was to be the next"},
    {"SELECT id, size FROM object WHERE bytes IS NOT NULL AND (length(bytes)<>size OR id IN (SELECT object FROM "
     "piece))",
     "object %lld has not the %lld bytes that stand in it"},
};

static void say(uint32_t number, const char *what, sqlite3_stmt *row)
{
    char line[160];

    if (number <= FAULTS_SAID) {
        (void)sqlite3_snprintf((int)sizeof line, line, what, sqlite3_column_int64(row, 0),
                               sqlite3_column_int64(row, 1));
        log_err("check: %s", line);
    }
}

/* UINT32_MAX: it could not be asked. */
static uint32_t ask(struct catalog *catalog, unsigned which, uint32_t faults) REQUIRES(THREAD)
{
    sqlite3_stmt *row = NULL;
    int r = sqlite3_prepare_v2(catalog->db, question[which].sql, -1, &row, NULL);

    if (r == SQLITE_OK && sqlite3_bind_parameter_count(row) > 0) {
        r = sqlite3_bind_int64(row, 1, (int64_t)catalog->data_blocks);
    }
    while (r == SQLITE_OK && (r = sqlite3_step(row)) == SQLITE_ROW) {
        say(++faults, question[which].what, row);
        r = SQLITE_OK;
    }
    (void)sqlite3_finalize(row);
    if (r != SQLITE_DONE) {
        catalog->code = r;
        log_err("check: question %u: %d, %s", which, r, sqlite3_errmsg(catalog->db));
        return UINT32_MAX;
    }
    return faults;
}

/* SQLite's own check has one line, "ok", or a line a fault. */
static uint32_t integrity(struct catalog *catalog) REQUIRES(THREAD)
{
    sqlite3_stmt *row = NULL;
    uint32_t faults = 0;
    int r = sqlite3_prepare_v2(catalog->db, "PRAGMA integrity_check(20)", -1, &row, NULL);

    while (r == SQLITE_OK && (r = sqlite3_step(row)) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(row, 0);
        if (strcmp(text, "ok") != 0) {
            log_err("check: %s", text);
            faults++;
        }
        r = SQLITE_OK;
    }
    (void)sqlite3_finalize(row);
    catalog->code = r == SQLITE_DONE ? SQLITE_OK : r;
    return r == SQLITE_DONE ? faults : UINT32_MAX;
}

uint32_t catalog_check(struct catalog *catalog)
{
    uint32_t faults = integrity(catalog);

    for (unsigned i = 0; i < sizeof question / sizeof question[0] && faults != UINT32_MAX; i++) {
        faults = ask(catalog, i, faults);
    }
    return faults;
}

enum catalog_answer catalog_check_op(struct catalog *catalog, struct catalog_op *op)
{
    op->count = catalog_check(catalog);
    return op->count == UINT32_MAX ? catalog_trouble(catalog) : CATALOG_OK;
}

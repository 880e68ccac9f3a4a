/* SPDX-License-Identifier: MIT OR Apache-2.0
 * catalog_snapshot.c: snapshots: a number that says which rows of names are shown. Taking one costs a row, whatever the size.
 *
 *  (1) What is made has generation `state.generation`, which is larger than every snapshot's.
 *  (2) Rows that died and that no snapshot shows any more are swept some at a time, by catalog_care().
 */
#include <string.h>
#include "catalog_private.h"

#define ROWS_AT_ONCE 64u

enum catalog_answer catalog_snapshot_take(struct catalog *catalog, struct catalog_op *op)
{
    struct catalog_state *state = &catalog->state;

    if (!catalog_name_is_text(op->prefix)) {
        return CATALOG_BAD_NAME;
    }
    if (state->snapshots >= CATALOG_SNAPSHOTS_MAX) {
        return CATALOG_LIMIT;
    }
    op->generation = state->generation;
    state->last_snapshot = state->generation;
    state->generation++; /* (1) */
    state->snapshots++;
    return catalog_do(catalog, Q_SNAPSHOT_NEW, "itii", (int64_t)op->generation, op->prefix.text, op->prefix.size,
                      op->time.ns, (int64_t)op->time.clock);
}

enum catalog_answer catalog_snapshot_drop(struct catalog *catalog, struct catalog_op *op)
{
    sqlite3_stmt *row = catalog_query(catalog, Q_SNAPSHOT, "i", (int64_t)op->generation);

    if (!catalog_row(catalog, row)) {
        return catalog->code != SQLITE_OK ? catalog_trouble(catalog) : CATALOG_MISSING;
    }
    enum catalog_answer answer = catalog_do(catalog, Q_SNAPSHOT_DROP, "i", (int64_t)op->generation);
    row = catalog_query(catalog, Q_SNAPSHOT_LAST, "");
    if (answer == CATALOG_OK && catalog_row(catalog, row)) {
        catalog->state.last_snapshot = catalog_u64(row, 0);
        catalog->state.snapshots--;
        catalog->care_wanted = true;
    }
    return catalog_trouble(catalog);
}

enum catalog_answer catalog_snapshot_list(struct catalog *catalog, struct catalog_op *op)
{
    sqlite3_stmt *row = catalog_query(catalog, Q_SNAPSHOT_LIST, "ii", (int64_t)op->id, (int64_t)op->entry_max + 1);

    op->entry_count = 0;
    op->more = false;
    while (catalog_row(catalog, row)) {
        op->more = op->entry_count == op->entry_max;
        if (op->more) {
            break;
        }
        struct catalog_entry *entry = &op->entry[op->entry_count++];
        int size = sqlite3_column_bytes(row, 1);
        *entry = (struct catalog_entry){.node = {.id = catalog_u64(row, 0)}, .name_size = (uint32_t)size};
        if (size > (int)CATALOG_NAME_MAX) {
            return CATALOG_DAMAGED;
        }
        memcpy(entry->name, sqlite3_column_text(row, 1), (size_t)size);
        entry->node.made.ns = sqlite3_column_int64(row, 2);
        entry->node.made.clock = (uint32_t)sqlite3_column_int(row, 3);
    }
    return catalog_trouble(catalog);
}

/* (2) One row. False: there is none, or catalog.code is set. */
static bool sweep_one(struct catalog *catalog, enum catalog_answer *answer) REQUIRES(THREAD)
{
    sqlite3_stmt *row = catalog_query(catalog, Q_DEAD, "");

    if (!catalog_row(catalog, row)) {
        return false;
    }
    int64_t died = sqlite3_column_int64(row, 2);
    uint64_t object = catalog_u64(row, 3);
    *answer = catalog_do(catalog, Q_NODE_DROP, "iti", sqlite3_column_int64(row, 0), sqlite3_column_text(row, 1),
                         (uint32_t)sqlite3_column_bytes(row, 1), died);
    catalog->state.nodes--;
    if (*answer == CATALOG_OK) {
        *answer = catalog_object_unname(catalog, object);
    }
    return *answer == CATALOG_OK;
}

enum catalog_answer catalog_snapshot_sweep(struct catalog *catalog, bool *more)
{
    enum catalog_answer answer = CATALOG_OK;
    uint32_t swept = 0;

    while (swept < ROWS_AT_ONCE && sweep_one(catalog, &answer)) {
        swept++;
    }
    *more = swept == ROWS_AT_ONCE;
    return answer == CATALOG_OK ? catalog_trouble(catalog) : answer;
}

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * catalog_owner.c: whose a block is: from an extent to the objects that lead to it, from an object to a path.
 *
 *  (1) No table is in that order, because only damage asks: both go through all rows, some at a time, and say where to go on.
 */
#include <string.h>
#include "catalog_private.h"

#define ROWS_AT_ONCE 256u

enum piece_column { PIECE_OBJECT, PIECE_AT, PIECE_EXTENT, PIECE_SKIP, PIECE_BLOCKS };

static enum catalog_answer describe(struct catalog *catalog, struct catalog_op *op) REQUIRES(THREAD)
{
    struct object object;
    enum catalog_answer answer = catalog_object_get(catalog, op->object, &object);

    if (answer != CATALOG_OK) {
        return answer == CATALOG_MISSING ? CATALOG_DAMAGED : answer;
    }
    op->node = (struct catalog_node){.object = object.id, .size = object.size, .has_digest = object.has_digest};
    memcpy(op->node.digest, object.digest, sizeof object.digest);
    return CATALOG_OK;
}

enum catalog_answer catalog_owner_next(struct catalog *catalog, struct catalog_op *op)
{
    sqlite3_stmt *row =
        catalog_query(catalog, Q_PIECE_SCAN, "iii", (int64_t)op->object, (int64_t)op->size, (int64_t)ROWS_AT_ONCE);
    uint32_t looked = 0;

    op->count = 0;
    while (op->count == 0 && catalog_row(catalog, row)) {
        looked++;
        op->object = catalog_u64(row, PIECE_OBJECT);
        op->size = catalog_u64(row, PIECE_AT);
        op->count = catalog_u64(row, PIECE_EXTENT) == op->id ? 1 : 0;
    }
    op->more = op->count > 0 || looked == ROWS_AT_ONCE;
    if (op->count == 0) {
        return catalog_trouble(catalog);
    }
    uint64_t skip = catalog_u64(row, PIECE_SKIP);
    uint64_t blocks = catalog_u64(row, PIECE_BLOCKS);
    bool sane = skip <= CATALOG_EXTENT_BLOCKS && blocks <= CATALOG_EXTENT_BLOCKS - skip;
    op->run = (struct catalog_run){skip, (uint32_t)blocks};
    return sane ? describe(catalog, op) : CATALOG_DAMAGED;
}

/* Names of directories, '/' between them, from the last to the first. */
static enum catalog_answer climb(struct catalog *catalog, struct catalog_op *op) REQUIRES(THREAD)
{
    uint32_t at = CATALOG_PATH_MAX;
    struct node node = {.parent = op->id};

    if (op->above != NULL) {
        op->above->count = 0;
    }
    for (uint32_t depth = 0; node.parent > CATALOG_NAMES; depth++) {
        enum catalog_answer answer = catalog_tree_by_id(catalog, node.parent, &node);
        uint32_t size = node.name_size + (depth > 0 ? 1 : 0);
        if (answer != CATALOG_OK || depth > CATALOG_DEPTH_MAX || size > at) {
            return answer == CATALOG_OK || answer == CATALOG_MISSING ? CATALOG_DAMAGED : answer;
        }
        at -= size;
        memcpy(op->path_room + at, node.name, node.name_size);
        if (depth > 0) {
            op->path_room[at + node.name_size] = '/';
        }
        if (op->above != NULL) {
            op->above->in[op->above->count].directory = node.parent;
            op->above->in[op->above->count++].size = CATALOG_PATH_MAX - at;
        }
    }
    op->path_size = CATALOG_PATH_MAX - at;
    memmove(op->path_room, op->path_room + at, op->path_size);
    return CATALOG_OK;
}

enum catalog_answer catalog_owner_path(struct catalog *catalog, struct catalog_op *op)
{
    sqlite3_stmt *row =
        catalog_query(catalog, Q_NODE_SCAN, "iii", (int64_t)op->id, (int64_t)op->generation, (int64_t)ROWS_AT_ONCE);
    uint32_t looked = 0;

    op->count = 0;
    while (op->count == 0 && catalog_row(catalog, row)) {
        looked++;
        op->id = catalog_u64(row, 0);
        op->generation = catalog_u64(row, 1);
        op->count = op->generation == (uint64_t)DIED_NEVER && catalog_u64(row, 2) == op->object ? 1 : 0;
    }
    op->more = op->count > 0 || looked == ROWS_AT_ONCE;
    return op->count > 0 ? climb(catalog, op) : catalog_trouble(catalog);
}

enum catalog_answer catalog_owner_where(struct catalog *catalog, struct catalog_op *op)
{
    struct node node;
    enum catalog_answer answer = catalog_tree_by_id(catalog, op->id, &node);

    return answer == CATALOG_OK ? climb(catalog, op) : answer;
}

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * catalog_object.c: objects: whom they belong to, who holds them, and their end.
 *
 *  (1) object.names counts the rows of names that mean it, those that only snapshots show included; pins are asked for by peers.
 *      An object that had names or pins and loses the last of them ends. One that never had any is a blob that a peer put and
 *      did not name yet, or an unfinished one: those end by CATALOG_FORGET, CATALOG_COLLECT, or, unfinished, with the image's
 *      life.
 *  (2) What ends is small and nobody holds it: it goes at once. Otherwise it is doomed: found by nobody, its room given back by
 *      catalog_care(), a part at a time, also after a boot. Small is what does not take more pieces than the transaction may
 *      still take (catalog.pieces_left): all that ends in it changes pages of the tables, which must fit into the log.
 */
#include <string.h>
#include "catalog_private.h"
#include "core/assert.h"

static enum catalog_answer object_row(struct catalog *catalog, sqlite3_stmt *row, struct object *object)
    REQUIRES(THREAD)
{
    if (!catalog_row(catalog, row)) {
        return catalog->code != SQLITE_OK ? catalog_trouble(catalog) : CATALOG_MISSING;
    }
    *object = (struct object){.id = catalog_u64(row, 0),
                              .size = catalog_u64(row, 1),
                              .names = catalog_u64(row, 2),
                              .pins = catalog_u64(row, 3),
                              .state = (enum object_state)sqlite3_column_int(row, 4),
                              .has_digest = sqlite3_column_bytes(row, 5) == CATALOG_DIGEST,
                              .inside = sqlite3_column_int(row, 6) != 0};
    if (object->has_digest) {
        memcpy(object->digest, sqlite3_column_blob(row, 5), CATALOG_DIGEST);
    }
    return CATALOG_OK;
}

enum catalog_answer catalog_object_get(struct catalog *catalog, uint64_t id, struct object *object)
{
    return object_row(catalog, catalog_query(catalog, Q_OBJECT, "i", (int64_t)id), object);
}

enum catalog_answer catalog_object_of_node(struct catalog *catalog, const struct node *node, struct object *object)
{
    *object = (struct object){0};
    if (node->object == 0) {
        return CATALOG_OK;
    }
    enum catalog_answer answer = catalog_object_get(catalog, node->object, object);
    return answer == CATALOG_MISSING ? CATALOG_DAMAGED : answer;
}

enum catalog_answer catalog_object_find(struct catalog *catalog, const uint8_t digest[CATALOG_DIGEST],
                                        struct object *object)
{
    return object_row(catalog, catalog_query(catalog, Q_OBJECT_DIGEST, "b", digest, CATALOG_DIGEST), object);
}

enum catalog_answer catalog_object_new(struct catalog *catalog, enum object_state state, uint64_t *id)
{
    enum catalog_answer answer = catalog_do(catalog, Q_OBJECT_NEW, "i", (int64_t)state);

    if (answer == CATALOG_OK) {
        *id = (uint64_t)sqlite3_last_insert_rowid(catalog->db);
        catalog->state.objects++;
    }
    return answer;
}

/* --- holds ----------------------------------------------------------------------------------------------------------- */

/* Its place; hold_count: it is not held. */
static uint32_t hold_of(const struct catalog *catalog, uint64_t id)
{
    uint32_t i = 0;

    while (i < catalog->hold_count && catalog->hold[i].object != id) {
        i++;
    }
    return i;
}

bool catalog_object_held(const struct catalog *catalog, uint64_t id)
{
    for (uint32_t i = 0; i < catalog->kept_count; i++) {
        if (catalog->kept[i] == id) {
            return true;
        }
    }
    return hold_of(catalog, id) < catalog->hold_count;
}

enum catalog_answer catalog_object_keep(struct catalog *catalog, uint64_t id)
{
    uint32_t i = hold_of(catalog, id);

    if (i < catalog->hold_count) {
        catalog->hold[i].count++;
        return CATALOG_OK;
    }
    if (catalog->hold_count == CATALOG_HOLDS_MAX) {
        return CATALOG_LIMIT;
    }
    catalog->hold[catalog->hold_count++] = (struct catalog_hold){id, 1};
    return CATALOG_OK;
}

enum catalog_answer catalog_object_let_go(struct catalog *catalog, uint64_t id)
{
    uint32_t i = hold_of(catalog, id);

    if (i == catalog->hold_count) {
        return CATALOG_MISSING;
    }
    if (--catalog->hold[i].count == 0) {
        catalog->hold[i] = catalog->hold[--catalog->hold_count];
        catalog->care_wanted = true; /* it may be doomed */
    }
    return CATALOG_OK;
}

/* --- damage ---------------------------------------------------------------------------------------------------------- */

/* Its place; CATALOG_SUSPECTS_MAX: it has none. */
static uint32_t suspect_of(const struct catalog *catalog, uint64_t id)
{
    uint32_t i = 0;

    while (i < CATALOG_SUSPECTS_MAX && catalog->suspect[i] != id) {
        i++;
    }
    return i;
}

bool catalog_object_suspected(const struct catalog *catalog, uint64_t id)
{
    return suspect_of(catalog, id) < CATALOG_SUSPECTS_MAX;
}

enum catalog_answer catalog_object_suspect(struct catalog *catalog, uint64_t id)
{
    if (!catalog_object_suspected(catalog, id)) {
        catalog->suspect[catalog->suspect_next++ % CATALOG_SUSPECTS_MAX] = id;
    }
    return CATALOG_OK;
}

void catalog_object_trust(struct catalog *catalog, uint64_t id)
{
    uint32_t i = suspect_of(catalog, id);

    if (i < CATALOG_SUSPECTS_MAX) {
        catalog->suspect[i] = 0;
    }
}

/* --- the end of an object -------------------------------------------------------------------------------------------- */

static enum catalog_answer object_drop(struct catalog *catalog, uint64_t id) REQUIRES(THREAD)
{
    catalog->state.objects--;
    return catalog_do(catalog, Q_OBJECT_DROP, "i", (int64_t)id);
}

static enum catalog_answer object_doom(struct catalog *catalog, uint64_t id) REQUIRES(THREAD)
{
    catalog->care_wanted = true;
    return catalog_do(catalog, Q_OBJECT_DOOM, "i", (int64_t)id);
}

enum catalog_answer catalog_object_end(struct catalog *catalog, uint64_t id)
{
    bool left = false;

    if (catalog_object_held(catalog, id)) {
        return object_doom(catalog, id);
    }
    enum catalog_answer answer = catalog_piece_drop_some(catalog, id, 0, &left);
    if (answer != CATALOG_OK) {
        return answer;
    }
    return left ? object_doom(catalog, id) : object_drop(catalog, id);
}

enum catalog_answer catalog_object_cut(struct catalog *catalog, uint64_t id, uint64_t at)
{
    bool left = false;
    uint64_t rest = 0;
    enum catalog_answer answer = catalog_piece_drop_some(catalog, id, at, &left);

    if (answer != CATALOG_OK || !left) {
        return answer;
    }
    catalog->care_wanted = true;
    answer = catalog_object_new(catalog, OBJECT_DOOMED, &rest);
    return answer == CATALOG_OK ? catalog_piece_move(catalog, id, rest, at) : answer;
}

/* (1) */
static enum catalog_answer end_if_loose(struct catalog *catalog, uint64_t id) REQUIRES(THREAD)
{
    struct object object;
    enum catalog_answer answer = catalog_object_get(catalog, id, &object);

    if (answer != CATALOG_OK) {
        return answer == CATALOG_MISSING ? CATALOG_DAMAGED : answer;
    }
    return object.names == 0 && object.pins == 0 ? catalog_object_end(catalog, id) : CATALOG_OK;
}

enum catalog_answer catalog_object_name(struct catalog *catalog, uint64_t id)
{
    return id == 0 ? CATALOG_OK : catalog_do(catalog, Q_OBJECT_NAMES, "ii", (int64_t)id, (int64_t)1);
}

enum catalog_answer catalog_object_unname(struct catalog *catalog, uint64_t id)
{
    if (id == 0) {
        return CATALOG_OK;
    }
    enum catalog_answer answer = catalog_do(catalog, Q_OBJECT_NAMES, "ii", (int64_t)id, (int64_t)-1);
    return answer == CATALOG_OK ? end_if_loose(catalog, id) : answer;
}

/* --- operations ------------------------------------------------------------------------------------------------------ */

/* By digest, or by number when there is none. */
static enum catalog_answer object_of(struct catalog *catalog, const struct catalog_op *op, struct object *object)
    REQUIRES(THREAD)
{
    return op->digest != NULL ? catalog_object_find(catalog, op->digest, object)
                              : catalog_object_get(catalog, op->object, object);
}

enum catalog_answer catalog_object_find_op(struct catalog *catalog, struct catalog_op *op)
{
    struct object object;
    enum catalog_answer answer = object_of(catalog, op, &object);

    if (answer == CATALOG_OK) {
        op->object = object.id;
        op->size = object.size;
        op->names = (uint32_t)object.names;
        op->pins = (uint32_t)object.pins;
        op->suspected = catalog_object_suspected(catalog, object.id);
    }
    return answer;
}

static enum catalog_answer find_by_path(struct catalog *catalog, struct catalog_op *op) REQUIRES(THREAD)
{
    struct node node;
    enum catalog_answer answer = catalog_tree_find(catalog, op->at, op->path, &node);

    if (answer == CATALOG_OK && node.kind != CATALOG_FILE) {
        answer = CATALOG_IS_DIRECTORY;
    }
    if (answer == CATALOG_OK) {
        answer = catalog_tree_describe(catalog, &node, &op->node);
        op->object = op->node.object;
        op->size = op->node.size;
    }
    return answer;
}

enum catalog_answer catalog_object_hold(struct catalog *catalog, struct catalog_op *op)
{
    enum catalog_answer answer = op->path.size > 0 ? find_by_path(catalog, op) : catalog_object_find_op(catalog, op);

    return answer == CATALOG_OK && op->object != 0 ? catalog_object_keep(catalog, op->object) : answer;
}

enum catalog_answer catalog_object_span(struct catalog *catalog, struct catalog_op *op)
{
    struct node node;
    struct object object = {.id = op->object};
    enum catalog_answer answer = CATALOG_OK;

    if (op->id != 0) {
        answer = catalog_tree_by_id(catalog, op->id, &node);
        object.id = answer == CATALOG_OK ? node.object : 0;
    }
    if (answer == CATALOG_OK && object.id != 0) {
        answer = catalog_object_get(catalog, object.id, &object);
    }
    if (answer != CATALOG_OK) {
        return answer;
    }
    op->span->object = object.id;
    op->span->size = object.size;
    op->span->inside = object.inside;
    if (!object.inside) {
        return catalog_piece_span(catalog, object.id, op->block, op->span);
    }
    sqlite3_stmt *row = catalog_query(catalog, Q_OBJECT_BYTES, "i", (int64_t)object.id);
    bool there = catalog_row(catalog, row);
    if (!there || object.size > CATALOG_INLINE_MAX || (uint64_t)sqlite3_column_bytes(row, 0) != object.size) {
        return catalog->code != SQLITE_OK ? catalog_trouble(catalog) : CATALOG_DAMAGED;
    }
    op->span->at = 0;
    op->span->blocks = object.size > 0 ? 1 : 0;
    op->span->start = 0;
    if (object.size > 0) {
        memcpy(op->span->bytes, sqlite3_column_blob(row, 0), object.size);
    }
    return CATALOG_OK;
}

enum catalog_answer catalog_object_pin(struct catalog *catalog, struct catalog_op *op, int by)
{
    enum catalog_answer answer = catalog_object_find_op(catalog, op);

    if (answer != CATALOG_OK || (by < 0 && op->pins == 0) || (by > 0 && op->pins == INT32_MAX)) {
        return answer == CATALOG_OK ? (by < 0 ? CATALOG_CONFLICT : CATALOG_LIMIT) : answer;
    }
    answer = catalog_do(catalog, Q_OBJECT_PINS, "ii", (int64_t)op->object, (int64_t)by);
    op->pins = (uint32_t)((int)op->pins + by);
    return answer == CATALOG_OK && by < 0 ? end_if_loose(catalog, op->object) : answer;
}

enum catalog_answer catalog_object_forget(struct catalog *catalog, struct catalog_op *op)
{
    struct object object;
    enum catalog_answer answer = object_of(catalog, op, &object);

    if (answer != CATALOG_OK) {
        return answer;
    }
    return object.names > 0 || object.pins > 0 ? CATALOG_NAMED : catalog_object_end(catalog, object.id);
}

/* The next object without names and pins behind `*after`. */
static bool next_loose(struct catalog *catalog, uint64_t *after, enum object_state *state, uint64_t *size)
    REQUIRES(THREAD)
{
    sqlite3_stmt *row = catalog_query(catalog, Q_OBJECT_LOOSE, "i", (int64_t)*after);

    if (!catalog_row(catalog, row)) {
        return false;
    }
    *after = catalog_u64(row, 0);
    *state = (enum object_state)sqlite3_column_int(row, 1);
    *size = catalog_u64(row, 2);
    return true;
}

enum catalog_answer catalog_object_collect(struct catalog *catalog, struct catalog_op *op)
{
    uint64_t after = op->object;
    enum object_state state;
    uint64_t size;
    enum catalog_answer answer = CATALOG_OK;

    op->count = 0;
    op->size = 0;
    op->more = false;
    for (uint32_t looked = 0; answer == CATALOG_OK && next_loose(catalog, &after, &state, &size); looked++) {
        if (looked == CATALOG_COLLECT_MAX || (looked > 0 && catalog->pieces_left == 0)) {
            op->more = true; /* the next transaction takes pieces again */
            break;
        }
        op->object = after;
        if (state != OBJECT_DOOMED && !catalog_object_held(catalog, after)) {
            answer = catalog_object_end(catalog, after);
            op->count++;
            op->size += size;
        }
    }
    return answer == CATALOG_OK ? catalog_trouble(catalog) : answer;
}

/* The next one that is doomed or unfinished, and that nobody holds; at most CATALOG_HOLDS_MAX are passed over. */
static bool next_ended(struct catalog *catalog) REQUIRES(THREAD)
{
    do {
        sqlite3_stmt *row = catalog_query(catalog, Q_OBJECT_ENDED, "i", (int64_t)catalog->reclaim_after);
        if (!catalog_row(catalog, row)) {
            return false;
        }
        catalog->reclaim_after = catalog_u64(row, 0);
    } while (catalog_object_held(catalog, catalog->reclaim_after));
    return true;
}

enum catalog_answer catalog_object_reclaim(struct catalog *catalog, bool *more)
{
    bool left;

    *more = false;
    if (!next_ended(catalog)) {
        *more =
            catalog->reclaim_wrap && catalog->code == SQLITE_OK; /* one may have come to stand before where it began */
        catalog->reclaim_wrap = false;
        catalog->reclaim_after = 0;
        return catalog_trouble(catalog);
    }
    uint64_t id = catalog->reclaim_after;
    *more = catalog->reclaim_wrap = true;
    enum catalog_answer answer = catalog_piece_drop_some(catalog, id, 0, &left);
    if (answer == CATALOG_OK && left) {
        catalog->reclaim_after = id - 1; /* again */
    }
    return answer == CATALOG_OK && !left ? object_drop(catalog, id) : answer;
}

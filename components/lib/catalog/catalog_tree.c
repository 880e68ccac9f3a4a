/* SPDX-License-Identifier: MIT OR Apache-2.0
 * catalog_tree.c: finding names.
 *
 *  (1) A row of `node` is a name from generation `born` on until `died`; DIED_NEVER: it is there now. A snapshot of generation g
 *      shows the rows with born <= g < died. Rows of one name do not overlap.
 *  (2) A directory's children name it by its number, which it keeps when it is moved.
 */
#include <string.h>
#include "catalog_private.h"

static enum catalog_answer node_row(struct catalog *catalog, sqlite3_stmt *row, struct node *node) REQUIRES(THREAD)
{
    if (!catalog_row(catalog, row)) {
        return catalog->code != SQLITE_OK ? catalog_trouble(catalog) : CATALOG_MISSING;
    }
    int size = sqlite3_column_bytes(row, 9);
    *node = (struct node){.parent = catalog_u64(row, 0),
                          .id = catalog_u64(row, 1),
                          .object = catalog_u64(row, 2),
                          .born = catalog_u64(row, 3),
                          .kind = (uint32_t)sqlite3_column_int(row, 4),
                          .made = {sqlite3_column_int64(row, 5), (uint32_t)sqlite3_column_int(row, 6)},
                          .changed = {sqlite3_column_int64(row, 7), (uint32_t)sqlite3_column_int(row, 8)}};
    if (size <= 0 || size > (int)CATALOG_NAME_MAX) {
        return CATALOG_DAMAGED;
    }
    node->name_size = (uint32_t)size;
    memcpy(node->name, sqlite3_column_text(row, 9), (size_t)size);
    return CATALOG_OK;
}

static void node_top(uint64_t id, struct node *node)
{
    *node = (struct node){.id = id, .kind = CATALOG_DIRECTORY};
}

static bool is_top(uint64_t id)
{
    return id == CATALOG_ROOT || id == CATALOG_NAMES;
}

enum catalog_answer catalog_tree_child(struct catalog *catalog, struct catalog_place at, struct catalog_text name,
                                       struct node *node)
{
    sqlite3_stmt *row = at.generation == CATALOG_NOW
                            ? catalog_query(catalog, Q_NODE, "it", (int64_t)at.directory, name.text, name.size)
                            : catalog_query(catalog, Q_NODE_THEN, "iti", (int64_t)at.directory, name.text, name.size,
                                            (int64_t)at.generation);

    return node_row(catalog, row, node);
}

enum catalog_answer catalog_tree_by_id(struct catalog *catalog, uint64_t id, struct node *node)
{
    if (is_top(id)) {
        node_top(id, node);
        return CATALOG_OK;
    }
    return node_row(catalog, catalog_query(catalog, Q_NODE_ID, "i", (int64_t)id), node);
}

/* The directory that an operation begins at is still there. */
static enum catalog_answer node_at(struct catalog *catalog, struct catalog_place at, struct node *node) REQUIRES(THREAD)
{
    if (at.generation == CATALOG_NOW || is_top(at.directory)) {
        return catalog_tree_by_id(catalog, at.directory, node);
    }
    return node_row(catalog,
                    catalog_query(catalog, Q_NODE_ID_THEN, "ii", (int64_t)at.directory, (int64_t)at.generation), node);
}

/* Whether there is such a snapshot; now is always. */
static enum catalog_answer shown(struct catalog *catalog, uint64_t generation) REQUIRES(THREAD)
{
    if (generation == CATALOG_NOW ||
        catalog_row(catalog, catalog_query(catalog, Q_SNAPSHOT, "i", (int64_t)generation))) {
        return CATALOG_OK;
    }
    return catalog->code != SQLITE_OK ? catalog_trouble(catalog) : CATALOG_MISSING;
}

static struct catalog_text next_of(struct catalog_place at, struct catalog_text *path)
{
    struct catalog_text all = *path;

    if (at.directory != CATALOG_NAMES) {
        return catalog_name_next(path);
    }
    path->size = 0; /* flat: '/' means nothing there */
    return all;
}

static bool path_ok(struct catalog_place at, struct catalog_text path)
{
    return at.directory == CATALOG_NAMES ? path.size == 0 || catalog_name_is_text(path) : catalog_name_is_path(path);
}

enum catalog_answer catalog_tree_find(struct catalog *catalog, struct catalog_place at, struct catalog_text path,
                                      struct node *node)
{
    enum catalog_answer answer = path_ok(at, path) ? shown(catalog, at.generation) : CATALOG_BAD_NAME;

    if (answer == CATALOG_OK) {
        answer = node_at(catalog, at, node);
    }
    while (answer == CATALOG_OK && path.size > 0) {
        if (node->kind != CATALOG_DIRECTORY) {
            return CATALOG_NOT_DIRECTORY;
        }
        struct catalog_text name = next_of(at, &path);
        answer = catalog_tree_child(catalog, (struct catalog_place){node->id, at.generation}, name, node);
    }
    return answer;
}

enum catalog_answer catalog_tree_parent(struct catalog *catalog, struct catalog_place at, struct catalog_text path,
                                        uint64_t *parent, struct catalog_text *name)
{
    struct node node;
    struct catalog_text before = path;

    if (path.size == 0 || !path_ok(at, path)) {
        return CATALOG_BAD_NAME;
    }
    while (at.directory != CATALOG_NAMES && before.size > 0 && before.text[before.size - 1] != '/') {
        before.size--;
    }
    if (at.directory == CATALOG_NAMES) {
        before.size = 0;
    }
    *name = (struct catalog_text){path.text + before.size, path.size - before.size};
    before.size -= before.size > 0 ? 1 : 0;
    enum catalog_answer answer = catalog_tree_find(catalog, at, before, &node);
    if (answer == CATALOG_OK && node.kind != CATALOG_DIRECTORY) {
        answer = CATALOG_NOT_DIRECTORY;
    }
    *parent = answer == CATALOG_OK ? node.id : 0;
    return answer;
}

/* --- what peers are told --------------------------------------------------------------------------------------------- */

enum catalog_answer catalog_tree_describe(struct catalog *catalog, const struct node *node, struct catalog_node *out)
{
    struct object object;
    enum catalog_answer answer = catalog_object_of_node(catalog, node, &object);

    if (answer != CATALOG_OK) {
        return answer;
    }
    *out = (struct catalog_node){.id = node->id,
                                 .object = node->object,
                                 .kind = node->kind,
                                 .made = node->made,
                                 .changed = node->changed,
                                 .size = object.size,
                                 .has_digest = object.has_digest};
    memcpy(out->digest, object.digest, CATALOG_DIGEST);
    return CATALOG_OK;
}

enum catalog_answer catalog_tree_stat(struct catalog *catalog, struct catalog_op *op)
{
    struct node node;
    enum catalog_answer answer = op->kind == CATALOG_STAT ? catalog_tree_find(catalog, op->at, op->path, &node)
                                                          : catalog_tree_by_id(catalog, op->id, &node);

    return answer == CATALOG_OK ? catalog_tree_describe(catalog, &node, &op->node) : answer;
}

static int compare(struct catalog_text a, struct catalog_text b)
{
    uint32_t both = a.size < b.size ? a.size : b.size;
    int order = both > 0 ? memcmp(a.text, b.text, both) : 0;

    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

static bool begins_with(const struct node *node, struct catalog_text prefix)
{
    return node->name_size >= prefix.size && (prefix.size == 0 || memcmp(node->name, prefix.text, prefix.size) == 0);
}

/* Into the next entry. */
static enum catalog_answer list_add(struct catalog *catalog, struct catalog_op *op, const struct node *node)
    REQUIRES(THREAD)
{
    struct catalog_entry *entry = &op->entry[op->entry_count];
    enum catalog_answer answer = catalog_tree_describe(catalog, node, &entry->node);

    if (answer == CATALOG_OK) {
        entry->name_size = node->name_size;
        memcpy(entry->name, node->name, sizeof entry->name);
        op->entry_count++;
    }
    return answer;
}

static enum catalog_answer list_rows(struct catalog *catalog, struct catalog_op *op, uint64_t directory)
    REQUIRES(THREAD)
{
    struct catalog_text from = compare(op->after, op->prefix) > 0 ? op->after : op->prefix;
    const char *text = from.size > 0 ? from.text : "";
    int64_t most = (int64_t)op->entry_max + 2; /* `after` itself, and one to see that there is more */
    sqlite3_stmt *row = op->at.generation == CATALOG_NOW
                            ? catalog_query(catalog, Q_LIST, "iti", (int64_t)directory, text, from.size, most)
                            : catalog_query(catalog, Q_LIST_THEN, "itii", (int64_t)directory, text, from.size, most,
                                            (int64_t)op->at.generation);
    struct node node;
    enum catalog_answer answer;

    op->entry_count = 0;
    op->more = false;
    while ((answer = node_row(catalog, row, &node)) == CATALOG_OK && begins_with(&node, op->prefix)) {
        if (op->after.size > 0 && compare((struct catalog_text){node.name, node.name_size}, op->after) <= 0) {
            continue;
        }
        op->more = op->entry_count == op->entry_max;
        if (op->more) {
            return CATALOG_OK;
        }
        answer = list_add(catalog, op, &node);
        if (answer != CATALOG_OK) {
            return answer;
        }
    }
    return answer == CATALOG_MISSING ? CATALOG_OK : answer;
}

enum catalog_answer catalog_tree_list(struct catalog *catalog, struct catalog_op *op)
{
    struct node node;
    enum catalog_answer answer = catalog_tree_find(catalog, op->at, op->path, &node);

    if (answer == CATALOG_OK && node.kind != CATALOG_DIRECTORY) {
        answer = CATALOG_NOT_DIRECTORY;
    }
    return answer == CATALOG_OK ? list_rows(catalog, op, node.id) : answer;
}

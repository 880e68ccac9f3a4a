/* SPDX-License-Identifier: MIT OR Apache-2.0
 * catalog_change.c: names change: (1) of catalog_tree.c holds after each operation, and object.names counts rows.
 *
 *  (1) A row that a snapshot shows is never altered: it gets its `died`, and what comes after it is another row.
 */
#include <string.h>
#include "catalog_private.h"
#include "core/assert.h"

static bool covered(const struct catalog *catalog, const struct node *node)
{
    return node->born <= catalog->state.last_snapshot;
}

/* The row of a name that is there now, with its claim on the object. */
static enum catalog_answer row_new(struct catalog *catalog, struct node *node) REQUIRES(THREAD)
{
    node->born = catalog->state.generation;
    catalog->state.nodes++;
    enum catalog_answer answer =
        catalog_do(catalog, Q_NODE_NEW, "iiiiiiiiit", (int64_t)node->parent, (int64_t)node->id, (int64_t)node->object,
                   (int64_t)node->born, (int64_t)node->kind, node->made.ns, (int64_t)node->made.clock, node->changed.ns,
                   (int64_t)node->changed.clock, node->name, node->name_size);
    return answer == CATALOG_OK ? catalog_object_name(catalog, node->object) : answer;
}

enum catalog_answer catalog_change_end_row(struct catalog *catalog, const struct node *node)
{
    if (covered(catalog, node)) {
        return catalog_do(catalog, Q_NODE_DIE, "iti", (int64_t)node->parent, node->name, node->name_size,
                          (int64_t)catalog->state.generation);
    }
    catalog->state.nodes--;
    enum catalog_answer answer =
        catalog_do(catalog, Q_NODE_DROP, "iti", (int64_t)node->parent, node->name, node->name_size, DIED_NEVER);
    return answer == CATALOG_OK ? catalog_object_unname(catalog, node->object) : answer;
}

/* One row in another's place. The new object gets its name before the old one loses it: they may be the same. */
static enum catalog_answer row_replace(struct catalog *catalog, const struct node *old, struct node *new)
    REQUIRES(THREAD)
{
    enum catalog_answer answer = catalog_object_name(catalog, new->object);

    if (answer == CATALOG_OK) {
        answer = catalog_change_end_row(catalog, old);
    }
    if (answer == CATALOG_OK) {
        answer = row_new(catalog, new);
    }
    return answer == CATALOG_OK ? catalog_object_unname(catalog, new->object) : answer;
}

enum catalog_answer catalog_change_content(struct catalog *catalog, struct node *node, uint64_t object,
                                           struct catalog_time time)
{
    struct node new = *node;

    new.object = object;
    new.changed = time;
    enum catalog_answer answer = row_replace(catalog, node, &new);
    *node = new;
    return answer;
}

static void name_set(struct node *node, struct catalog_text name)
{
    node->name_size = name.size;
    memset(node->name, 0, sizeof node->name);
    memcpy(node->name, name.text, name.size);
}

static enum catalog_answer node_make(struct catalog *catalog, uint64_t parent, struct catalog_text name, uint32_t kind,
                                     uint64_t object, struct catalog_time time, struct node *node) REQUIRES(THREAD)
{
    *node = (struct node){.parent = parent,
                          .id = catalog->state.next_node++,
                          .object = object,
                          .kind = kind,
                          .made = time,
                          .changed = time};
    name_set(node, name);
    return row_new(catalog, node);
}

/* --- content under a name -------------------------------------------------------------------------------------------- */

/* What stands there now against what the asker expects; NULL: nothing. */
static enum catalog_answer expected(struct catalog *catalog, const struct node *node, const uint8_t *digest)
    REQUIRES(THREAD)
{
    struct object object;

    if (node == NULL || digest == NULL) {
        return node == NULL && digest == NULL ? CATALOG_OK : CATALOG_CONFLICT;
    }
    enum catalog_answer answer = catalog_object_of_node(catalog, node, &object);
    if (answer != CATALOG_OK) {
        return answer;
    }
    bool same = object.has_digest && memcmp(object.digest, digest, CATALOG_DIGEST) == 0;
    return same ? CATALOG_OK : CATALOG_CONFLICT;
}

static enum catalog_answer previous_of(struct catalog *catalog, struct catalog_op *op, const struct node *node)
    REQUIRES(THREAD)
{
    struct object object;
    enum catalog_answer answer = catalog_object_of_node(catalog, node, &object);

    op->previous_size = object.size;
    op->had_previous = object.has_digest;
    memcpy(op->previous, object.digest, CATALOG_DIGEST);
    return answer;
}

/* A name that a content is to be bound to. */
struct target {
    struct catalog_text name;
    uint64_t parent;
    bool there; /* then it is `node` */
    struct node node;
};

/* What stands there may be replaced. */
static enum catalog_answer may_replace(struct catalog *catalog, const struct catalog_op *op, const struct node *node)
    REQUIRES(THREAD)
{
    if ((op->flags & CATALOG_EXCLUSIVE) != 0) {
        return CATALOG_EXISTS;
    }
    if (node->kind != CATALOG_FILE) {
        return CATALOG_IS_DIRECTORY;
    }
    return (op->flags & CATALOG_EXPECT) != 0 ? expected(catalog, node, op->expected) : CATALOG_OK;
}

/* Finds it; nothing is changed. */
static enum catalog_answer target_find(struct catalog *catalog, const struct catalog_op *op, struct target *target)
    REQUIRES(THREAD)
{
    enum catalog_answer answer = catalog_tree_parent(catalog, op->at, op->path, &target->parent, &target->name);

    if (answer != CATALOG_OK) {
        return answer;
    }
    answer =
        catalog_tree_child(catalog, (struct catalog_place){target->parent, CATALOG_NOW}, target->name, &target->node);
    target->there = answer == CATALOG_OK;
    if (target->there) {
        return may_replace(catalog, op, &target->node);
    }
    if (answer != CATALOG_MISSING) {
        return answer;
    }
    return (op->flags & CATALOG_EXPECT) != 0 ? expected(catalog, NULL, op->expected) : CATALOG_OK;
}

enum catalog_answer catalog_change_may_bind(struct catalog *catalog, const struct catalog_op *op)
{
    struct target target;

    return target_find(catalog, op, &target);
}

enum catalog_answer catalog_change_bind(struct catalog *catalog, struct catalog_op *op, uint64_t object)
{
    struct target target;
    enum catalog_answer answer = target_find(catalog, op, &target);

    op->had_previous = false;
    op->previous_size = 0;
    if (answer != CATALOG_OK) {
        return answer;
    }
    op->parent = target.parent;
    if (target.there) {
        answer = previous_of(catalog, op, &target.node);
        if (answer == CATALOG_OK) {
            answer = catalog_change_content(catalog, &target.node, object, op->time);
        }
    } else {
        answer = node_make(catalog, target.parent, target.name, CATALOG_FILE, object, op->time, &target.node);
    }
    return answer == CATALOG_OK ? catalog_tree_describe(catalog, &target.node, &op->node) : answer;
}

enum catalog_answer catalog_change_bind_op(struct catalog *catalog, struct catalog_op *op)
{
    enum catalog_answer answer = catalog_object_find_op(catalog, op);

    return answer == CATALOG_OK ? catalog_change_bind(catalog, op, op->object) : answer;
}

/* One step of a batch, as an operation of its own. */
static enum catalog_answer batch_step(struct catalog *catalog, const struct catalog_op *op,
                                      const struct catalog_step *step) REQUIRES(THREAD)
{
    struct catalog_op one = {.kind = CATALOG_BIND,
                             .flags = step->expect ? CATALOG_EXPECT : 0,
                             .at = op->at,
                             .path = step->name,
                             .expected = step->expected,
                             .digest = step->digest,
                             .time = op->time};

    if (step->digest != NULL) {
        return catalog_change_bind_op(catalog, &one);
    }
    enum catalog_answer answer = catalog_change_remove(catalog, &one);
    bool wanted = step->expect && step->expected != NULL;
    return answer == CATALOG_MISSING ? (wanted ? CATALOG_CONFLICT : CATALOG_OK) : answer;
}

/* A blob that loses its last name in one step may get another in a later one: each has one more for as long as the batch lasts.
 * `claimed`: which steps' blobs are there; the step itself says of the others that they are not. */
static enum catalog_answer batch_claim(struct catalog *catalog, const struct catalog_op *op, uint64_t *claimed)
    REQUIRES(THREAD)
{
    struct object object;
    enum catalog_answer answer = CATALOG_OK;

    ASSERT(op->step_count <= CATALOG_STEPS_MAX);
    *claimed = 0;
    for (uint32_t i = 0; i < op->step_count && answer == CATALOG_OK; i++) {
        answer =
            op->step[i].digest != NULL ? catalog_object_find(catalog, op->step[i].digest, &object) : CATALOG_MISSING;
        if (answer == CATALOG_OK) {
            *claimed |= 1ull << i;
            answer = catalog_object_name(catalog, object.id);
        } else if (answer == CATALOG_MISSING) {
            answer = CATALOG_OK;
        }
    }
    return answer;
}

static enum catalog_answer batch_release(struct catalog *catalog, const struct catalog_op *op, uint64_t claimed)
    REQUIRES(THREAD)
{
    struct object object;
    enum catalog_answer answer = CATALOG_OK;

    for (uint32_t i = 0; i < op->step_count && answer == CATALOG_OK; i++) {
        if ((claimed >> i & 1) == 0) {
            continue;
        }
        answer = catalog_object_find(catalog, op->step[i].digest, &object);
        if (answer == CATALOG_OK) {
            answer = catalog_object_unname(catalog, object.id);
        }
    }
    return answer;
}

enum catalog_answer catalog_change_batch(struct catalog *catalog, struct catalog_op *op)
{
    uint64_t claimed = 0;
    enum catalog_answer first = op->step_count > 1 ? batch_claim(catalog, op, &claimed) : CATALOG_OK;

    if (first != CATALOG_OK) {
        return first;
    }
    for (uint32_t i = 0; i < op->step_count; i++) {
        enum catalog_answer answer = batch_step(catalog, op, &op->step[i]);
        if (answer != CATALOG_OK) {
            op->failed_step = i;
            return answer;
        }
    }
    return batch_release(catalog, op, claimed);
}

/* --- making, removing, moving ---------------------------------------------------------------------------------------- */

/* How many directories lie in one another from the top to `directory`, both included. CATALOG_CONFLICT: `other` is one of them.
 * CATALOG_DEEP: too many for another one in it. */
static enum catalog_answer levels_above(struct catalog *catalog, uint64_t directory, uint64_t other, unsigned *levels)
    REQUIRES(THREAD)
{
    struct node node;
    enum catalog_answer answer = CATALOG_OK;

    for (*levels = 0; answer == CATALOG_OK && directory != 0; ++*levels) {
        if (directory == other) {
            return CATALOG_CONFLICT;
        }
        if (*levels == CATALOG_DEPTH_MAX) {
            return CATALOG_DEEP;
        }
        answer = catalog_tree_by_id(catalog, directory, &node);
        directory = node.parent;
    }
    return answer;
}

/* The first directory that stands in `parent` behind the name `after`. CATALOG_DEEP: `left` names were looked at. */
static enum catalog_answer next_directory(struct catalog *catalog, uint64_t parent, struct catalog_text after,
                                          uint32_t *left, uint64_t *child) REQUIRES(THREAD)
{
    sqlite3_stmt *row = catalog_query(catalog, Q_NODE_BEHIND, "it", (int64_t)parent, after.text, after.size);

    while (catalog_row(catalog, row)) {
        if (*left == 0) {
            return CATALOG_DEEP;
        }
        --*left;
        if (sqlite3_column_int(row, 1) == CATALOG_DIRECTORY && catalog_u64(row, 2) == DIED_NEVER) {
            *child = catalog_u64(row, 0);
            return CATALOG_OK;
        }
    }
    enum catalog_answer answer = catalog_trouble(catalog);
    return answer == CATALOG_OK ? CATALOG_MISSING : answer;
}

/* CATALOG_DEEP: more than `levels` directories lie in one another from `top` on, or more names are in it than are looked at, those
 * included that only snapshots show. */
static enum catalog_answer levels_below(struct catalog *catalog, uint64_t top, unsigned levels) REQUIRES(THREAD)
{
    uint64_t way[CATALOG_DEPTH_MAX + 1] = {top};
    uint32_t left = catalog->moved_max;
    unsigned at = 0;
    struct node node = {0}; /* the one of way[at] that was looked into last */

    for (;;) {
        struct catalog_text after = {node.name, node.name_size};
        enum catalog_answer answer = next_directory(catalog, way[at], after, &left, &way[at + 1]);
        if (answer == CATALOG_MISSING && at == 0) {
            return CATALOG_OK;
        }
        if (answer == CATALOG_OK) {
            node.name_size = 0;
            answer = ++at < levels ? CATALOG_OK : CATALOG_DEEP;
        } else if (answer == CATALOG_MISSING) {
            answer = catalog_tree_by_id(catalog, way[at--], &node);
        }
        if (answer != CATALOG_OK) {
            return answer;
        }
    }
}

/* A directory may be moved: not into itself, and what is in it not deeper than things may lie. Where it is no deeper than it was,
 * nothing is looked at. */
static enum catalog_answer may_move(struct catalog *catalog, uint64_t directory, uint64_t from, uint64_t to)
    REQUIRES(THREAD)
{
    unsigned levels;
    unsigned levels_before;
    enum catalog_answer answer = levels_above(catalog, to, directory, &levels);

    if (answer != CATALOG_OK) {
        return answer;
    }
    answer = levels_above(catalog, from, 0, &levels_before);
    if (answer == CATALOG_DEEP || (answer == CATALOG_OK && levels <= levels_before)) {
        return CATALOG_OK;
    }
    return answer == CATALOG_OK ? levels_below(catalog, directory, CATALOG_DEPTH_MAX + 1 - levels) : answer;
}

enum catalog_answer catalog_change_make(struct catalog *catalog, struct catalog_op *op, enum catalog_kind kind)
{
    struct catalog_text name;
    uint64_t parent;
    unsigned levels;
    struct node node;
    enum catalog_answer answer = catalog_tree_parent(catalog, op->at, op->path, &parent, &name);

    if (answer != CATALOG_OK) {
        return answer;
    }
    answer = catalog_tree_child(catalog, (struct catalog_place){parent, CATALOG_NOW}, name, &node);
    if (answer != CATALOG_MISSING) {
        return answer == CATALOG_OK ? CATALOG_EXISTS : answer;
    }
    op->parent = parent;
    answer = kind == CATALOG_DIRECTORY ? levels_above(catalog, parent, 0, &levels) : CATALOG_OK;
    if (answer == CATALOG_OK) {
        answer = node_make(catalog, parent, name, kind, 0, op->time, &node);
    }
    return answer == CATALOG_OK ? catalog_tree_describe(catalog, &node, &op->node) : answer;
}

static enum catalog_answer empty(struct catalog *catalog, uint64_t directory) REQUIRES(THREAD)
{
    bool any = catalog_row(catalog, catalog_query(catalog, Q_NODE_ANY, "i", (int64_t)directory));

    return any ? CATALOG_NOT_EMPTY : catalog_trouble(catalog);
}

enum catalog_answer catalog_change_remove(struct catalog *catalog, struct catalog_op *op)
{
    struct catalog_text name;
    uint64_t parent;
    struct node node;
    enum catalog_answer answer = catalog_tree_parent(catalog, op->at, op->path, &parent, &name);

    if (answer == CATALOG_OK) {
        answer = catalog_tree_child(catalog, (struct catalog_place){parent, CATALOG_NOW}, name, &node);
    }
    if (answer == CATALOG_OK && node.kind == CATALOG_DIRECTORY) {
        answer = empty(catalog, node.id);
    }
    if (answer == CATALOG_OK && (op->flags & CATALOG_EXPECT) != 0) {
        answer = expected(catalog, &node, op->expected);
    }
    if (answer == CATALOG_OK) {
        op->parent = parent;
        answer = catalog_tree_describe(catalog, &node, &op->node);
    }
    return answer == CATALOG_OK ? catalog_change_end_row(catalog, &node) : answer;
}

/* Room for `moved` under the new name: what stands there goes, if it may. */
static enum catalog_answer make_way(struct catalog *catalog, struct catalog_op *op, const struct node *moved,
                                    uint64_t parent, struct catalog_text name) REQUIRES(THREAD)
{
    struct node there;
    enum catalog_answer answer = catalog_tree_child(catalog, (struct catalog_place){parent, CATALOG_NOW}, name, &there);

    if (answer != CATALOG_OK) {
        return answer == CATALOG_MISSING ? CATALOG_OK : answer;
    }
    if ((op->flags & CATALOG_EXCLUSIVE) != 0) {
        return CATALOG_EXISTS;
    }
    if (there.kind != moved->kind) {
        return there.kind == CATALOG_DIRECTORY ? CATALOG_IS_DIRECTORY : CATALOG_NOT_DIRECTORY;
    }
    if (there.kind == CATALOG_DIRECTORY) {
        answer = empty(catalog, there.id);
    } else {
        answer = previous_of(catalog, op, &there);
    }
    return answer == CATALOG_OK ? catalog_change_end_row(catalog, &there) : answer;
}

enum catalog_answer catalog_change_rename(struct catalog *catalog, struct catalog_op *op)
{
    struct catalog_text from_name;
    struct catalog_text name;
    uint64_t from;
    uint64_t parent;
    struct node old;
    enum catalog_answer answer = catalog_tree_parent(catalog, op->at, op->path, &from, &from_name);

    if (answer == CATALOG_OK) {
        answer = catalog_tree_child(catalog, (struct catalog_place){from, CATALOG_NOW}, from_name, &old);
    }
    if (answer == CATALOG_OK) {
        answer = catalog_tree_parent(catalog, op->to, op->to_path, &parent, &name);
    }
    if (answer == CATALOG_OK && old.kind == CATALOG_DIRECTORY) {
        answer = may_move(catalog, old.id, from, parent);
    }
    if (answer != CATALOG_OK) {
        return answer;
    }
    op->previous_size = 0;
    op->from_parent = from;
    op->parent = parent;
    struct node new = old;
    new.parent = parent;
    name_set(&new, name);
    if (from == parent && old.name_size == name.size && memcmp(old.name, name.text, name.size) == 0) {
        return catalog_tree_describe(catalog, &old, &op->node);
    }
    answer = make_way(catalog, op, &old, parent, name);
    if (answer == CATALOG_OK) {
        answer = row_replace(catalog, &old, &new);
    }
    return answer == CATALOG_OK ? catalog_tree_describe(catalog, &new, &op->node) : answer;
}

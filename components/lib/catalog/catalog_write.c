/* SPDX-License-Identifier: MIT OR Apache-2.0
 * catalog_write.c: bytes come in: blobs, whole or a part at a time, and writes to files.
 *
 *  (1) A file's object is written to in place when nothing else shows it: no snapshot, no second name, no pin, no holder.
 *      Otherwise the file gets an object of its own first, with the same pieces.
 *  (2) Bytes of an object's last block behind its size are zero: the asker sees to it.
 *  (3) Content stands either in object.bytes or in pieces. The asker who writes pieces to content that stands inside brings what
 *      was inside along, as block 0.
 *  (4) A blob that is put again while the one that is there is suspected of damage, and held by nobody, gives it its blocks.
 */
#include <string.h>
#include "catalog_private.h"
#include "core/assert.h"

#define NOBODY 0u /* no object: who has pieces for a moment */

static enum catalog_answer set(struct catalog *catalog, const struct object *object, const void *bytes,
                               uint32_t bytes_size) REQUIRES(THREAD)
{
    const char *types = object->has_digest ? (bytes != NULL ? "iiibb" : "iiibn") : (bytes != NULL ? "iiinb" : "iiinn");

    if (object->has_digest) {
        return catalog_do(catalog, Q_OBJECT_SET, types, (int64_t)object->id, (int64_t)object->state,
                          (int64_t)object->size, object->digest, CATALOG_DIGEST, bytes, bytes_size);
    }
    return catalog_do(catalog, Q_OBJECT_SET, types, (int64_t)object->id, (int64_t)object->state, (int64_t)object->size,
                      bytes, bytes_size);
}

/* The extents of the operation, one behind the other from op->block on. */
static enum catalog_answer add_extents(struct catalog *catalog, uint64_t object, const struct catalog_op *op,
                                       bool clear) REQUIRES(THREAD)
{
    uint64_t at = op->block;
    enum catalog_answer answer = CATALOG_OK;

    ASSERT(op->extent_count <= CATALOG_EXTENTS_MAX);
    for (uint32_t i = 0; i < op->extent_count && answer == CATALOG_OK; i++) {
        uint32_t blocks = op->extent[i].run.blocks;
        if (clear) {
            answer = catalog_piece_clear(catalog, object, at, blocks);
        }
        if (answer == CATALOG_OK) {
            answer = catalog_piece_add(catalog, object, at, &op->extent[i]);
        }
        at += blocks;
    }
    return answer;
}

/* --- blobs ----------------------------------------------------------------------------------------------------------- */

/* The unfinished object of the operation; a new one if there is none yet. */
static enum catalog_answer unfinished(struct catalog *catalog, const struct catalog_op *op, struct object *object)
    REQUIRES(THREAD)
{
    enum catalog_answer answer;

    *object = (struct object){.id = op->object, .state = OBJECT_PARTIAL};
    if (op->object == 0) {
        return catalog_object_new(catalog, OBJECT_PARTIAL, &object->id);
    }
    answer = catalog_object_get(catalog, op->object, object);
    return answer == CATALOG_OK && object->state != OBJECT_PARTIAL ? CATALOG_MISSING : answer;
}

enum catalog_answer catalog_write_extend(struct catalog *catalog, struct catalog_op *op)
{
    struct object object;
    enum catalog_answer answer = unfinished(catalog, op, &object);

    if (answer == CATALOG_OK) {
        answer = add_extents(catalog, object.id, op, false);
    }
    if (answer == CATALOG_OK) {
        object.size = op->size;
        answer = set(catalog, &object, NULL, 0);
    }
    if (answer == CATALOG_OK) {
        op->object = object.id;
    }
    return answer;
}

static enum catalog_answer put_new(struct catalog *catalog, struct catalog_op *op) REQUIRES(THREAD)
{
    struct object object;
    enum catalog_answer answer = unfinished(catalog, op, &object);

    if (answer == CATALOG_OK) {
        answer = add_extents(catalog, object.id, op, false);
    }
    if (answer != CATALOG_OK) {
        return answer;
    }
    object.state = OBJECT_WHOLE;
    object.size = op->size;
    object.has_digest = true;
    memcpy(object.digest, op->digest, CATALOG_DIGEST);
    op->extent_named = op->extent_count;
    op->object = object.id;
    return set(catalog, &object, op->bytes, op->bytes_size);
}

/* There is one of this digest already: what came is not wanted. */
static enum catalog_answer put_again(struct catalog *catalog, struct catalog_op *op, uint64_t there) REQUIRES(THREAD)
{
    enum catalog_answer answer = op->object != 0 ? catalog_object_end(catalog, op->object) : CATALOG_OK;

    op->extent_named = 0;
    op->object = there;
    return answer;
}

/* (4) The two objects change places but for their names. */
static enum catalog_answer put_instead(struct catalog *catalog, struct catalog_op *op, uint64_t there) REQUIRES(THREAD)
{
    struct object fresh;
    enum catalog_answer answer = unfinished(catalog, op, &fresh);

    if (answer == CATALOG_OK) {
        answer = catalog_piece_move(catalog, there, NOBODY, 0);
    }
    if (answer == CATALOG_OK) {
        answer = catalog_piece_move(catalog, fresh.id, there, 0);
    }
    if (answer == CATALOG_OK) {
        answer = catalog_piece_move(catalog, NOBODY, fresh.id, 0);
    }
    if (answer == CATALOG_OK) {
        answer = add_extents(catalog, there, op, false);
    }
    op->extent_named = op->extent_count;
    op->object = there;
    return answer == CATALOG_OK ? catalog_object_end(catalog, fresh.id) : answer;
}

static bool replaces(const struct catalog *catalog, const struct catalog_op *op, const struct object *there)
{
    return op->bytes == NULL && op->size > 0 && there->state == OBJECT_WHOLE && !there->inside &&
           catalog_object_suspected(catalog, there->id) && !catalog_object_held(catalog, there->id);
}

enum catalog_answer catalog_write_put(struct catalog *catalog, struct catalog_op *op)
{
    struct object there;
    enum catalog_answer answer = op->path.size > 0 ? catalog_change_may_bind(catalog, op) : CATALOG_OK;

    if (answer != CATALOG_OK) {
        return answer; /* before anything is written: (2) of catalog.c */
    }
    answer = catalog_object_find(catalog, op->digest, &there);
    if (answer == CATALOG_OK) {
        answer = replaces(catalog, op, &there) ? put_instead(catalog, op, there.id) : put_again(catalog, op, there.id);
    } else if (answer == CATALOG_MISSING) {
        answer = put_new(catalog, op);
    }
    if (answer == CATALOG_OK && op->path.size > 0) {
        answer = catalog_change_bind(catalog, op, op->object);
    }
    return answer;
}

/* --- files ----------------------------------------------------------------------------------------------------------- */

static bool alone(const struct catalog *catalog, const struct node *node, const struct object *object)
{
    return node->born > catalog->state.last_snapshot && object->names == 1 && object->pins == 0 &&
           !catalog_object_held(catalog, object->id);
}

/* (1) `copy`: what is there is wanted further. */
static enum catalog_answer own(struct catalog *catalog, const struct catalog_op *op, struct node *node,
                               struct object *object, bool copy) REQUIRES(THREAD)
{
    struct object old;
    enum catalog_answer answer = catalog_object_of_node(catalog, node, &old);

    if (answer != CATALOG_OK) {
        return answer;
    }
    *object = old;
    if (node->object != 0 && alone(catalog, node, &old)) {
        object->has_digest = false;
        return catalog_do(catalog, Q_NODE_CHANGED, "iii", (int64_t)node->id, op->time.ns, (int64_t)op->time.clock);
    }
    answer = catalog_object_new(catalog, OBJECT_WHOLE, &object->id);
    object->has_digest = false;
    object->state = OBJECT_WHOLE;
    if (answer == CATALOG_OK && copy && old.id != 0 && !old.inside) {
        answer = catalog_piece_copy_all(catalog, old.id, object->id);
    }
    return answer == CATALOG_OK ? catalog_change_content(catalog, node, object->id, op->time) : answer;
}

/* The new content, or the new part of it: (3). */
static enum catalog_answer replace(struct catalog *catalog, const struct catalog_op *op, struct object *object)
    REQUIRES(THREAD)
{
    enum catalog_answer answer = CATALOG_OK;

    if (op->bytes != NULL) {
        answer = catalog_object_cut(catalog, object->id, 0);
    } else {
        answer = add_extents(catalog, object->id, op, true);
    }
    return answer == CATALOG_OK ? set(catalog, object, op->bytes, op->bytes_size) : answer;
}

static enum catalog_answer file_of(struct catalog *catalog, const struct catalog_op *op, struct node *node)
    REQUIRES(THREAD)
{
    enum catalog_answer answer = catalog_tree_by_id(catalog, op->id, node);

    if (answer == CATALOG_OK && node->kind != CATALOG_FILE) {
        return CATALOG_IS_DIRECTORY;
    }
    bool other = answer == CATALOG_OK && (op->flags & CATALOG_EXPECT) != 0 && node->object != op->object;
    return other ? CATALOG_CONFLICT : answer;
}

enum catalog_answer catalog_write_file(struct catalog *catalog, struct catalog_op *op)
{
    struct node node;
    struct object object;
    enum catalog_answer answer = file_of(catalog, op, &node);

    if (answer == CATALOG_OK) {
        answer = own(catalog, op, &node, &object, op->bytes == NULL);
    }
    if (answer != CATALOG_OK) {
        return answer;
    }
    if (object.inside && op->bytes == NULL && object.size > 0 && op->block > 0) {
        return CATALOG_CONFLICT; /* (3) */
    }
    object.size = object.size > op->size ? object.size : op->size;
    op->size = object.size;
    op->object = object.id;
    return replace(catalog, op, &object);
}

enum catalog_answer catalog_write_truncate(struct catalog *catalog, struct catalog_op *op)
{
    struct node node;
    struct object object;
    uint64_t end = (op->size + DISK_BLOCK_BYTES - 1) / DISK_BLOCK_BYTES;
    enum catalog_answer answer = file_of(catalog, op, &node);

    if (answer == CATALOG_OK) {
        answer = own(catalog, op, &node, &object, true);
    }
    if (answer == CATALOG_OK) {
        answer = catalog_object_cut(catalog, object.id, end);
    }
    if (answer != CATALOG_OK) {
        return answer;
    }
    object.size = op->size;
    op->object = object.id;
    return replace(catalog, op, &object);
}

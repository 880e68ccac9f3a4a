/* SPDX-License-Identifier: MIT OR Apache-2.0
 * catalog_private.h: what the parts of lib/catalog know of each other.
 *
 *  (1) Each statement is prepared once, and reset when its next use begins or its operation ends.
 *  (2) A part that fails says why by its result; a failure of SQLite's is kept in catalog.code too, and wins.
 */
#pragma once
#include "lib/catalog/catalog.h"

#define DIED_NEVER INT64_MAX /* node.died of what is there now */

enum object_state { OBJECT_PARTIAL, OBJECT_WHOLE, OBJECT_DOOMED }; /* as the tables hold it */

/* --- catalog_sql.c --- */

enum statement {
    Q_BEGIN,
    Q_COMMIT,
    Q_ROLLBACK,
    Q_SAVE,
    Q_RELEASE,
    Q_BACK,
    Q_TABLES,
    Q_META_NEW,
    Q_META,
    Q_META_SET,
    Q_FREE_AT,
    Q_FREE_BEFORE,
    Q_FREE_FIT,
    Q_FREE_LARGEST,
    Q_FREE_PUT,
    Q_FREE_DROP,
    Q_EXTENT,
    Q_EXTENT_NEXT,
    Q_EXTENT_LAST,
    Q_EXTENT_NEW,
    Q_EXTENT_REFS,
    Q_EXTENT_DROP,
    Q_SUMS,
    Q_SUMS_NEW,
    Q_SUMS_DROP,
    Q_PIECE_AT,
    Q_PIECE_NEXT,
    Q_PIECE_NEW,
    Q_PIECE_DROP,
    Q_PIECE_SCAN,
    Q_PIECES_MOVE,
    Q_PIECES_COPY,
    Q_PIECES_SHARE,
    Q_OBJECT,
    Q_OBJECT_DIGEST,
    Q_OBJECT_NEW,
    Q_OBJECT_SET,
    Q_OBJECT_BYTES,
    Q_OBJECT_NAMES,
    Q_OBJECT_PINS,
    Q_OBJECT_DOOM,
    Q_OBJECT_DROP,
    Q_OBJECT_LOOSE,
    Q_OBJECT_ENDED,
    Q_NODE,
    Q_NODE_THEN,
    Q_NODE_ID,
    Q_NODE_ID_THEN,
    Q_NODE_SCAN,
    Q_NODE_NEW,
    Q_NODE_DIE,
    Q_NODE_DROP,
    Q_NODE_CHANGED,
    Q_NODE_ANY,
    Q_NODE_BEHIND,
    Q_LIST,
    Q_LIST_THEN,
    Q_SNAPSHOT,
    Q_SNAPSHOT_NEW,
    Q_SNAPSHOT_DROP,
    Q_SNAPSHOT_LAST,
    Q_SNAPSHOT_LIST,
    Q_DEAD,
    Q_COUNT,
};
_Static_assert(Q_COUNT <= CATALOG_STATEMENTS, "room for each");

/* `types`: one letter an argument: i int64_t; t const char *, uint32_t; b const void *, uint32_t; n nothing (NULL). */
sqlite3_stmt *catalog_query(struct catalog *catalog, enum statement which, const char *types, ...) REQUIRES(THREAD);
/* Whether there is a row (more). False: no, or catalog.code is set. */
bool catalog_row(struct catalog *catalog, sqlite3_stmt *statement) REQUIRES(THREAD);
/* A statement without rows. */
enum catalog_answer catalog_do(struct catalog *catalog, enum statement which, const char *types, ...) REQUIRES(THREAD);
/* What catalog.code says; CATALOG_OK: no error. */
enum catalog_answer catalog_trouble(const struct catalog *catalog);
uint64_t catalog_u64(sqlite3_stmt *statement, int column);
/* (1): no statement is between two rows any more. */
void catalog_rest(struct catalog *catalog) REQUIRES(THREAD);
enum catalog_answer catalog_make_tables(struct catalog *catalog) REQUIRES(THREAD);
void catalog_finalize(struct catalog *catalog) REQUIRES(THREAD);

/* --- catalog_space.c: free runs, lends --- */

enum catalog_answer catalog_space_lend(struct catalog *catalog, struct catalog_op *op) REQUIRES(THREAD);
enum catalog_answer catalog_space_unlend(struct catalog *catalog, struct catalog_run run);
/* A part of a lent run becomes an extent's: it leaves the free rows. CATALOG_CONFLICT: it was not lent. */
enum catalog_answer catalog_space_take(struct catalog *catalog, struct catalog_run run) REQUIRES(THREAD);
/* Free from the commit on. */
enum catalog_answer catalog_space_give(struct catalog *catalog, struct catalog_run run) REQUIRES(THREAD);
enum catalog_answer catalog_space_reserve(struct catalog *catalog, uint64_t blocks);
enum catalog_answer catalog_space_unreserve(struct catalog *catalog, uint64_t blocks);
/* The operation is taken back. */
void catalog_space_back(struct catalog *catalog);
/* The transaction ended. */
void catalog_space_settle(struct catalog *catalog, bool committed);

/* --- catalog_extent.c: pieces of objects, extents --- */

/* Puts a run that was filled at `at` of the object, where nothing is. */
enum catalog_answer catalog_piece_add(struct catalog *catalog, uint64_t object, uint64_t at,
                                      const struct catalog_extent *extent) REQUIRES(THREAD);
/* Takes out what the object has in [at, at + blocks). */
enum catalog_answer catalog_piece_clear(struct catalog *catalog, uint64_t object, uint64_t at, uint64_t blocks)
    REQUIRES(THREAD);
/* Takes out what the object has from block `at` on, in as many pieces as the transaction may still take; *left: there are more,
 * which begin at `at` or behind. */
enum catalog_answer catalog_piece_drop_some(struct catalog *catalog, uint64_t object, uint64_t at, bool *left)
    REQUIRES(THREAD);
enum catalog_answer catalog_piece_copy_all(struct catalog *catalog, uint64_t from, uint64_t to) REQUIRES(THREAD);
/* All pieces of one, from block `at` on, become the other's, which has none there. */
enum catalog_answer catalog_piece_move(struct catalog *catalog, uint64_t from, uint64_t to, uint64_t at)
    REQUIRES(THREAD);
enum catalog_answer catalog_piece_span(struct catalog *catalog, uint64_t object, uint64_t block,
                                       struct catalog_span *span) REQUIRES(THREAD);

enum catalog_answer catalog_extent_next(struct catalog *catalog, struct catalog_op *op) REQUIRES(THREAD);

/* --- catalog_owner.c --- */

enum catalog_answer catalog_owner_next(struct catalog *catalog, struct catalog_op *op) REQUIRES(THREAD);
enum catalog_answer catalog_owner_where(struct catalog *catalog, struct catalog_op *op) REQUIRES(THREAD);
enum catalog_answer catalog_owner_path(struct catalog *catalog, struct catalog_op *op) REQUIRES(THREAD);

/* --- catalog_check.c --- */

enum catalog_answer catalog_check_op(struct catalog *catalog, struct catalog_op *op) REQUIRES(THREAD);

/* --- catalog_object.c --- */

struct object {
    uint64_t id, size, names, pins;
    enum object_state state;
    bool has_digest;
    bool inside; /* its bytes stand in the row */
    uint8_t digest[CATALOG_DIGEST];
};
enum catalog_answer catalog_object_get(struct catalog *catalog, uint64_t id, struct object *object) REQUIRES(THREAD);
enum catalog_answer catalog_object_find(struct catalog *catalog, const uint8_t digest[CATALOG_DIGEST],
                                        struct object *object) REQUIRES(THREAD);
enum catalog_answer catalog_object_new(struct catalog *catalog, enum object_state state, uint64_t *id) REQUIRES(THREAD);
/* One name more, or one less: without any, and without pins, it ends. */
enum catalog_answer catalog_object_name(struct catalog *catalog, uint64_t id) REQUIRES(THREAD);
enum catalog_answer catalog_object_unname(struct catalog *catalog, uint64_t id) REQUIRES(THREAD);
/* Ends it: at once when it is small and nobody holds it, else by catalog_care(). */
enum catalog_answer catalog_object_end(struct catalog *catalog, uint64_t id) REQUIRES(THREAD);
/* Takes out what it has from block `at` on; where that is not small, another object, which ends, gets the rest. */
enum catalog_answer catalog_object_cut(struct catalog *catalog, uint64_t id, uint64_t at) REQUIRES(THREAD);
/* A part of the next one that is doomed or was never finished. *more: there was one. */
enum catalog_answer catalog_object_reclaim(struct catalog *catalog, bool *more) REQUIRES(THREAD);
enum catalog_answer catalog_object_keep(struct catalog *catalog, uint64_t id);
enum catalog_answer catalog_object_let_go(struct catalog *catalog, uint64_t id);
bool catalog_object_held(const struct catalog *catalog, uint64_t id);
bool catalog_object_suspected(const struct catalog *catalog, uint64_t id);
enum catalog_answer catalog_object_suspect(struct catalog *catalog, uint64_t id);
void catalog_object_trust(struct catalog *catalog, uint64_t id);
enum catalog_answer catalog_object_span(struct catalog *catalog, struct catalog_op *op) REQUIRES(THREAD);
enum catalog_answer catalog_object_find_op(struct catalog *catalog, struct catalog_op *op) REQUIRES(THREAD);
enum catalog_answer catalog_object_hold(struct catalog *catalog, struct catalog_op *op) REQUIRES(THREAD);
enum catalog_answer catalog_object_pin(struct catalog *catalog, struct catalog_op *op, int by) REQUIRES(THREAD);
enum catalog_answer catalog_object_forget(struct catalog *catalog, struct catalog_op *op) REQUIRES(THREAD);
enum catalog_answer catalog_object_collect(struct catalog *catalog, struct catalog_op *op) REQUIRES(THREAD);

/* --- catalog_write.c: bytes come in --- */

enum catalog_answer catalog_write_extend(struct catalog *catalog, struct catalog_op *op) REQUIRES(THREAD);
enum catalog_answer catalog_write_put(struct catalog *catalog, struct catalog_op *op) REQUIRES(THREAD);
enum catalog_answer catalog_write_file(struct catalog *catalog, struct catalog_op *op) REQUIRES(THREAD);
enum catalog_answer catalog_write_truncate(struct catalog *catalog, struct catalog_op *op) REQUIRES(THREAD);

/* --- catalog_name.c --- */

bool catalog_name_is_text(struct catalog_text name);
bool catalog_name_is_path(struct catalog_text path); /* the empty one too */
/* The part of a path up to the next '/', both of which are taken off. */
struct catalog_text catalog_name_next(struct catalog_text *path);

/* --- catalog_tree.c: finding names --- */

struct node { /* a row */
    uint64_t parent, id, object, born;
    uint32_t kind;
    struct catalog_time made, changed;
    char name[CATALOG_NAME_MAX + 1];
    uint32_t name_size;
};
/* What a node means: nothing, of size 0, if it is an empty file's or a directory's. */
enum catalog_answer catalog_object_of_node(struct catalog *catalog, const struct node *node, struct object *object)
    REQUIRES(THREAD);
/* The node at the end of a path; an empty path is the directory itself. */
enum catalog_answer catalog_tree_find(struct catalog *catalog, struct catalog_place at, struct catalog_text path,
                                      struct node *node) REQUIRES(THREAD);
/* The directory that the last name of a path stands in, and that name, which is a proper one. */
enum catalog_answer catalog_tree_parent(struct catalog *catalog, struct catalog_place at, struct catalog_text path,
                                        uint64_t *parent, struct catalog_text *name) REQUIRES(THREAD);
enum catalog_answer catalog_tree_child(struct catalog *catalog, struct catalog_place at, struct catalog_text name,
                                       struct node *node) REQUIRES(THREAD);
/* The node of this number, as it is now. */
enum catalog_answer catalog_tree_by_id(struct catalog *catalog, uint64_t id, struct node *node) REQUIRES(THREAD);
enum catalog_answer catalog_tree_stat(struct catalog *catalog, struct catalog_op *op) REQUIRES(THREAD);
enum catalog_answer catalog_tree_list(struct catalog *catalog, struct catalog_op *op) REQUIRES(THREAD);
enum catalog_answer catalog_tree_describe(struct catalog *catalog, const struct node *node, struct catalog_node *out)
    REQUIRES(THREAD);

/* --- catalog_change.c: names change --- */

/* Gives a file other content: for what snapshots show there is another row from then on. `node` is the row as it then is. */
enum catalog_answer catalog_change_content(struct catalog *catalog, struct node *node, uint64_t object,
                                           struct catalog_time time) REQUIRES(THREAD);
/* Whether it would be refused; nothing is changed. */
enum catalog_answer catalog_change_may_bind(struct catalog *catalog, const struct catalog_op *op) REQUIRES(THREAD);
enum catalog_answer catalog_change_bind(struct catalog *catalog, struct catalog_op *op, uint64_t object)
    REQUIRES(THREAD);
enum catalog_answer catalog_change_bind_op(struct catalog *catalog, struct catalog_op *op) REQUIRES(THREAD);
enum catalog_answer catalog_change_batch(struct catalog *catalog, struct catalog_op *op) REQUIRES(THREAD);
enum catalog_answer catalog_change_make(struct catalog *catalog, struct catalog_op *op, enum catalog_kind kind)
    REQUIRES(THREAD);
enum catalog_answer catalog_change_remove(struct catalog *catalog, struct catalog_op *op) REQUIRES(THREAD);
enum catalog_answer catalog_change_rename(struct catalog *catalog, struct catalog_op *op) REQUIRES(THREAD);
/* A row ends: it goes, with its claim on the object, or stays for the snapshots that show it. */
enum catalog_answer catalog_change_end_row(struct catalog *catalog, const struct node *node) REQUIRES(THREAD);

/* --- catalog_snapshot.c --- */

enum catalog_answer catalog_snapshot_take(struct catalog *catalog, struct catalog_op *op) REQUIRES(THREAD);
enum catalog_answer catalog_snapshot_drop(struct catalog *catalog, struct catalog_op *op) REQUIRES(THREAD);
enum catalog_answer catalog_snapshot_list(struct catalog *catalog, struct catalog_op *op) REQUIRES(THREAD);
/* Some rows that no snapshot shows any more go. *more: there may be others. */
enum catalog_answer catalog_snapshot_sweep(struct catalog *catalog, bool *more) REQUIRES(THREAD);

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * catalog.c: open, the batch and its one commit, care. Rules in catalog.h.
 *
 *  (1) catalog.state is what the tables `meta` and in memory say alike after each commit. A rollback takes it back with the rest.
 *  (2) Most changes look before they write, so that one that is refused has written nothing. A batch of names, which may be refused
 *      at its last step, is taken back to where it began (a savepoint costs a copy of each page). Whatever else fails half-way
 *      has spoiled the transaction, and so has a failure of SQLite's: then the batch has failed.
 *  (3) A batch that fails while the disk is well (an operation failed half-way, the log has no room for it, one page is damaged)
 *      is done again, each operation alone; when the disk failed, what only asks is, and all changes have failed: no answer
 *      of such a batch is given away, for it may rest on changes that did not come about.
 *  (4) What is lent, reserved and held is not in the tables, and no rollback takes it back: those operations act when the
 *      transaction has ended, on what is committed, whatever became of it.
 */
#include <string.h>
#include "catalog_private.h"
#include "core/assert.h"
#define LOG_TAG "catalog"
#include "core/log.h"

/* A piece that ends changes a page of pieces, one of extents, two of CRCs and two of free runs at most, and half of the log may
 * be in use. */
#define PIECE_LOG_BLOCKS 16u

const char *catalog_answer_name(enum catalog_answer answer)
{
    static const char *const name[] = {"ok",           "not-found", "exists", "conflict", "not-empty", "not-directory",
                                       "is-directory", "bad-name",  "deep",   "named",    "full",      "limit",
                                       "damaged",      "failed"};

    return (unsigned)answer < sizeof name / sizeof name[0] ? name[answer] : "?";
}

/* --- one operation --------------------------------------------------------------------------------------------------- */

static enum catalog_answer info_op(struct catalog *catalog, struct catalog_op *op)
{
    const struct catalog_state *state = &catalog->state;

    *op->info = (struct catalog_info){.data_blocks = catalog->data_blocks,
                                      .free_blocks = state->free_blocks,
                                      .lent_blocks = catalog->lent_blocks,
                                      .reserved_blocks = catalog->reserved_blocks,
                                      .objects = state->objects,
                                      .nodes = state->nodes,
                                      .snapshots = state->snapshots,
                                      .generation = state->generation,
                                      .commits = catalog->commits,
                                      .database_pages = catalog->volume->super.page_count,
                                      .database_pages_max = volume_pages_max(catalog->volume)};
    memcpy(op->info->uuid, catalog->volume->super.uuid, sizeof op->info->uuid);
    return CATALOG_OK;
}

static enum catalog_answer ask(struct catalog *catalog, struct catalog_op *op) REQUIRES(THREAD)
{
    switch (op->kind) {
    case CATALOG_STAT:
    case CATALOG_STAT_NODE:
        return catalog_tree_stat(catalog, op);
    case CATALOG_LIST:
        return catalog_tree_list(catalog, op);
    case CATALOG_FIND:
        return catalog_object_find_op(catalog, op);
    case CATALOG_SPAN:
        return catalog_object_span(catalog, op);
    case CATALOG_INFO:
        return info_op(catalog, op);
    case CATALOG_EXTENT:
        return catalog_extent_next(catalog, op);
    case CATALOG_OWNER:
        return catalog_owner_next(catalog, op);
    case CATALOG_WHERE:
        return catalog_owner_where(catalog, op);
    case CATALOG_PATH:
        return catalog_owner_path(catalog, op);
    case CATALOG_SNAPSHOTS:
        return catalog_snapshot_list(catalog, op);
    case CATALOG_CHECK:
        return catalog_check_op(catalog, op);
    case CATALOG_SUSPECT:
        return catalog_object_suspect(catalog, op->object);
    case CATALOG_HOLD:
        return catalog_object_hold(catalog, op);
    case CATALOG_UNHOLD:
        return catalog_object_let_go(catalog, op->object);
    case CATALOG_LEND:
        return catalog_space_lend(catalog, op);
    case CATALOG_UNLEND:
        return catalog_space_unlend(catalog, op->run);
    case CATALOG_RESERVE:
        return catalog_space_reserve(catalog, op->size);
    case CATALOG_UNRESERVE:
        return catalog_space_unreserve(catalog, op->size);
    default:
        UNREACHABLE();
    }
}

static enum catalog_answer change(struct catalog *catalog, struct catalog_op *op) REQUIRES(THREAD)
{
    switch (op->kind) {
    case CATALOG_EXTEND:
        return catalog_write_extend(catalog, op);
    case CATALOG_PUT:
        return catalog_write_put(catalog, op);
    case CATALOG_BIND:
        return catalog_change_bind_op(catalog, op);
    case CATALOG_BATCH:
        return catalog_change_batch(catalog, op);
    case CATALOG_MKDIR:
        return catalog_change_make(catalog, op, CATALOG_DIRECTORY);
    case CATALOG_CREATE:
        return catalog_change_make(catalog, op, CATALOG_FILE);
    case CATALOG_REMOVE:
        return catalog_change_remove(catalog, op);
    case CATALOG_RENAME:
        return catalog_change_rename(catalog, op);
    case CATALOG_WRITE:
        return catalog_write_file(catalog, op);
    case CATALOG_TRUNCATE:
        return catalog_write_truncate(catalog, op);
    case CATALOG_PIN:
        return catalog_object_pin(catalog, op, 1);
    case CATALOG_UNPIN:
        return catalog_object_pin(catalog, op, -1);
    case CATALOG_FORGET:
        return catalog_object_forget(catalog, op);
    case CATALOG_COLLECT:
        return catalog_object_collect(catalog, op);
    case CATALOG_SNAPSHOT:
        return catalog_snapshot_take(catalog, op);
    case CATALOG_UNSNAPSHOT:
        return catalog_snapshot_drop(catalog, op);
    default:
        UNREACHABLE();
    }
}

/* --- the transaction ------------------------------------------------------------------------------------------------- */

/* (2): it was refused. Memory is as before; `marked`: so are the tables. */
static void take_back(struct catalog *catalog, const struct catalog_state *before, bool marked) REQUIRES(THREAD)
{
    catalog->code = SQLITE_OK;
    catalog->state = *before;
    catalog_space_back(catalog);
    catalog_rest(catalog);
    if (marked && !sqlite3_get_autocommit(catalog->db)) {
        catalog->broken = catalog_do(catalog, Q_BACK, "") != CATALOG_OK;
    }
}

/* A change, or nothing of it, by a savepoint. */
static enum catalog_answer change_marked(struct catalog *catalog, struct catalog_op *op) REQUIRES(THREAD)
{
    struct catalog_state before = catalog->state;
    enum catalog_answer answer = catalog_do(catalog, Q_SAVE, "");

    if (answer == CATALOG_OK) {
        answer = change(catalog, op);
    }
    if (answer != CATALOG_OK) {
        take_back(catalog, &before, true);
    }
    if (sqlite3_get_autocommit(catalog->db)) {
        return answer; /* (2) */
    }
    enum catalog_answer end = catalog_do(catalog, Q_RELEASE, "");
    catalog->broken = catalog->broken || end != CATALOG_OK;
    return answer != CATALOG_OK ? answer : end;
}

static bool keeps(const struct catalog_op *op)
{
    return (op->kind == CATALOG_PUT || op->kind == CATALOG_EXTEND) && (op->flags & CATALOG_KEEP) != 0;
}

/* It is held when the transaction has ended, and what comes after it in the transaction is not to end it. */
static enum catalog_answer keep_soon(struct catalog *catalog, uint64_t object)
{
    if (catalog->kept_count == CATALOG_KEPT_MAX) {
        return CATALOG_LIMIT; /* done again alone: (3) */
    }
    catalog->kept[catalog->kept_count++] = object;
    return CATALOG_OK;
}

/* (2): a change, or nothing of it, or a spoiled transaction. */
static enum catalog_answer change_or_not(struct catalog *catalog, struct catalog_op *op) REQUIRES(THREAD)
{
    struct catalog_state before = catalog->state;
    sqlite3_int64 rows = sqlite3_total_changes64(catalog->db);

    if (op->kind == CATALOG_BATCH && op->step_count > 1) {
        return change_marked(catalog, op);
    }
    enum catalog_answer answer = change(catalog, op);
    if (answer == CATALOG_OK && keeps(op)) {
        answer = keep_soon(catalog, op->object);
    }
    if (answer != CATALOG_OK) {
        take_back(catalog, &before, false);
        catalog->broken = sqlite3_total_changes64(catalog->db) != rows;
    }
    return answer;
}

static enum catalog_answer commit(struct catalog *catalog, const struct catalog_state *before) REQUIRES(THREAD)
{
    const struct catalog_state *state = &catalog->state;
    enum catalog_answer answer = CATALOG_OK;

    if (memcmp(state, before, sizeof *state) != 0) {
        answer = catalog_do(catalog, Q_META_SET, "iiiiiii", (int64_t)state->free_blocks, (int64_t)state->next_node,
                            (int64_t)state->generation, (int64_t)state->last_snapshot, (int64_t)state->objects,
                            (int64_t)state->nodes, (int64_t)state->snapshots);
    }
    catalog_rest(catalog);
    if (answer == CATALOG_OK && catalog->names_data && volume_data_sync(catalog->volume) != ST_OK) {
        answer = CATALOG_FAILED;
    }
    return answer == CATALOG_OK ? catalog_do(catalog, Q_COMMIT, "") : answer;
}

static void roll_back(struct catalog *catalog, const struct catalog_state *before) REQUIRES(THREAD)
{
    catalog_rest(catalog);
    catalog->state = *before;
    catalog->code = SQLITE_OK;
    if (!sqlite3_get_autocommit(catalog->db)) {
        (void)catalog_do(catalog, Q_ROLLBACK, "");
    }
}

/* Ends the transaction. CATALOG_OK: what it changed is durable. */
static enum catalog_answer settle(struct catalog *catalog, enum catalog_answer answer,
                                  const struct catalog_state *before) REQUIRES(THREAD)
{
    if (answer == CATALOG_OK) {
        answer = commit(catalog, before);
    }
    if (answer == CATALOG_OK) {
        catalog->commits++;
    } else {
        roll_back(catalog, before);
    }
    catalog_space_settle(catalog, answer == CATALOG_OK);
    catalog->code = SQLITE_OK;
    catalog->names_data = false;
    catalog->kept_count = 0;
    return answer;
}

static enum catalog_answer begin(struct catalog *catalog) REQUIRES(THREAD)
{
    catalog->pieces_left = catalog->volume->super.log_blocks / PIECE_LOG_BLOCKS;
    catalog->code = SQLITE_OK;
    catalog->names_data = false;
    catalog->broken = false;
    return catalog_do(catalog, Q_BEGIN, "");
}

static bool changes(const struct catalog_op *op)
{
    return op->kind >= CATALOG_CHANGES;
}

/* Whether it is about the tables; the others: (4). */
static bool tabled(const struct catalog_op *op)
{
    return changes(op) || op->kind <= CATALOG_SNAPSHOTS;
}

static void act_one(struct catalog *catalog, struct catalog_op *op, bool writable) REQUIRES(THREAD)
{
    if (!changes(op)) {
        op->answer = ask(catalog, op);
    } else {
        op->answer = writable ? change_or_not(catalog, op) : CATALOG_FAILED;
    }
    enum catalog_answer trouble = catalog_trouble(catalog);
    catalog->code = SQLITE_OK;
    if (trouble != CATALOG_OK) {
        op->answer = trouble; /* (2) of catalog_private.h */
    }
}

/* One after the other. What stops the transaction is the result. */
static enum catalog_answer act(struct catalog *catalog, struct catalog_op *const op[], uint32_t count, bool writable)
    REQUIRES(THREAD)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!tabled(op[i])) {
            continue; /* (4) */
        }
        catalog->operation = i + 1;
        act_one(catalog, op[i], writable);
        if (writable && (catalog->broken || sqlite3_get_autocommit(catalog->db))) {
            return op[i]->answer != CATALOG_OK ? op[i]->answer : CATALOG_FAILED; /* (2) */
        }
    }
    return CATALOG_OK;
}

/* Without changes, or when nothing is written any more, there is none, and each operation speaks for itself. */
static enum catalog_answer transaction(struct catalog *catalog, struct catalog_op *const op[], uint32_t count, bool any)
    REQUIRES(THREAD)
{
    struct catalog_state before = catalog->state;

    if (!any || catalog->volume->failed != ST_OK) {
        return act(catalog, op, count, false);
    }
    enum catalog_answer answer = begin(catalog);
    if (answer == CATALOG_OK) {
        answer = act(catalog, op, count, true);
    }
    return settle(catalog, answer, &before);
}

static void refuse(struct catalog_op *op, enum catalog_answer answer)
{
    op->answer = answer;
    op->id = op->id_asked; /* it may be done again: (3) */
    op->object = op->object_asked;
    op->size = op->size_asked;
    op->generation = op->generation_asked;
}

static void prepare(struct catalog_op *op)
{
    op->id_asked = op->id;
    op->object_asked = op->object;
    op->size_asked = op->size;
    op->generation_asked = op->generation;
}

/* What was reserved and is named now is nobody's promise any more. */
static void redeem(struct catalog *catalog, const struct catalog_op *op)
{
    uint64_t blocks = 0;
    bool named = op->kind == CATALOG_EXTEND || (op->kind == CATALOG_PUT && op->extent_named > 0);

    for (uint32_t i = 0; i < op->extent_count && named && op->answer == CATALOG_OK; i++) {
        blocks += op->extent[i].run.blocks;
    }
    if ((op->flags & CATALOG_RESERVED) != 0) {
        (void)catalog_space_unreserve(catalog, blocks);
    }
}

/* After EXTEND and PUT the object is held once, also when an operation before began it, or when it was there already. */
static void keep(struct catalog *catalog, const struct catalog_op *op)
{
    if (!keeps(op) || op->answer != CATALOG_OK || op->object == op->object_asked) {
        return;
    }
    if (op->object_asked != 0) {
        (void)catalog_object_let_go(catalog, op->object_asked);
    }
    if (catalog_object_keep(catalog, op->object) != CATALOG_OK) {
        log_warn("more than %u objects are held",
                 CATALOG_HOLDS_MAX); /* then it may end under its reader, who is told */
    }
}

/* What was suspected has other blocks now. */
static void trust(struct catalog *catalog, const struct catalog_op *op)
{
    if (op->kind == CATALOG_PUT && op->answer == CATALOG_OK && op->extent_named > 0) {
        catalog_object_trust(catalog, op->object);
    }
}

/* (3) */
static void redo(struct catalog *catalog, struct catalog_op *const op[], uint32_t count, enum catalog_answer answer)
    REQUIRES(THREAD)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!tabled(op[i])) {
            continue;
        }
        refuse(op[i], answer);
        if (count > 1 && (!changes(op[i]) || catalog->volume->failed == ST_OK)) {
            catalog_run(catalog, &op[i], 1);
        }
    }
}

void catalog_run(struct catalog *catalog, struct catalog_op *const op[], uint32_t count)
{
    bool any = false;

    for (uint32_t i = 0; i < count; i++) {
        any = any || changes(op[i]);
        prepare(op[i]);
    }
    enum catalog_answer answer = transaction(catalog, op, count, any);
    if (answer != CATALOG_OK) {
        redo(catalog, op, count, answer);
    }
    for (uint32_t i = 0; i < count && answer == CATALOG_OK; i++) {
        if (tabled(op[i])) {
            keep(catalog, op[i]);
            trust(catalog, op[i]);
            redeem(catalog, op[i]);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!tabled(op[i])) {
            act_one(catalog, op[i], false); /* (4) */
        }
    }
    catalog_rest(catalog);
}

/* --- care ------------------------------------------------------------------------------------------------------------ */

bool catalog_care(struct catalog *catalog)
{
    struct catalog_state before = catalog->state;
    uint64_t at = catalog->reclaim_after;
    bool more = false;

    if (!catalog->care_wanted || catalog->volume->failed != ST_OK) {
        return false;
    }
    catalog->care_wanted = false;
    catalog->operation = 1;
    enum catalog_answer answer = begin(catalog);
    if (answer == CATALOG_OK) {
        answer = catalog_snapshot_sweep(catalog, &more);
    }
    if (answer == CATALOG_OK && !more) {
        answer = catalog_object_reclaim(catalog, &more);
    }
    answer = settle(catalog, answer, &before);
    if (answer != CATALOG_OK) {
        log_err("nothing is reclaimed before something else ends: %s", catalog_answer_name(answer));
        catalog->reclaim_after = at;
        catalog->care_wanted = false;
        return false;
    }
    catalog->care_wanted = catalog->care_wanted || more;
    return catalog->care_wanted;
}

/* --- open ------------------------------------------------------------------------------------------------------------ */

static enum catalog_answer meta_read(struct catalog *catalog) REQUIRES(THREAD)
{
    sqlite3_stmt *row = catalog_query(catalog, Q_META, "");

    if (!catalog_row(catalog, row)) {
        return catalog->code != SQLITE_OK ? catalog_trouble(catalog) : CATALOG_DAMAGED;
    }
    if (catalog_u64(row, 0) != CATALOG_VERSION) {
        log_err("the catalog has version %llu, and %u is what this image knows",
                (unsigned long long)catalog_u64(row, 0), CATALOG_VERSION);
        return CATALOG_LIMIT;
    }
    catalog->state = (struct catalog_state){
        .free_blocks = catalog_u64(row, 1),
        .next_node = catalog_u64(row, 2),
        .generation = catalog_u64(row, 3),
        .last_snapshot = catalog_u64(row, 4),
        .objects = catalog_u64(row, 5),
        .nodes = catalog_u64(row, 6),
        .snapshots = catalog_u64(row, 7),
    };
    return CATALOG_OK;
}

/* The tables of an empty volume, all data blocks free. */
static enum catalog_answer make(struct catalog *catalog) REQUIRES(THREAD)
{
    static const struct catalog_state nothing;
    enum catalog_answer answer = begin(catalog);

    catalog->state = (struct catalog_state){.next_node = CATALOG_NAMES + 1, .generation = 1};
    if (answer == CATALOG_OK) {
        answer = catalog_make_tables(catalog);
    }
    if (answer == CATALOG_OK) {
        answer = catalog_do(catalog, Q_META_NEW, "i", (int64_t)CATALOG_VERSION);
    }
    if (answer == CATALOG_OK) {
        catalog->state.free_blocks = catalog->data_blocks;
        answer = catalog_do(catalog, Q_FREE_PUT, "ii", (int64_t)catalog->data_start, (int64_t)catalog->data_blocks);
    }
    return settle(catalog, answer, &nothing);
}

static enum catalog_answer there(struct catalog *catalog, bool *yes) REQUIRES(THREAD)
{
    *yes = catalog_row(catalog, catalog_query(catalog, Q_TABLES, ""));
    catalog_rest(catalog);
    return catalog_trouble(catalog);
}

enum catalog_answer catalog_open(struct catalog *catalog, struct volume *volume, const void *seed, uint32_t seed_bytes)
{
    bool made = false;

    *catalog = (struct catalog){.volume = volume, .moved_max = CATALOG_MOVED_MAX, .care_wanted = true};
    catalog->data_start = volume->super.data_start;
    catalog->data_blocks = volume->super.data_blocks;
    catalog->code = sqlite_open(volume, seed, seed_bytes, &catalog->db);
    enum catalog_answer answer = catalog_trouble(catalog);
    if (answer == CATALOG_OK) {
        answer = there(catalog, &made);
    }
    if (answer == CATALOG_OK && !made) {
        answer = make(catalog);
    }
    if (answer == CATALOG_OK) {
        answer = meta_read(catalog);
        catalog_rest(catalog);
    }
    if (answer != CATALOG_OK) {
        log_err("the catalog cannot be opened: %s", catalog_answer_name(answer));
        catalog_close(catalog);
    }
    return answer;
}

void catalog_close(struct catalog *catalog)
{
    catalog_finalize(catalog);
    if (catalog->db != NULL && sqlite_close(catalog->db) != SQLITE_OK) {
        log_warn("the database did not close well");
    }
    catalog->db = NULL;
}

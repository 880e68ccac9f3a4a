/* SPDX-License-Identifier: MIT OR Apache-2.0
 * catalog_space.c: free room: rows of free runs, and which parts of them are lent.
 *
 *  (1) Free rows do not touch each other. A lent run lies within one free row: it is free on the disk, and only here it is known
 *      that somebody fills it.
 *  (2) Lends are sorted by start and do not overlap.
 *  (3) A run leaves the free rows in the transaction that names it. Its lend ends when that has committed; when it has not, the
 *      run is lent as before.
 *  (4) reserved_blocks + loose_blocks <= free blocks, but for those of a reservation that were named a moment ago: what was
 *      reserved is there when it is asked for.
 */
#include <string.h>
#include "catalog_private.h"
#include "core/assert.h"

/* --- lends ----------------------------------------------------------------------------------------------------------- */

/* The first lend that ends behind `block`. */
static uint32_t lend_behind(const struct catalog *catalog, uint64_t block)
{
    uint32_t low = 0;
    uint32_t high = catalog->lend_count;

    while (low < high) {
        uint32_t middle = (low + high) / 2;
        const struct catalog_run *run = &catalog->lend[middle].run;
        if (run->start + run->blocks > block) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

static void lend_insert(struct catalog *catalog, struct catalog_run run, bool loose)
{
    uint32_t at = lend_behind(catalog, run.start);

    ASSERT(catalog->lend_count < CATALOG_LENDS_MAX);
    memmove(&catalog->lend[at + 1], &catalog->lend[at], (catalog->lend_count - at) * sizeof catalog->lend[0]);
    catalog->lend[at] = (struct catalog_lend){.run = run, .loose = loose};
    catalog->lend_count++;
    catalog->lent_blocks += run.blocks;
    catalog->loose_blocks += loose ? run.blocks : 0;
}

static void lend_remove(struct catalog *catalog, uint32_t at)
{
    catalog->lent_blocks -= catalog->lend[at].run.blocks;
    catalog->loose_blocks -= catalog->lend[at].loose ? catalog->lend[at].run.blocks : 0;
    catalog->lend_count--;
    memmove(&catalog->lend[at], &catalog->lend[at + 1], (catalog->lend_count - at) * sizeof catalog->lend[0]);
}

struct gap {
    struct catalog_run run; /* the best that was seen; no blocks: none */
    uint64_t wanted;
};

static void gap_consider(struct gap *gap, uint64_t start, uint64_t end)
{
    uint64_t blocks = end > start ? end - start : 0;

    blocks = blocks < gap->wanted ? blocks : gap->wanted;
    if (blocks > gap->run.blocks) {
        gap->run = (struct catalog_run){start, (uint32_t)blocks};
    }
}

/* What of the free row [start, end) nobody was lent. */
static void gaps_in(const struct catalog *catalog, struct gap *gap, uint64_t start, uint64_t end)
{
    for (uint32_t i = lend_behind(catalog, start); i < catalog->lend_count && catalog->lend[i].run.start < end; i++) {
        gap_consider(gap, start, catalog->lend[i].run.start);
        start = catalog->lend[i].run.start + catalog->lend[i].run.blocks;
    }
    gap_consider(gap, start, end);
}

/* --- lending --------------------------------------------------------------------------------------------------------- */

/* As much as is free from the hint on, if anything is. */
static void look_at_hint(struct catalog *catalog, struct gap *gap, uint64_t hint) REQUIRES(THREAD)
{
    sqlite3_stmt *row = catalog_query(catalog, Q_FREE_AT, "i", (int64_t)hint);

    if (hint == 0 || !catalog_row(catalog, row)) {
        return;
    }
    uint64_t end = catalog_u64(row, 0) + catalog_u64(row, 1);
    uint32_t next = lend_behind(catalog, hint);
    if (hint < end && next < catalog->lend_count && catalog->lend[next].run.start < end) {
        end = catalog->lend[next].run.start;
    }
    gap_consider(gap, hint, end);
}

/* One row more than there are lends is looked at: one of them is whole, if there are so many. */
static void look_at_rows(struct catalog *catalog, struct gap *gap, enum statement which) REQUIRES(THREAD)
{
    int64_t most = (int64_t)catalog->lend_count + 1;
    sqlite3_stmt *row = which == Q_FREE_FIT ? catalog_query(catalog, which, "ii", (int64_t)gap->wanted, most)
                                            : catalog_query(catalog, which, "i", most);

    while (gap->run.blocks < gap->wanted && catalog_row(catalog, row)) {
        uint64_t start = catalog_u64(row, 0);
        gaps_in(catalog, gap, start, start + catalog_u64(row, 1));
    }
}

static uint64_t unpromised(const struct catalog *catalog)
{
    uint64_t promised = catalog->reserved_blocks + catalog->loose_blocks;

    return catalog->state.free_blocks > promised ? catalog->state.free_blocks - promised : 0;
}

enum catalog_answer catalog_space_reserve(struct catalog *catalog, uint64_t blocks)
{
    if (blocks > unpromised(catalog)) {
        return CATALOG_FULL;
    }
    catalog->reserved_blocks += blocks;
    return CATALOG_OK;
}

enum catalog_answer catalog_space_unreserve(struct catalog *catalog, uint64_t blocks)
{
    ASSERT(blocks <= catalog->reserved_blocks);
    catalog->reserved_blocks -= blocks;
    return CATALOG_OK;
}

enum catalog_answer catalog_space_lend(struct catalog *catalog, struct catalog_op *op)
{
    bool loose = (op->flags & CATALOG_RESERVED) == 0;
    uint64_t most = loose ? unpromised(catalog) : op->blocks;
    struct gap gap = {.wanted = op->blocks < most ? op->blocks : most};

    gap.wanted = gap.wanted < CATALOG_EXTENT_BLOCKS ? gap.wanted : CATALOG_EXTENT_BLOCKS;
    if (catalog->lend_count == CATALOG_LENDS_MAX) {
        return CATALOG_LIMIT;
    }
    if (catalog->volume->failed != ST_OK) {
        return CATALOG_FAILED; /* a commit that failed may be there after the next boot, and name what seems free */
    }
    look_at_hint(catalog, &gap, op->hint);
    if (gap.run.blocks < gap.wanted) {
        look_at_rows(catalog, &gap, Q_FREE_FIT);
    }
    if (gap.run.blocks < gap.wanted) {
        look_at_rows(catalog, &gap, Q_FREE_LARGEST);
    }
    if (catalog->code != SQLITE_OK) {
        return catalog_trouble(catalog);
    }
    if (gap.run.blocks == 0) {
        return CATALOG_FULL;
    }
    lend_insert(catalog, gap.run, loose);
    op->run = gap.run;
    return CATALOG_OK;
}

/* The lend that this run is the first part of, or all. UINT32_MAX: there is none. */
static uint32_t lend_of(const struct catalog *catalog, struct catalog_run run)
{
    uint32_t i = lend_behind(catalog, run.start);
    const struct catalog_lend *lend = &catalog->lend[i];

    bool right = i < catalog->lend_count && lend->named == 0 && lend->run.start == run.start && run.blocks > 0 &&
                 lend->run.blocks >= run.blocks;
    return right ? i : UINT32_MAX;
}

enum catalog_answer catalog_space_unlend(struct catalog *catalog, struct catalog_run run)
{
    uint32_t i = lend_of(catalog, run);

    if (i == UINT32_MAX || catalog->lend[i].run.blocks != run.blocks) {
        return CATALOG_MISSING;
    }
    lend_remove(catalog, i);
    return CATALOG_OK;
}

void catalog_space_settle(struct catalog *catalog, bool committed)
{
    for (uint32_t i = 0; i < catalog->lend_count;) {
        struct catalog_lend *lend = &catalog->lend[i];
        if (lend->named != 0 && committed) {
            lend_remove(catalog, i);
        } else {
            lend->named = 0;
            i++;
        }
    }
}

void catalog_space_back(struct catalog *catalog)
{
    for (uint32_t i = 0; i < catalog->lend_count; i++) {
        if (catalog->lend[i].named == catalog->operation) {
            catalog->lend[i].named = 0;
        }
    }
}

/* --- free rows ------------------------------------------------------------------------------------------------------- */

static enum catalog_answer free_put(struct catalog *catalog, uint64_t start, uint64_t end) REQUIRES(THREAD)
{
    return start == end ? CATALOG_OK : catalog_do(catalog, Q_FREE_PUT, "ii", (int64_t)start, (int64_t)(end - start));
}

/* Out of the one row that it lies in. */
static enum catalog_answer free_cut(struct catalog *catalog, struct catalog_run run) REQUIRES(THREAD)
{
    sqlite3_stmt *row = catalog_query(catalog, Q_FREE_AT, "i", (int64_t)run.start);

    if (!catalog_row(catalog, row)) {
        return catalog->code != SQLITE_OK ? catalog_trouble(catalog) : CATALOG_DAMAGED;
    }
    uint64_t start = catalog_u64(row, 0);
    uint64_t end = start + catalog_u64(row, 1);
    if (run.start + run.blocks > end) {
        return CATALOG_DAMAGED; /* (1) */
    }
    enum catalog_answer answer = catalog_do(catalog, Q_FREE_DROP, "i", (int64_t)start);
    if (answer == CATALOG_OK) {
        answer = free_put(catalog, start, run.start);
    }
    return answer == CATALOG_OK ? free_put(catalog, run.start + run.blocks, end) : answer;
}

enum catalog_answer catalog_space_take(struct catalog *catalog, struct catalog_run run)
{
    uint32_t i = lend_of(catalog, run);

    if (i == UINT32_MAX) {
        return CATALOG_CONFLICT;
    }
    enum catalog_answer answer = free_cut(catalog, run);
    if (answer != CATALOG_OK) {
        return answer;
    }
    catalog->lend[i].named = catalog->operation;
    catalog->names_data = true;
    catalog->state.free_blocks -= run.blocks;
    return CATALOG_OK;
}

enum catalog_answer catalog_space_give(struct catalog *catalog, struct catalog_run run)
{
    uint64_t start = run.start;
    uint64_t end = run.start + run.blocks;
    sqlite3_stmt *row = catalog_query(catalog, Q_FREE_AT, "i", (int64_t)start);

    if (catalog_row(catalog, row)) {
        uint64_t before = catalog_u64(row, 0);
        uint64_t before_end = before + catalog_u64(row, 1);
        if (before_end > start) {
            return CATALOG_DAMAGED; /* it was free */
        }
        start = before_end == start ? before : start; /* the row is written over */
    }
    row = catalog_query(catalog, Q_FREE_BEFORE, "i", (int64_t)run.start);
    if (catalog_row(catalog, row) && catalog_u64(row, 0) <= end) {
        uint64_t next = catalog_u64(row, 0);
        uint64_t next_end = next + catalog_u64(row, 1);
        if (next < end) {
            return CATALOG_DAMAGED;
        }
        end = next_end;
        (void)catalog_do(catalog, Q_FREE_DROP, "i", (int64_t)next);
    }
    catalog->state.free_blocks += run.blocks;
    return free_put(catalog, start, end);
}

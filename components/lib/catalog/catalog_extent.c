/* SPDX-License-Identifier: MIT OR Apache-2.0
 * catalog_extent.c: pieces of objects, and the extents that they are parts of.
 *
 *  (1) A piece says: blocks [at, at + blocks) of the object are blocks [skip, skip + blocks) of the extent. Pieces of an object do
 *      not overlap; what none covers is a hole.
 *  (2) extent.refs is how many pieces lead to it. At 0 it goes, and its run is free.
 *  (3) An extent that several pieces lead to stays whole. When one that a single piece leads to is cut, what the piece loses is
 *      free at once, and so is what no piece has led to since the others went.
 *  (4) sums has a CRC for each block of the extent.
 */
#include <string.h>
#include "catalog_private.h"
#include "core/assert.h"

struct piece {
    uint64_t at, extent, skip, blocks;
};
struct extent {
    uint64_t start, blocks, refs;
    uint32_t crc[CATALOG_EXTENT_BLOCKS];
};

static struct piece piece_of(sqlite3_stmt *row)
{
    return (struct piece){catalog_u64(row, 0), catalog_u64(row, 1), catalog_u64(row, 2), catalog_u64(row, 3)};
}

/* Numbers of the disk: no sum of them is safe. */
static bool lies_in(const struct piece *piece, const struct extent *extent)
{
    return piece->blocks > 0 && piece->skip <= extent->blocks && piece->blocks <= extent->blocks - piece->skip;
}

static enum catalog_answer extent_get(struct catalog *catalog, uint64_t id, struct extent *extent) REQUIRES(THREAD)
{
    sqlite3_stmt *row = catalog_query(catalog, Q_EXTENT, "i", (int64_t)id);

    if (!catalog_row(catalog, row)) {
        return catalog->code != SQLITE_OK ? catalog_trouble(catalog) : CATALOG_DAMAGED;
    }
    extent->start = catalog_u64(row, 0);
    extent->blocks = catalog_u64(row, 1);
    extent->refs = catalog_u64(row, 2);
    row = catalog_query(catalog, Q_SUMS, "i", (int64_t)id);
    bool there = catalog_row(catalog, row);
    if (!there || extent->blocks == 0 || extent->blocks > CATALOG_EXTENT_BLOCKS || extent->refs == 0 ||
        extent->start < catalog->data_start || extent->start - catalog->data_start > catalog->data_blocks ||
        extent->blocks > catalog->data_blocks - (extent->start - catalog->data_start) ||
        sqlite3_column_bytes(row, 0) != (int)(extent->blocks * sizeof extent->crc[0])) {
        return catalog->code != SQLITE_OK ? catalog_trouble(catalog) : CATALOG_DAMAGED;
    }
    memcpy(extent->crc, sqlite3_column_blob(row, 0), extent->blocks * sizeof extent->crc[0]);
    return CATALOG_OK;
}

static enum catalog_answer extent_new(struct catalog *catalog, uint64_t start, uint32_t blocks, const uint32_t *crc,
                                      uint64_t *id) REQUIRES(THREAD)
{
    enum catalog_answer answer = catalog_do(catalog, Q_EXTENT_NEW, "ii", (int64_t)start, (int64_t)blocks);

    if (answer != CATALOG_OK) {
        return answer;
    }
    *id = (uint64_t)sqlite3_last_insert_rowid(catalog->db);
    return catalog_do(catalog, Q_SUMS_NEW, "ib", (int64_t)*id, crc, (uint32_t)(blocks * sizeof *crc));
}

static enum catalog_answer extent_drop(struct catalog *catalog, uint64_t id) REQUIRES(THREAD)
{
    enum catalog_answer answer = catalog_do(catalog, Q_EXTENT_DROP, "i", (int64_t)id);

    return answer == CATALOG_OK ? catalog_do(catalog, Q_SUMS_DROP, "i", (int64_t)id) : answer;
}

static enum catalog_answer piece_new(struct catalog *catalog, uint64_t object, struct piece piece) REQUIRES(THREAD)
{
    return catalog_do(catalog, Q_PIECE_NEW, "iiiii", (int64_t)object, (int64_t)piece.at, (int64_t)piece.extent,
                      (int64_t)piece.skip, (int64_t)piece.blocks);
}

enum catalog_answer catalog_piece_add(struct catalog *catalog, uint64_t object, uint64_t at,
                                      const struct catalog_extent *extent)
{
    uint64_t id = 0;
    enum catalog_answer answer = catalog_space_take(catalog, extent->run);

    if (answer == CATALOG_OK) {
        answer = extent_new(catalog, extent->run.start, extent->run.blocks, extent->crc, &id);
    }
    return answer == CATALOG_OK ? piece_new(catalog, object, (struct piece){at, id, 0, extent->run.blocks}) : answer;
}

/* --- taking out ------------------------------------------------------------------------------------------------------ */

/* What stays of an extent that was the piece's alone gets an extent of its own: (3). */
static enum catalog_answer keep_part(struct catalog *catalog, uint64_t object, const struct extent *extent, uint64_t at,
                                     uint64_t skip, uint64_t blocks) REQUIRES(THREAD)
{
    uint64_t id = 0;

    if (blocks == 0) {
        return CATALOG_OK;
    }
    enum catalog_answer answer = extent_new(catalog, extent->start + skip, (uint32_t)blocks, extent->crc + skip, &id);
    return answer == CATALOG_OK ? piece_new(catalog, object, (struct piece){at, id, 0, blocks}) : answer;
}

static enum catalog_answer give_part(struct catalog *catalog, const struct extent *extent, uint64_t skip,
                                     uint64_t blocks) REQUIRES(THREAD)
{
    return blocks == 0 ? CATALOG_OK
                       : catalog_space_give(catalog, (struct catalog_run){extent->start + skip, (uint32_t)blocks});
}

/* A piece that alone leads to its extent loses [left, right), counted in the piece. */
static enum catalog_answer cut_own(struct catalog *catalog, uint64_t object, struct piece piece,
                                   const struct extent *extent, uint64_t left, uint64_t right) REQUIRES(THREAD)
{
    enum catalog_answer answer = extent_drop(catalog, piece.extent);

    if (answer == CATALOG_OK) { /* what no piece led to after the others had gone */
        answer = give_part(catalog, extent, 0, piece.skip);
    }
    if (answer == CATALOG_OK) {
        answer = keep_part(catalog, object, extent, piece.at, piece.skip, left);
    }
    if (answer == CATALOG_OK) {
        answer = give_part(catalog, extent, piece.skip + left, right - left);
    }
    if (answer == CATALOG_OK) {
        answer = keep_part(catalog, object, extent, piece.at + right, piece.skip + right, piece.blocks - right);
    }
    uint64_t end = piece.skip + piece.blocks;
    return answer == CATALOG_OK ? give_part(catalog, extent, end, extent->blocks - end) : answer;
}

/* The same of an extent that others lead to. */
static enum catalog_answer cut_shared(struct catalog *catalog, uint64_t object, struct piece piece, uint64_t left,
                                      uint64_t right) REQUIRES(THREAD)
{
    struct piece after = {piece.at + right, piece.extent, piece.skip + right, piece.blocks - right};
    int64_t more = (left > 0 ? 1 : 0) + (after.blocks > 0 ? 1 : 0) - 1;
    enum catalog_answer answer = catalog_do(catalog, Q_EXTENT_REFS, "ii", (int64_t)piece.extent, more);

    piece.blocks = left;
    if (answer == CATALOG_OK && left > 0) {
        answer = piece_new(catalog, object, piece);
    }
    return answer == CATALOG_OK && after.blocks > 0 ? piece_new(catalog, object, after) : answer;
}

static enum catalog_answer piece_cut(struct catalog *catalog, uint64_t object, struct piece piece, uint64_t left,
                                     uint64_t right) REQUIRES(THREAD)
{
    struct extent extent;
    enum catalog_answer answer = extent_get(catalog, piece.extent, &extent);

    if (answer == CATALOG_OK && !lies_in(&piece, &extent)) {
        answer = CATALOG_DAMAGED;
    }
    if (answer == CATALOG_OK) {
        answer = catalog_do(catalog, Q_PIECE_DROP, "ii", (int64_t)object, (int64_t)piece.at);
    }
    if (answer != CATALOG_OK) {
        return answer;
    }
    return extent.refs == 1 ? cut_own(catalog, object, piece, &extent, left, right)
                            : cut_shared(catalog, object, piece, left, right);
}

/* The first piece that ends behind `block`. False: there is none, and *piece is as it was. */
static bool piece_behind(struct catalog *catalog, uint64_t object, uint64_t block, struct piece *piece) REQUIRES(THREAD)
{
    sqlite3_stmt *row = catalog_query(catalog, Q_PIECE_AT, "ii", (int64_t)object, (int64_t)block);

    if (catalog_row(catalog, row)) {
        struct piece before = piece_of(row);
        if (before.at + before.blocks > block) {
            *piece = before;
            return true;
        }
    }
    row = catalog_query(catalog, Q_PIECE_NEXT, "ii", (int64_t)object, (int64_t)block);
    if (!catalog_row(catalog, row)) {
        return false;
    }
    *piece = piece_of(row);
    return true;
}

enum catalog_answer catalog_piece_clear(struct catalog *catalog, uint64_t object, uint64_t at, uint64_t blocks)
{
    uint64_t end = at + blocks;
    struct piece piece;
    enum catalog_answer answer = CATALOG_OK;

    while (answer == CATALOG_OK && piece_behind(catalog, object, at, &piece) && piece.at < end) {
        uint64_t left = piece.at < at ? at - piece.at : 0;
        uint64_t right = piece.at + piece.blocks > end ? end - piece.at : piece.blocks;
        answer = piece_cut(catalog, object, piece, left, right);
    }
    return answer == CATALOG_OK ? catalog_trouble(catalog) : answer;
}

enum catalog_answer catalog_piece_drop_some(struct catalog *catalog, uint64_t object, uint64_t at, bool *left)
{
    struct piece piece;
    enum catalog_answer answer = CATALOG_OK;

    *left = false;
    while (answer == CATALOG_OK && piece_behind(catalog, object, at, &piece)) {
        uint64_t kept = piece.at < at ? at - piece.at : 0;
        if (catalog->pieces_left == 0 && kept == 0) {
            *left = true;
            break;
        }
        catalog->pieces_left -= catalog->pieces_left > 0 ? 1 : 0;
        answer = piece_cut(catalog, object, piece, kept, piece.blocks);
    }
    return answer == CATALOG_OK ? catalog_trouble(catalog) : answer;
}

/* --- the rest -------------------------------------------------------------------------------------------------------- */

enum catalog_answer catalog_piece_copy_all(struct catalog *catalog, uint64_t from, uint64_t to)
{
    enum catalog_answer answer = catalog_do(catalog, Q_PIECES_SHARE, "i", (int64_t)from);

    return answer == CATALOG_OK ? catalog_do(catalog, Q_PIECES_COPY, "ii", (int64_t)from, (int64_t)to) : answer;
}

enum catalog_answer catalog_piece_move(struct catalog *catalog, uint64_t from, uint64_t to, uint64_t at)
{
    return catalog_do(catalog, Q_PIECES_MOVE, "iii", (int64_t)from, (int64_t)to, (int64_t)at);
}

static void hole(struct catalog_span *span, uint64_t block, uint64_t end)
{
    uint64_t blocks = end > block ? end - block : 0;

    span->at = block;
    span->start = 0;
    span->blocks = (uint32_t)(blocks < CATALOG_EXTENT_BLOCKS ? blocks : CATALOG_EXTENT_BLOCKS);
}

enum catalog_answer catalog_piece_span(struct catalog *catalog, uint64_t object, uint64_t block,
                                       struct catalog_span *span)
{
    uint64_t blocks = (span->size + DISK_BLOCK_BYTES - 1) / DISK_BLOCK_BYTES;
    struct piece piece = {.at = UINT64_MAX};
    struct extent extent;

    (void)piece_behind(catalog, object, block, &piece);
    if (piece.at > block) {
        hole(span, block, piece.at < blocks ? piece.at : blocks);
        return catalog_trouble(catalog);
    }
    enum catalog_answer answer = extent_get(catalog, piece.extent, &extent);
    if (answer == CATALOG_OK && !lies_in(&piece, &extent)) {
        answer = CATALOG_DAMAGED;
    }
    if (answer == CATALOG_OK) {
        span->at = piece.at;
        span->blocks = (uint32_t)piece.blocks;
        span->start = extent.start + piece.skip;
        memcpy(span->crc, extent.crc + piece.skip, piece.blocks * sizeof extent.crc[0]);
    }
    return answer;
}

/* The number of the last extent; of those in a page that cannot be read, none is. */
static uint64_t extent_last(struct catalog *catalog) REQUIRES(THREAD)
{
    sqlite3_stmt *row = catalog_query(catalog, Q_EXTENT_LAST, "");
    uint64_t last = catalog_row(catalog, row) ? catalog_u64(row, 0) : INT64_MAX;

    catalog->code = SQLITE_OK;
    return last;
}

enum catalog_answer catalog_extent_next(struct catalog *catalog, struct catalog_op *op)
{
    struct extent extent;
    sqlite3_stmt *row = catalog_query(catalog, Q_EXTENT_NEXT, "i", (int64_t)op->id);

    op->size = (catalog->data_blocks - catalog->state.free_blocks) * DISK_BLOCK_BYTES;
    if (!catalog_row(catalog, row)) {
        return catalog->code != SQLITE_OK ? catalog_trouble(catalog) : CATALOG_MISSING;
    }
    op->id = catalog_u64(row, 0); /* also when what follows fails: to go on behind it */
    op->object = op->id > op->object ? extent_last(catalog) : op->object;
    enum catalog_answer answer = extent_get(catalog, op->id, &extent);
    if (answer == CATALOG_OK) {
        op->span->start = extent.start;
        op->span->blocks = (uint32_t)extent.blocks;
        memcpy(op->span->crc, extent.crc, extent.blocks * sizeof extent.crc[0]);
    }
    return answer;
}

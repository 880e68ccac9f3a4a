/* SPDX-License-Identifier: MIT OR Apache-2.0
 * catalog_much_test.c: much ends at once: each extent's CRCs are a page, and all pages that change are more than the log.
 */
#include "catalog_support.h"

#define MUCH 64u
#define MUCH_BLOCKS (MUCH * CATALOG_EXTENT_BLOCKS)

/* A blob of one whole extent, which nobody fills. */
static void put_extent(unsigned content, struct catalog_place at, const char *path)
{
    static const uint32_t crc[CATALOG_EXTENT_BLOCKS];
    struct catalog_op lend_op = {.kind = CATALOG_LEND, .blocks = CATALOG_EXTENT_BLOCKS};

    REQUIRE(run(&lend_op) == CATALOG_OK && lend_op.run.blocks == CATALOG_EXTENT_BLOCKS);
    struct catalog_extent extent = {lend_op.run, crc};
    struct catalog_op op = {.kind = CATALOG_PUT,
                            .at = at,
                            .path = text(path),
                            .digest = digest_of(content),
                            .size = CATALOG_EXTENT_BLOCKS * BLOCK,
                            .extent = &extent,
                            .extent_count = 1};
    REQUIRE(run(&op) == CATALOG_OK);
}

static const char *much_name(unsigned i)
{
    static char name[MUCH][8];

    snprintf(name[i], sizeof name[i], "n%02u", i);
    return name[i];
}

/* An unfinished object gets a whole extent, which nobody fills. */
static void extend(struct catalog_op *op)
{
    static const uint32_t crc[CATALOG_EXTENT_BLOCKS];
    struct catalog_op lend_op = {.kind = CATALOG_LEND, .blocks = CATALOG_EXTENT_BLOCKS};

    REQUIRE(run(&lend_op) == CATALOG_OK && lend_op.run.blocks == CATALOG_EXTENT_BLOCKS);
    struct catalog_extent extent = {lend_op.run, crc};
    op->extent = &extent;
    op->extent_count = 1;
    op->size = (op->block + CATALOG_EXTENT_BLOCKS) * BLOCK;
    REQUIRE(run(op) == CATALOG_OK);
    op->block += CATALOG_EXTENT_BLOCKS;
    op->extent = NULL;
}

/* `MUCH` blobs, with names in `at` or without, and as many that stay in between: the rows that end do not lie side by side. */
static void begin_much(struct catalog_place at, bool named)
{
    begin_disk_of(LOG_BLOCKS / 4, 2 * MUCH_BLOCKS);
    for (unsigned i = 0; i < MUCH; i++) {
        char stays[8];
        snprintf(stays, sizeof stays, "s%u", i);
        put_extent(1000 + i, at, named ? much_name(i) : "");
        put_extent(2000 + i, names, stays);
    }
    CHECK_EQ(free_blocks(), 0);
}

static void end_much(void)
{
    CHECK_EQ(free_blocks(), MUCH_BLOCKS);
    CHECK(catalog.state.nodes == MUCH && catalog.state.objects == MUCH);
    CHECK_EQ(catalog_check(&catalog), 0);
    drop();
}

static void test_much_is_swept(void)
{
    begin_much(root, true);
    uint64_t generation = snapshot("all");
    for (unsigned i = 0; i < MUCH; i++) {
        CHECK_EQ(simple(CATALOG_REMOVE, root, much_name(i)), CATALOG_OK);
    }
    care();
    CHECK_EQ(free_blocks(), 0);
    unsnapshot(generation);
    end_much();
}

static void test_much_is_collected(void)
{
    struct catalog_op op = {.kind = CATALOG_COLLECT};
    unsigned count = 0;

    begin_much(names, false);
    do {
        REQUIRE(run(&op) == CATALOG_OK);
        count += op.count;
    } while (op.more);
    CHECK_EQ(count, MUCH);
    end_much(); /* at once */
}

static void test_much_is_removed(void)
{
    struct catalog_step step[MUCH] = {0};
    struct catalog_op op = {.kind = CATALOG_BATCH, .at = NAMES, .step = step, .step_count = MUCH};

    begin_much(names, true);
    for (unsigned i = 0; i < MUCH; i++) {
        step[i].name = text(much_name(i));
    }
    CHECK_EQ(run(&op), CATALOG_OK);
    care();
    end_much();
}

#define FEW (LOG_BLOCKS / 4 / PIECE_LOG_BLOCKS) /* all that a transaction takes out at once */

/* One file of `MUCH` extents, others between them, is cut to `blocks`, or gets content that stands inside, in a transaction that
 * has taken out already what it may. */
static void check_truncate(uint64_t blocks, bool inside)
{
    struct catalog_op op = {.kind = CATALOG_EXTEND};
    struct catalog_op remove[FEW];
    struct catalog_op *ops[FEW + 1];
    uint64_t kept = (inside ? 0 : blocks) - FEW * CATALOG_EXTENT_BLOCKS; /* modulo 2^64 */

    begin_disk_of(LOG_BLOCKS / 4, 2 * MUCH_BLOCKS);
    for (unsigned i = 0; i < MUCH; i++) {
        op.kind = i < MUCH - 1 ? CATALOG_EXTEND : CATALOG_PUT;
        op.digest = digest_of(1);
        op.at = root;
        op.path = text(i < MUCH - 1 ? "" : "f");
        extend(&op);
        put_extent(2000 + i, names, much_name(i));
    }
    struct catalog_op cut = {.kind = CATALOG_TRUNCATE, .id = file_id("f"), .size = inside ? 3 : blocks * BLOCK};
    cut.bytes = inside ? "abc" : NULL;
    cut.bytes_size = inside ? 3 : 0;
    for (unsigned i = 0; i < FEW; i++) {
        remove[i] = (struct catalog_op){.kind = CATALOG_REMOVE, .at = NAMES, .path = text(much_name(i))};
        ops[i] = &remove[i];
    }
    ops[FEW] = &cut;
    uint64_t commits = catalog.commits;
    catalog_run(&catalog, ops, FEW + 1);
    CHECK(cut.answer == CATALOG_OK && catalog.commits == commits + 1);
    care();
    CHECK_EQ(free_blocks(), MUCH_BLOCKS - kept);
    CHECK_EQ(catalog.state.objects, MUCH + 1 - FEW);
    CHECK_EQ(number("SELECT sum(blocks) FROM piece"), MUCH_BLOCKS + kept);
    CHECK_EQ(catalog_check(&catalog), 0);
    drop();
}

static void test_much_is_cut(void)
{
    check_truncate(0, false);
    check_truncate(0, true);
    check_truncate(CATALOG_EXTENT_BLOCKS + 7, false);
}

int main(void)
{
    RUN(test_much_is_swept);
    RUN(test_much_is_collected);
    RUN(test_much_is_removed);
    RUN(test_much_is_cut);
    disk_free();
    return test_end();
}

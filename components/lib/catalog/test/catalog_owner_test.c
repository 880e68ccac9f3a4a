/* SPDX-License-Identifier: MIT OR Apache-2.0
 * catalog_owner_test.c: what a scrub asks: every extent once, whose a block is, what that is called; and how a damaged blob is
 * mended.
 */
#include "catalog_support.h"

static struct catalog_span span;

/* The extent that has this block of the disk, and which of its blocks that is. */
static uint64_t extent_at(uint64_t block, uint64_t *skip)
{
    struct catalog_op op = {.kind = CATALOG_EXTENT, .span = &span};

    do {
        REQUIRE(run(&op) == CATALOG_OK);
    } while (block < span.start || block >= span.start + span.blocks);
    *skip = block - span.start;
    return op.id;
}

/* Where a block of a file or blob is. */
static uint64_t place_of(struct catalog_place at, const char *path, uint64_t block)
{
    struct catalog_node node = {0};
    CHECK_EQ(stat_of(at, path, &node), CATALOG_OK);
    struct catalog_op op = {.kind = CATALOG_SPAN, .object = node.object, .block = block, .span = &span};

    REQUIRE(run(&op) == CATALOG_OK && span.start != 0 && block >= span.at);
    return span.start + block - span.at;
}

/* All extents in turn; the number of their blocks. */
static uint64_t walk(unsigned *extents)
{
    struct catalog_op op = {.kind = CATALOG_EXTENT, .span = &span};
    uint64_t blocks = 0;

    for (*extents = 0; run(&op) == CATALOG_OK; ++*extents) {
        blocks += span.blocks;
        for (uint32_t i = 0; i < span.blocks; i++) {
            CHECK_EQ(crc32c_update(0, disk_at(span.start + i), BLOCK), span.crc[i]);
        }
    }
    CHECK_EQ(op.answer, CATALOG_MISSING);
    CHECK_EQ(op.size, blocks * BLOCK);
    return blocks;
}

static void test_extents(void)
{
    unsigned extents;

    begin_disk();
    CHECK_EQ(walk(&extents), 0);
    REQUIRE(put(1, 100000, names, "a", 0) == CATALOG_OK && put(2, 100, names, "b", 0) == CATALOG_OK);
    REQUIRE(put(3, 5000, root, "c", 0) == CATALOG_OK);
    CHECK_EQ(walk(&extents), 27); /* what stands in the database has none */
    CHECK_EQ(extents, 2);
    CHECK_EQ(write_at("c", 4, 0, 1), CATALOG_OK);
    REQUIRE(simple(CATALOG_REMOVE, names, "a") == CATALOG_OK);
    CHECK_EQ(walk(&extents), 2);
    drop();
}

/* Object numbers of all owners, the sum; `steps`: how often was asked. */
static uint64_t owners(uint64_t extent, uint64_t block, uint32_t blocks, unsigned *count, unsigned *steps)
{
    struct catalog_op op = {.kind = CATALOG_OWNER, .id = extent};
    uint64_t sum = 0, last = 0;

    *count = *steps = 0;
    do {
        REQUIRE(run(&op) == CATALOG_OK);
        ++*steps;
        if (op.count > 0 && op.run.start < block + blocks && block < op.run.start + op.run.blocks &&
            op.node.object != last) {
            ++*count;
            sum += last = op.node.object;
        }
    } while (op.more);
    return sum;
}

static void test_owners(void)
{
    struct catalog_op snapshot = {.kind = CATALOG_SNAPSHOT, .prefix = text("s")};
    struct catalog_node before, after;
    unsigned count, steps;
    uint64_t skip;

    begin_disk();
    REQUIRE(simple(CATALOG_CREATE, root, "f") == CATALOG_OK && write_at("f", 1, 0, 8) == CATALOG_OK);
    REQUIRE(stat_of(root, "f", &before) == CATALOG_OK);
    uint64_t place = place_of(root, "f", 0);
    REQUIRE(run(&snapshot) == CATALOG_OK);
    REQUIRE(write_at("f", 2, 3, 2) == CATALOG_OK);
    REQUIRE(stat_of(root, "f", &after) == CATALOG_OK && before.object != after.object);
    uint64_t extent = extent_at(place, &skip);
    CHECK_EQ(skip, 0);
    CHECK_EQ(owners(extent, 0, 1, &count, &steps), before.object + after.object);
    CHECK_EQ(owners(extent, 3, 2, &count, &steps), before.object); /* the snapshot's only */
    CHECK_EQ(owners(extent, 2, 1, &count, &steps), before.object + after.object);
    CHECK_EQ(owners(extent, 2, 2, &count, &steps), before.object + after.object);
    CHECK_EQ(owners(extent, 0, 8, &count, &steps), before.object + after.object);
    CHECK_EQ(steps, 4); /* by three pieces */
    CHECK_EQ(owners(extent, 5, 1, &count, &steps), before.object + after.object);
    extent = extent_at(place_of(root, "f", 3), &skip);
    CHECK_EQ(owners(extent, 0, 2, &count, &steps), after.object);
    CHECK_EQ(count, 1);
    drop();
}

/* More than one step looks at. */
static void test_many(void)
{
    char name[] = "d/000";
    char path[CATALOG_PATH_MAX];
    struct catalog_node node;
    unsigned count, steps;
    uint64_t skip;

    begin_disk();
    REQUIRE(simple(CATALOG_MKDIR, root, "d") == CATALOG_OK);
    for (unsigned i = 0; i < 300; i++) {
        (void)snprintf(name, sizeof name, "d/%03u", i);
        REQUIRE(put(10 + i, 4000, root, name, 0) == CATALOG_OK);
    }
    REQUIRE(stat_of(root, name, &node) == CATALOG_OK);
    CHECK_EQ(owners(extent_at(place_of(root, name, 0), &skip), 0, 1, &count, &steps), node.object);
    CHECK_EQ(steps, 3); /* 256 rows; 44, found; behind it */
    struct catalog_op op = {.kind = CATALOG_PATH, .object = node.object, .path_room = path};
    REQUIRE(run(&op) == CATALOG_OK);
    CHECK(op.count == 0 && op.more);
    REQUIRE(run(&op) == CATALOG_OK);
    CHECK(op.count == 1 && op.path_size == 5 && memcmp(path, "d/299", 5) == 0);
    drop();
}

static uint32_t path_of(uint64_t object, char path[CATALOG_PATH_MAX])
{
    struct catalog_op op = {.kind = CATALOG_PATH, .object = object, .path_room = path};

    do {
        REQUIRE(run(&op) == CATALOG_OK);
    } while (op.count == 0 && op.more);
    return op.count > 0 ? op.path_size : 0;
}

static void test_paths(void)
{
    struct catalog_op snapshot = {.kind = CATALOG_SNAPSHOT, .prefix = text("s")};
    struct catalog_op rename = {
        .kind = CATALOG_RENAME, .at = ROOT, .path = text("a/b"), .to = ROOT, .to_path = text("moved")};
    struct catalog_node node;
    char path[CATALOG_PATH_MAX];

    begin_disk();
    REQUIRE(simple(CATALOG_MKDIR, root, "a") == CATALOG_OK && simple(CATALOG_MKDIR, root, "a/b") == CATALOG_OK);
    REQUIRE(put(1, 5000, root, "a/b/file", 0) == CATALOG_OK && put(2, 5000, names, "flat/x", 0) == CATALOG_OK);
    REQUIRE(stat_of(root, "a/b/file", &node) == CATALOG_OK);
    CHECK(path_of(node.object, path) == 8 && memcmp(path, "a/b/file", 8) == 0);
    REQUIRE(run(&snapshot) == CATALOG_OK && run(&rename) == CATALOG_OK);
    CHECK(path_of(node.object, path) == 10 && memcmp(path, "moved/file", 10) == 0);
    REQUIRE(simple(CATALOG_REMOVE, root, "moved/file") == CATALOG_OK);
    CHECK_EQ(path_of(node.object, path), 0); /* the snapshot has it, and nothing else */
    REQUIRE(stat_of(names, "flat/x", &node) == CATALOG_OK);
    CHECK(path_of(node.object, path) == 6 && memcmp(path, "flat/x", 6) == 0);
    drop();
}

/* --- mending --------------------------------------------------------------------------------------------------------- */

static uint64_t suspect(const char *path)
{
    struct catalog_node node = {0};
    CHECK_EQ(stat_of(names, path, &node), CATALOG_OK);
    struct catalog_op op = {.kind = CATALOG_SUSPECT, .object = node.object};

    CHECK_EQ(run(&op), CATALOG_OK);
    return node.object;
}

static void test_mend(void)
{
    begin_disk();
    REQUIRE(put(1, 100000, names, "a", 0) == CATALOG_OK);
    disk_at(place_of(names, "a", 7))[9] ^= 4;
    REQUIRE(put(1, 100000, names, "b", 0) == CATALOG_OK); /* nobody has noticed */
    CHECK(!holds(names, "b", 1, 100000));
    uint64_t object = suspect("a");
    struct catalog_op hold = {.kind = CATALOG_HOLD, .object = object};
    REQUIRE(run(&hold) == CATALOG_OK && put(1, 100000, names, "", 0) == CATALOG_OK);
    CHECK(!holds(names, "a", 1, 100000)); /* a reader has its blocks */
    hold.kind = CATALOG_UNHOLD;
    REQUIRE(run(&hold) == CATALOG_OK && put(1, 100000, names, "", 0) == CATALOG_OK);
    CHECK(holds(names, "a", 1, 100000) && holds(names, "b", 1, 100000));
    CHECK_EQ(suspect("a"), object);
    care();
    CHECK_EQ(free_blocks(), DATA_BLOCKS - 25);
    CHECK_EQ(catalog_check(&catalog), 0);
    drop();
}

/* Most of its bytes were the catalog's before the last of them came. */
static void test_mend_in_parts(void)
{
    struct catalog_extent extent[CATALOG_EXTENTS_MAX];
    uint32_t crc[DATA_BLOCKS];
    struct catalog_op op = {.kind = CATALOG_EXTEND, .flags = CATALOG_KEEP, .extent = extent, .size = 20 * BLOCK};

    begin_disk();
    REQUIRE(put(1, 25 * BLOCK, names, "a", 0) == CATALOG_OK);
    disk_at(place_of(names, "a", 24))[9] ^= 4;
    uint64_t object = suspect("a");
    op.extent_count = lend(1, 0, 20, extent, crc);
    REQUIRE(run(&op) == CATALOG_OK);
    op.extent_count = lend(1, 20, 5, extent, crc);
    op.kind = CATALOG_PUT;
    op.block = 20;
    op.size = 25 * BLOCK;
    op.digest = digest_of(1);
    REQUIRE(run(&op) == CATALOG_OK);
    CHECK_EQ(op.object, object);
    CHECK_EQ(op.extent_named, op.extent_count);
    CHECK(holds(names, "a", 1, 25 * BLOCK));
    struct catalog_op let_go = {.kind = CATALOG_UNHOLD, .object = object};
    CHECK_EQ(run(&let_go), CATALOG_OK);
    CHECK_EQ(catalog.hold_count, 0);
    care();
    CHECK_EQ(free_blocks(), DATA_BLOCKS - 25);
    uint64_t place = place_of(names, "a", 0);
    CHECK_EQ(put(1, 25 * BLOCK, names, "a", 0), CATALOG_OK);
    CHECK_EQ(place_of(names, "a", 0), place); /* trusted again: nothing is replaced */
    CHECK_EQ(free_blocks(), DATA_BLOCKS - 25);
    CHECK_EQ(catalog_check(&catalog), 0);
    drop();
}

/* --- check ----------------------------------------------------------------------------------------------------------- */

static void test_check(void)
{
    struct catalog_op op = {.kind = CATALOG_CHECK};
    void *hog[4096];
    unsigned hogs = 0;

    begin_disk();
    REQUIRE(put(1, 100000, names, "a", 0) == CATALOG_OK);
    CHECK_EQ(run(&op), CATALOG_OK);
    CHECK_EQ(op.count, 0);
    while (hogs < 4096 && (hog[hogs] = sqlite3_malloc(16384)) != NULL) {
        hogs++;
    }
    CHECK_EQ(run(&op), CATALOG_LIMIT);
    while (hogs > 0) {
        sqlite3_free(hog[--hogs]);
    }
    CHECK_EQ(run(&op), CATALOG_OK);
    REQUIRE(sqlite3_exec(catalog.db, "UPDATE extent SET refs=2", NULL, NULL, NULL) == SQLITE_OK);
    CHECK_EQ(run(&op), CATALOG_OK);
    CHECK_EQ(op.count, 1);
    drop();
}

int main(void)
{
    RUN(test_extents);
    RUN(test_owners);
    RUN(test_many);
    RUN(test_paths);
    RUN(test_mend);
    RUN(test_mend_in_parts);
    RUN(test_check);
    disk_free();
    return test_end();
}

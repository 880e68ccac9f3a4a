/* SPDX-License-Identifier: MIT OR Apache-2.0
 * catalog_test.c: the catalog on a disk in memory: what it answers, what it refuses, that its tables agree afterwards, and that all
 * room comes back.
 */
#include "catalog_support.h"

/* --- names ----------------------------------------------------------------------------------------------------------- */

static void test_tree(void)
{
    struct catalog_node node;

    begin_disk();
    CHECK_EQ(simple(CATALOG_MKDIR, root, "a"), CATALOG_OK);
    CHECK_EQ(simple(CATALOG_MKDIR, root, "a/b"), CATALOG_OK);
    CHECK_EQ(simple(CATALOG_MKDIR, root, "a/b"), CATALOG_EXISTS);
    CHECK_EQ(simple(CATALOG_MKDIR, root, "x/b"), CATALOG_MISSING);
    CHECK_EQ(put(1, 5000, root, "a/b/file", 0), CATALOG_OK);
    CHECK_EQ(simple(CATALOG_MKDIR, root, "a/b/file/c"), CATALOG_NOT_DIRECTORY);
    CHECK_EQ(put(2, 100, root, "a/b", 0), CATALOG_IS_DIRECTORY);
    CHECK_EQ(put(2, 100, root, "a/b/file", CATALOG_EXCLUSIVE), CATALOG_EXISTS);
    CHECK(holds(root, "a/b/file", 1, 5000));
    CHECK_EQ(simple(CATALOG_REMOVE, root, "a/b"), CATALOG_NOT_EMPTY);
    CHECK_EQ(stat_of(root, "a/b/file", &node), CATALOG_OK);
    CHECK(node.has_digest && memcmp(node.digest, digest_of(1), CATALOG_DIGEST) == 0);
    CHECK_EQ(put(2, 100, root, "a/b/file", 0), CATALOG_OK);
    CHECK(holds(root, "a/b/file", 2, 100));
    CHECK_EQ(simple(CATALOG_REMOVE, root, "a/b/file"), CATALOG_OK);
    CHECK_EQ(simple(CATALOG_REMOVE, root, "a/b/file"), CATALOG_MISSING);
    CHECK_EQ(simple(CATALOG_REMOVE, root, "a/b"), CATALOG_OK);
    CHECK_EQ(catalog_check(&catalog), 0);
    CHECK_EQ(free_blocks(), DATA_BLOCKS);
    drop();
    REQUIRE(mount() == CATALOG_OK);
    CHECK_EQ(stat_of(root, "a", &node), CATALOG_OK);
    CHECK_EQ(catalog_check(&catalog), 0);
    drop();
}

static void test_bad_names(void)
{
    static const char *const bad[] = {
        "/", "a/", "/a", "a//b", ".", "..", "a/../b", "\x01", "a\x7f", "\xc0\x80", "\xed\xa0\x80", "\xf5\x80\x80\x80"};
    static char longest[CATALOG_NAME_MAX + 2];

    begin_disk();
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_EQ(simple(CATALOG_MKDIR, root, bad[i]), CATALOG_BAD_NAME);
    }
    memset(longest, 'x', CATALOG_NAME_MAX + 1);
    CHECK_EQ(simple(CATALOG_MKDIR, root, longest), CATALOG_BAD_NAME);
    longest[CATALOG_NAME_MAX] = 0;
    CHECK_EQ(simple(CATALOG_MKDIR, root, longest), CATALOG_OK);
    CHECK_EQ(simple(CATALOG_MKDIR, root, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x8e\x82"), CATALOG_OK);
    CHECK_EQ(put(1, 10, names, "with/../slash/", 0), CATALOG_OK); /* flat */
    CHECK_EQ(put(1, 10, names, "\n", 0), CATALOG_BAD_NAME);
    drop();
}

static void test_rename(void)
{
    struct catalog_op op = {.kind = CATALOG_RENAME, .at = ROOT, .to = ROOT};

    begin_disk();
    REQUIRE(simple(CATALOG_MKDIR, root, "a") == CATALOG_OK && simple(CATALOG_MKDIR, root, "a/b") == CATALOG_OK);
    REQUIRE(put(1, 9000, root, "a/f", 0) == CATALOG_OK && put(2, 50, root, "g", 0) == CATALOG_OK);
    op.path = text("a");
    op.to_path = text("a/b/c");
    CHECK_EQ(run(&op), CATALOG_CONFLICT); /* into itself */
    op.path = text("a/f");
    op.to_path = text("g");
    op.flags = CATALOG_EXCLUSIVE;
    CHECK_EQ(run(&op), CATALOG_EXISTS);
    op.flags = 0;
    CHECK_EQ(run(&op), CATALOG_OK);
    CHECK(holds(root, "g", 1, 9000));
    CHECK_EQ(simple(CATALOG_REMOVE, root, "a/f"), CATALOG_MISSING);
    op.path = text("g");
    CHECK_EQ(run(&op), CATALOG_OK); /* to itself */
    op.to_path = text("a");
    CHECK_EQ(run(&op), CATALOG_IS_DIRECTORY);
    op.to_path = text("a/b/g");
    CHECK_EQ(run(&op), CATALOG_OK);
    op.path = text("a/b");
    op.to_path = text("z");
    CHECK_EQ(run(&op), CATALOG_OK);
    CHECK(holds(root, "z/g", 1, 9000));
    CHECK_EQ(catalog_check(&catalog), 0);
    drop();
}

static void test_depth(void)
{
    char path[3 * CATALOG_DEPTH_MAX + 8] = "d";

    begin_disk();
    for (unsigned depth = 1; depth <= CATALOG_DEPTH_MAX; depth++) {
        REQUIRE(simple(CATALOG_MKDIR, root, path) == CATALOG_OK);
        strcat(path, "/d");
    }
    CHECK_EQ(simple(CATALOG_MKDIR, root, path), CATALOG_DEEP);
    drop();
}

static enum catalog_answer move(const char *from, const char *to)
{
    struct catalog_op op = {.kind = CATALOG_RENAME, .at = ROOT, .path = text(from), .to = ROOT, .to_path = text(to)};

    return run(&op);
}

/* What is moved takes with it how deep it is itself; on the way there are names, before and behind what is deepest. */
static void test_depth_of_what_is_moved(void)
{
    char path[3 * CATALOG_DEPTH_MAX + 8] = "m";
    struct catalog_op snapshot = {.kind = CATALOG_SNAPSHOT, .prefix = text("before")};

    begin_disk();
    for (unsigned depth = 1; depth < CATALOG_DEPTH_MAX; depth++) {
        REQUIRE(simple(CATALOG_MKDIR, root, path) == CATALOG_OK);
        strcat(path, depth < 3 ? "/m" : "/a");
    }
    path[strlen(path) - 2] = 0; /* 63 of them */
    REQUIRE(put(1, 10, root, "m/m/a", 0) == CATALOG_OK && put(1, 10, root, "m/m/z", 0) == CATALOG_OK);
    REQUIRE(simple(CATALOG_MKDIR, root, "m/m/b") == CATALOG_OK && simple(CATALOG_MKDIR, root, "m/m/y") == CATALOG_OK);
    REQUIRE(simple(CATALOG_MKDIR, root, "e") == CATALOG_OK && simple(CATALOG_MKDIR, root, "e/e") == CATALOG_OK);
    CHECK_EQ(move("m", "e/e/m"), CATALOG_DEEP);
    CHECK_EQ(move("m", "e/m"), CATALOG_OK); /* 64 */
    CHECK_EQ(simple(CATALOG_MKDIR, root, "e/m/b"), CATALOG_OK);
    CHECK_EQ(move("e/m/m", "e/m/b/m"), CATALOG_DEEP);
    CHECK_EQ(move("e/m/m", "e/m/x"), CATALOG_OK); /* no deeper than it was */
    CHECK_EQ(move("e/m/x", "e/x"), CATALOG_OK);
    CHECK_EQ(move("e/x", "e/m/b/x"), CATALOG_DEEP);
    CHECK_EQ(move("e/x", "e/m/x"), CATALOG_OK);
    REQUIRE(run(&snapshot) == CATALOG_OK);
    CHECK_EQ(move("e/m", "m/m"), CATALOG_MISSING);
    CHECK_EQ(move("e/m", "e/m/b/m"), CATALOG_CONFLICT);
    CHECK_EQ(move("e/m/x", "x"), CATALOG_OK);
    CHECK_EQ(move("e/m", "e/e/m"), CATALOG_OK); /* what was there once, and is in the snapshot, is elsewhere */
    drop();
}

/* More than is looked at is not moved deeper; elsewhere it is. */
static void test_much_is_moved(void)
{
    char name[16];

    begin_disk();
    catalog.moved_max = 20;
    REQUIRE(simple(CATALOG_MKDIR, root, "a") == CATALOG_OK && simple(CATALOG_MKDIR, root, "a/d") == CATALOG_OK);
    REQUIRE(simple(CATALOG_MKDIR, root, "b") == CATALOG_OK);
    for (unsigned i = 0; i < 19; i++) {
        (void)snprintf(name, sizeof name, i % 2 == 0 ? "a/%u" : "a/d/%u", i);
        REQUIRE(put(1, 10, root, name, 0) == CATALOG_OK);
    }
    CHECK_EQ(move("a", "b/a"), CATALOG_OK); /* 20 names */
    CHECK_EQ(move("b/a", "a"), CATALOG_OK);
    REQUIRE(put(1, 10, root, "a/d/more", 0) == CATALOG_OK);
    CHECK_EQ(move("a", "b/a"), CATALOG_DEEP);
    CHECK_EQ(move("a", "c"), CATALOG_OK);
    drop();
}

static void test_list(void)
{
    static struct catalog_entry entry[10];
    struct catalog_op op = {.kind = CATALOG_LIST, .at = NAMES, .entry = entry, .entry_max = 10, .prefix = text("p")};
    char name[16];
    unsigned seen = 0;

    begin_disk();
    for (unsigned i = 0; i < 35; i++) {
        snprintf(name, sizeof name, "%c%02u", i % 5 == 4 ? 'q' : 'p', i);
        REQUIRE(put(i, 20 + i, names, name, 0) == CATALOG_OK);
    }
    do {
        REQUIRE(run(&op) == CATALOG_OK);
        for (uint32_t i = 0; i < op.entry_count; i++) {
            CHECK(entry[i].name[0] == 'p');
            CHECK_EQ(entry[i].node.size, 20 + strtoul(entry[i].name + 1, NULL, 10));
        }
        seen += op.entry_count;
        memcpy(name, entry[op.entry_count - 1].name, 4);
        op.after = text(name);
    } while (op.more);
    CHECK_EQ(seen, 28);
    drop();
}

/* --- blobs ----------------------------------------------------------------------------------------------------------- */

static void test_blobs(void)
{
    struct catalog_op op = {.kind = CATALOG_FIND, .digest = digest_of(7)};

    begin_disk();
    CHECK_EQ(put(7, 20000, names, "", 0), CATALOG_OK);
    uint64_t left = free_blocks();
    CHECK_EQ(left, DATA_BLOCKS - 5);
    CHECK_EQ(put(7, 20000, names, "seven", 0), CATALOG_OK); /* again: takes no room */
    CHECK_EQ(free_blocks(), left);
    CHECK_EQ(run(&op), CATALOG_OK);
    CHECK(op.names == 1 && op.pins == 0 && op.size == 20000);
    op = (struct catalog_op){.kind = CATALOG_FORGET, .digest = digest_of(7)};
    CHECK_EQ(run(&op), CATALOG_NAMED);
    op.kind = CATALOG_PIN;
    CHECK_EQ(run(&op), CATALOG_OK);
    CHECK_EQ(simple(CATALOG_REMOVE, names, "seven"), CATALOG_OK);
    CHECK_EQ(free_blocks(), left);
    op.kind = CATALOG_UNPIN;
    CHECK_EQ(run(&op), CATALOG_OK);
    CHECK_EQ(run(&op), CATALOG_MISSING);
    CHECK_EQ(free_blocks(), DATA_BLOCKS);
    CHECK_EQ(catalog_check(&catalog), 0);
    drop();
}

/* A blob that is held keeps its place when its last name goes, and goes when it is let go. */
static void test_hold(void)
{
    struct catalog_op op = {.kind = CATALOG_HOLD, .digest = digest_of(3)};

    begin_disk();
    REQUIRE(put(3, 30000, names, "n", 0) == CATALOG_OK);
    CHECK_EQ(run(&op), CATALOG_OK);
    CHECK_EQ(simple(CATALOG_REMOVE, names, "n"), CATALOG_OK);
    care();
    CHECK_EQ(content_crc(op.object, 30000), crc_of_content(3, 30000));
    CHECK_EQ(put(3, 30000, names, "again", 0), CATALOG_OK); /* the doomed one is nobody's any more */
    op = (struct catalog_op){.kind = CATALOG_UNHOLD, .object = op.object};
    CHECK_EQ(run(&op), CATALOG_OK);
    CHECK_EQ(run(&op), CATALOG_MISSING);
    care();
    CHECK_EQ(free_blocks(), DATA_BLOCKS - 8);
    CHECK(holds(names, "again", 3, 30000));
    REQUIRE(put(3, 30000, root, "f", 0) == CATALOG_OK && simple(CATALOG_CREATE, root, "empty") == CATALOG_OK);
    CHECK_EQ(simple(CATALOG_HOLD, root, "f"), CATALOG_OK);
    CHECK_EQ(catalog.hold_count, 1);
    CHECK_EQ(simple(CATALOG_HOLD, root, "empty"), CATALOG_OK); /* nothing is held then */
    CHECK_EQ(catalog.hold_count, 1);
    CHECK_EQ(simple(CATALOG_HOLD, root, "none"), CATALOG_MISSING);
    CHECK_EQ(catalog_check(&catalog), 0);
    drop();
}

/* What is kept is not ended by what comes after it in its own commit. */
static void test_kept_in_batch(void)
{
    begin_disk();
    for (unsigned round = 0; round < 2; round++) { /* a new blob, and one that is there */
        struct catalog_op keep = {.kind = CATALOG_PUT,
                                  .flags = CATALOG_KEEP,
                                  .digest = digest_of(1),
                                  .size = 3,
                                  .bytes = "abc",
                                  .bytes_size = 3};
        struct catalog_op collect = {.kind = CATALOG_COLLECT};
        struct catalog_op look = {.kind = CATALOG_FIND, .digest = digest_of(1)};
        struct catalog_op *const ops[] = {&keep, &collect, &look};
        catalog_run(&catalog, ops, 3);
        CHECK_EQ(keep.answer, CATALOG_OK);
        CHECK_EQ(collect.count, 0);
        CHECK_EQ(look.answer, CATALOG_OK);
        keep = (struct catalog_op){.kind = CATALOG_UNHOLD, .object = keep.object};
        CHECK_EQ(run(&keep), CATALOG_OK);
    }
    CHECK_EQ(catalog.hold_count, 0);
    CHECK_EQ(catalog.kept_count, 0);
    drop();
}

/* An upload in parts; one that is never finished goes with the image's life. */
static void test_parts(void)
{
    struct catalog_extent extent[CATALOG_EXTENTS_MAX];
    uint32_t crc[64];
    struct catalog_op op = {.kind = CATALOG_EXTEND, .flags = CATALOG_KEEP, .extent = extent, .size = 10 * BLOCK};

    begin_disk();
    op.extent_count = lend(5, 0, 10, extent, crc);
    REQUIRE(run(&op) == CATALOG_OK);
    op.extent_count = lend(5, 10, 10, extent, crc);
    op.block = 10;
    op.size = 20 * BLOCK;
    REQUIRE(run(&op) == CATALOG_OK);
    care();
    CHECK_EQ(free_blocks(), DATA_BLOCKS - 20); /* held */
    uint64_t object = op.object;
    op.extent_count = lend(5, 20, 3, extent, crc);
    op = (struct catalog_op){.kind = CATALOG_PUT,
                             .at = ROOT,
                             .path = text("five"),
                             .object = object,
                             .digest = digest_of(5),
                             .size = 22 * BLOCK + 9,
                             .block = 20,
                             .extent = extent,
                             .extent_count = op.extent_count};
    CHECK_EQ(run(&op), CATALOG_OK);
    CHECK(holds(root, "five", 5, 22 * BLOCK + 9));
    op = (struct catalog_op){.kind = CATALOG_EXTEND, .flags = CATALOG_KEEP, .extent = extent, .size = 4 * BLOCK};
    op.extent_count = lend(6, 0, 4, extent, crc);
    REQUIRE(run(&op) == CATALOG_OK);
    drop();
    REQUIRE(mount() == CATALOG_OK);
    care();
    CHECK_EQ(free_blocks(), DATA_BLOCKS - 23);
    CHECK(holds(root, "five", 5, 22 * BLOCK + 9));
    CHECK_EQ(catalog_check(&catalog), 0);
    drop();
}

static void test_expect(void)
{
    struct catalog_op op = {.kind = CATALOG_BIND, .flags = CATALOG_EXPECT, .at = NAMES, .path = text("n")};

    begin_disk();
    REQUIRE(put(1, 10, names, "", 0) == CATALOG_OK && put(2, 10, names, "", 0) == CATALOG_OK);
    op.digest = digest_of(1);
    op.expected = digest_of(2);
    CHECK_EQ(run(&op), CATALOG_CONFLICT);
    op.expected = NULL;
    CHECK_EQ(run(&op), CATALOG_OK);
    CHECK(!op.had_previous);
    CHECK_EQ(run(&op), CATALOG_CONFLICT);
    op.expected = digest_of(1);
    op.digest = digest_of(2);
    CHECK_EQ(run(&op), CATALOG_OK);
    CHECK(op.had_previous && memcmp(op.previous, digest_of(1), CATALOG_DIGEST) == 0);
    CHECK(holds(names, "n", 2, 10));
    op.digest = digest_of(9);
    op.expected = digest_of(2);
    CHECK_EQ(run(&op), CATALOG_MISSING);
    drop();
}

static void test_batch(void)
{
    struct catalog_step step[3] = {{.name = text("a")}, {.name = text("b"), .expect = true}, {.name = text("old")}};
    struct catalog_op op = {.kind = CATALOG_BATCH, .at = NAMES, .step = step, .step_count = 3};
    struct catalog_node node;

    begin_disk();
    REQUIRE(put(1, 5000, names, "old", 0) == CATALOG_OK);
    step[0].digest = step[1].digest = digest_of(1);
    step[1].expected = digest_of(1);
    CHECK_EQ(run(&op), CATALOG_CONFLICT);
    CHECK_EQ(op.failed_step, 1);
    CHECK_EQ(stat_of(names, "a", &node), CATALOG_MISSING); /* nothing of it */
    step[1].expected = NULL;
    CHECK_EQ(run(&op), CATALOG_OK);
    CHECK(holds(names, "a", 1, 5000) && holds(names, "b", 1, 5000));
    CHECK_EQ(stat_of(names, "old", &node), CATALOG_MISSING);
    REQUIRE(put(2, 7000, names, "a", 0) == CATALOG_OK && simple(CATALOG_REMOVE, names, "b") == CATALOG_OK);
    REQUIRE(put(1, 5000, names, "b", 0) == CATALOG_OK);
    step[0].digest = digest_of(1); /* they change places: each loses its only name for a step */
    step[1] = (struct catalog_step){.name = text("b"), .digest = digest_of(2)};
    CHECK_EQ(run(&op), CATALOG_OK);
    CHECK(holds(names, "a", 1, 5000) && holds(names, "b", 2, 7000));
    CHECK_EQ(number("SELECT sum(names) FROM object"), 2);
    step[1] = (struct catalog_step){.name = text("nothing"), .expect = true}; /* what goes may be gone */
    CHECK_EQ(run(&op), CATALOG_OK);
    step[1].expected = digest_of(1); /* but not when it was to be there */
    CHECK_EQ(run(&op), CATALOG_CONFLICT);
    step[0] = (struct catalog_step){.name = text("a"), .expect = true, .digest = digest_of(2)};
    step[1] = (struct catalog_step){.name = text("c"), .digest = digest_of(9)}; /* is not there */
    CHECK_EQ(run(&op), CATALOG_CONFLICT);                                       /* the first that does not hold */
    CHECK_EQ(op.failed_step, 0);
    step[0].expect = false;
    CHECK_EQ(run(&op), CATALOG_MISSING);
    CHECK_EQ(op.failed_step, 1);
    CHECK_EQ(number("SELECT sum(names) FROM object"), 2);
    CHECK_EQ(catalog_check(&catalog), 0);
    drop();
}

/* --- files ----------------------------------------------------------------------------------------------------------- */

/* Block by block: which content each has; 0 a hole. */
static void check_blocks(struct catalog_place at, const char *path, const unsigned *content, unsigned blocks)
{
    struct catalog_node node;
    uint8_t bytes[BLOCK];
    uint32_t crc = 0;

    REQUIRE(stat_of(at, path, &node) == CATALOG_OK);
    CHECK_EQ(node.size, (uint64_t)blocks * BLOCK);
    for (unsigned i = 0; i < blocks; i++) {
        memset(bytes, 0, sizeof bytes);
        if (content[i] != 0) {
            fill(content[i], i, bytes);
        }
        crc = crc32c_update(crc, bytes, BLOCK);
    }
    CHECK_EQ(content_crc(node.object, node.size), crc);
}

static void test_file_write(void)
{
    begin_disk();
    REQUIRE(simple(CATALOG_CREATE, root, "f") == CATALOG_OK);
    CHECK_EQ(write_at("f", 1, 0, 8), CATALOG_OK);
    CHECK_EQ(write_at("f", 2, 3, 2), CATALOG_OK); /* in the middle: one piece becomes three */
    CHECK_EQ(free_blocks(), DATA_BLOCKS - 8);
    CHECK_EQ(write_at("f", 3, 12, 2), CATALOG_OK); /* behind a hole */
    check_blocks(root, "f", (unsigned[]){1, 1, 1, 2, 2, 1, 1, 1, 0, 0, 0, 0, 3, 3}, 14);
    CHECK_EQ(write_at("f", 4, 2, 11), CATALOG_OK);
    check_blocks(root, "f", (unsigned[]){1, 1, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 3}, 14);
    CHECK_EQ(catalog_check(&catalog), 0);
    CHECK_EQ(free_blocks(), DATA_BLOCKS - 14);
    struct catalog_op op = {.kind = CATALOG_TRUNCATE, .id = file_id("f"), .size = 3 * BLOCK};
    CHECK_EQ(run(&op), CATALOG_OK);
    check_blocks(root, "f", (unsigned[]){1, 1, 4}, 3);
    op.size = 5 * BLOCK;
    CHECK_EQ(run(&op), CATALOG_OK);
    check_blocks(root, "f", (unsigned[]){1, 1, 4, 0, 0}, 5);
    CHECK_EQ(free_blocks(), DATA_BLOCKS - 3);
    CHECK_EQ(simple(CATALOG_REMOVE, root, "f"), CATALOG_OK);
    CHECK_EQ(run(&op), CATALOG_MISSING);
    CHECK_EQ(free_blocks(), DATA_BLOCKS);
    drop();
}

/* A file that shares its bytes with a blob, a second name, a holder: writing changes the file alone. */
static void test_copy_on_write(void)
{
    begin_disk();
    REQUIRE(put(1, 6 * BLOCK, root, "f", 0) == CATALOG_OK);
    struct catalog_op op = {.kind = CATALOG_BIND, .at = NAMES, .path = text("blob"), .digest = digest_of(1)};
    REQUIRE(run(&op) == CATALOG_OK);
    CHECK_EQ(write_at("f", 2, 1, 2), CATALOG_OK);
    check_blocks(root, "f", (unsigned[]){1, 2, 2, 1, 1, 1}, 6);
    CHECK(holds(names, "blob", 1, 6 * BLOCK));
    CHECK_EQ(free_blocks(), DATA_BLOCKS - 8);
    CHECK_EQ(catalog_check(&catalog), 0);
    CHECK_EQ(simple(CATALOG_REMOVE, names, "blob"), CATALOG_OK);
    check_blocks(root, "f", (unsigned[]){1, 2, 2, 1, 1, 1}, 6);
    CHECK_EQ(catalog_check(&catalog), 0);
    CHECK_EQ(write_at("f", 3, 0, 6), CATALOG_OK);
    CHECK_EQ(free_blocks(), DATA_BLOCKS - 6); /* what nobody led to is free by now */
    CHECK_EQ(catalog_check(&catalog), 0);
    REQUIRE(put(5, 2 * BLOCK, root, "pinned", 0) == CATALOG_OK);
    op = (struct catalog_op){.kind = CATALOG_PIN, .digest = digest_of(5)};
    REQUIRE(run(&op) == CATALOG_OK);
    CHECK_EQ(write_at("pinned", 6, 0, 1), CATALOG_OK);
    CHECK_EQ(content_crc(op.object, 2 * BLOCK), crc_of_content(5, 2 * BLOCK));
    drop();
}

static void test_inside(void)
{
    struct catalog_op op = {.kind = CATALOG_WRITE, .bytes = "hello", .bytes_size = 5, .size = 5};

    begin_disk();
    REQUIRE(simple(CATALOG_CREATE, root, "f") == CATALOG_OK);
    op.id = file_id("f");
    CHECK_EQ(run(&op), CATALOG_OK);
    CHECK_EQ(free_blocks(), DATA_BLOCKS);
    CHECK_EQ(write_at("f", 2, 1, 1), CATALOG_CONFLICT); /* without what was inside */
    CHECK_EQ(write_at("f", 2, 0, 2), CATALOG_OK);
    check_blocks(root, "f", (unsigned[]){2, 2}, 2);
    op.size = 5;
    op.kind = CATALOG_TRUNCATE;
    op.flags = CATALOG_EXPECT;
    uint64_t object = op.object++;
    CHECK_EQ(run(&op), CATALOG_CONFLICT); /* the file's content is another object */
    op.object = object;
    CHECK_EQ(run(&op), CATALOG_OK);
    CHECK_EQ(free_blocks(), DATA_BLOCKS);
    CHECK_EQ(catalog_check(&catalog), 0);
    drop();
}

/* --- snapshots ------------------------------------------------------------------------------------------------------- */

/* What a dropped snapshot showed goes a part at a time, and a check between two parts finds nothing wrong. */
static void test_check_amid_a_sweep(void)
{
    char path[8];
    unsigned parts = 0;

    begin_disk();
    CHECK_EQ(simple(CATALOG_MKDIR, root, "d"), CATALOG_OK);
    for (unsigned i = 0; i < 100; i++) {
        snprintf(path, sizeof path, "d/%u", i);
        CHECK_EQ(simple(CATALOG_MKDIR, root, path), CATALOG_OK);
    }
    struct catalog_op op = {.kind = CATALOG_UNSNAPSHOT, .generation = snapshot("all")};
    for (unsigned i = 0; i < 100; i++) {
        snprintf(path, sizeof path, "d/%u", i);
        CHECK_EQ(simple(CATALOG_REMOVE, root, path), CATALOG_OK);
    }
    CHECK_EQ(simple(CATALOG_REMOVE, root, "d"), CATALOG_OK);
    CHECK_EQ(run(&op), CATALOG_OK);
    for (; catalog_care(&catalog); parts++) {
        CHECK_EQ(catalog_check(&catalog), 0);
    }
    CHECK(parts > 0);
    drop();
}

static void test_snapshots(void)
{
    struct catalog_node node;

    begin_disk();
    REQUIRE(simple(CATALOG_MKDIR, root, "d") == CATALOG_OK && put(1, 3 * BLOCK, root, "d/f", 0) == CATALOG_OK);
    struct catalog_place first = {CATALOG_ROOT, snapshot("first")};
    CHECK_EQ(write_at("d/f", 2, 1, 1), CATALOG_OK);
    struct catalog_place second = {CATALOG_ROOT, snapshot("second")};
    struct catalog_op op = {.kind = CATALOG_RENAME, .at = ROOT, .path = text("d"), .to = ROOT, .to_path = text("e")};
    CHECK_EQ(run(&op), CATALOG_OK);
    CHECK_EQ(simple(CATALOG_REMOVE, root, "e/f"), CATALOG_OK);
    CHECK_EQ(put(9, 200, root, "e/f", 0), CATALOG_OK);
    CHECK_EQ(catalog_check(&catalog), 0);

    CHECK(holds(first, "d/f", 1, 3 * BLOCK));
    check_blocks(second, "d/f", (unsigned[]){1, 2, 1}, 3);
    CHECK(holds(root, "e/f", 9, 200));
    CHECK_EQ(stat_of(second, "e", &node), CATALOG_MISSING);
    CHECK_EQ(stat_of(root, "d", &node), CATALOG_MISSING);
    drop();
    REQUIRE(mount() == CATALOG_OK);
    unsnapshot(first.generation);
    CHECK_EQ(stat_of(first, "d/f", &node), CATALOG_MISSING);
    check_blocks(second, "d/f", (unsigned[]){1, 2, 1}, 3);
    CHECK_EQ(catalog_check(&catalog), 0);
    unsnapshot(second.generation);
    CHECK_EQ(free_blocks(), DATA_BLOCKS);
    CHECK_EQ(catalog_check(&catalog), 0);
    CHECK(holds(root, "e/f", 9, 200));
    drop();
}

/* --- room ------------------------------------------------------------------------------------------------------------ */

/* Fills the disk in pieces that leave holes, fills the holes, and takes all back. */
static void test_full(void)
{
    char name[16];
    unsigned count = 0;

    begin_disk();
    for (; count < 200; count++) {
        snprintf(name, sizeof name, "n%u", count);
        if (put(count, (1 + count % 7) * BLOCK, names, name, 0) != CATALOG_OK) {
            break;
        }
    }
    CHECK(count > 80 && count < 200);
    for (unsigned i = 0; i < count; i += 2) {
        snprintf(name, sizeof name, "n%u", i);
        CHECK_EQ(simple(CATALOG_REMOVE, names, name), CATALOG_OK);
    }
    uint64_t left = free_blocks();
    CHECK_EQ(put(1000, (left < 60 ? left : 60) * BLOCK, names, "in pieces", 0), CATALOG_OK);
    CHECK(holds(names, "in pieces", 1000, 60 * BLOCK));
    struct catalog_op op = {.kind = CATALOG_RESERVE, .size = left - 60};
    CHECK_EQ(run(&op), CATALOG_OK);
    CHECK_EQ(put(1001, 2 * BLOCK, names, "promised", 0), CATALOG_FULL);
    op.kind = CATALOG_UNRESERVE;
    CHECK_EQ(run(&op), CATALOG_OK);
    CHECK_EQ(put(1001, 2 * BLOCK, names, "promised", 0), CATALOG_OK);
    CHECK_EQ(catalog_check(&catalog), 0);
    for (unsigned i = 1; i < count; i += 2) {
        snprintf(name, sizeof name, "n%u", i);
        CHECK_EQ(simple(CATALOG_REMOVE, names, name), CATALOG_OK);
    }
    CHECK_EQ(simple(CATALOG_REMOVE, names, "in pieces"), CATALOG_OK);
    CHECK_EQ(simple(CATALOG_REMOVE, names, "promised"), CATALOG_OK);
    care();
    CHECK_EQ(free_blocks(), DATA_BLOCKS);
    CHECK_EQ(number("SELECT count(*) FROM free"), 1); /* one run again */
    CHECK_EQ(catalog_check(&catalog), 0);
    drop();
}

/* --- a batch of several, and failures -------------------------------------------------------------------------------- */

/* One that is refused leaves no trace and does not disturb the others; all see what came before them. */
static void test_together(void)
{
    struct catalog_op mkdir = {.kind = CATALOG_MKDIR, .at = ROOT, .path = text("d")};
    struct catalog_op again = mkdir;
    struct catalog_op look = {.kind = CATALOG_STAT, .at = ROOT, .path = text("d")};
    struct catalog_op small = {.kind = CATALOG_PUT,
                               .at = ROOT,
                               .path = text("d/f"),
                               .digest = digest_of(1),
                               .size = 3,
                               .bytes = "abc",
                               .bytes_size = 3};
    struct catalog_op lost = {.kind = CATALOG_PUT,
                              .at = ROOT,
                              .path = text("x/f"),
                              .digest = digest_of(2),
                              .size = 3,
                              .bytes = "abd",
                              .bytes_size = 3};
    struct catalog_op find = {.kind = CATALOG_FIND, .digest = digest_of(2)};
    struct catalog_op *const ops[] = {&mkdir, &again, &look, &small, &lost, &find};

    begin_disk();
    uint64_t syncs = volume.count.log_syncs;
    catalog_run(&catalog, ops, 6);
    CHECK_EQ(volume.count.log_syncs, syncs + 1);
    CHECK(mkdir.answer == CATALOG_OK && again.answer == CATALOG_EXISTS && look.answer == CATALOG_OK &&
          small.answer == CATALOG_OK);
    CHECK(lost.answer == CATALOG_MISSING && find.answer == CATALOG_MISSING);
    CHECK_EQ(catalog_check(&catalog), 0);
    drop();
}

/* Data, FLUSH, what names it, FLUSH: (2). */
static void test_order(void)
{
    unsigned flushes = 0;

    begin_disk();
    disk_record();
    REQUIRE(put(1, 3 * BLOCK, names, "n", 0) == CATALOG_OK);
    for (unsigned i = 0; i < disk.event_count; i++) {
        const struct event *event = &disk.event[i];
        bool data = event->data != NULL && event->block >= volume.super.data_start;
        flushes += event->data == NULL ? 1 : 0;
        CHECK(event->data == NULL || data == (flushes == 0));
    }
    CHECK_EQ(flushes, 2);
    CHECK(disk.event[disk.event_count - 1].data == NULL);
    disk_record();
    REQUIRE(put(2, 100, names, "inside", 0) == CATALOG_OK);
    CHECK(disk.event[disk.event_count - 1].data == NULL && disk_unflushed(disk.event_count - 1) == 0); /* one */
    drop();
}

/* More than the log has room for at once: each alone has. */
static void test_log_room(void)
{
    static uint8_t bytes[400][BLOCK];
    static struct catalog_op op[400];
    struct catalog_op *ops[400];
    static char name[400][8];

    begin_disk();
    for (unsigned i = 0; i < 400; i++) {
        snprintf(name[i], sizeof name[i], "n%u", i);
        fill(i, 0, bytes[i]);
        op[i] = (struct catalog_op){.kind = CATALOG_PUT,
                                    .at = NAMES,
                                    .path = text(name[i]),
                                    .size = 4000,
                                    .bytes = bytes[i],
                                    .bytes_size = 4000};
        static uint8_t digest[400][CATALOG_DIGEST];
        memcpy(digest[i], digest_of(i), CATALOG_DIGEST);
        op[i].digest = digest[i];
        ops[i] = &op[i];
    }
    catalog_run(&catalog, ops, 400);
    for (unsigned i = 0; i < 400; i++) {
        CHECK_EQ(op[i].answer, CATALOG_OK);
    }
    CHECK(holds(names, "n399", 399, 4000));
    CHECK_EQ(catalog_check(&catalog), 0);
    drop();
}

/* What is reserved is counted when the names of its commit are: a blob's blocks are not promised any more, whoever asks first. */
static void test_reserve_and_put(void)
{
    static const uint32_t crc[60];
    struct catalog_op first = {.kind = CATALOG_RESERVE, .size = 60};
    struct catalog_op lend_op = {.kind = CATALOG_LEND, .flags = CATALOG_RESERVED, .blocks = 60};

    begin_disk();
    REQUIRE(run(&first) == CATALOG_OK && run(&lend_op) == CATALOG_OK && lend_op.run.blocks == 60);
    struct catalog_extent extent = {lend_op.run, crc};
    struct catalog_op reserve = {.kind = CATALOG_RESERVE, .size = DATA_BLOCKS - 60};
    struct catalog_op put_op = {.kind = CATALOG_PUT,
                                .flags = CATALOG_RESERVED,
                                .digest = digest_of(1),
                                .size = 60 * BLOCK,
                                .extent = &extent,
                                .extent_count = 1};
    struct catalog_op *const ops[] = {&reserve, &put_op};
    catalog_run(&catalog, ops, 2);
    CHECK_EQ(put_op.answer, CATALOG_OK);
    CHECK_EQ(reserve.answer, CATALOG_OK);
    CHECK_EQ(catalog.reserved_blocks, DATA_BLOCKS - 60);
    drop();
}

/* The disk fails at some write: what was acknowledged is there after the next mount, and no batch in part. */
static void test_disk_fails(void)
{
    for (unsigned allowed = 0; allowed < 60; allowed++) {
        unsigned done = 0;
        begin_disk();
        disk.fail_writes = allowed;
        char name[16];
        for (;; done++) {
            snprintf(name, sizeof name, "n%u", done);
            if (put(done, 100, names, name, 0) != CATALOG_OK) {
                break;
            }
        }
        CHECK_EQ(put(done, 100, names, name, 0), CATALOG_FAILED); /* nor any later one */
        drop();
        REQUIRE(mount() == CATALOG_OK);
        CHECK(done < 60);
        for (unsigned i = 0; i < done; i++) {
            snprintf(name, sizeof name, "n%u", i);
            CHECK(holds(names, name, i, 100));
        }
        CHECK_EQ(catalog_check(&catalog), 0);
        drop();
    }
}

/* A batch whose transaction does not come about: nothing in it is said to be done that was not. Nor later, when nothing is written
 * any more and questions are answered as before. */
static void test_batch_fails(void)
{
    begin_disk();
    REQUIRE(put(1, 5000, names, "n", 0) == CATALOG_OK);
    for (unsigned round = 0; round < 2; round++) {
        struct catalog_op mkdir = {.kind = CATALOG_MKDIR, .at = ROOT, .path = text("d")};
        struct catalog_op reserve = {.kind = CATALOG_RESERVE, .size = 7};
        struct catalog_op hold = {.kind = CATALOG_HOLD, .digest = digest_of(1)};
        struct catalog_op look = {.kind = CATALOG_STAT, .at = NAMES, .path = text("n")};
        struct catalog_op *const ops[] = {&mkdir, &reserve, &hold, &look};
        disk.fail_writes = 0;
        catalog_run(&catalog, ops, 4);
        CHECK_EQ(mkdir.answer, CATALOG_FAILED);
        CHECK_EQ(catalog.reserved_blocks, (round + 1) * (reserve.answer == CATALOG_OK ? 7 : 0));
        CHECK(hold.answer == CATALOG_OK && hold.size == 5000 && catalog.hold[0].count == round + 1);
        CHECK_EQ(look.answer, CATALOG_OK);
    }
    drop();
}

/* Nobody is told what stood in a transaction that did not come about: neither that a name is gone, nor that one is there. */
static void test_seen_in_vain(void)
{
    struct catalog_op remove = {.kind = CATALOG_REMOVE, .at = NAMES, .path = text("n")};
    struct catalog_op look = {.kind = CATALOG_STAT, .at = NAMES, .path = text("n")};
    struct catalog_op mkdir = {.kind = CATALOG_MKDIR, .at = ROOT, .path = text("d")};
    struct catalog_op twice = mkdir;
    struct catalog_op find = {.kind = CATALOG_STAT, .at = ROOT, .path = text("d")};
    static struct catalog_span span;
    static char path_room[CATALOG_PATH_MAX];
    struct catalog_op extent = {.kind = CATALOG_EXTENT, .span = &span};
    struct catalog_op path = {.kind = CATALOG_PATH, .path_room = path_room};
    struct catalog_op *const ops[] = {&remove, &look, &mkdir, &twice, &find, &extent, &path};
    struct catalog_node file = {0};

    begin_disk();
    REQUIRE(put(1, 5000, names, "n", 0) == CATALOG_OK && put(2, 5000, root, "f", 0) == CATALOG_OK);
    REQUIRE(stat_of(root, "f", &file) == CATALOG_OK);
    path.object = file.object;
    disk.fail_writes = 0;
    catalog_run(&catalog, ops, 7);
    CHECK(remove.answer == CATALOG_FAILED && mkdir.answer == CATALOG_FAILED && twice.answer == CATALOG_FAILED);
    CHECK_EQ(look.answer, CATALOG_OK);
    CHECK_EQ(find.answer, CATALOG_MISSING);
    CHECK_EQ(extent.id, number("SELECT min(id) FROM extent")); /* asked again from where it was asked */
    CHECK(path.answer == CATALOG_OK && path.count == 1 && path.id == file.id);
    CHECK(holds(names, "n", 1, 5000));
    drop();
}

/* Room that is freed, and blobs that are put, in a transaction that does not come about, are nobody's to be lent or held. */
static void test_taken_back(void)
{
    struct catalog_op remove = {.kind = CATALOG_REMOVE, .at = NAMES, .path = text("n")};
    struct catalog_op lend_op = {.kind = CATALOG_LEND, .blocks = 500};
    struct catalog_op put_op = {
        .kind = CATALOG_PUT, .digest = digest_of(2), .size = 3, .bytes = "abc", .bytes_size = 3};
    struct catalog_op hold = {.kind = CATALOG_HOLD, .digest = digest_of(2)};
    struct catalog_op reserve = {.kind = CATALOG_RESERVE, .size = DATA_BLOCKS - 5};
    struct catalog_op *const ops[] = {&remove, &lend_op, &put_op, &hold, &reserve};

    begin_disk();
    REQUIRE(put(1, 10 * BLOCK, names, "n", 0) == CATALOG_OK);
    disk.fail_writes = 0;
    catalog_run(&catalog, ops, 5);
    CHECK(remove.answer == CATALOG_FAILED && put_op.answer == CATALOG_FAILED);
    CHECK(lend_op.answer == CATALOG_FAILED && catalog.lend_count == 0);
    CHECK(hold.answer == CATALOG_MISSING && catalog.hold_count == 0);
    CHECK(reserve.answer == CATALOG_FULL && catalog.reserved_blocks == 0);
    CHECK(holds(names, "n", 1, 10 * BLOCK));
    drop();
}

/* How many extents are said before one is not. */
static unsigned walk_extents(void)
{
    static struct catalog_span span;
    struct catalog_op op = {.kind = CATALOG_EXTENT, .span = &span};
    unsigned seen = 0;

    while (run(&op) == CATALOG_OK) {
        seen++;
    }
    return seen;
}

/* Which is the last extent stands in one page: when that is bad, the others are said all the same. */
static void test_extents_but_of_the_last_page(void)
{
    enum { EXTENTS = 1000 };
    unsigned but_the_last = 0;

    begin_disk_of(LOG_BLOCKS, EXTENTS);
    for (unsigned i = 0; i < EXTENTS; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%u", i);
        REQUIRE(put(i, BLOCK, names, name, 0) == CATALOG_OK);
    }
    CHECK_EQ(walk_extents(), EXTENTS);
    CHECK_EQ(sqlite3_wal_checkpoint_v2(catalog.db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL), SQLITE_OK);
    drop();
    uint64_t first = volume.super.run[0].start + 2;
    for (uint64_t block = first; block < first + volume.super.page_count; block++) {
        disk_at(block)[99] ^= 1;
        if (mount() == CATALOG_OK) {
            unsigned seen = walk_extents();
            but_the_last += seen > EXTENTS / 2 && seen < EXTENTS ? 1 : 0;
            drop();
        }
        disk_at(block)[99] ^= 1;
    }
    CHECK_EQ(but_the_last, 2); /* the last page of extents, and of their CRCs */
}

/* One page of the tables is damaged: who needs it is told, and nobody else. */
static void test_one_bad_page(void)
{
    static uint8_t bytes[BLOCK];

    begin_disk();
    REQUIRE(put(1, 10, names, "good", 0) == CATALOG_OK);
    for (unsigned i = 0; i < 30; i++) { /* content that fills pages of its own */
        char name[16];
        snprintf(name, sizeof name, "n%u", i);
        fill(i, 0, bytes);
        struct catalog_op op = {.kind = CATALOG_PUT,
                                .at = NAMES,
                                .path = text(name),
                                .digest = digest_of(100 + i),
                                .size = 4000,
                                .bytes = bytes,
                                .bytes_size = 4000};
        REQUIRE(run(&op) == CATALOG_OK);
    }
    struct catalog_node node;
    REQUIRE(stat_of(names, "n20", &node) == CATALOG_OK);
    drop();
    REQUIRE(mount() == CATALOG_OK);
    CHECK_EQ(sqlite3_wal_checkpoint_v2(catalog.db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL), SQLITE_OK);
    drop();
    unsigned found = 0;
    for (uint64_t block = volume.super.run[0].start + 2 + 8;
         block < volume.super.run[0].start + 2 + volume.super.page_count; block++) {
        static struct catalog_span span;
        struct catalog_op look = {.kind = CATALOG_SPAN, .object = node.object, .span = &span};
        struct catalog_op mkdir = {.kind = CATALOG_MKDIR, .at = ROOT, .path = text("d")};
        struct catalog_op rmdir = {.kind = CATALOG_REMOVE, .at = ROOT, .path = text("d")};
        struct catalog_op *const ops[] = {&mkdir, &look, &rmdir};
        disk_at(block)[99] ^= 1;
        if (mount() == CATALOG_OK) {
            catalog_run(&catalog, ops, 3);
            found += look.answer == CATALOG_DAMAGED && mkdir.answer == CATALOG_OK && rmdir.answer == CATALOG_OK ? 1 : 0;
            drop();
        }
        disk_at(block)[99] ^= 1;
    }
    CHECK(found > 0);
}

int main(void)
{
    test_tree();
    test_bad_names();
    test_rename();
    test_depth();
    test_depth_of_what_is_moved();
    test_much_is_moved();
    test_list();
    test_blobs();
    test_hold();
    test_kept_in_batch();
    test_parts();
    test_expect();
    test_batch();
    test_file_write();
    test_copy_on_write();
    test_inside();
    test_check_amid_a_sweep();
    test_snapshots();
    test_full();
    test_together();
    test_order();
    test_log_room();
    test_reserve_and_put();
    test_disk_fails();
    test_batch_fails();
    test_seen_in_vain();
    test_taken_back();
    test_extents_but_of_the_last_page();
    test_one_bad_page();
    disk_free();
    return test_end();
}

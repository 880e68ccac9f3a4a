/* SPDX-License-Identifier: MIT OR Apache-2.0
 * catalog_cuts_test.c: after every cut of a random run exactly the acknowledged changes are there, or one more, with their bytes,
 * in the trees and in snapshots, and the tables agree.
 *
 * CATALOG_RUNS=N takes that many random runs; CRASH_SUBSETS=N tries that many subsets of unflushed writes at each cut.
 */
#include "catalog_support.h"

/* --- random runs and cuts -------------------------------------------------------------------------------------------- */

#define BATCHES 40u
static struct {
    uint32_t state;  /* what a peer could see after it */
    unsigned events; /* of the disk, when it was acknowledged */
} after[BATCHES + 1];
static uint64_t snapshots[4];

static const char *any_path(void)
{
    static const char *const path[] = {"a", "b", "d", "d/a", "d/b", "d/e", "d/e/a", "e", "e/b"};

    return path[test_random() % 9];
}

static void random_snapshot(void)
{
    unsigned i = test_random() % 4;
    struct catalog_op op = {.kind = CATALOG_UNSNAPSHOT, .generation = snapshots[i]};

    if (snapshots[i] == 0) {
        op = (struct catalog_op){.kind = CATALOG_SNAPSHOT, .prefix = text("s")};
    }
    (void)run(&op);
    snapshots[i] = snapshots[i] == 0 ? op.generation : 0;
}

static void random_write(void)
{
    struct catalog_node node;
    const char *path = any_path();
    unsigned block = (unsigned)(test_random() % 6);
    unsigned blocks = 1 + (unsigned)(test_random() % 5);

    if (stat_of(root, path, &node) == CATALOG_OK && node.kind == CATALOG_FILE) {
        (void)write_at(path, 1 + (unsigned)(test_random() % 50), node.size > 0 && node.size <= 2000 ? 0 : block,
                       blocks);
    }
}

static void random_truncate(void)
{
    struct catalog_node node;

    if (stat_of(root, any_path(), &node) == CATALOG_OK && node.kind == CATALOG_FILE && node.size > BLOCK) {
        struct catalog_op op = {.kind = CATALOG_TRUNCATE, .id = node.id, .size = test_random() % 12 * BLOCK};
        (void)run(&op);
    }
}

static void random_rename(void)
{
    struct catalog_op op = {
        .kind = CATALOG_RENAME, .at = ROOT, .path = text(any_path()), .to = ROOT, .to_path = text(any_path())};

    (void)run(&op);
}

static void random_change(void)
{
    unsigned content = 1 + (unsigned)(test_random() % 20);

    switch (test_random() % 12) {
    case 0:
    case 1:
        (void)put(content, 1 + content * 977 % 30000, root, any_path(), 0);
        break;
    case 2:
        (void)put(content, 1 + content * 977 % 30000, names, any_path(), 0);
        break;
    case 3:
        (void)simple(CATALOG_REMOVE, names, any_path());
        break;
    case 4:
        (void)simple(CATALOG_REMOVE, root, any_path());
        break;
    case 5:
        (void)simple(CATALOG_MKDIR, root, any_path());
        break;
    case 6:
        (void)simple(CATALOG_CREATE, root, any_path());
        break;
    case 7:
        random_rename();
        break;
    case 8:
        random_truncate();
        break;
    case 9:
        random_snapshot();
        break;
    default:
        random_write();
    }
}

/* CRC of all that a listing shows, bytes included. 0: something cannot be read. */
static uint32_t state_of(struct catalog_place at, const char *path, uint32_t crc)
{
    struct catalog_entry entry[16];
    struct catalog_op op = {.kind = CATALOG_LIST, .at = at, .path = text(path), .entry = entry, .entry_max = 16};

    if (run(&op) != CATALOG_OK) {
        return op.answer == CATALOG_MISSING ? crc : 0;
    }
    for (uint32_t i = 0; i < op.entry_count && crc != 0; i++) {
        const struct catalog_node *node = &entry[i].node;
        uint64_t content = node->object != 0 ? content_crc(node->object, node->size) : 0;
        crc = crc32c_update(crc, entry[i].name, entry[i].name_size);
        crc = crc32c_update(crc, &node->size, sizeof node->size);
        crc = content == UINT64_MAX ? 0 : crc32c_update(crc, &content, sizeof content);
        if (node->kind == CATALOG_DIRECTORY && crc != 0) {
            char inner[64];
            snprintf(inner, sizeof inner, "%s%s%.20s", path, *path != 0 ? "/" : "", entry[i].name);
            crc = state_of(at, inner, crc);
        }
    }
    return crc;
}

static uint32_t state_now(void)
{
    uint32_t crc = state_of(root, "", state_of(names, "", 1));

    for (uint64_t generation = 1; generation <= 40 && crc != 0; generation++) {
        struct catalog_place then = {CATALOG_ROOT, generation};
        crc = state_of(then, "", crc32c_update(crc, &generation, sizeof generation));
    }
    return crc;
}

static void check_cut(unsigned cut, const char *what)
{
    unsigned n = 0;

    while (n < BATCHES && after[n + 1].events <= cut) {
        n++;
    }
    if (mount() != CATALOG_OK) {
        test_failed(__FILE__, __LINE__, "cut at %u (%s): does not open", cut, what);
        return;
    }
    uint32_t state = state_now();
    bool right = state == after[n].state || (n < BATCHES && state == after[n + 1].state);
    if (cut % 3 == 0) {
        care();
        right = right && state_now() == state && free_blocks() <= DATA_BLOCKS;
    }
    if (!right || catalog_check(&catalog) != 0) {
        test_failed(__FILE__, __LINE__, "cut at %u (%s): not the state after %u changes", cut, what, n);
    }
    test_counted();
    drop();
}

static unsigned try_cut(unsigned cut, unsigned subsets)
{
    unsigned open = cut - disk_unflushed(cut);

    for (unsigned i = 0; i < subsets && open > 0; i++) {
        disk_cut(cut, test_random(), i % 2 == 0 ? -1 : (int)(test_random() % open));
        check_cut(cut, "a subset");
    }
    disk_cut(cut, UINT64_MAX, -1);
    check_cut(cut, "all");
    return open > 0 ? subsets + 1 : 1;
}

/* A change makes at least one event, so a cut lies between two acknowledgements, or one change more is there. */
static unsigned random_run(unsigned subsets)
{
    unsigned states = 0;

    begin_disk();
    memset(snapshots, 0, sizeof snapshots);
    disk_record();
    after[0].state = state_now();
    after[0].events = 0;
    for (unsigned n = 1; n <= BATCHES; n++) {
        random_change();
        if (n % 8 == 0) {
            care();
        }
        after[n].state = state_now();
        after[n].events = disk.event_count;
        CHECK(after[n].state != 0);
        CHECK_EQ(catalog_check(&catalog), 0);
    }
    unsigned events = disk.event_count;
    drop();
    for (unsigned cut = 0; cut <= events; cut++) {
        states += try_cut(cut, subsets);
    }
    return states;
}

static void test_cuts(void)
{
    const char *runs = getenv("CATALOG_RUNS");
    const char *subsets = getenv("CRASH_SUBSETS");
    unsigned states = 0;

    for (unsigned i = 0; i < (runs != NULL ? strtoul(runs, NULL, 0) : 2); i++) {
        states += random_run(subsets != NULL ? (unsigned)strtoul(subsets, NULL, 0) : 1);
    }
    printf("%u crash states\n", states);
}

int main(void)
{
    test_cuts();
    disk_free();
    return test_end();
}

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * disk_test.c: `capos disk check` finds what is planted: kinds of corruption, one at a time, in a volume with files, blobs, names
 * and snapshots. A sound volume has no fault, whole or after any cut; and a disk that is looked at keeps its bytes.
 */
#include <fcntl.h>
#include <unistd.h>
#include "../../components/lib/catalog/test/catalog_support.h"
#include "disk_file.h"

#define SAID_MAX 400u
#define LINE_BYTES 1400u
#define CUTS 100u

/* SQLite's heap in an image, before the one of `capos` takes its place. */
void *boot_alloc_named(const char *what, size_t size, size_t align)
{
    static uint64_t memory_of_image[9u * 1024 * 1024 / 8];

    REQUIRE(size <= sizeof memory_of_image);
    return memory_of_image;
}

static char path[256];
static struct {
    char line[SAID_MAX][LINE_BYTES];
    unsigned count;
    unsigned notes;
} said;
static unsigned char *sound;  /* the disk's bytes before anything is planted: all in the database */
static unsigned char *logged; /* and with the last changes in the log alone */

/* --- scaffolding ----------------------------------------------------------------------------------------------------- */

static void take_fault(void *context, const char *text)
{
    (void)snprintf(said.line[said.count < SAID_MAX ? said.count++ : 0], LINE_BYTES, "%s", text);
}
static void take_note(void *context, const char *text)
{
    said.notes++;
}
static void take_progress(void *context, const char *what, uint64_t done, uint64_t all)
{
    CHECK(done <= all);
}

static size_t size_of_disk(void)
{
    return disk.io.blocks * BLOCK;
}

/* What the disk in memory holds, into the file. */
static void save(uint64_t bytes)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

    REQUIRE(fd >= 0);
    REQUIRE(write(fd, disk.now, bytes) == (ssize_t)bytes);
    REQUIRE(close(fd) == 0);
}

static bool unchanged(uint64_t bytes)
{
    unsigned char *now = malloc(bytes);
    int fd = open(path, O_RDONLY);

    REQUIRE(fd >= 0 && read(fd, now, bytes) == (ssize_t)bytes);
    bool same = memcmp(now, disk.now, bytes) == 0;
    REQUIRE(close(fd) == 0);
    free(now);
    return same;
}

/* The number of faults. */
static uint64_t check_file(uint64_t bytes)
{
    static const struct disk_say say = {NULL, take_fault, take_note, take_progress};
    char why[DISK_WHY];
    struct disk_checked checked;

    test_room = ROOM_THREAD;
    said.count = said.notes = 0;
    save(bytes);
    struct disk_file *file = disk_file_open(path, why);
    REQUIRE(file != NULL);
    (void)disk_check(file, &say, &checked);
    disk_file_close(file);
    CHECK(unchanged(bytes));
    CHECK_EQ(checked.faults, said.count);
    return checked.faults;
}

static bool was_said(const char *text)
{
    for (unsigned i = 0; i < said.count; i++) {
        if (strstr(said.line[i], text) != NULL) {
            return true;
        }
    }
    for (unsigned i = 0; i < said.count && i < 8; i++) {
        fprintf(stderr, "    %s\n", said.line[i]);
    }
    return false;
}

/* Files, blobs, names, a snapshot that shows what is not there any more; some of it in the log alone. */
static void make_volume(void)
{
    struct catalog_op snapshot = {.kind = CATALOG_SNAPSHOT, .prefix = text("before")};

    begin_disk();
    REQUIRE(simple(CATALOG_MKDIR, root, "photos") == CATALOG_OK);
    REQUIRE(put(1, 9 * BLOCK + 10, root, "photos/one", 0) == CATALOG_OK);
    REQUIRE(put(2, 7 * BLOCK, root, "photos/two", 0) == CATALOG_OK);
    REQUIRE(put(3, 5 * BLOCK, names, "a name", 0) == CATALOG_OK);
    REQUIRE(put(4, 100, names, "small", 0) == CATALOG_OK);
    REQUIRE(put(5, 3 * BLOCK, root, "old", 0) == CATALOG_OK);
    REQUIRE(run(&snapshot) == CATALOG_OK);
    REQUIRE(simple(CATALOG_REMOVE, root, "old") == CATALOG_OK);
    REQUIRE(simple(CATALOG_CREATE, root, "written") == CATALOG_OK);
    REQUIRE(write_at("written", 6, 0, 8) == CATALOG_OK);
    REQUIRE(write_at("written", 7, 2, 3) == CATALOG_OK);
    care();
}

static uint64_t block_of(struct catalog_place at, const char *name, uint64_t block)
{
    static struct catalog_span span;
    struct catalog_node node = {0};

    REQUIRE(stat_of(at, name, &node) == CATALOG_OK);
    struct catalog_op op = {.kind = CATALOG_SPAN, .object = node.object, .block = block, .span = &span};
    REQUIRE(run(&op) == CATALOG_OK && span.start != 0);
    return span.start + block - span.at;
}

/* --- what is planted ------------------------------------------------------------------------------------------------- */

static void flip(uint64_t block, unsigned at)
{
    disk_at(block)[at] ^= 0x10;
}
static void swap(uint64_t a, uint64_t b)
{
    unsigned char bytes[BLOCK];

    memcpy(bytes, disk_at(a), BLOCK);
    memcpy(disk_at(a), disk_at(b), BLOCK);
    memcpy(disk_at(b), bytes, BLOCK);
}
static uint64_t one, two, old; /* where these files begin */

static void data_rots(void)
{
    flip(one + 3, 77);
}
static void data_is_torn(void)
{
    memset(disk_at(one + 1) + 512, 0, 1024);
}
static void data_is_lost(void)
{
    memset(disk_at(two), 0, 2 * (size_t)BLOCK); /* the write never came */
}
static void data_is_another_s(void)
{
    memcpy(disk_at(two + 4), disk_at(one + 4), BLOCK); /* a write that went to the wrong place */
}
static void data_is_swapped(void)
{
    swap(one + 5, two + 5);
}
static void data_of_a_snapshot_rots(void)
{
    flip(old, 0);
}
static void first_superblock_rots(void)
{
    flip(0, 200);
}
static void second_superblock_rots(void)
{
    flip(16, 200);
}
static void both_superblocks_rot(void)
{
    flip(0, 3000);
    flip(16, 3000);
}
static void seal(uint64_t block)
{
    uint32_t crc = crc32c_update(0, disk_at(block), BLOCK - 4);

    memcpy(disk_at(block) + BLOCK - 4, &crc, sizeof crc);
}
/* As a format leaves it that was cut when it had begun. */
static void format_was_cut(void)
{
    memset(disk_at(0), 0, BLOCK);
    memcpy(disk_at(0), VOLUME_BLANK_MARK, sizeof VOLUME_BLANK_MARK - 1);
}
static void version_is_later(void)
{
    for (uint64_t block = 0; block <= 16; block += 16) {
        struct volume_super *super = (struct volume_super *)(void *)disk_at(block);
        super->version = VOLUME_VERSION + 1;
        seal(block);
    }
}
static void first_superblock_is_stale(void)
{
    struct volume_super *super = (struct volume_super *)(void *)disk_at(0);

    super->generation--;
    seal(0);
}

/* The block of the map's one leaf, by the index block that the superblock names. */
static uint64_t leaf_block_now(void)
{
    struct volume_entry entry;

    memcpy(&entry, disk_at(volume.super.index_start + volume.super.index[0].home - 1), sizeof entry);
    return volume.super.run[0].start + entry.home - 1;
}
static void leaf_rots(void)
{
    flip(leaf_block_now(), 5);
}
static void leaf_is_stale(void)
{
    uint64_t now = leaf_block_now();

    memcpy(disk_at(now), disk_at(now == volume.super.run[0].start ? now + 1 : now - 1), BLOCK);
}
static void index_rots(void)
{
    flip(volume.super.index_start + volume.super.index[0].home - 1, 2);
}
static uint64_t page_at(unsigned page)
{
    return volume.super.run[0].start + 2 * (volume.super.run[0].pages / VOLUME_LEAF_PAGES) + page;
}
static void page_rots(void)
{
    flip(page_at(3), 4000);
}
static void page_is_another(void)
{
    memcpy(disk_at(page_at(4)), disk_at(page_at(5)), BLOCK);
}
/* A page as it was before a change that is durable. */
static void page_is_stale(void)
{
    REQUIRE(mount() == CATALOG_OK);
    REQUIRE(simple(CATALOG_MKDIR, root, "later") == CATALOG_OK);
    catalog_close(&catalog);
    for (unsigned page = 1; page < volume.super.page_count; page++) {
        if (memcmp(disk_at(page_at(page)), sound + page_at(page) * BLOCK, BLOCK) != 0) {
            memcpy(disk_at(page_at(page)), sound + page_at(page) * BLOCK, BLOCK);
            return;
        }
    }
    REQUIRE(false);
}
#define FRAME(n) (32u + ((n)-1) * 4120u)
static void log_byte(unsigned offset)
{
    flip(volume.super.log_start + offset / BLOCK, offset % BLOCK);
}
static void log_rots(void)
{
    log_byte(FRAME(4) + 1000);
}
static void header_of_the_log_rots(void)
{
    log_byte(17);
}
static void first_page_in_the_log_rots(void)
{
    log_byte(FRAME(1) + 900);
}
static void head_in_the_log_rots(void)
{
    log_byte(FRAME(6) + 9); /* its salt */
}
static void block_of_the_log_is_lost(void)
{
    memset(disk_at(volume.super.log_start + 7), 0, BLOCK);
}

static void by_sql(const char *sql)
{
    REQUIRE(mount() == CATALOG_OK);
    REQUIRE(sqlite3_exec(catalog.db, sql, NULL, NULL, NULL) == SQLITE_OK);
    catalog_close(&catalog);
}

static const struct {
    const char *what;
    void (*plant)(void);
    const char *sql;
    const char *found; /* in a line that is said */
    bool in_log;       /* planted where the last changes are in the log */
} corruption[] = {
    {"data rots", data_rots, NULL, "(block 3 of object 1: /photos/one)", false},
    {"a block of data is torn", data_is_torn, NULL, "(block 1 of object 1: /photos/one)", false},
    {"a write of data was lost", data_is_lost, NULL, "(block 0 of object 2: /photos/two)", false},
    {"a write of data went to another's place", data_is_another_s, NULL, "(block 4 of object 2: /photos/two)", false},
    {"two blocks of data are swapped", data_is_swapped, NULL, "(block 5 of object 2: /photos/two)", false},
    {"data rots that only a snapshot shows", data_of_a_snapshot_rots, NULL, "/old (in a snapshot)", false},
    {"the first superblock rots", first_superblock_rots, NULL, "the superblock in block 0 is damaged", false},
    {"the second superblock rots", second_superblock_rots, NULL, "the superblock in block 16 is damaged", false},
    {"the second superblock rots, with a log", second_superblock_rots, NULL, "the superblock in block 16 is damaged",
     true},
    {"the first superblock rots, with a log", first_superblock_rots, NULL, "the superblock in block 0 is damaged",
     true},
    {"a format that was cut", format_was_cut, NULL, "makes a new volume here at its next boot", false},
    {"both superblocks rot", both_superblocks_rot, NULL, "both superblocks are damaged", false},
    {"a later version", version_is_later, NULL, "a later version", false},
    {"a write of the first superblock was lost", first_superblock_is_stale, NULL, "older than the other", false},
    {"a leaf of the page map rots", leaf_rots, NULL, "the page map's block at", false},
    {"a leaf of the page map is stale", leaf_is_stale, NULL, "the page map's block at", false},
    {"an index block of the page map rots", index_rots, NULL, "the page map's block at", false},
    {"a page of the database rots", page_rots, NULL, "page 3 of the database", false},
    {"a page of the database is another", page_is_another, NULL, "page 4 of the database", false},
    {"a write of a page was lost", page_is_stale, NULL, "of the database, in block", false},
    {"the log rots in its middle", log_rots, NULL, "the log is damaged behind its page", true},
    {"the log's header rots", header_of_the_log_rots, NULL, "the log is damaged behind its page 0", true},
    {"the log's first page rots", first_page_in_the_log_rots, NULL, "the log is damaged behind its page 0", true},
    {"a head in the log rots", head_in_the_log_rots, NULL, "the log is damaged behind its page", true},
    {"a block in the log's middle was lost", block_of_the_log_is_lost, NULL, "the log is damaged behind its page",
     true},
    {"free room that is in use", NULL, "INSERT INTO free SELECT start+1, 1 FROM extent LIMIT 1", "belong to two",
     false},
    {"an extent with other pieces than it knows", NULL,
     "UPDATE extent SET refs=refs+1 WHERE id=(SELECT extent FROM piece WHERE object=2)",
     "(block 0 of object 2: /photos/two)", false},
    {"an extent that is gone", NULL, "DELETE FROM extent WHERE id=(SELECT extent FROM piece WHERE object=2)",
     "no such part of an extent (/photos/two)", false},
    {"room that is lost", NULL, "DELETE FROM free WHERE start=(SELECT max(start) FROM free)",
     "blocks are free or in use", false},
    {"a name without an object", NULL, "UPDATE node SET object=999 WHERE name='a name'",
     "means object 999, which is none (name 'a name')", false},
    {"an object that counts its names wrong", NULL, "UPDATE object SET names=5 WHERE id=2",
     "has not 5 names (/photos/two)", false},
    {"a count that is wrong", NULL, "UPDATE meta SET free_blocks=free_blocks-1", "were counted", false},
    {"a checksum that is wrong", NULL,
     "UPDATE sums SET crcs=zeroblob(length(crcs)) WHERE extent=(SELECT extent FROM piece WHERE object=2)",
     "(block 0 of object 2: /photos/two)", false},
    {"no checksums", NULL, "DELETE FROM sums WHERE extent=(SELECT extent FROM piece WHERE object=2)",
     "no CRCs of its 7 blocks", false},
    {"a file in a directory that is gone", NULL, "DELETE FROM node WHERE name='photos'", "which is no directory",
     false},
    {"two pieces for one block", NULL,
     "INSERT INTO piece SELECT object, at+1, extent, skip, 1 FROM piece WHERE object=2", "two pieces (/photos/two)",
     false},
    {"an index of the database that is forgotten", NULL,
     "PRAGMA writable_schema=1; DELETE FROM sqlite_master WHERE name='node_id'", "never used", false},
};
#define CORRUPTIONS (sizeof corruption / sizeof corruption[0])

/* --- tests ----------------------------------------------------------------------------------------------------------- */

static void take(const unsigned char *bytes)
{
    disk.recording = false;
    disk.fail_writes = disk.fail_reads = UINT32_MAX;
    memcpy(disk.now, bytes, size_of_disk());
}

static unsigned char *copy_of_disk(void)
{
    unsigned char *copy = malloc(size_of_disk());

    memcpy(copy, disk.now, size_of_disk());
    return copy;
}

static void make_disks(void)
{
    make_volume();
    one = block_of(root, "photos/one", 0);
    two = block_of(root, "photos/two", 0);
    old = (uint64_t)number(
        "SELECT start FROM extent JOIN piece ON piece.extent=extent.id JOIN node ON node.object=piece.object"
        " WHERE name='old'");
    catalog_close(&catalog);
    sound = copy_of_disk();
    REQUIRE(mount() == CATALOG_OK);
    for (unsigned i = 0; i < 8; i++) {
        REQUIRE(put(20 + i, 600, names, "in the log", 0) == CATALOG_OK);
    }
    drop();
    logged = copy_of_disk();
}

static void test_sound_is_clean(void)
{
    take(sound);
    CHECK_EQ(check_file(size_of_disk()), 0);
    take(logged);
    CHECK_EQ(check_file(size_of_disk()), 0);
    CHECK_EQ(said.notes, 0);
}

static void plant(unsigned i)
{
    take(corruption[i].in_log ? logged : sound);
    if (corruption[i].sql != NULL) {
        by_sql(corruption[i].sql);
    } else {
        corruption[i].plant();
    }
}

static void test_each_corruption_is_found(void)
{
    for (unsigned i = 0; i < CORRUPTIONS; i++) {
        plant(i);
        uint64_t faults = check_file(size_of_disk());
        if (faults == 0 || !was_said(corruption[i].found)) {
            test_failed(__FILE__, __LINE__, "%s: %u faults, and none of them says '%s'", corruption[i].what,
                        (unsigned)faults, corruption[i].found);
        }
        test_counted();
    }
}

static void test_short_disks(void)
{
    take(sound);
    CHECK(check_file(size_of_disk() - 100 * BLOCK) > 0);
    CHECK(was_said("100 are missing at the end"));
    CHECK(check_file(size_of_disk() - DATA_BLOCKS * BLOCK) > 0);
    CHECK(was_said("cannot be read (block 0 of object 1: /photos/one)"));
    CHECK(check_file(5 * BLOCK) > 0);
    CHECK(was_said("the superblock in block 16 cannot be read"));
    CHECK(check_file(100) > 0);
    CHECK(was_said("less than one block"));
}

static bool commits(unsigned frame)
{
    static const unsigned char no[4];

    return memcmp(disk_at(volume.super.log_start) + FRAME(frame) + 4, no, sizeof no) != 0;
}

static unsigned frames_in_log(void)
{
    unsigned last = 0;

    while (memcmp(disk_at(volume.super.log_start) + FRAME(last + 1) + 8, disk_at(volume.super.log_start) + 16, 8) ==
           0) {
        last++;
    }
    return last;
}

/* The end of the log may be torn: nothing says that its last commit was acknowledged. */
static void test_torn_end_is_clean(void)
{
    for (unsigned offset = 0; offset < 2 * 4120; offset += 500) {
        take(logged);
        log_byte(FRAME(frames_in_log() - 1) + offset);
        CHECK_EQ(check_file(size_of_disk()), 0);
    }
}

/* The last commit's first block, which has the end of what filled up the block of the one before. */
static void test_torn_filling_is_clean(void)
{
    take(logged);
    unsigned filling = frames_in_log() - 2;
    while (!commits(filling)) {
        filling--;
    }
    log_byte(FRAME(filling + 1) - 8);
    CHECK_EQ(check_file(size_of_disk()), 0);
}

/* Two lives of the log, both of which a cut ended, with the same salts: what is left of the second one's last commit, whose first
 * block is lost, and behind it of the first one's. */
static void test_two_torn_ends_are_clean(void)
{
    size_t log_bytes = volume.super.log_blocks * BLOCK;
    unsigned lost = 0;

    take(logged);
    REQUIRE(mount() == CATALOG_OK);
    REQUIRE(sqlite3_exec(catalog.db,
                         "CREATE TABLE big AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n LIMIT 12)"
                         " SELECT randomblob(3000) FROM n",
                         NULL, NULL, NULL) == SQLITE_OK);
    drop();
    unsigned char *first = copy_of_disk();
    take(logged);
    REQUIRE(mount() == CATALOG_OK);
    REQUIRE(sqlite3_exec(catalog.db, "CREATE TABLE little(x)", NULL, NULL, NULL) == SQLITE_OK);
    drop();
    for (uint64_t block = volume.super.log_start; block * BLOCK < volume.super.log_start * BLOCK + log_bytes; block++) {
        bool second_s = memcmp(disk_at(block), logged + block * BLOCK, BLOCK) != 0;
        if (!second_s || lost++ == 0) {
            memcpy(disk_at(block), first + block * BLOCK, BLOCK);
        }
    }
    free(first);
    CHECK(lost > 2);
    CHECK_EQ(check_file(size_of_disk()), 0);
}

/* Changes of all kinds, with checkpoints among them. */
static void change_much(void)
{
    for (unsigned i = 0; i < 40; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "file%u", i % 7);
        REQUIRE(put(30 + i, (i % 3 + 1) * BLOCK * (i % 2) + 600, root, name, 0) == CATALOG_OK);
        if (i % 9 == 8) {
            (void)sqlite3_wal_checkpoint_v2(catalog.db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
        }
        care();
    }
}

static void check_cut(unsigned cut, uint64_t subset, int torn)
{
    disk_cut(cut, subset, torn);
    uint64_t faults = check_file(size_of_disk());
    if (faults > 0) {
        (void)was_said("(what was said)");
        test_failed(__FILE__, __LINE__, "cut at event %u of %u: %u faults", cut, disk.event_count, (unsigned)faults);
    }
    test_counted();
}

static void test_cuts_are_clean(void)
{
    unsigned torn_supers = 0;

    take(sound);
    REQUIRE(mount() == CATALOG_OK);
    disk_record();
    change_much();
    drop();
    for (unsigned i = 0; i < CUTS; i++) {
        unsigned cut = (unsigned)(test_random() % disk.event_count) + 1;
        unsigned open = cut - disk_unflushed(cut);
        check_cut(cut, test_random(), open > 0 ? (int)(test_random() % open) : -1);
    }
    for (unsigned i = 0; i < disk.event_count; i++) { /* amid the write of a superblock */
        if (disk.event[i].data != NULL && (disk.event[i].block == 0 || disk.event[i].block == 16)) {
            check_cut(i + 1, UINT64_MAX, (int)(i - disk_unflushed(i + 1)));
            torn_supers += said.notes;
        }
    }
    CHECK(torn_supers > 2);
}

static void test_looks(void)
{
    struct disk_facts facts;
    char why[DISK_WHY];

    take(logged);
    test_room = ROOM_THREAD;
    save(size_of_disk());
    struct disk_file *file = disk_file_open(path, why);
    REQUIRE(file != NULL);
    disk_look(file, &facts);
    CHECK_STR(facts.kind, "volume");
    CHECK(facts.volume && facts.catalog && facts.log_frames >= 16);
    CHECK_EQ(facts.blocks, DISK_SIZE);
    CHECK_EQ(facts.snapshots, 1);
    CHECK_EQ(facts.data_blocks, DATA_BLOCKS);
    CHECK_BYTES(facts.uuid, uuid, 16);
    disk_file_close(file);
    CHECK(unchanged(size_of_disk()));
}

/* A node would not look at the volume. */
static void test_looks_at_a_format_that_was_cut(void)
{
    static struct disk_facts facts;
    char why[DISK_WHY];

    take(sound);
    format_was_cut();
    CHECK_EQ(check_file(size_of_disk()), 1);
    struct disk_file *file = disk_file_open(path, why);
    REQUIRE(file != NULL);
    disk_look(file, &facts);
    CHECK(disk_doomed(file));
    CHECK_STR(facts.kind, "doomed");
    CHECK_STR(facts.copy[0].state, "blank");
    CHECK(facts.volume && facts.catalog);
    disk_file_close(file);
    memset(disk_at(16), 0, BLOCK); /* and a step later: */
    save(size_of_disk());
    file = disk_file_open(path, why);
    REQUIRE(file != NULL);
    disk_look(file, &facts);
    CHECK(!disk_doomed(file));
    CHECK_STR(facts.kind, "blank");
    disk_file_close(file);
}

static uint64_t find(struct disk_file *file, uint64_t directory, uint64_t generation, const char *name,
                     struct disk_entry *entry)
{
    static struct disk_page page;

    CHECK(disk_list(file, directory, generation, "", &page));
    for (unsigned i = 0; i < page.count; i++) {
        if (strcmp(page.entry[i].name, name) == 0) {
            *entry = page.entry[i];
            return page.count;
        }
    }
    return 0;
}

/* All of a file by spans: whether so many blocks are damaged, and the rest is that content. */
static bool reads_as(struct disk_file *file, const struct disk_entry *entry, unsigned content, uint64_t damaged)
{
    const uint64_t expected = damaged;
    static unsigned char bytes[DISK_SPAN_BYTES];
    struct disk_span span;
    uint64_t wrong = 0;

    for (uint64_t at = 0; at < entry->size; at += span.size) {
        if (!disk_read_span(file, entry->object, at, bytes, &span) || span.size == 0) {
            return false;
        }
        for (uint64_t i = 0; i < span.size; i += BLOCK) {
            uint8_t right[BLOCK];
            fill(content, (at + i) / BLOCK, right);
            wrong += memcmp(bytes + i, right, span.size - i < BLOCK ? span.size - i : BLOCK) != 0 ? 1 : 0;
        }
        damaged -= span.damaged;
    }
    return wrong == expected && damaged == 0;
}

static void test_contents(void)
{
    char why[DISK_WHY];
    struct disk_entry entry;
    struct disk_page page;

    take(logged);
    test_room = ROOM_THREAD;
    flip(two + 1, 9);
    save(size_of_disk());
    struct disk_file *file = disk_file_open(path, why);
    REQUIRE(file != NULL && disk_contents(file, NULL, why));
    CHECK_EQ(find(file, DISK_FILES, 0, "photos", &entry), 2);
    CHECK(entry.directory);
    uint64_t photos = entry.id;
    CHECK(find(file, photos, 0, "one", &entry) == 2 && entry.size == 9 * BLOCK + 10);
    CHECK(reads_as(file, &entry, 1, 0));
    CHECK(find(file, photos, 0, "two", &entry) == 2 && reads_as(file, &entry, 2, 1));
    CHECK(find(file, DISK_NAMES, 0, "small", &entry) == 3 && reads_as(file, &entry, 4, 0));
    CHECK(disk_snapshots(file, 0, &page) && page.count == 1);
    CHECK_STR(page.entry[0].name, "before");
    CHECK_EQ(find(file, DISK_FILES, 0, "old", &entry), 0);
    CHECK(find(file, DISK_FILES, page.entry[0].id, "old", &entry) == 2 && reads_as(file, &entry, 5, 0));
    CHECK_EQ(disk_list(file, 999, 0, "", &page), false);
    disk_file_close(file);
    CHECK(unchanged(size_of_disk()));
}

/* Reads all that can be read of what stands in a directory and below. */
static void read_all(struct disk_file *file, uint64_t directory, unsigned depth)
{
    static unsigned char bytes[DISK_SPAN_BYTES];
    struct disk_page page;

    (void)disk_list(file, directory, 0, "", &page);
    for (unsigned i = 0; i < page.count; i++) {
        const struct disk_entry *entry = &page.entry[i];
        struct disk_span span = {.size = 1};
        for (uint64_t at = 0; !entry->directory && at < entry->size && span.size > 0; at += span.size) {
            (void)disk_read_span(file, entry->object, at, bytes, &span);
        }
        if (entry->directory && depth < 4) {
            read_all(file, entry->id, depth + 1);
        }
    }
}

static void mark(bool *in_use, uint64_t start, uint64_t blocks)
{
    REQUIRE(start + blocks <= DISK_SIZE);
    memset(in_use + start, 1, blocks);
}

/* What the sound disk's own tables say. */
static void mark_what_is_in_use(bool *in_use)
{
    sqlite3_stmt *row;

    take(sound);
    REQUIRE(mount() == CATALOG_OK);
    REQUIRE(sqlite3_prepare_v2(catalog.db, "SELECT start, blocks FROM extent", -1, &row, NULL) == SQLITE_OK);
    while (sqlite3_step(row) == SQLITE_ROW) {
        mark(in_use, (uint64_t)sqlite3_column_int64(row, 0), (uint64_t)sqlite3_column_int64(row, 1));
    }
    REQUIRE(sqlite3_finalize(row) == SQLITE_OK);
    catalog_close(&catalog);
    take(sound);
    mark(in_use, 0, 1);
    mark(in_use, 16, 1);
    mark(in_use, volume.super.index_start + volume.super.index[0].home - 1, 1);
    mark(in_use, leaf_block_now(), 1);
    mark(in_use, page_at(0), volume.super.page_count);
}

/* Each block rots: a fault if it is in use, none if not; and what is left can be read without harm. */
static void test_every_block(void)
{
    static bool in_use[DISK_SIZE];
    static const unsigned char nothing[BLOCK];
    char why[DISK_WHY];

    mark_what_is_in_use(in_use);
    for (uint64_t block = 0; block < DISK_SIZE; block++) {
        take(sound);
        if (!in_use[block] && memcmp(disk_at(block), nothing, BLOCK) == 0) {
            continue;
        }
        flip(block, 100);
        uint64_t faults = check_file(size_of_disk());
        if ((faults > 0) != in_use[block]) {
            test_failed(__FILE__, __LINE__, "block %u, %s, rots: %u faults", (unsigned)block,
                        in_use[block] ? "in use" : "not in use", (unsigned)faults);
        }
        struct disk_file *file = disk_file_open(path, why);
        REQUIRE(file != NULL);
        if (disk_contents(file, NULL, why)) {
            read_all(file, DISK_FILES, 0);
            read_all(file, DISK_NAMES, 0);
        }
        disk_file_close(file);
        CHECK(unchanged(size_of_disk()));
    }
}

/* For disk.sh: a volume as a file: --sound, --rotten in a block of data, or with --names that lead elsewhere. */
static int make_file(const char *how, const char *name)
{
    (void)snprintf(path, sizeof path, "%s", name);
    make_disks();
    take(logged);
    if (strcmp(how, "--rotten") == 0) {
        flip(two + 1, 9);
    } else if (strcmp(how, "--names") == 0) {
        by_sql("UPDATE node SET name='../up' WHERE name='written'; UPDATE node SET name='..' WHERE name='photos';"
               "UPDATE node SET name='50%/..' WHERE name='small'");
    }
    save(size_of_disk());
    return 0;
}

/* A file of our own in $TMPDIR. */
static void make_path(void)
{
    const char *folder = getenv("TMPDIR");
    int length = snprintf(path, sizeof path, "%s/capos-disk-test-XXXXXX", folder != NULL ? folder : "/tmp");

    REQUIRE(length < (int)sizeof path);
    int fd = mkstemp(path);
    REQUIRE(fd >= 0 && close(fd) == 0);
}

int main(int argc, char **argv)
{
    if (argc == 3) {
        return make_file(argv[1], argv[2]);
    }
    make_path();
    make_disks();
    RUN(test_sound_is_clean);
    RUN(test_each_corruption_is_found);
    RUN(test_short_disks);
    RUN(test_torn_end_is_clean);
    RUN(test_torn_filling_is_clean);
    RUN(test_two_torn_ends_are_clean);
    RUN(test_cuts_are_clean);
    RUN(test_looks);
    RUN(test_looks_at_a_format_that_was_cut);
    RUN(test_contents);
    RUN(test_every_block);
    REQUIRE(unlink(path) == 0);
    free(sound);
    free(logged);
    disk_free();
    return test_end();
}

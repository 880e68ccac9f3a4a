/* SPDX-License-Identifier: MIT OR Apache-2.0
 * import_iso_test.c: what xorriso wrote is what is read, with each kind of names; what a volume says that cannot be is found.
 */
#include "../import_iso.c"
#undef BLOCK
#include "import_tree.h"

static void test_rock_ridge(void)
{
    check_volume(IMAGE_ISO("-R"), "ISO 9660", true);
    CHECK_EQ(self.names, NAMES_ROCK_RIDGE);
}

static void test_joliet(void)
{
    check_volume(IMAGE_ISO("--norock -J -joliet-long"), "ISO 9660", true);
    CHECK_EQ(self.names, NAMES_JOLIET);
}

static void test_both(void)
{
    check_volume(IMAGE_ISO("-R -J"), "ISO 9660", true);
    CHECK_EQ(self.names, NAMES_ROCK_RIDGE);
}

/* Its own names are capitals, with a version that is not shown. */
static void test_plain(void)
{
    struct image image = image_make(IMAGE_ISO("--norock"));

    REQUIRE(mount(&image) == IMPORT_OK);
    CHECK_EQ(self.names, NAMES_PLAIN);
    CHECK_EQ(stat_path("ONE.TXT"), IMPORT_OK);
    CHECK_EQ(node.size, 3);
    CHECK_EQ(stat_path("NOTHING"), IMPORT_OK);
    CHECK_EQ(stat_path("SUB/DEEPER/FILE_349"), IMPORT_OK);
    free(image.bytes);
}

/* Deeper than eight, names of two records' length, a symbolic link, a compressed file's mark. */
static void test_rock_ridge_more(void)
{
    struct image image = image_make(
        IMAGE_TREE
        "mkdir -p tree/1/2/3/4/5/6/7/8/9/10; printf deep >tree/1/2/3/4/5/6/7/8/9/10/x; ln -s one.txt tree/link;"
        "printf n >tree/$(printf %0250d 7); xorriso -as mkisofs -quiet -R -o image tree 2>log");
    char name[300];
    uint32_t count;
    bool more;

    REQUIRE(mount(&image) == IMPORT_OK);
    CHECK_EQ(stat_path("1/2/3/4/5/6/7/8/9/10/x"), IMPORT_OK);
    CHECK_EQ(node.size, 4);
    (void)sprintf(name, "%0250d", 7);
    CHECK_EQ(stat_path(name), IMPORT_OK);
    CHECK_EQ(stat_path("link"), IMPORT_MISSING);
    CHECK_EQ(list("", "", 100, &count, &more), IMPORT_OK);
    CHECK_EQ(count, 6);
    free(image.bytes);
}

/* A directory that stands elsewhere is shown where it belongs, and not where it stands. */
static void test_relocated(void)
{
    struct image image = image_make(
        IMAGE_TREE "mkdir -p tree/1/2/3/4/5/6/7/8/9/10; printf deep >tree/1/2/3/4/5/6/7/8/9/10/x; xorriso -compliance "
                   "deep_paths_off -rr_reloc_dir rr_moved -outdev image -map tree / -commit >log 2>&1");

    REQUIRE(memmem(image.bytes, image.size, "CL\014\001", 4) != NULL);
    REQUIRE(mount(&image) == IMPORT_OK);
    CHECK_EQ(stat_path("1/2/3/4/5/6/7/8/9/10/x"), IMPORT_OK);
    CHECK_EQ(node.size, 4);
    CHECK_EQ(stat_path("rr_moved"), IMPORT_MISSING);
    free(image.bytes);
}

/* --- lies ------------------------------------------------------------------------------------------------------------ */

/* The record of this Rock Ridge name. */
static unsigned char *find_record(struct image *image, const char *name)
{
    char entry[80] = "NM";
    size_t size = strlen(name);

    entry[2] = (char)(size + 5);
    entry[3] = 1;
    memcpy(entry + 5, name, size);
    unsigned char *at = memmem(image->bytes, image->size, entry, size + 5);
    REQUIRE(at != NULL);
    while (at[0] == 0 || get32(at + 2) != __builtin_bswap32(get32(at + 6)) || get32(at + 2) == 0 || at[28] != 1) {
        at--; /* both orders of its place, and of volume 1 */
    }
    return at;
}

static void put32(unsigned char *p, uint32_t value)
{
    memcpy(p, &value, sizeof value);
}

static void test_lies(void)
{
    struct image image = image_make(IMAGE_ISO("-R"));
    struct import_file file;
    uint32_t count;
    bool more;

    unsigned char *numbers_at = find_record(&image, "numbers");
    unsigned char *deeper = find_record(&image, "deeper");
    unsigned char *sub = find_record(&image, "sub");
    uint32_t where = get32(numbers_at + 2);
    REQUIRE(mount(&image) == IMPORT_OK);
    put32(numbers_at + 2, 0xfffffff0u); /* beyond the end */
    CHECK_EQ(open_file("sub/numbers", &file), IMPORT_DAMAGED);
    put32(numbers_at + 2, where);
    REQUIRE(mount(&image) == IMPORT_OK);
    CHECK_EQ(open_file("sub/numbers", &file), IMPORT_OK);
    put32(numbers_at + 10, 0xffffffffu);
    REQUIRE(mount(&image) == IMPORT_OK);
    CHECK_EQ(open_file("sub/numbers", &file), IMPORT_DAMAGED);
    numbers_at[26] = 1; /* interleaved */
    REQUIRE(mount(&image) == IMPORT_OK);
    CHECK_EQ(list("sub", "", 100, &count, &more), IMPORT_UNSUPPORTED);
    numbers_at[26] = 0;
    memcpy(deeper + 2, sub + 2, 4); /* its own ancestor */
    REQUIRE(mount(&image) == IMPORT_OK);
    CHECK_EQ(list("sub/deeper", "", 100, &count, &more), IMPORT_DAMAGED);
    put32(deeper + 10, 0xfffff800u); /* a directory without end */
    REQUIRE(mount(&image) == IMPORT_OK);
    CHECK_EQ(list("sub/deeper", "", 100, &count, &more), IMPORT_DAMAGED);
    numbers_at[0] = 33; /* a record that is shorter than any */
    REQUIRE(mount(&image) == IMPORT_OK);
    CHECK_EQ(list("sub", "", 100, &count, &more), IMPORT_DAMAGED);
    free(image.bytes);
}

/* A file of two pieces, as those over 4 GiB are; then one whose pieces do not follow each other. */
static void test_pieces(void)
{
    struct image image = image_make(IMAGE_ISO("-R"));
    unsigned char *first = find_record(&image, "file-100");
    unsigned char *second = find_record(&image, "file-101");
    uint32_t count;
    bool more;

    REQUIRE(get32(second + 2) == get32(first + 2) + 1);
    put32(first + 10, 2048);
    first[25] = FLAG_MORE;
    REQUIRE(mount(&image) == IMPORT_OK);
    CHECK_EQ(stat_path("sub/deeper/file-100"), IMPORT_OK);
    CHECK_EQ(node.size, 2052);
    CHECK_EQ(stat_path("sub/deeper/file-101"), IMPORT_MISSING);
    put32(second + 2, get32(second + 2) + 1);
    REQUIRE(mount(&image) == IMPORT_OK);
    CHECK_EQ(list("sub/deeper", "", 100, &count, &more), IMPORT_UNSUPPORTED);
    free(image.bytes);
}

static void test_name_lies(void)
{
    struct image image = image_make(IMAGE_ISO("-R"));
    uint32_t count;
    bool more;

    unsigned char *name = memmem(image.bytes, image.size, "NM\014\001\000numbers", 12);
    REQUIRE(name != NULL);
    name[7] = '/';
    REQUIRE(mount(&image) == IMPORT_OK);
    CHECK_EQ(list("sub", "", 100, &count, &more), IMPORT_DAMAGED);
    name[7] = 0xff;
    REQUIRE(mount(&image) == IMPORT_OK);
    CHECK_EQ(list("sub", "", 100, &count, &more), IMPORT_DAMAGED);
    free(image.bytes);
}

/* A continuation that leads to itself. */
static void test_continued_for_ever(void)
{
    struct image image = {calloc(1, 8 * 2048), 8 * 2048};
    struct import_entry entry;
    struct rock rock = {.entry = &entry};
    unsigned char *ce = image.bytes + 4 * 2048;

    disk_insert(&image);
    self.part = (struct import_part){0, image.size};
    question_begins();
    memcpy(ce, "CE\034\001", 4);
    put32(ce + 4, 4);
    put32(ce + 20, 28);
    CHECK_EQ(take_rock(&rock, ce, 28), IMPORT_DAMAGED);
    free(image.bytes);
}

/* Every question begins with as much as it may cost: what is spent is what it did. */
static uint32_t records_spent(void)
{
    return RECORDS_MAX - self.records_left;
}

/* A directory of empty blocks, and one of records that lead elsewhere: whoever asks gets an end, and it is not for ever. */
static void test_directory_that_costs_too_much(void)
{
    struct image image = image_make(IMAGE_ISO("-R"));
    uint32_t count;
    bool more;

    REQUIRE(mount(&image) == IMPORT_OK);
    CHECK_EQ(list("sub/deeper", "", 100, &count, &more), IMPORT_OK);
    uint32_t usual = records_spent();
    CHECK(usual > 250 && usual < 300);
    CHECK_EQ(self.elsewhere_left, ELSEWHERE_MAX);
    struct import_node root = {.directory = true, .where = 16 * 2048, .size = image.size - 16 * 2048};
    struct import_dir dir;
    static struct import_entry entry;
    REQUIRE(iso_enter(&dir, "", &root) == IMPORT_OK);
    self.records_left = 3;
    memset(image.bytes + 16 * 2048, 0, 8 * 2048);
    disk_insert(&image);
    CHECK_EQ(iso_next(&dir, &entry), IMPORT_UNSUPPORTED);
    free(image.bytes);
}

/* So many continuations, and no more, whatever records they are of; and so many directories that stand elsewhere. */
static void test_elsewhere_is_bounded(void)
{
    struct image image = {calloc(1, 8 * 2048), 8 * 2048};
    struct import_entry entry;
    struct import_node child;
    unsigned char *ce = image.bytes + 4 * 2048;

    disk_insert(&image);
    self.part = (struct import_part){0, image.size};
    question_begins();
    memcpy(ce, "CE\034\001", 4);
    put32(ce + 4, 5); /* where there is nothing more */
    put32(ce + 20, 28);
    image.bytes[6 * 2048] = 34;
    for (uint32_t i = 0; i < ELSEWHERE_MAX - 1; i++) {
        struct rock rock = {.entry = &entry};
        REQUIRE(take_rock(&rock, ce, 28) == IMPORT_OK);
    }
    CHECK_EQ(take_child(&child, 6), IMPORT_OK);
    CHECK_EQ(take_child(&child, 6), IMPORT_UNSUPPORTED);
    struct rock rock = {.entry = &entry};
    CHECK_EQ(take_rock(&rock, ce, 28), IMPORT_UNSUPPORTED);
    free(image.bytes);
}

/* What the root says of itself, in the descriptor and in its first record. */
static void test_root_lies(void)
{
    struct image image = image_make(IMAGE_ISO("-R"));
    unsigned char *descriptor = image.bytes + 16 * 2048;
    uint32_t root = get32(descriptor + 156 + 2) * 2048;
    uint32_t size = get32(descriptor + 156 + 10);
    unsigned char *later;

    put32(descriptor + 156 + 10, 0xfffff800u); /* a root without end: not walked to find one */
    unsigned char *first = malloc(2048);
    memcpy(first, image.bytes + root, 2048);
    memset(image.bytes + root, 0, 2048);
    CHECK_EQ(mount(&image), IMPORT_DAMAGED);
    CHECK_EQ(records_spent(), 1);
    memcpy(image.bytes + root, first, 2048);
    put32(descriptor + 156 + 10, size);
    REQUIRE(mount(&image) == IMPORT_OK);
    CHECK_EQ(self.skip, 0);
    later = find_record(&image, "one.txt"); /* an SP here counts for nothing */
    unsigned char *px = memmem(later, later[0], "PX", 2);
    REQUIRE(px != NULL && px[2] >= 7);
    memcpy(px, "SP", 2);
    px[3] = 1;
    px[4] = 0xbe;
    px[5] = 0xef;
    px[6] = 77;
    REQUIRE(mount(&image) == IMPORT_OK);
    CHECK_EQ(stat_path("sub/numbers"), IMPORT_OK);
    CHECK_EQ(self.skip, 0);
    free(first);
    free(image.bytes);
}

static void test_names(void)
{
    static const unsigned char pair[] = {0xd8, 0x3d, 0xde, 0x00, 0, 'a', 0, ';', 0, '1'};
    static const unsigned char half[] = {0xd8, 0x3d, 0, 'a'};
    struct import_entry entry = {0};

    name_joliet(&entry, pair, sizeof pair);
    cut_version(&entry);
    CHECK_EQ(entry.name_size, 5);
    CHECK_BYTES(entry.name, "\360\237\230\200a", 5);
    entry.name_size = 0;
    name_joliet(&entry, half, sizeof half);
    CHECK(!store_name_fits(entry.name, entry.name_size));
    entry.name_size = 0;
    for (unsigned i = 0; i < 60; i++) {
        name_joliet(&entry, pair, 10);
    }
    CHECK(entry.name_size > STORE_NAME_MAX);
}

static void test_times(void)
{
    static const unsigned char two[] = {121, 2, 3, 4, 5, 6, 8}; /* two hours east */
    static const unsigned char none[7] = {0};

    CHECK_EQ(time_short(two).ns, (int64_t)(1612325106 - 7200) * 1000000000);
    CHECK(!time_short(none).known);
    CHECK_EQ(time_long((const unsigned char *)"2021020304050650\370").ns,
             (int64_t)(1612325106 + 7200) * 1000000000 + 500000000);
}

int main(void)
{
    RUN(test_times);
    RUN(test_names);
    RUN(test_rock_ridge);
    RUN(test_joliet);
    RUN(test_both);
    RUN(test_plain);
    RUN(test_rock_ridge_more);
    RUN(test_relocated);
    RUN(test_lies);
    RUN(test_pieces);
    RUN(test_name_lies);
    RUN(test_continued_for_ever);
    RUN(test_directory_that_costs_too_much);
    RUN(test_elsewhere_is_bounded);
    RUN(test_root_lies);
    return test_end();
}

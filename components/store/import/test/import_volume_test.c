/* SPDX-License-Identifier: MIT OR Apache-2.0
 * import_volume_test.c: what mtools and xorriso wrote is what is read; what a volume says that cannot be is found.
 */
#include "../import_disk.c"
#include "test.h"
#undef SECTOR
#undef BLOCK
#define self volume_self
#include "../import_volume.c"
#undef SECTOR
#undef self
#define self fat_self
#include "../import_fat.c"
#undef SECTOR
#undef self
#include "import_tree.h"

static void test_fat12(void)
{
    check_volume(IMAGE_FAT("-T 5760 -h 2 -s 36"), "FAT", true);
}

static void test_fat16(void)
{
    check_volume(IMAGE_FAT("-T 20000 -h 16 -s 32 -c 4"), "FAT", true);
}

static void test_fat32(void)
{
    check_volume(IMAGE_FAT("-F -T 80000 -h 16 -s 63 -c 1"), "FAT", true);
}

/* --- partitions ------------------------------------------------------------------------------------------------------ */

static struct image in_front(struct image image, uint64_t sectors)
{
    struct image whole = {calloc(1, image.size + sectors * 512), image.size + sectors * 512};

    memcpy(whole.bytes + sectors * 512, image.bytes, image.size);
    free(image.bytes);
    return whole;
}

static void put32(unsigned char *p, uint32_t value)
{
    memcpy(p, &value, sizeof value);
}

static void mbr_entry(struct image *image, unsigned i, unsigned type, uint32_t first, uint32_t count)
{
    unsigned char *entry = image->bytes + 446 + i * 16;

    entry[4] = (unsigned char)type;
    put32(entry + 8, first);
    put32(entry + 12, count);
    image->bytes[510] = 0x55;
    image->bytes[511] = 0xaa;
}

static void test_partitions(void)
{
    struct image image = in_front(image_make(IMAGE_FAT("-T 5760 -h 2 -s 36")), 64);

    mbr_entry(&image, 0, 0x83, 8, 8); /* something else */
    mbr_entry(&image, 2, 0x0c, 64, 5760);
    CHECK_EQ(mount(&image), IMPORT_OK);
    check_tree(true);
    mbr_entry(&image, 2, 0x0c, 64, 300); /* it says that it is smaller than its volume */
    CHECK_EQ(mount(&image), IMPORT_OK);
    struct import_file file;
    CHECK_EQ(open_file("sub/numbers", &file), IMPORT_OK);
    static unsigned char chunk[IMPORT_CHUNK_MAX];
    uint32_t got;
    enum import_answer last = IMPORT_OK;
    for (uint64_t at = 0; at < file.node.size && last == IMPORT_OK; at += got) {
        last = import_volume_read(&file, at, chunk, sizeof chunk, &got);
    }
    CHECK_EQ(last, IMPORT_DAMAGED);
    mbr_entry(&image, 2, 0x0c, 0xfffffff0u, 0xffffffffu); /* and where nothing is */
    CHECK_EQ(mount(&image), IMPORT_FOREIGN);
    free(image.bytes);
}

static void test_gpt(void)
{
    struct image image = in_front(image_make(IMAGE_FAT("-T 5760 -h 2 -s 36")), 64);
    unsigned char *header = image.bytes + 512;
    unsigned char *entry = image.bytes + 1024 + 128; /* the second */

    mbr_entry(&image, 0, 0xee, 1, 0xffffffffu);
    memcpy(header, "EFI PART", 8);
    put32(header + 72, 2);
    put32(header + 80, 128);
    put32(header + 84, 128);
    put32(entry + 32, 64);
    put32(entry + 40, 64 + 5759);
    CHECK_EQ(mount(&image), IMPORT_OK);
    check_numbers();
    put32(header + 76, 0xffffffffu); /* the table is nowhere */
    CHECK_EQ(mount(&image), IMPORT_DAMAGED);
    free(image.bytes);
}

/* --- lies ------------------------------------------------------------------------------------------------------------ */

static unsigned char *find_entry(struct image *image, const char *name)
{
    unsigned char *at = memmem(image->bytes, image->size, name, 11);

    REQUIRE(at != NULL);
    return at;
}

/* The 12 bits of one cluster of FAT12, in both copies. */
static void set_next(struct image *image, uint32_t cluster, uint32_t value)
{
    uint32_t reserved = image->bytes[14], size = image->bytes[22];

    for (unsigned copy = 0; copy < 2; copy++) {
        unsigned char *at = image->bytes + (reserved + copy * size) * 512 + cluster + cluster / 2;
        uint32_t both = (uint32_t)at[0] | (uint32_t)at[1] << 8;
        both = cluster % 2 != 0 ? (both & 0xf) | value << 4 : (both & 0xf000) | value;
        at[0] = (unsigned char)both;
        at[1] = (unsigned char)(both >> 8);
    }
}

static uint32_t cluster_of(const unsigned char *entry)
{
    return (uint32_t)entry[26] | (uint32_t)entry[27] << 8;
}

/* That of cluster 2. */
static uint32_t first_data_sector(const struct image *image)
{
    const unsigned char *boot = image->bytes;
    uint32_t root_entries = (uint32_t)boot[17] | (uint32_t)boot[18] << 8;

    return boot[14] + 2u * boot[22] + root_entries / 16;
}

static void test_fat_circles(void)
{
    struct image image = image_make(IMAGE_FAT("-T 5760 -h 2 -s 36"));
    struct import_file file;
    uint32_t count;
    bool more;

    unsigned char *number = find_entry(&image, "NUMBERS    ");
    uint32_t first = cluster_of(number);
    set_next(&image, first + 5, first + 1); /* the file's chain */
    REQUIRE(mount(&image) == IMPORT_OK);
    CHECK_EQ(open_file("sub/numbers", &file), IMPORT_DAMAGED);
    set_next(&image, first + 5, first + 5);
    REQUIRE(mount(&image) == IMPORT_OK);
    CHECK_EQ(open_file("sub/numbers", &file), IMPORT_DAMAGED);
    set_next(&image, first + 5, 0xfff); /* too short */
    REQUIRE(mount(&image) == IMPORT_OK);
    CHECK_EQ(open_file("sub/numbers", &file), IMPORT_DAMAGED);

    uint32_t deeper = cluster_of(find_entry(&image, "DEEPER     "));
    uint32_t at = deeper;
    for (unsigned i = 0; i < 3; i++) { /* the directory's, three clusters on */
        unsigned char *fat = image.bytes + image.bytes[14] * 512 + at + at / 2;
        uint32_t both = (uint32_t)fat[0] | (uint32_t)fat[1] << 8;
        at = at % 2 != 0 ? both >> 4 : both & 0xfff;
    }
    set_next(&image, at, deeper);
    REQUIRE(mount(&image) == IMPORT_OK);
    CHECK_EQ(list("sub/deeper", "", 3, &count, &more), IMPORT_DAMAGED);
    set_next(&image, deeper, deeper); /* and one cluster alone */
    REQUIRE(mount(&image) == IMPORT_OK);
    CHECK_EQ(list("sub/deeper", "", 3, &count, &more), IMPORT_DAMAGED);
    unsigned char *first_of_them = image.bytes + (first_data_sector(&image) + (deeper - 2) * image.bytes[13]) * 512;
    for (unsigned i = 0; i < image.bytes[13] * 512u; i += 32) {
        first_of_them[i] = 0xe5; /* and nothing in it but what was removed */
    }
    REQUIRE(mount(&image) == IMPORT_OK);
    CHECK_EQ(list("sub/deeper", "", 3, &count, &more), IMPORT_DAMAGED);
    free(image.bytes);
}

/* A directory that is its own ancestor. */
static void test_fat_way(void)
{
    struct image image = image_make(IMAGE_FAT("-T 5760 -h 2 -s 36"));
    uint32_t count;
    bool more;

    unsigned char *deeper = find_entry(&image, "DEEPER     ");
    uint32_t sub = cluster_of(find_entry(&image, "SUB        "));
    deeper[26] = (unsigned char)sub;
    deeper[27] = (unsigned char)(sub >> 8);
    REQUIRE(mount(&image) == IMPORT_OK);
    CHECK_EQ(list("sub", "", 100, &count, &more), IMPORT_OK);
    CHECK_EQ(list("sub/deeper", "", 100, &count, &more), IMPORT_DAMAGED);
    deeper[26] = deeper[27] = 0; /* which FatFs takes for the root */
    REQUIRE(mount(&image) == IMPORT_OK);
    CHECK_EQ(list("sub/deeper", "", 100, &count, &more), IMPORT_DAMAGED);
    free(image.bytes);
}

static void test_fat_names(void)
{
    struct image image = image_make(IMAGE_FAT("-T 5760 -h 2 -s 36"));
    uint32_t count;
    bool more;

    find_entry(&image, "ONE     TXT")[1] = '/';
    REQUIRE(mount(&image) == IMPORT_OK);
    CHECK_EQ(list("", "", 100, &count, &more), IMPORT_DAMAGED);
    CHECK_EQ(stat_path("sub"), IMPORT_DAMAGED); /* it may be the one that is asked for */
    free(image.bytes);
}

static void test_fat_sizes(void)
{
    struct image image = image_make(IMAGE_FAT("-T 5760 -h 2 -s 36"));
    struct import_file file;

    put32(find_entry(&image, "NUMBERS    ") + 28, 0xffffffffu);
    REQUIRE(mount(&image) == IMPORT_OK);
    CHECK_EQ(open_file("sub/numbers", &file), IMPORT_DAMAGED);
    image.bytes[19] = 0; /* the volume is larger than the disk */
    image.bytes[20] = 0;
    put32(image.bytes + 32, 10000000);
    CHECK(mount(&image) != IMPORT_OK || stat_path("one.txt") != IMPORT_BAD_PATH);
    free(image.bytes);
}

/* An error of the disk is none of the volume, and is over when it is over. */
static void test_disk_fails(void)
{
    struct image image = image_make(IMAGE_FAT("-T 5760 -h 2 -s 36"));
    struct import_file file;
    static unsigned char chunk[IMPORT_CHUNK_MAX];
    uint32_t got;
    size_t size;
    const unsigned char *wanted = numbers(&size);

    REQUIRE(mount(&image) == IMPORT_OK);
    REQUIRE(open_file("sub/numbers", &file) == IMPORT_OK);
    for (unsigned i = 0; i < 120; i++) { /* anywhere in a read: what was under way then is not believed */
        uint64_t at = test_random() % (size - 40000);
        uint64_t then = test_random() % (size - 40000);
        disk_insert(&image); /* nothing is kept */
        disk.fail = IMPORT_FAILED;
        disk.reads_left = i % 12;
        enum import_answer answer = import_volume_read(&file, at, chunk, 40000, &got);
        CHECK(answer == IMPORT_FAILED || answer == IMPORT_OK);
        disk.fail = IMPORT_OK;
        REQUIRE(import_volume_read(&file, then, chunk, 40000, &got) == IMPORT_OK);
        CHECK_BYTES(chunk, wanted + then, got);
    }
    disk_insert(&image);
    disk.fail = IMPORT_FAILED;
    disk.reads_left = 0;
    CHECK_EQ(import_volume_mount(&found), IMPORT_FAILED);
    CHECK_STR(found, "a disk that fails");
    disk.fail = IMPORT_OK;
    memset(image.bytes, 0, image.size);
    CHECK_EQ(mount(&image), IMPORT_FOREIGN);
    CHECK_STR(found, "neither FAT nor ISO 9660");
    free(image.bytes);
}

static void test_times(void)
{
    CHECK_EQ(import_time_of(1970, 1, 1, 0, 0, 0).ns, 0);
    CHECK_EQ(import_time_of(2000, 2, 29, 12, 0, 1).ns, 951825601000000000);
    CHECK_EQ(import_time_of(1969, 12, 31, 23, 59, 59).ns, -1000000000);
    CHECK(!import_time_of(2020, 0, 1, 0, 0, 0).known);
    CHECK(!import_time_of(2020, 13, 1, 0, 0, 0).known);
    CHECK(!import_time_of(2020, 1, 0, 0, 0, 0).known);
    CHECK(!import_time_of(2020, 1, 1, 24, 0, 0).known);
}

int main(void)
{
    RUN(test_times);
    RUN(test_fat12);
    RUN(test_fat16);
    RUN(test_fat32);
    RUN(test_partitions);
    RUN(test_gpt);
    RUN(test_fat_circles);
    RUN(test_fat_way);
    RUN(test_fat_names);
    RUN(test_fat_sizes);
    RUN(test_disk_fails);
    return test_end();
}

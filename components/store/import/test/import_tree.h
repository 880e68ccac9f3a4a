/* SPDX-License-Identifier: MIT OR Apache-2.0
 * import_tree.h: questions to a volume, and whether it holds the tree of import_image.h.
 */
#pragma once
#include "import_image.h"
#include "test.h"

static struct import_entry page[IMPORT_PAGE + 1];
static struct import_node node;
static const char *found;

static inline enum import_answer mount(const struct image *image)
{
    test_room = -1; /* all of them */
    disk_insert(image);
    return import_volume_mount(&found);
}

static inline enum import_answer stat_path(const char *path)
{
    char buffer[STORE_PATH_MAX + 1];

    (void)snprintf(buffer, sizeof buffer, "%s", path);
    enum import_answer answer = import_volume_stat(buffer, &node);
    CHECK_STR(buffer, path);
    return answer;
}

static inline enum import_answer list(const char *path, const char *after, uint32_t limit, uint32_t *count, bool *more)
{
    char buffer[STORE_PATH_MAX + 1];

    (void)snprintf(buffer, sizeof buffer, "%s", path);
    return import_volume_list(buffer, after, page, limit, count, more);
}

static inline enum import_answer open_file(const char *path, struct import_file *file)
{
    char buffer[STORE_PATH_MAX + 1];

    (void)snprintf(buffer, sizeof buffer, "%s", path);
    return import_volume_open(buffer, file);
}

/* What `seq 1 40000` says. */
static inline const unsigned char *numbers(size_t *size)
{
    static char text[300000];

    *size = 0;
    for (int i = 1; i <= 40000; i++) {
        *size += (size_t)sprintf(text + *size, "%d\n", i);
    }
    return (const unsigned char *)text;
}

static inline void check_numbers(void)
{
    static unsigned char chunk[IMPORT_CHUNK_MAX];
    struct import_file file;
    size_t size;
    const unsigned char *wanted = numbers(&size);
    uint32_t got;

    REQUIRE(open_file("sub/numbers", &file) == IMPORT_OK);
    CHECK_EQ(file.node.size, size);
    for (uint64_t at = 0; at < size; at += got) {
        REQUIRE(import_volume_read(&file, at, chunk, sizeof chunk, &got) == IMPORT_OK);
        REQUIRE(got > 0);
        CHECK_BYTES(chunk, wanted + at, got);
    }
    for (unsigned i = 0; i < 200; i++) { /* back and forth */
        uint64_t at = test_random() % (size + 10);
        uint32_t most = (uint32_t)(test_random() % 9000);
        REQUIRE(import_volume_read(&file, at, chunk, most, &got) == IMPORT_OK);
        CHECK_EQ(got, at >= size ? 0 : at + most > size ? size - at : most);
        CHECK_BYTES(chunk, wanted + at, got);
    }
}

/* The longest listing, in pages of 7, is complete and in order. */
static inline void check_pages(void)
{
    char after[300] = "";
    uint32_t count;
    unsigned seen = 0;
    bool more = true;

    while (more) {
        REQUIRE(list("sub/deeper", after, 7, &count, &more) == IMPORT_OK);
        for (uint32_t i = 0; i < count; i++) {
            char wanted[20];
            (void)sprintf(wanted, "file-%u", 100 + seen++);
            CHECK_STR(page[i].name, wanted);
            CHECK_EQ(page[i].node.size, 4);
        }
        REQUIRE(count > 0 && (!more || count == 7));
        (void)strcpy(after, page[count - 1].name);
    }
    CHECK_EQ(seen, 250);
    REQUIRE(list("sub/deeper", "file-299", 50, &count, &more) == IMPORT_OK);
    CHECK(count == 50 && !more);
}

static inline void check_tree(bool names)
{
    uint32_t count;
    bool more;

    REQUIRE(list("", "", IMPORT_PAGE, &count, &more) == IMPORT_OK);
    REQUIRE(count == 4);
    CHECK(!more);
    CHECK_STR(page[0].name, "empty");
    CHECK(page[0].node.directory && page[3].node.directory && !page[1].node.directory);
    CHECK_STR(page[1].name, "nothing");
    CHECK_STR(page[2].name, "one.txt");
    CHECK_EQ(page[2].node.size, 3);
    CHECK_STR(page[3].name, "sub");
    CHECK_EQ(stat_path("one.txt"), IMPORT_OK);
    CHECK_EQ(node.id, page[2].node.id);
    CHECK(node.changed.known);
    CHECK_EQ(node.changed.ns, 1612325106000000000); /* 2021-02-03 04:05:06 */
    CHECK_EQ(list("empty", "", IMPORT_PAGE, &count, &more), IMPORT_OK);
    CHECK_EQ(count, 0);
    if (names) {
        CHECK_EQ(stat_path("sub/A long name, with \303\274 and \346\227\245.text"), IMPORT_OK);
        CHECK_EQ(node.size, 6);
    }
    check_numbers();
    check_pages();
    struct import_file file;
    CHECK_EQ(open_file("nothing", &file), IMPORT_OK);
    CHECK_EQ(file.node.size, 0);
}

static inline void check_refusals(void)
{
    struct import_file file;
    uint32_t count;
    bool more;

    CHECK_EQ(stat_path("missing"), IMPORT_MISSING);
    CHECK_EQ(stat_path("sub/missing/further"), IMPORT_MISSING);
    CHECK_EQ(stat_path("one.txt/further"), IMPORT_NOT_DIRECTORY);
    CHECK_EQ(list("one.txt", "", 1, &count, &more), IMPORT_NOT_DIRECTORY);
    CHECK_EQ(list("missing", "", 1, &count, &more), IMPORT_MISSING);
    CHECK_EQ(open_file("sub", &file), IMPORT_IS_DIRECTORY);
    CHECK_EQ(open_file("", &file), IMPORT_IS_DIRECTORY);
    CHECK_EQ(stat_path(""), IMPORT_OK);
    CHECK(node.directory);
}

static inline void check_volume(const char *script, const char *format, bool names)
{
    struct image image = image_make(script);

    REQUIRE(mount(&image) == IMPORT_OK);
    CHECK_STR(found, format);
    check_tree(names);
    check_refusals();
    free(image.bytes);
}

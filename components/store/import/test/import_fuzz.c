/* SPDX-License-Identifier: MIT OR Apache-2.0
 * import_fuzz.c: whatever a volume says is read or refused: no crash, no question without an end. The input changes bytes of
 * volumes that mtools and xorriso made: its first byte chooses one, then each four bytes are a place in a sector that is used,
 * and what stands there. All that can be named is then asked for, up to a bound.
 */
#include "../import_volume.c"
#define IMAGE_FILES "20"
#include "import_image.h"
#include "test.h"

#define IMAGES 4u
#define QUESTIONS_MAX 100u
#define USED_MAX 2048u /* sectors that something stands in */

static struct image image[IMAGES];
static uint64_t used[IMAGES][USED_MAX];
static uint32_t used_count[IMAGES];
static unsigned questions;
static struct import_entry page[IMPORT_DEPTH + 2][8];
static unsigned char chunk[IMPORT_CHUNK_MAX];

/* Empty sectors say nothing: nothing is changed in them. */
static void find_used(unsigned i)
{
    for (uint64_t at = 0; at < image[i].size && used_count[i] < USED_MAX; at += 512) {
        if (!test_all_zero(image[i].bytes + at, 512)) {
            used[i][used_count[i]++] = at;
        }
    }
}

/* Before the first input: it takes a second, and an input is timed. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    static const char *const script[IMAGES] = {IMAGE_FAT("-T 2880 -h 2 -s 18"), IMAGE_FAT("-T 20000 -h 16 -s 32 -c 4"),
                                               IMAGE_FAT("-F -T 70000 -h 16 -s 63 -c 1"), IMAGE_ISO("-R -J")};

    for (unsigned i = 0; i < IMAGES; i++) {
        image[i] = image_make(script[i]);
        find_used(i);
    }
    return 0;
}

static uint64_t place_of(unsigned on, uint32_t number)
{
    return used[on][number / 512 % used_count[on]] + number % 512;
}

static void read_file(char *path) REQUIRES(THREAD)
{
    struct import_file file;
    uint32_t got;

    if (import_volume_open(path, &file) == IMPORT_OK) {
        (void)import_volume_read(&file, 0, chunk, sizeof chunk, &got);
        (void)import_volume_read(&file, file.node.size / 2, chunk, 3000, &got);
        (void)import_volume_read(&file, file.node.size - 1, chunk, 3000, &got);
    }
}

static void look_through(char *path, unsigned depth) REQUIRES(THREAD)
{
    uint32_t count;
    bool more = true;
    char after[STORE_NAME_MAX + 1] = "";
    size_t size = strlen(path);

    while (more && questions++ < QUESTIONS_MAX &&
           import_volume_list(path, after, page[depth], 7, &count, &more) == IMPORT_OK) {
        ASSERT(count <= 7);
        for (uint32_t i = 0; i < count; i++) {
            const struct import_entry *entry = &page[depth][i];
            ASSERT(store_name_fits(entry->name, entry->name_size) && strlen(entry->name) == entry->name_size);
            ASSERT(strcmp(after, entry->name) < 0);
            strcpy(after, entry->name);
            if (size + entry->name_size + 1 > STORE_PATH_MAX || questions++ > QUESTIONS_MAX) {
                continue;
            }
            (void)snprintf(path + size, STORE_PATH_MAX + 1 - size, "%s%s", size > 0 ? "/" : "", entry->name);
            if (entry->node.directory && depth < IMPORT_DEPTH) {
                look_through(path, depth + 1);
            } else {
                read_file(path);
            }
            path[size] = 0;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char path[STORE_PATH_MAX + 1];
    uint64_t at[64];
    unsigned char was[64];
    unsigned changes = 0;
    const char *found;

    test_room = -1; /* all of them */
    if (size == 0) {
        return 0;
    }
    const struct image *on = &image[data[0] % IMAGES];
    for (size_t i = 1; i + 4 <= size && changes < 64; i += 4) {
        at[changes] =
            place_of(data[0] % IMAGES, (uint32_t)data[i] | (uint32_t)data[i + 1] << 8 | (uint32_t)data[i + 2] << 16);
        was[changes] = on->bytes[at[changes]];
        on->bytes[at[changes++]] = data[i + 3];
    }
    disk_insert(on);
    questions = 0;
    path[0] = 0;
    if (import_volume_mount(&found) == IMPORT_OK) {
        look_through(path, 0);
    }
    while (changes-- > 0) {
        on->bytes[at[changes]] = was[changes];
    }
    return 0;
}

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * populate.c: a formatted disk (capos disk create --format) gets many small files, by the image's own lib/catalog, and is left as
 * a power cut leaves it: with a log to be played.
 *
 * usage: populate DISK COUNT EACH      files /d000000/f000000 ...: EACH of them in a directory, a multiple of a hundred
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "disk_private.h"

#define BATCH 100u
#define CONTENT 64u

static const uint8_t *digest_of(unsigned long number, uint8_t digest[CATALOG_DIGEST])
{
    memset(digest, 0, CATALOG_DIGEST);
    for (unsigned i = 0; i < 4; i++) { /* spread as digests are */
        uint64_t z = (number + 1) * 0x9e3779b97f4a7c15u + i;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z ^= z >> 27;
        memcpy(digest + i * 8, &z, 8);
    }
    return digest;
}

/* A hundred files in one commit, and their directory when they are its first. */
static void add(struct catalog *catalog, unsigned long first, unsigned long each)
{
    static char path[BATCH + 1][32];
    static uint8_t digest[BATCH][CATALOG_DIGEST], content[CONTENT];
    static struct catalog_op op[BATCH + 1];
    struct catalog_op *all[BATCH + 1];
    unsigned count = 0;

    for (unsigned i = first % each == 0 ? 0 : 1; i <= BATCH; i++) {
        unsigned long number = first + i - 1;
        int size = i == 0 ? snprintf(path[i], sizeof path[i], "d%06lu", first / each)
                          : snprintf(path[i], sizeof path[i], "d%06lu/f%06lu", number / each, number % each);
        op[i] = (struct catalog_op){.kind = i == 0 ? CATALOG_MKDIR : CATALOG_PUT,
                                    .at = {CATALOG_ROOT, CATALOG_NOW},
                                    .path = {path[i], (uint32_t)size}};
        if (i > 0) {
            op[i].digest = digest_of(number, digest[i - 1]);
            op[i].size = op[i].bytes_size = CONTENT;
            op[i].bytes = content;
        }
        all[count++] = &op[i];
    }
    catalog_run(catalog, all, count);
    for (unsigned i = 0; i < count; i++) {
        if (all[i]->answer != CATALOG_OK) {
            (void)fprintf(stderr, "populate: %s: %s\n", all[i]->path.text, catalog_answer_name(all[i]->answer));
            exit(1);
        }
    }
}

int main(int argc, char **argv)
{
    char why[DISK_WHY];
    unsigned long each = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
    struct disk_file *file = each >= BATCH && each % BATCH == 0 ? disk_file_open(argv[1], why) : NULL;

    if (file == NULL) {
        (void)fprintf(stderr, "populate: %s\n", each != 0 ? why : "usage: populate DISK COUNT EACH");
        return 2;
    }
    int fd = open(argv[1], O_RDWR | O_CLOEXEC);
    if (fd < 0 || dup2(fd, file->fd) < 0) { /* disk_file_open() cannot write; this is no image of anybody's */
        perror(argv[1]);
        return 1;
    }
    file->direct = true;
    if (!disk_open_catalog(file)) {
        (void)fprintf(stderr, "populate: %s: no catalog\n", argv[1]);
        return 1;
    }
    for (unsigned long i = 0; i < strtoul(argv[2], NULL, 10); i += BATCH) {
        add(&file->catalog, i, each);
    }
    return 0; /* nothing is closed: as after a cut */
}

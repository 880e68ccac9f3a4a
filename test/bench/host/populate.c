/* SPDX-License-Identifier: MIT OR Apache-2.0
 * populate.c: a formatted disk (capos disk create --format) gets many small files, by the image's own lib/catalog, and is left as
 * a power cut leaves it: with a log to be played.
 *
 * usage: populate DISK COUNT      files /d000000/f00 ...: a hundred in each directory
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

/* A directory and what is in it, in one commit. */
static void add(struct catalog *catalog, unsigned long directory)
{
    static char path[BATCH + 1][32];
    static uint8_t digest[BATCH + 1][CATALOG_DIGEST], content[CONTENT];
    static struct catalog_op op[BATCH + 1];
    struct catalog_op *all[BATCH + 1];

    for (unsigned i = 0; i <= BATCH; i++) {
        int size = i == 0 ? snprintf(path[i], sizeof path[i], "d%06lu", directory)
                          : snprintf(path[i], sizeof path[i], "d%06lu/f%02u", directory, i - 1);
        op[i] = (struct catalog_op){.kind = i == 0 ? CATALOG_MKDIR : CATALOG_PUT,
                                    .at = {CATALOG_ROOT, CATALOG_NOW},
                                    .path = {path[i], (uint32_t)size}};
        if (i > 0) {
            op[i].digest = digest_of(directory * BATCH + i, digest[i]);
            op[i].size = op[i].bytes_size = CONTENT;
            op[i].bytes = content;
        }
        all[i] = &op[i];
    }
    catalog_run(catalog, all, BATCH + 1);
    for (unsigned i = 0; i <= BATCH; i++) {
        if (op[i].answer != CATALOG_OK) {
            (void)fprintf(stderr, "populate: %s: %s\n", path[i], catalog_answer_name(op[i].answer));
            exit(1);
        }
    }
}

int main(int argc, char **argv)
{
    char why[DISK_WHY];
    struct disk_file *file = argc == 3 ? disk_file_open(argv[1], why) : NULL;

    if (file == NULL) {
        (void)fprintf(stderr, "populate: %s\n", argc == 3 ? why : "usage: populate DISK COUNT");
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
    for (unsigned long i = 0; i < strtoul(argv[2], NULL, 10) / BATCH; i++) {
        add(&file->catalog, i);
    }
    return 0; /* nothing is closed: as after a cut */
}

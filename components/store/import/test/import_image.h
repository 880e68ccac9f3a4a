/* SPDX-License-Identifier: MIT OR Apache-2.0
 * import_image.h: volumes for tests, made by mtools and xorriso, in memory; and a disk made of one.
 */
#pragma once
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../import.h"

struct image {
    unsigned char *bytes;
    uint64_t size;
};

static struct {
    const struct image *image;
    uint64_t sectors; /* of it that are there */
    enum import_answer fail;
    unsigned reads_left; /* with `fail`: so many before it */
} disk;

static inline enum import_answer disk_sectors(uint64_t sector, uint32_t sectors, void *bytes)
{
    if (disk.fail != IMPORT_OK && disk.reads_left == 0) {
        return disk.fail;
    }
    disk.reads_left -= disk.reads_left > 0 ? 1 : 0;
    if (sector + sectors > disk.sectors) {
        abort(); /* import_disk.c promises that it does not ask for these */
    }
    memcpy(bytes, disk.image->bytes + sector * 512, (size_t)sectors * 512);
    return IMPORT_OK;
}

static inline void disk_insert(const struct image *image)
{
    disk.image = image;
    disk.sectors = image->size / 512;
    import_disk_init(disk_sectors, disk.sectors, 1);
}

#ifndef IMAGE_FILES
#define IMAGE_FILES "250"
#endif

/* The tree that all of them hold. */
#define IMAGE_TREE                                                                                                     \
    "set -e; export LC_ALL=C.UTF-8 TZ=UTC MTOOLS_SKIP_CHECK=1 TMPDIR=$D; cd $D; mkdir -p tree/sub/deeper tree/empty;"  \
    "printf one >tree/one.txt; : >tree/nothing; seq 1 40000 >tree/sub/numbers;"                                        \
    "printf umlaut >'tree/sub/A long name, with \303\274 and \346\227\245.text';"                                      \
    "for i in $(seq 100 $((99 + " IMAGE_FILES "))); do echo $i >tree/sub/deeper/file-$i; done;"                        \
    "find tree -exec touch -d '2021-02-03 04:05:06' {} +;"
#define IMAGE_FAT(options)                                                                                             \
    IMAGE_TREE "truncate -s 0 image; mformat -C -i image " options " ::; mcopy -i image -s -m tree/* ::"
#define IMAGE_ISO(options) IMAGE_TREE "xorriso -as mkisofs -quiet " options " -o image tree 2>log"

/* Runs a script that makes $D/image. */
static inline struct image image_make(const char *script)
{
    const char *temporary = getenv("TMPDIR");
    char folder[256];
    char command[4096];
    struct image image = {NULL, 0};

    int length = snprintf(folder, sizeof folder, "%s/import-XXXXXX", temporary != NULL ? temporary : "/tmp");
    if (length >= (int)sizeof folder || mkdtemp(folder) == NULL) {
        abort();
    }
    (void)snprintf(command, sizeof command, "D=%s; %s", folder, script);
    int status = system(command);
    (void)snprintf(command, sizeof command, "%s/image", folder);
    FILE *file = fopen(command, "rb");
    if (status != 0 || file == NULL || fseek(file, 0, SEEK_END) != 0) {
        fprintf(stderr, "no image: are mtools and xorriso there?\n%s\n", script);
        exit(1);
    }
    image.size = (uint64_t)ftell(file);
    rewind(file);
    image.bytes = malloc(image.size);
    if (image.bytes == NULL || fread(image.bytes, 1, image.size, file) != image.size) {
        exit(1);
    }
    (void)fclose(file);
    (void)snprintf(command, sizeof command, "rm -r %s", folder);
    if (system(command) != 0) {
        exit(1);
    }
    return image;
}

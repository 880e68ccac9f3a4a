/* SPDX-License-Identifier: MIT OR Apache-2.0
 * disk_private.h: what the parts of build-scripts/host/disk know of each other.
 */
#pragma once
#include "disk_file.h"
#include "core/log.h"
#include "lib/catalog/catalog.h"

#define DISK_LEAVES 64u
#define DISK_HEAP (1024u * 1024 * 1024) /* address space; what is not used takes no memory */

struct overlay_slot {
    uint64_t block;
    unsigned char *data; /* NULL: none */
};
/* Blocks that were written, and are nowhere else: (1) of disk_file.h. */
struct overlay {
    struct overlay_slot *slot;
    uint64_t room; /* a power of two, or 0 */
    uint64_t count;
};

struct disk_file {
    struct disk_io io; /* must be first */
    int fd;
    uint64_t bytes;
    bool direct; /* writes go to the file */
    bool in_use;
    struct overlay overlay;
    struct volume_super super[VOLUME_COPIES];
    status_t super_status[VOLUME_COPIES];
    int chosen; /* which of them counts; -1: none */
    bool blank; /* it has the mark in its first block: an image does not look at what stands in the other superblock */
    struct volume volume;
    void *memory; /* the volume's */
    struct catalog catalog;
    bool open; /* the catalog is */
};

/* The volume of the superblock that counts, mounted. */
status_t disk_mount(struct disk_file *file);
/* Mounts, and opens the catalog. */
bool disk_open_catalog(struct disk_file *file);
void disk_close_catalog(struct disk_file *file);
/* Forgets all that was written. */
void disk_forget(struct disk_file *file);
/* How many written blocks in [first, end) differ from the file's. */
uint64_t disk_changed(struct disk_file *file, uint64_t first, uint64_t end);

/* What a disk that is none of ours looks like; false: like nothing known. */
bool disk_known(struct disk_file *file, char kind[16], char words[DISK_WHY]);

/* Whom the image's code speaks to, as long as it is set; NULL: nobody. */
typedef void disk_hear_fn(void *context, enum log_level level, const char *text);
void disk_hear(disk_hear_fn *hear, void *context);

/* Who has this object, this extent, this name: for people, at most `size` bytes. Nothing when nobody has, or it cannot be read. */
void disk_name_object(struct disk_file *file, uint64_t object, char *text, size_t size);
void disk_name_extent(struct disk_file *file, uint64_t extent, uint64_t block, char *text, size_t size);
void disk_name_node(struct disk_file *file, uint64_t node, char *text, size_t size);

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * import.h: what the parts of store/import know of each other.
 *
 *  (1) The volume is the thread's: it blocks when it reads. The loop asks it by operations (struct import_op), one at a time; what
 *      the desk holds is the thread's while the bell's call is out, and the loop's otherwise.
 *  (2) Every byte of the volume is an allegation. What a format makes of one is checked where it is read: names by
 *      import_volume.c, places by import_disk.c, which knows where the volume ends.
 *  (3) Nothing is written, and nothing changes: what was once said of a path holds until the image ends.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "core/list.h"
#include "core/object.h"
#include "core/room.h"
#include "lib/store/store_name.h"

#define IMPORT_CHUNK_MAX 65536u
#define IMPORT_PAGE 100u /* entries of a listing */
#define IMPORT_DEPTH 64u /* directories in one another */

enum import_answer {
    IMPORT_OK,
    IMPORT_MISSING,
    IMPORT_BAD_PATH,
    IMPORT_NOT_DIRECTORY,
    IMPORT_IS_DIRECTORY,
    IMPORT_DAMAGED,     /* the volume contradicts itself, or says what cannot be */
    IMPORT_UNSUPPORTED, /* it may be right, and is not understood here */
    IMPORT_FAILED,      /* the disk did */
    IMPORT_FOREIGN,     /* of a mount: no volume of this format */
};

/* When, as the volume says; not `known`: it does not. */
struct import_time {
    int64_t ns; /* since 1970-01-01 */
    bool known;
};

struct import_node {
    bool directory;
    uint64_t size;
    struct import_time made, changed;
    uint64_t id;
    uint64_t where;  /* the format's: where its bytes begin */
    bool compressed; /* in a way that is not undone here */
};

struct import_entry {
    struct import_node node;
    uint32_t name_size;
    char name[STORE_NAME_MAX + 1]; /* NUL-terminated */
};

/* --- the disk: import_disk.c, the thread's --- */

/* The volume's bytes: a part of the disk. */
struct import_part {
    uint64_t begin, size; /* bytes; multiples of a sector */
};
/* How bytes come: a disk's sectors of 512, whole ones. */
typedef enum import_answer import_read_fn(uint64_t sector, uint32_t sectors, void *bytes); /* THREAD */
/* `unit`: sectors that the disk wants to be asked for at once, or a multiple; a power of two, at most 8. */
void import_disk_init(import_read_fn *read, uint64_t sectors, uint32_t unit) REQUIRES(THREAD);
uint64_t import_disk_bytes(void);
/* IMPORT_DAMAGED: not within the part. */
enum import_answer import_disk_read(const struct import_part *part, uint64_t offset, void *bytes, uint32_t size)
    REQUIRES(THREAD);

/* --- formats: import_fat.c, import_iso.c, the thread's --- */

struct import_dir {
    uint64_t key; /* which directory it is: two that are the same have the same */
    uint64_t state[12];
};
struct import_file {
    struct import_node node;
    uint64_t state[8]; /* the format's */
};
struct import_format {
    const char *name;
    /* Of the part. IMPORT_FOREIGN: it is something else. */
    enum import_answer (*mount)(const struct import_part *part, struct import_node *root);
    /* `path` leads to the directory and is NUL-terminated; `node` is it. */
    enum import_answer (*enter)(struct import_dir *dir, const char *path, const struct import_node *node);
    /* IMPORT_MISSING: there are no more. Its name is whatever stands there, (2). */
    enum import_answer (*next)(struct import_dir *dir, struct import_entry *entry);
    enum import_answer (*open)(struct import_file *file, const char *path, const struct import_node *node);
    /* Within node.size, all of it. */
    enum import_answer (*read)(struct import_file *file, uint64_t offset, void *bytes, uint32_t size);
};
extern const struct import_format import_fat, import_iso;

/* --- the volume: import_volume.c, the thread's --- */

/* Paths have been checked, and are NUL-terminated; they are given back as they were. */
enum import_answer import_volume_mount(const char **found) REQUIRES(THREAD);
enum import_answer import_volume_stat(char *path, struct import_node *node) REQUIRES(THREAD);
/* Those that sort after `after`, the first `limit` of them, in order; room for one more. *more: there are others. */
enum import_answer import_volume_list(char *path, const char *after, struct import_entry *page, uint32_t limit,
                                      uint32_t *count, bool *more) REQUIRES(THREAD);
enum import_answer import_volume_open(char *path, struct import_file *file) REQUIRES(THREAD);
/* At most `size` bytes, fewer at the end. */
enum import_answer import_volume_read(struct import_file *file, uint64_t offset, void *bytes, uint32_t size,
                                      uint32_t *got) REQUIRES(THREAD);
/* Nanoseconds since 1970 of a time in UTC; not known when there is no such time. */
struct import_time import_time_of(int year, unsigned month, unsigned day, unsigned hour, unsigned minute,
                                  unsigned second);

/* --- the queue to the thread: import_queue.c --- */

enum import_op_kind { IMPORT_MOUNT, IMPORT_STAT, IMPORT_LIST, IMPORT_OPEN, IMPORT_READ };

struct import_op {
    enum import_op_kind kind;
    enum import_answer answer;
    struct call *call;
    void (*done)(struct import_op *op); /* LOOP; the desk is this operation's until it returns */
    struct import_file *file;           /* of OPEN, READ */
    uint64_t offset;
    uint32_t limit;           /* of LIST and READ */
    struct import_node node;  /* what STAT says */
    struct list node_waiting; /* among those that wait */
    uint32_t path_size, skip; /* skip: of the path, what its asker does not say: the view's */
    char path[STORE_PATH_MAX + 1];
    char after[STORE_NAME_MAX + 1];
};

struct import_desk {
    struct import_op *op;
    uint32_t count; /* of a page, or of bytes */
    bool more;
    struct import_entry page[IMPORT_PAGE + 1];
    unsigned char chunk[IMPORT_CHUNK_MAX];
    const char *found;   /* MOUNT: what it is, or why it cannot be read */
    uint64_t disk_bytes; /* MOUNT */
};

struct import {
    struct import_desk *desk;
    bool mounting;
    uint64_t disk_bytes;
    const char *why; /* not mounted: what was found */
};
extern struct import import_self;

void import_queue_init(void) REQUIRES(BOOT);
struct object *import_queue_endpoint(void) REQUIRES(BOOT);
/* In order. */
void import_submit(struct import_op *op) REQUIRES(LOOP);
status_t import_thread_init(void) REQUIRES(BOOT);

/* --- capabilities: import_directory.c, import_info.c --- */

#define IMPORT_SNAPSHOT 1u
extern const struct object_ops import_info_ops;

void import_directory_init(void) REQUIRES(BOOT);
/* The whole volume. */
struct object *import_directory_root(void) REQUIRES(BOOT);

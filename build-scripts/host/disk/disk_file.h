/* SPDX-License-Identifier: MIT OR Apache-2.0
 * disk_file.h: an image's disk as a file of the host: what is on it, whether it is sound, what it holds. The code that looks is
 * the image's own (lib/volume, lib/sqlite, lib/catalog), and so is what is found.
 *
 *  (1) A disk that is opened is never written to. What a mount changes (the log is played, superblocks are mended) is kept in
 *      memory, block by block, and forgotten.
 *  (2) What a disk says is not believed before it was checked. A disk that is shorter than its volume says is read as far as
 *      it goes; what lies behind its end fails as a broken disk does.
 *  (3) One disk is open at a time, and everything is called by one thread: SQLite's heap, and the log that the libraries
 *      speak to, are the program's.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DISK_WHY 320u
#define DISK_NAME_MAX 255u
#define DISK_SPAN_BYTES (960u * 4096u) /* the most that disk_read_span() gives */
#define DISK_FILES 1u                  /* the directory at the top of all files */
#define DISK_NAMES 2u                  /* and that of the flat names */

struct disk_file;

/* NULL: `why` says why, beginning with the path. */
struct disk_file *disk_file_open(const char *path, char why[DISK_WHY]);
void disk_file_close(struct disk_file *file);
/* A virtual machine has it open: what is found may be of two times. */
bool disk_in_use(const struct disk_file *file);
/* It holds a volume, and an image makes a new one in its place at its next boot: the mark of a blank disk is in its first block, as
 * a format leaves it that was cut. */
bool disk_doomed(const struct disk_file *file);

/* Makes a sparse disk of whole blocks, which must not be there: blank, with the mark by which an image knows that it may format
 * it; or an empty volume. False: `why`, and there is no file. */
bool disk_file_create(const char *path, uint64_t bytes, bool format, char why[DISK_WHY]);

/* --- what is on it --------------------------------------------------------------------------------------------------- */

struct disk_copy {  /* of the superblock */
    char state[12]; /* good, blank, damaged, missing, newer, foreign */
    uint32_t version;
    uint64_t generation;
};

struct disk_facts {
    uint64_t bytes; /* of the file */
    char kind[16];  /* volume, doomed, damaged, newer, blank, zeros, ext4, gpt, ...; unknown */
    char words[DISK_WHY];
    struct disk_copy copy[2];
    bool volume; /* a superblock is good: */
    uint8_t uuid[16];
    uint32_t version;
    uint64_t generation;
    uint64_t blocks; /* that the volume takes */
    uint64_t log_start, log_blocks, index_start, index_count, runs, data_start, data_blocks;
    bool catalog;        /* and the catalog can be read, with what the log holds: */
    uint64_t log_frames; /* pages that only the log has, and those that it has once more */
    uint64_t database_pages, database_pages_max;
    uint64_t objects, names, snapshots, free_blocks;
};
void disk_look(struct disk_file *file, struct disk_facts *facts);

/* --- whether it is sound --------------------------------------------------------------------------------------------- */

struct disk_say {
    void *context;
    void (*fault)(void *context, const char *text); /* one thing that is wrong, and whom it hits */
    void (*note)(void *context, const char *text);  /* nothing wrong: what a power cut leaves */
    void (*progress)(void *context, const char *what, uint64_t done, uint64_t all);
};

struct disk_checked {
    uint64_t faults;
    uint64_t pages, extents, blocks; /* that were compared with their checksums */
};
/* False: there is no volume to be checked; that is a fault too, and said. */
bool disk_check(struct disk_file *file, const struct disk_say *say, struct disk_checked *checked);

/* --- what it holds --------------------------------------------------------------------------------------------------- */

struct disk_entry {
    uint64_t id;
    uint64_t object; /* of a file */
    uint64_t size;
    int64_t changed_ns; /* since 1970; 0: unknown */
    uint32_t clock;     /* how far that may be believed: enum catalog_clock */
    bool directory;
    char name[DISK_NAME_MAX + 1];
};
struct disk_page { /* of a listing */
    struct disk_entry entry[100];
    uint32_t count;
    bool more;
};

/* Opens what the disk holds, to be listed and read. False: `why`. `say` (or NULL) hears what the libraries find damaged. */
bool disk_contents(struct disk_file *file, const struct disk_say *say, char why[DISK_WHY]);
/* The snapshots behind `after`: id is the generation, name the label. False: they cannot be read; so with all that follow. */
bool disk_snapshots(struct disk_file *file, uint64_t after, struct disk_page *page);
/* What stands in a directory behind the name `after`, as it is (generation 0) or was at a snapshot. */
bool disk_list(struct disk_file *file, uint64_t directory, uint64_t generation, const char *after,
               struct disk_page *page);

struct disk_span {
    uint64_t size;    /* bytes of it, up to the file's end; 0: there is nothing behind `at` */
    uint64_t damaged; /* of its blocks, which are zero */
};
/* The bytes of an object from `at` on, a multiple of 4,096; `bytes` has room for DISK_SPAN_BYTES. */
bool disk_read_span(struct disk_file *file, uint64_t object, uint64_t at, void *bytes, struct disk_span *span);

#ifdef __cplusplus
}
#endif

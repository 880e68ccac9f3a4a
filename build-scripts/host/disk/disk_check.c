/* SPDX-License-Identifier: MIT OR Apache-2.0
 * disk_check.c: whether all that a disk says of itself is true: superblocks, log, every page of the database, the catalog's
 * tables, every block of data.
 *
 *  (1) What the image's libraries say in their log as an error is a fault, in their words, said once.
 *  (2) A power cut leaves: a torn end of the log (lib/sqlite knows), old pages that the log has anew (so pages are counted after
 *      the log was moved to the database, in memory), and, when it came at a checkpoint, a torn superblock. The first of the two
 *      is written when the new pages are in place, and the log FLUSHed only after the second: so the first may be torn only
 *      while some page is not what the map says that the other superblock names; and the second, or as it was before, only
 *      while the log has begun and holds nothing but what is in the database.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "disk_private.h"
#include "lib/crc32c/crc32c.h"

#define LINE_MAX 1400u
#define PAGES_PER_STEP 1024u

struct check {
    struct disk_file *file;
    const struct disk_say *say;
    struct disk_checked *checked;
    char last[LINE_MAX]; /* what was said last */
    uint64_t torn_pages; /* before the log was played */
    bool log_begun;      /* it was not emptied last */
    bool log_ahead;      /* it holds what the database has not */
};

/* --- saying ---------------------------------------------------------------------------------------------------------- */

static void fault(struct check *check, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void fault(struct check *check, const char *format, ...)
{
    char text[LINE_MAX];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (strcmp(text, check->last) != 0) {
        memcpy(check->last, text, sizeof text);
        check->checked->faults++;
        check->say->fault(check->say->context, text);
    }
}

static void progress(struct check *check, const char *what, uint64_t done, uint64_t all)
{
    check->say->progress(check->say->context, what, done, all);
}

typedef void namer(struct disk_file *file, uint64_t id, char *text, size_t size);

static void name_extent(struct disk_file *file, uint64_t extent, char *text, size_t size)
{
    disk_name_extent(file, extent, 0, text, size);
}

/* The libraries know things by number: who these are. */
static void name_what_it_says(struct disk_file *file, const char *text, char *who, size_t size)
{
    static const struct {
        const char *word;
        namer *name;
    } kind[] = {{"object ", disk_name_object}, {"extent ", name_extent}, {"node ", disk_name_node}};

    *who = 0;
    for (size_t i = 0; i < sizeof kind / sizeof kind[0] && *who == 0; i++) {
        const char *at = strstr(text, kind[i].word);
        if (at != NULL) {
            kind[i].name(file, strtoull(at + strlen(kind[i].word), NULL, 10), who, size);
        }
    }
}

/* (1) */
static void hear(void *context, enum log_level level, const char *text)
{
    struct check *check = context;
    char who[LINE_MAX / 2];

    if (level != LOG_ERR) {
        return;
    }
    disk_hear(NULL, NULL); /* whatever cannot be read now was said */
    name_what_it_says(check->file, text, who, sizeof who);
    disk_hear(hear, check);
    fault(check, *who != 0 ? "%s (%s)" : "%s%s", text, who);
}

/* --- superblocks ----------------------------------------------------------------------------------------------------- */

static bool check_that_there_is_one(struct check *check)
{
    struct disk_file *file = check->file;
    struct disk_facts facts;

    disk_look(file, &facts);
    if (!facts.volume) {
        fault(check, "there is no volume: %s", facts.words);
        return false;
    }
    if (disk_doomed(file)) {
        fault(
            check,
            "the first block has the mark of a blank disk: an image makes a new volume here at its next boot, and what "
            "this one holds is gone then");
    }
    if (facts.blocks > file->bytes / DISK_BLOCK_BYTES) {
        fault(check, "the disk has %llu blocks of 4 KiB, and the volume %llu: %llu are missing at the end",
              (unsigned long long)(file->bytes / DISK_BLOCK_BYTES), (unsigned long long)facts.blocks,
              (unsigned long long)(facts.blocks - file->bytes / DISK_BLOCK_BYTES));
    }
    return true;
}

/* (2) */
static bool cut_explains(const struct check *check, unsigned copy)
{
    bool no_database = check->file->super[check->file->chosen].page_count == 0;

    return no_database || (copy == 0 ? check->torn_pages > 0 : check->log_begun && !check->log_ahead);
}

static void note(struct check *check, unsigned copy)
{
    char text[LINE_MAX];

    (void)snprintf(text, sizeof text,
                   "the superblock in block %llu is torn, as a power cut leaves it; the next mount mends it",
                   (unsigned long long)volume_super_block(copy));
    check->say->note(check->say->context, text);
}

/* A cut may also leave the second one as it was before the last commit. */
static void check_copy(struct check *check, unsigned copy)
{
    const struct disk_file *file = check->file;
    unsigned long long block = volume_super_block(copy);
    bool explained = cut_explains(check, copy);
    uint64_t behind = file->super[(unsigned)file->chosen].generation - file->super[copy].generation;

    if (file->super_status[copy] != ST_OK && explained) {
        note(check, copy);
    } else if (file->super_status[copy] != ST_OK) {
        fault(check, "the superblock in block %llu %s; the other one is good", block,
              file->super_status[copy] == ST_IO ? "cannot be read" : "is damaged");
    } else if (behind > (copy == 1 && explained ? 1 : 0)) {
        fault(check, "the superblock in block %llu is older than the other: a write to it was lost", block);
    }
}

/* --- the database ---------------------------------------------------------------------------------------------------- */

/* How many pages are not what the map says. */
static uint64_t scan_pages(struct check *check, const char *what)
{
    struct volume *volume = &check->file->volume;
    unsigned char page[VOLUME_PAGE_BYTES];
    uint64_t bad = 0;
    uint64_t all = volume->super.page_count;

    for (uint64_t i = 0; i < all; i++) {
        if (i % PAGES_PER_STEP == 0) {
            progress(check, what, i, all);
        }
        bad += volume_page_read(volume, i, page) == ST_OK ? 0 : 1;
    }
    progress(check, what, all, all);
    return bad;
}

/* Pages of the database that are not in the file as they are in memory now. */
static uint64_t changed_pages(struct disk_file *file)
{
    const struct volume_super *super = &file->volume.super;
    uint64_t changed = 0;

    for (uint64_t i = 0; i < super->run_count; i++) {
        uint64_t pages = super->run[i].start + 2 * (super->run[i].pages / VOLUME_LEAF_PAGES);
        changed += disk_changed(file, pages, pages + super->run[i].pages);
    }
    return changed;
}

/* The log goes to the database, in memory. False: not all of it. */
static bool play_log(struct check *check)
{
    struct disk_file *file = check->file;
    int r = sqlite3_wal_checkpoint_v2(file->catalog.db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);

    check->log_ahead = changed_pages(file) > 0;
    return r == SQLITE_OK;
}

static void check_database(struct check *check)
{
    struct disk_file *file = check->file;

    if (!file->open) {
        (void)scan_pages(check, "database");
        return;
    }
    if (!play_log(check)) {
        fault(check, "the log cannot be moved to the database: pages may be said to be damaged that it has anew");
    }
    check->checked->pages = file->volume.super.page_count;
    (void)scan_pages(check, "database");
    progress(check, "catalog", 0, 1);
    uint32_t faults = catalog_check(&file->catalog);
    progress(check, "catalog", 1, 1);
    if (faults == UINT32_MAX) {
        fault(check, "the catalog cannot be checked to its end");
    }
}

/* --- data ------------------------------------------------------------------------------------------------------------ */

struct extent {
    uint64_t id, start;
    uint32_t blocks;
    const unsigned char *crc; /* borrowed from the row */
};

static void say_blocks(struct check *check, const struct extent *extent, uint32_t first, uint32_t end, bool read)
{
    char who[LINE_MAX / 2];
    unsigned long long from = extent->start + first;

    disk_hear(NULL, NULL);
    disk_name_extent(check->file, extent->id, first, who, sizeof who);
    disk_hear(hear, check);
    char to[32] = "";
    if (end - first > 1) {
        (void)snprintf(to, sizeof to, " to %llu", (unsigned long long)extent->start + end - 1);
    }
    fault(check, "data block %llu%s %s (%s)", from, to, read ? "is not what was written there" : "cannot be read",
          *who != 0 ? who : "of nothing that has a name");
}

static bool crc_fits(const struct extent *extent, uint32_t i, const unsigned char *block)
{
    uint32_t crc;

    memcpy(&crc, extent->crc + 4ull * i, sizeof crc);
    return crc32c_update(0, block, DISK_BLOCK_BYTES) == crc;
}

static void check_extent(struct check *check, const struct extent *extent, unsigned char *bytes)
{
    struct disk_io *io = &check->file->io;
    bool whole = disk_read(io, extent->start, extent->blocks, bytes) == ST_OK;
    uint32_t bad_from = UINT32_MAX;
    bool read = true;

    for (uint32_t i = 0; i < extent->blocks; i++) {
        unsigned char *block = bytes + (size_t)i * DISK_BLOCK_BYTES;
        bool there = whole || disk_read(io, extent->start + i, 1, block) == ST_OK;
        bool good = there && crc_fits(extent, i, block);
        if (bad_from != UINT32_MAX && (good || there != read)) {
            say_blocks(check, extent, bad_from, i, read);
            bad_from = UINT32_MAX;
        }
        if (!good && bad_from == UINT32_MAX) {
            bad_from = i;
            read = there;
        }
    }
    if (bad_from != UINT32_MAX) {
        say_blocks(check, extent, bad_from, extent->blocks, read);
    }
    check->checked->extents++;
    check->checked->blocks += extent->blocks;
}

/* What makes no sense is catalog_check()'s to say. */
static bool extent_of(sqlite3_stmt *row, const struct volume_super *super, struct extent *extent)
{
    *extent = (struct extent){.id = (uint64_t)sqlite3_column_int64(row, 0),
                              .start = (uint64_t)sqlite3_column_int64(row, 1),
                              .blocks = (uint32_t)sqlite3_column_int64(row, 2),
                              .crc = sqlite3_column_blob(row, 3)};
    uint64_t at = extent->start - super->data_start;

    return extent->start >= super->data_start && at < super->data_blocks && extent->blocks <= super->data_blocks - at &&
           extent->blocks <= CATALOG_EXTENT_BLOCKS && sqlite3_column_bytes(row, 3) == (int)(4 * extent->blocks);
}

static void check_extents(struct check *check, sqlite3_stmt *row, unsigned char *bytes)
{
    const struct volume_super *super = &check->file->volume.super;
    uint64_t all = super->data_blocks - check->file->catalog.state.free_blocks;
    struct extent extent;
    int r;

    while ((r = sqlite3_step(row)) == SQLITE_ROW) {
        if (extent_of(row, super, &extent)) {
            progress(check, "data", check->checked->blocks, all);
            check_extent(check, &extent, bytes);
        }
    }
    if (r != SQLITE_DONE) {
        fault(check, "the table of extents cannot be read to its end: data behind was not looked at");
    }
    progress(check, "data", all, all);
}

static void check_data(struct check *check)
{
    static const char sql[] = "SELECT id, start, blocks, crcs FROM extent JOIN sums ON extent=id";
    sqlite3_stmt *row = NULL;
    unsigned char *bytes = malloc(DISK_SPAN_BYTES);

    if (bytes == NULL || sqlite3_prepare_v2(check->file->catalog.db, sql, -1, &row, NULL) != SQLITE_OK) {
        fault(check, "the table of extents cannot be read: no data was looked at");
    } else {
        check_extents(check, row, bytes);
    }
    (void)sqlite3_finalize(row);
    free(bytes);
}

/* --- all ------------------------------------------------------------------------------------------------------------- */

/* Emptying it clears its head, and FLUSHes. */
static bool log_begun(struct disk_file *file)
{
    static const unsigned char nothing[32];
    unsigned char block[DISK_BLOCK_BYTES];

    return disk_read(&file->io, file->super[file->chosen].log_start, 1, block) == ST_OK &&
           memcmp(block, nothing, sizeof nothing) != 0;
}

static void check_volume(struct check *check)
{
    struct disk_file *file = check->file;
    check->log_begun = log_begun(file);
    status_t s = disk_mount(file);

    if (s != ST_OK) {
        fault(check, "the volume cannot be mounted: %s", status_name(s));
        return;
    }
    check->torn_pages = scan_pages(check, "database, as it stands");
    disk_hear(hear, check);
    sqlite_salvage();
    if (!disk_open_catalog(file)) {
        fault(check, "the catalog cannot be opened: names and data were not looked at");
    }
    check_database(check);
    if (file->open) {
        check_data(check);
    }
    if (!disk_doomed(file)) { /* which was said */
        check_copy(check, 0);
    }
    check_copy(check, 1);
    disk_hear(NULL, NULL);
    disk_close_catalog(file);
    disk_forget(file);
}

bool disk_check(struct disk_file *file, const struct disk_say *say, struct disk_checked *checked)
{
    struct check check = {.file = file, .say = say, .checked = checked};

    *checked = (struct disk_checked){0};
    if (!check_that_there_is_one(&check)) {
        return false;
    }
    check_volume(&check);
    return true;
}

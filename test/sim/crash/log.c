/* SPDX-License-Identifier: MIT OR Apache-2.0
 * log.c: a write log at the door: nothing in it is believed before it was looked at.
 */
#include "log.h"
#include <stdlib.h>
#include <string.h>
#include "util.h"

#define LOG_MAGIC 0x6a736677736872ull
#define LOG_VERSION 1u
#define WRITE_MAX (64u << 20)

/* Both little-endian, and each at the beginning of a sector. */
struct log_super {
    uint64_t magic, version, entries;
    uint32_t sector_bytes;
};
enum log_flag { LOG_FLUSH = 1, LOG_FUA = 2, LOG_DISCARD = 4, LOG_MARK = 8 };
struct log_entry {
    uint64_t sector, sectors, flags, data_bytes;
};

struct reading {
    struct journal *journal;
    const char *log;
    size_t size, at;
    uint64_t disk_sectors;
    uint32_t batch;
    char *lines; /* that were not taken yet */
};

/* The lines that were noted when the log ended at or before `at`. False: they are none. */
static bool lines_take(struct reading *r, size_t at)
{
    while (*r->lines != '\0') {
        char *text;
        unsigned long long offset = strtoull(r->lines, &text, 10);
        size_t size = strcspn(text, "\n");
        if (text == r->lines || *text != ' ' || text[size] != '\n') {
            return false;
        }
        if (offset > at) {
            return true;
        }
        text[size] = '\0';
        journal_add(r->journal, (struct step){.kind = STEP_LINE, .batch = r->batch, .size = (uint32_t)size - 1},
                    text + 1);
        r->lines = text + size + 1;
    }
    return true;
}

static const char *write_take(struct reading *r, const struct log_entry *entry)
{
    if (entry->sectors > r->disk_sectors || entry->sector > r->disk_sectors - entry->sectors) {
        return "a write beyond the disk";
    }
    if (entry->sectors == 0 || entry->sectors > WRITE_MAX / SECTOR) {
        return "a write of no size, or of one that no request has";
    }
    uint64_t bytes = entry->sectors * SECTOR;
    if (bytes > r->size - r->at) {
        return "it ends in the middle of a write";
    }
    struct step step = {.kind = STEP_WRITE, .batch = r->batch, .sector = entry->sector, .size = (uint32_t)bytes};
    journal_add(r->journal, step, r->log + r->at);
    r->at += bytes;
    return NULL;
}

static const char *entry_take(struct reading *r)
{
    struct log_entry entry;

    if (r->size - r->at < SECTOR) {
        return "it ends before its last entry";
    }
    if (!lines_take(r, r->at)) {
        return "the lines that go with it are not `OFFSET TEXT`";
    }
    memcpy(&entry, r->log + r->at, sizeof entry);
    r->at += SECTOR;
    if (entry.flags == 0) {
        return write_take(r, &entry);
    }
    if (entry.flags != LOG_FLUSH || entry.sectors != 0) {
        return "an entry that is neither a write nor a FLUSH";
    }
    journal_add(r->journal, (struct step){.kind = STEP_FLUSH, .batch = r->batch + 1}, NULL);
    r->batch += 2; /* (1) */
    return NULL;
}

const char *log_take(struct journal *journal, const char *log, size_t size, uint64_t sectors, char *lines)
{
    struct reading r = {.journal = journal,
                        .log = log,
                        .size = size,
                        .at = SECTOR,
                        .disk_sectors = sectors,
                        .batch = 1,
                        .lines = lines};
    struct log_super super;
    const char *why = NULL;

    if (size < SECTOR) {
        return "it is too short to be one";
    }
    memcpy(&super, log, sizeof super);
    if (super.magic != LOG_MAGIC || super.version != LOG_VERSION || super.sector_bytes != SECTOR) {
        return "its first sector is not that of a write log with sectors of 512 bytes";
    }
    for (uint64_t i = 0; i < super.entries && why == NULL; i++) {
        why = entry_take(&r);
    }
    if (why == NULL && !lines_take(&r, SIZE_MAX)) {
        why = "the lines that go with it are not `OFFSET TEXT`";
    }
    return why;
}

void log_read(struct journal *journal, const char *log_path, const char *lines_path, uint64_t sectors)
{
    size_t log_size;
    size_t lines_size;
    char *log = sim_read(log_path, &log_size);
    char *lines = sim_read(lines_path, &lines_size);
    const char *why = log_take(journal, log, log_size, sectors, lines);

    if (why != NULL) {
        sim_fail("%s: %s", log_path, why);
    }
    free(log);
    free(lines);
}

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * disk_tree.c: what a disk holds: listings, snapshots, bytes.
 */
#include <stdio.h>
#include <string.h>
#include "disk_private.h"
#include "lib/crc32c/crc32c.h"

#define BLOCK DISK_BLOCK_BYTES

static enum catalog_answer run(struct disk_file *file, struct catalog_op *op)
{
    struct catalog_op *const ops[] = {op};

    catalog_run(&file->catalog, ops, 1);
    return op->answer;
}

/* --- open ------------------------------------------------------------------------------------------------------------ */

static void hear(void *context, enum log_level level, const char *text)
{
    const struct disk_say *say = context;

    if (level == LOG_ERR) {
        say->fault(say->context, text);
    }
}

bool disk_contents(struct disk_file *file, const struct disk_say *say, char why[DISK_WHY])
{
    struct disk_facts facts;

    if (file->chosen < 0) {
        disk_look(file, &facts);
        (void)snprintf(why, DISK_WHY, "%s", facts.words);
        return false;
    }
    sqlite_salvage();
    disk_hear(say != NULL ? hear : NULL, (void *)(uintptr_t)say);
    if (!disk_open_catalog(file)) {
        (void)snprintf(why, DISK_WHY, "the volume's catalog cannot be read; `capos disk check` says more");
        return false;
    }
    return true;
}

/* --- listings -------------------------------------------------------------------------------------------------------- */

static void entry_of(const struct catalog_entry *from, struct disk_entry *entry)
{
    *entry = (struct disk_entry){.id = from->node.id,
                                 .object = from->node.object,
                                 .size = from->node.size,
                                 .changed_ns = from->node.changed.ns,
                                 .clock = from->node.changed.clock,
                                 .directory = from->node.kind == CATALOG_DIRECTORY};
    memcpy(entry->name, from->name, from->name_size);
}

/* What was found before a failure is on the page as well. */
static bool ask(struct disk_file *file, struct catalog_op *op, struct disk_page *page)
{
    static struct catalog_entry entry[sizeof page->entry / sizeof page->entry[0]];

    op->entry = entry;
    op->entry_max = sizeof entry / sizeof entry[0];
    enum catalog_answer answer = run(file, op);
    page->count = op->entry_count;
    page->more = op->more && answer == CATALOG_OK;
    for (uint32_t i = 0; i < page->count; i++) {
        entry_of(&entry[i], &page->entry[i]);
    }
    return answer == CATALOG_OK;
}

bool disk_snapshots(struct disk_file *file, uint64_t after, struct disk_page *page)
{
    struct catalog_op op = {.kind = CATALOG_SNAPSHOTS, .id = after};
    bool good = ask(file, &op, page);

    for (uint32_t i = 0; i < page->count; i++) {
        page->entry[i].changed_ns = op.entry[i].node.made.ns;
        page->entry[i].clock = op.entry[i].node.made.clock;
    }
    return good;
}

bool disk_list(struct disk_file *file, uint64_t directory, uint64_t generation, const char *after,
               struct disk_page *page)
{
    struct catalog_op op = {
        .kind = CATALOG_LIST, .at = {directory, generation}, .after = {after, (uint32_t)strlen(after)}};

    return ask(file, &op, page);
}

/* --- bytes ----------------------------------------------------------------------------------------------------------- */

/* The blocks of a span from `first` on; those that are not what was written are zero, and counted. */
static uint64_t read_blocks(struct disk_file *file, const struct catalog_span *span, uint32_t first,
                            unsigned char *bytes)
{
    uint32_t count = span->blocks - first;
    bool whole = disk_read(&file->io, span->start + first, count, bytes) == ST_OK;
    uint64_t damaged = 0;

    for (uint32_t i = 0; i < count; i++) {
        unsigned char *block = bytes + (size_t)i * BLOCK;
        bool there = whole || disk_read(&file->io, span->start + first + i, 1, block) == ST_OK;
        if (!there || crc32c_update(0, block, BLOCK) != span->crc[first + i]) {
            memset(block, 0, BLOCK);
            damaged++;
        }
    }
    return damaged;
}

bool disk_read_span(struct disk_file *file, uint64_t object, uint64_t at, void *bytes, struct disk_span *result)
{
    static struct catalog_span span;
    struct catalog_op op = {.kind = CATALOG_SPAN, .object = object, .block = at / BLOCK, .span = &span};

    *result = (struct disk_span){0};
    if (run(file, &op) != CATALOG_OK) {
        return false;
    }
    uint64_t left = span.size > at ? span.size - at : 0;
    uint64_t first = at / BLOCK - span.at;
    if (left == 0 || span.blocks == 0) {
        return left == 0;
    }
    if (first >= span.blocks || span.blocks > CATALOG_EXTENT_BLOCKS) {
        return false;
    }
    uint64_t most = (span.blocks - first) * BLOCK;
    result->size = left < most ? left : most;
    if (span.inside) {
        memcpy(bytes, span.bytes + at, result->size);
    } else if (span.start == 0) {
        memset(bytes, 0, most);
    } else {
        result->damaged = read_blocks(file, &span, (uint32_t)first, bytes);
    }
    return true;
}

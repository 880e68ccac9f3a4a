/* SPDX-License-Identifier: MIT OR Apache-2.0
 * disk_look.c: what is on a disk.
 */
#include <stdio.h>
#include <string.h>
#include "disk_private.h"

static bool has_magic(const struct volume_super *super)
{
    return super->magic == VOLUME_MAGIC;
}

static const char *state_of(status_t s, const struct volume_super *super)
{
    switch (s) {
    case ST_OK:
        return "good";
    case ST_UNSUPPORTED:
        return !has_magic(super) ? "foreign" : super->version > VOLUME_VERSION ? "newer" : "older";
    case ST_PROTO:
        return "damaged";
    case ST_STALE:
        return "blank";
    default:
        return "missing";
    }
}

static void look_at_copies(const struct disk_file *file, struct disk_facts *facts)
{
    for (unsigned i = 0; i < VOLUME_COPIES; i++) {
        const struct volume_super *super = &file->super[i];
        const char *state = i == 0 && file->blank ? "blank" : state_of(file->super_status[i], super);
        (void)snprintf(facts->copy[i].state, sizeof facts->copy[i].state, "%s", state);
        if (file->super_status[i] == ST_OK || strcmp(state, "newer") == 0) {
            facts->copy[i].version = super->version;
            facts->copy[i].generation = super->generation;
        }
    }
}

static void look_at_geometry(const struct volume_super *super, struct disk_facts *facts)
{
    facts->volume = true;
    memcpy(facts->uuid, super->uuid, sizeof facts->uuid);
    facts->version = super->version;
    facts->generation = super->generation;
    facts->blocks = super->blocks + super->data_blocks;
    facts->log_start = super->log_start;
    facts->log_blocks = super->log_blocks;
    facts->index_start = super->index_start;
    facts->index_count = super->index_count;
    facts->runs = super->run_count;
    facts->data_start = super->data_start;
    facts->data_blocks = super->data_blocks;
}

static void look_at_catalog(struct disk_file *file, struct disk_facts *facts)
{
    struct catalog_info info;
    struct catalog_op op = {.kind = CATALOG_INFO, .info = &info};
    struct catalog_op *const ops[] = {&op};
    int frames = 0;

    facts->catalog = disk_open_catalog(file);
    if (facts->catalog) {
        catalog_run(&file->catalog, ops, 1);
        facts->objects = info.objects;
        facts->names = info.nodes;
        facts->snapshots = info.snapshots;
        facts->free_blocks = info.free_blocks;
        facts->database_pages_max = info.database_pages_max;
        (void)sqlite3_wal_checkpoint_v2(file->catalog.db, NULL, SQLITE_CHECKPOINT_PASSIVE, &frames, NULL);
        facts->log_frames = frames > 0 ? (uint64_t)frames : 0;
        facts->database_pages = file->volume.super.page_count; /* with those that the log had */
    }
    disk_close_catalog(file);
    disk_forget(file);
}

static void say_kind(struct disk_file *file, struct disk_facts *facts)
{
    bool ours = has_magic(&file->super[0]) || has_magic(&file->super[1]);
    bool newer = strcmp(facts->copy[0].state, "newer") == 0 || strcmp(facts->copy[1].state, "newer") == 0;

    if (!ours) {
        (void)disk_known(file, facts->kind, facts->words);
        return;
    }
    if (disk_doomed(file)) {
        (void)snprintf(facts->kind, sizeof facts->kind, "doomed");
        (void)snprintf(
            facts->words, sizeof facts->words,
            "a volume that an image makes a new one of at its next boot: a format was cut, and left the mark "
            "of a blank disk in the first block");
        return;
    }
    bool shorter = facts->volume && facts->blocks > file->bytes / DISK_BLOCK_BYTES;
    const char *words = newer && !facts->volume ? "a volume of a later version, which this capos does not know"
                        : !facts->volume        ? "a volume of which both superblocks are damaged"
                        : shorter               ? "a volume, and the file is shorter than it"
                        : !facts->catalog       ? "a volume whose catalog cannot be read; `capos disk check` says more"
                                                : "a volume";
    const char *kind = newer && !facts->volume ? "newer" : facts->catalog && !shorter ? "volume" : "damaged";
    (void)snprintf(facts->kind, sizeof facts->kind, "%s", kind);
    (void)snprintf(facts->words, sizeof facts->words, "%s", words);
}

void disk_look(struct disk_file *file, struct disk_facts *facts)
{
    *facts = (struct disk_facts){.bytes = file->bytes};
    look_at_copies(file, facts);
    if (file->chosen >= 0) {
        look_at_geometry(&file->super[file->chosen], facts);
        look_at_catalog(file, facts);
    }
    say_kind(file, facts);
}

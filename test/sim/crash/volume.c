/* SPDX-License-Identifier: MIT OR Apache-2.0
 * volume.c: journals of disks, and the crashes in them.
 */
#include "volume.h"
#include <stdlib.h>
#include <string.h>
#include "util.h"

void journal_add(struct journal *journal, struct step step, const void *bytes)
{
    if (journal->count == journal->size) {
        journal->size = journal->size * 2 + 64;
        journal->step = realloc(journal->step, journal->size * sizeof *journal->step);
        if (journal->step == NULL) {
            sim_fail("no memory for the journal");
        }
    }
    if (step.kind != STEP_FLUSH) {
        step.bytes = sim_alloc((size_t)step.size + 1);
        memcpy(step.bytes, bytes, step.size);
    }
    journal->step[journal->count++] = step;
}

void journal_free(struct journal *journal)
{
    for (size_t i = 0; i < journal->count; i++) {
        free(journal->step[i].bytes);
    }
    free(journal->step);
    *journal = (struct journal){0};
}

void crash_apply(struct view *disk, const struct step *write, uint32_t size)
{
    view_write(disk, write->sector * SECTOR, write->bytes, size);
}

/* The batch of the last FLUSH whose end was told before the cut; 0: none. What was asked for in earlier batches is safe. */
static uint32_t flushed_before(const struct journal *journal, size_t cut)
{
    uint32_t now = journal->step[cut - 1].batch;
    uint32_t flushed = 0;

    for (size_t i = 0; i < cut; i++) {
        if (journal->step[i].kind == STEP_FLUSH && journal->step[i].batch < now) {
            flushed = journal->step[i].batch;
        }
    }
    return flushed;
}

void crash_base(struct view *base, struct journal *journal, size_t cut)
{
    uint32_t flushed = flushed_before(journal, cut);

    for (; journal->done < cut && journal->step[journal->done].batch < flushed; journal->done++) {
        const struct step *step = &journal->step[journal->done];
        if (step->kind == STEP_WRITE) {
            crash_apply(base, step, step->size);
        }
    }
}

void crash_at(struct crash *crash, const struct view *base, const struct journal *journal, size_t cut)
{
    uint32_t flushed = cut > 0 ? flushed_before(journal, cut) : 0;

    view_of(&crash->safe, base);
    crash->open_count = 0;
    for (size_t i = journal->done; i < cut; i++) {
        const struct step *step = &journal->step[i];
        if (step->kind != STEP_WRITE) {
            continue;
        }
        if (step->batch < flushed) {
            crash_apply(&crash->safe, step, step->size);
            continue;
        }
        if (crash->open_count == OPEN_MAX) {
            crash_apply(&crash->safe, crash->open[0], crash->open[0]->size);
            memmove(crash->open, crash->open + 1, (OPEN_MAX - 1) * sizeof crash->open[0]);
            crash->open_count--;
        }
        crash->open[crash->open_count++] = step;
    }
}

void crash_free(struct crash *crash)
{
    view_free(&crash->safe);
}

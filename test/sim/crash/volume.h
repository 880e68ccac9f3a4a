/* SPDX-License-Identifier: MIT OR Apache-2.0
 * volume.h: what a machine did to its disk and said meanwhile, in order; and the disks that a power cut in it may leave.
 *
 *  (1) A write is safe at a cut when a FLUSH was asked for after the write's end was told, and the FLUSH's end was told
 *      before the cut. Every other write that was asked for is open: it may be there, be absent, or be torn.
 *  (2) What is told in one batch is at once: nothing in a batch can depend on another thing in it.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "view.h"

#define SECTOR 512u
#define OPEN_MAX 64u /* open writes that are told apart at a cut */

enum step_kind { STEP_WRITE, STEP_FLUSH, STEP_LINE };

struct step {
    enum step_kind kind;
    uint32_t batch; /* in which it was asked for; its end is told with the next */
    uint64_t sector;
    uint32_t size;
    char *bytes; /* a write's, or a line of the workload's (NUL-terminated) */
};

struct journal {
    struct step *step;
    size_t count, size;
    size_t done; /* so many steps are on the base already: crash_base() */
};

void journal_add(struct journal *journal, struct step step, const void *bytes);
void journal_free(struct journal *journal);

/* The disk at a cut after `cut` steps: what is safe on it, and the writes that are open. */
struct crash {
    struct view safe;
    const struct step *open[OPEN_MAX];
    unsigned open_count; /* of the last OPEN_MAX; older ones count as there */
};
/* Puts on the base what is safe at this cut and so at all later ones, so that a long journal is not done again for each. */
void crash_base(struct view *base, struct journal *journal, size_t cut);
void crash_at(struct crash *crash, const struct view *base, const struct journal *journal, size_t cut);
void crash_free(struct crash *crash);
/* Applies the first `size` bytes of a write. */
void crash_apply(struct view *disk, const struct step *write, uint32_t size);

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * faults.h: what goes wrong in a run. Each kind is on or off and has its own strength, both drawn from the seed (swarm
 * testing: Groce et al., 2012), so that no kind hides what another would show.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct run;

enum fault {
    FAULT_LOSS,
    FAULT_DUPLICATE,
    FAULT_CORRUPT,
    FAULT_DELAY,
    FAULT_PARTITION,
    FAULT_LINK,
    FAULT_CUT,
    FAULT_TEAR,
    FAULT_SLOW_DISK,
    FAULTS
};

struct faults {
    uint32_t wanted;        /* bit by enum fault: may be drawn */
    uint32_t on;            /* bit: was drawn */
    uint64_t skip;          /* bit by number: this planned trouble does not come */
    unsigned planned;       /* how many there are */
    uint32_t fired[FAULTS]; /* how often */
};

extern const char *const fault_names[FAULTS];

/* The bits of "loss,cut", "all" or "none". False: `unknown` is the word that is no fault. */
bool faults_parse(const char *text, uint32_t *bits, const char **unknown);
/* Draws, and puts what the world will do into its queue. */
void faults_begin(struct run *run, uint64_t from_ns, uint64_t until_ns);
/* From here on nothing goes wrong. */
void faults_end(struct run *run);

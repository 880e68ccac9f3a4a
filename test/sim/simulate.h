/* SPDX-License-Identifier: MIT OR Apache-2.0
 * simulate.h: one run as a function, and what is made of many: a swarm, the shrinking of a failure, the corpus of old ones.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "check.h"
#include "faults.h"
#include "record.h"

/* What makes a run; the same gives the same. */
struct wanted {
    const char *build, *fleet;
    const char *transport; /* of nodes whose fleet does not say it; NULL: drawn from the seed */
    uint64_t seed;
    uint32_t faults;       /* bits: may be drawn */
    uint64_t skip;         /* bits: planned troubles that do not come */
    struct record *record; /* or NULL */
    bool go_on;            /* a swarm says its failures and does not stop at the first */
};

struct result {
    uint64_t seed, hash, events, simulated_ns;
    uint32_t on;      /* faults that were drawn */
    unsigned planned; /* troubles */
    uint32_t fired[FAULTS];
    bool kept, undecided;
    enum checker by;
    char violation[512];
};

struct result simulate(const struct wanted *wanted);
/* Their names, as --faults takes them. A list of those that a run drew is that run, also when other kinds are added. */
void print_faults(uint32_t bits);
/* How to see it again: the rest of a `make sim` line. */
void print_again(const struct wanted *wanted);

/* Seeds wanted->seed to + count - 1 in `jobs` processes; stops at the first failure, if it shall not go on, and shows it. */
bool swarm(const struct wanted *wanted, uint64_t count, unsigned jobs);
/* Leaves out what the failure does not need; shows what is left. False: there is no failure. */
bool shrink(const struct wanted *wanted);
/* Every line `FLEET SEED FAULTS [TRANSPORT]` of a file: each must keep its promises now. */
bool corpus(const struct wanted *wanted, const char *path);

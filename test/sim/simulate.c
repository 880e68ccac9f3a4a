/* SPDX-License-Identifier: MIT OR Apache-2.0
 * simulate.c: one run from its beginning to its end.
 */
#include "simulate.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fleet.h"
#include "run.h"

struct result simulate(const struct wanted *wanted)
{
    struct run *run = sim_alloc(sizeof *run);
    struct result result = {.seed = wanted->seed};

    run->seed = wanted->seed;
    run->faults.wanted = wanted->faults;
    run->faults.skip = wanted->skip;
    run->record = wanted->record;
    fleet_read(run, wanted->build, wanted->fleet, wanted->transport);
    result.kept = run_all(run);
    record_end(run);
    result.hash = run->hash;
    result.events = run->event_count;
    result.simulated_ns = run->now_ns;
    result.on = run->faults.on;
    result.planned = run->faults.planned;
    result.by = run->by;
    result.undecided = run->check.undecided;
    memcpy(result.fired, run->faults.fired, sizeof result.fired);
    memcpy(result.violation, run->violation, sizeof result.violation);
    run_free(run);
    free(run);
    return result;
}

void print_faults(uint32_t bits)
{
    const char *comma = "";

    for (unsigned i = 0; i < FAULTS; i++) {
        if ((bits >> i & 1) != 0) {
            printf("%s%s", comma, fault_names[i]);
            comma = ",";
        }
    }
    if (bits == 0) {
        printf("none");
    }
}

void print_again(const struct wanted *wanted)
{
    printf("again: build/sim/sim --build %s --fleet %s --seed %lu", wanted->build, wanted->fleet,
           (unsigned long)wanted->seed);
    if (wanted->faults != FAULTS_ALL) {
        printf(" --faults ");
        print_faults(wanted->faults);
    }
    if (wanted->skip != 0) {
        printf(" --skip 0x%lx", (unsigned long)wanted->skip);
    }
    if (wanted->transport != NULL) {
        printf(" --transport %s", wanted->transport);
    }
    printf(" --timeline -\n");
}

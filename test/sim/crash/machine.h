/* SPDX-License-Identifier: MIT OR Apache-2.0
 * machine.h: one image alone with its disk, run as fast as it goes. It has no wire; its disk answers at once.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "image.h"
#include "volume.h"

enum machine_end {
    MACHINE_DONE,   /* its workload said `@ done` */
    MACHINE_BROKEN, /* it panicked, ended, saw a promise broken, or is gone: `why` */
    MACHINE_STUCK,  /* it waits for nothing that will come, or does too much */
};

/* A write or a FLUSH that its disk fails: which, counted from 1 (0: none), and the chance that says which sectors of the write are
 * there all the same. */
struct failure {
    uint64_t request, chance;
};

/* What a workload with chosen=yes chose, of how many (components/app/store-load). */
struct choices {
    unsigned digit[32], radix[32];
    unsigned count;
};

struct machine {
    struct sim_link link;
    struct view *disk;       /* the caller's; written to */
    struct journal *journal; /* where its doings are put; NULL: nowhere */
    uint64_t now_ns, timer_ns;
    uint32_t batch;
    uint64_t steps;
    struct failure fails;
    uint64_t requests; /* so many writes and FLUSHes there were */
    char line[512];
    size_t line_size;
    struct sim_message waiting[64]; /* requests of the disk that are not answered */
    char *waiting_body[64];
    unsigned waiting_count;
    bool said_done;
    struct choices chose;
    char why[256];
};

/* A machine of this image, switched on with this seed, its disk so large; runs until it first asks its disk for something. */
void machine_start(struct machine *machine, struct image *image, uint64_t seed, uint64_t disk_bytes);
/* Types a line on its console. */
void machine_type(struct machine *machine, const char *line);
/* Another one that stands where this one stands. False: this one is gone. */
bool machine_copy(struct machine *copy, struct machine *machine);
enum machine_end machine_run(struct machine *machine, uint64_t steps_max);
void machine_end(struct machine *machine);

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * faults.c: drawing the faults of a run.
 */
#include "faults.h"
#include <string.h>
#include "run.h"

const char *const fault_names[FAULTS] = {
    [FAULT_LOSS] = "loss",   [FAULT_DUPLICATE] = "duplicate", [FAULT_CORRUPT] = "corrupt",
    [FAULT_DELAY] = "delay", [FAULT_PARTITION] = "partition", [FAULT_LINK] = "link",
    [FAULT_CUT] = "cut",     [FAULT_TEAR] = "tear",           [FAULT_SLOW_DISK] = "slow-disk",
};

static int fault_number(const char *word, size_t size)
{
    for (int i = 0; i < FAULTS; i++) {
        if (strlen(fault_names[i]) == size && memcmp(fault_names[i], word, size) == 0) {
            return i;
        }
    }
    return -1;
}

bool faults_parse(const char *text, uint32_t *bits, const char **unknown)
{
    *bits = strcmp(text, "all") == 0 ? (1u << FAULTS) - 1 : 0;
    if (*bits != 0 || strcmp(text, "none") == 0 || text[0] == '\0') {
        return true;
    }
    while (*text != '\0') {
        size_t size = strcspn(text, ",");
        int fault = fault_number(text, size);
        if (fault < 0) {
            *unknown = text;
            return false;
        }
        *bits |= 1u << fault;
        text += size + (text[size] == ',');
    }
    return true;
}

static bool is_on(const struct run *run, enum fault fault)
{
    return (run->faults.on >> fault & 1) != 0;
}

/* Strength: up to `most`, small more often than large. */
static uint32_t strength(struct random *random, uint32_t most)
{
    return 1 + (uint32_t)random_below(random, most >> random_below(random, 8));
}

static void wire_begin(struct run *run, struct random *random)
{
    struct wire_faults *faults = &run->wire.faults;

    faults->loss = is_on(run, FAULT_LOSS) ? strength(random, 100000) : 0;
    faults->duplicate = is_on(run, FAULT_DUPLICATE) ? strength(random, 100000) : 0;
    faults->corrupt = is_on(run, FAULT_CORRUPT) ? strength(random, 50000) : 0;
    faults->delay = is_on(run, FAULT_DELAY) ? strength(random, 300000) : 0;
    faults->delay_ns_max = 1 + random_below(random, 50 * NS_PER_MS);
}

static void disk_begin(struct run *run, struct disk_faults *faults, struct random *random)
{
    faults->tear_grain = !is_on(run, FAULT_TEAR) ? 0 : random_below(random, 2) == 0 ? 512 : 4096;
    faults->slow = is_on(run, FAULT_SLOW_DISK) ? strength(random, 100000) : 0;
    faults->slow_ns_max = 1 + random_below(random, 20 * NS_PER_MS);
}

struct span {
    uint64_t from_ns, until_ns;
};

static uint64_t moment(struct random *random, struct span span)
{
    return span.from_ns + random_below(random, span.until_ns - span.from_ns);
}

/* Cuts of every node that has a disk; each comes back within 200 ms. */
static void plan_cuts(struct run *run, struct random *random, struct span span)
{
    for (unsigned i = 0; i < run->node_count; i++) {
        uint64_t count = run->node[i].disk != NULL ? random_below(random, 8) : 0;
        for (; count > 0; count--) {
            uint64_t at = moment(random, span);
            world_act(run, at, ACT_CUT, i, 0);
            world_act(run, at + random_below(random, 200 * NS_PER_MS), ACT_BOOT, i, 0);
        }
    }
}

static void plan_links(struct run *run, struct random *random, struct span span)
{
    for (uint64_t count = random_below(random, 6); count > 0; count--) {
        uint64_t node = random_below(random, run->node_count);
        uint64_t at = moment(random, span);
        world_act(run, at, ACT_LINK, node, 0);
        world_act(run, at + random_below(random, 300 * NS_PER_MS), ACT_LINK, node, 1);
    }
}

static void plan_partitions(struct run *run, struct random *random, struct span span)
{
    for (uint64_t count = random_below(random, 5); count > 0; count--) {
        uint64_t at = moment(random, span);
        world_act(run, at, ACT_PARTITION, random_below(random, 1ull << run->node_count), 0);
        world_act(run, at + random_below(random, 500 * NS_PER_MS), ACT_HEAL, 0, 0);
    }
}

void faults_begin(struct run *run, uint64_t from_ns, uint64_t until_ns)
{
    struct random random = random_stream(run->seed, 'faul', 0);
    struct span span = {from_ns, until_ns};

    run->faults.on = run->faults.wanted & (uint32_t)(random_next(&random) | random_next(&random));
    wire_begin(run, &random);
    for (unsigned i = 0; i < run->node_count; i++) {
        if (run->node[i].disk != NULL) {
            disk_begin(run, disk_faults(run->node[i].disk), &random);
        }
    }
    if (is_on(run, FAULT_CUT)) {
        plan_cuts(run, &random, span);
    }
    if (is_on(run, FAULT_LINK)) {
        plan_links(run, &random, span);
    }
    if (is_on(run, FAULT_PARTITION)) {
        plan_partitions(run, &random, span);
    }
}

void faults_end(struct run *run)
{
    run->wire.faults = (struct wire_faults){0};
    run->wire.split = 0;
    for (unsigned i = 0; i < run->node_count; i++) {
        if (run->node[i].disk != NULL) {
            *disk_faults(run->node[i].disk) = (struct disk_faults){0};
        }
    }
}

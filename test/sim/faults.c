/* SPDX-License-Identifier: MIT OR Apache-2.0
 * faults.c: drawing the faults of a run.
 */
#include "faults.h"
#include <string.h>
#include "run.h"

const char *const fault_names[FAULTS] = {
    [FAULT_LOSS] = "loss",
    [FAULT_DUPLICATE] = "duplicate",
    [FAULT_CORRUPT] = "corrupt",
    [FAULT_DELAY] = "delay",
    [FAULT_PARTITION] = "partition",
    [FAULT_LINK] = "link",
    [FAULT_CUT] = "cut",
    [FAULT_TEAR] = "tear",
    [FAULT_SLOW_DISK] = "slow-disk",
    [FAULT_STALL] = "stall",
    [FAULT_IO_ERROR] = "io-error",
    [FAULT_ROT] = "rot",
    [FAULT_MISDIRECT] = "misdirect",
    [FAULT_STALE] = "stale",
    [FAULT_LYING_FLUSH] = "lying-flush",
    [FAULT_SLOW_CPU] = "slow-cpu",
    [FAULT_WALL] = "wall",
    [FAULT_NO_ENTROPY] = "no-entropy",
    [FAULT_PREEMPT] = "preempt",
    [FAULT_EDGE] = "edge",
    [FAULT_LOOP] = "loop",
    [FAULT_REBOOT] = "reboot",
    [FAULT_DEVICE_LIE] = "device-lie",
    [FAULT_DEVICE_STALL] = "device-stall",
    [FAULT_DEVICE_RESET] = "device-reset",
    [FAULT_DEVICE_GONE] = "device-gone",
    [FAULT_MEMORY] = "memory",
    [FAULT_DRIFT] = "drift",
    [FAULT_ILL] = "ill",
    [FAULT_PEER_CUT] = "peer-cut",
    [FAULT_DISK_FULL] = "disk-full",
};

/* The number of the stream that says which kinds are on: none of theirs, and always the same, so that a seed keeps its faults
 * when a kind is added. */
#define FAULTS_DRAW 18u

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
    *bits = strcmp(text, "all") == 0 ? FAULTS_ALL : 0;
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

/* A stream of each kind: that one is off changes nothing for another, which is what shrinking a failure needs. */
static struct random stream_of(const struct run *run, enum fault fault)
{
    return random_stream(run->seed, 'faul', fault < FAULTS_DRAW ? fault : fault + 1);
}

/* Strength: up to `most`, small more often than large; 0 when it is off. */
static uint32_t strength(const struct run *run, enum fault fault, uint32_t most)
{
    struct random random = stream_of(run, fault);
    uint32_t weaker = (uint32_t)random_below(&random, 8);

    return is_on(run, fault) ? 1 + (uint32_t)random_below(&random, most >> weaker) : 0;
}

static uint64_t duration(const struct run *run, enum fault fault, uint64_t most_ns)
{
    struct random random = stream_of(run, fault);

    (void)random_next(&random);
    (void)random_next(&random);
    return 1 + random_below(&random, most_ns);
}

static void wire_begin(struct run *run)
{
    struct wire_faults *faults = &run->wire.faults;

    faults->loss = strength(run, FAULT_LOSS, 100000);
    faults->duplicate = strength(run, FAULT_DUPLICATE, 100000);
    faults->corrupt = strength(run, FAULT_CORRUPT, 50000);
    faults->delay = strength(run, FAULT_DELAY, 300000);
    faults->delay_ns_max = duration(run, FAULT_DELAY, 50 * NS_PER_MS);
}

/* Each of what hostile nodes do is on or off by itself. */
static uint32_t ill_drawn(struct random *random, uint32_t most)
{
    uint64_t weaker = random_below(random, 4);
    uint32_t drawn = 1 + (uint32_t)random_below(random, most >> weaker);

    return random_below(random, 4) != 0 ? drawn : 0;
}

static void ill_begin(struct run *run)
{
    struct random random = stream_of(run, FAULT_ILL);

    if (is_on(run, FAULT_ILL)) {
        run->wire.chances = (struct hostile_chances){.mutates = ill_drawn(&random, 60000),
                                                     .repeats = ill_drawn(&random, 60000),
                                                     .truncates = ill_drawn(&random, 20000),
                                                     .dies = ill_drawn(&random, 2000),
                                                     .dies_ns_max = 1 + random_below(&random, 20 * NS_PER_S),
                                                     .floods = ill_drawn(&random, 20000)};
    }
}

static void disk_begin(const struct run *run, struct disk_faults *faults)
{
    struct random random = stream_of(run, FAULT_TEAR);

    faults->tear_grain = !is_on(run, FAULT_TEAR) ? 0 : random_below(&random, 2) == 0 ? 512 : 4096;
    faults->slow = strength(run, FAULT_SLOW_DISK, 100000);
    faults->slow_ns_max = duration(run, FAULT_SLOW_DISK, 20 * NS_PER_MS);
    faults->stall = strength(run, FAULT_STALL, 5000);
    faults->stall_ns_max = duration(run, FAULT_STALL, 6 * NS_PER_S);
    faults->error = strength(run, FAULT_IO_ERROR, 100000);
    faults->rot = strength(run, FAULT_ROT, 300000);
    faults->misdirect = strength(run, FAULT_MISDIRECT, 300000);
    faults->stale = strength(run, FAULT_STALE, 300000);
    faults->lying_flush = strength(run, FAULT_LYING_FLUSH, 500000);
}

struct span {
    uint64_t from_ns, until_ns;
};

static uint64_t moment(struct random *random, struct span span)
{
    return span.from_ns + random_below(random, span.until_ns - span.from_ns);
}

/* Trouble and its end, together: whoever shrinks a failure may leave it out. */
struct trouble {
    uint64_t from_ns, until_ns;
    enum act begin, end;
    uint64_t a, begin_b, end_b;
};

static void plan(struct run *run, const struct trouble *trouble)
{
    unsigned number = run->faults.planned++;

    if (number < 64 && (run->faults.skip >> number & 1) != 0) {
        return;
    }
    world_act(run, trouble->from_ns, trouble->begin, trouble->a, trouble->begin_b);
    world_act(run, trouble->until_ns, trouble->end, trouble->a, trouble->end_b);
}

/* Cuts of every node that has a disk; each comes back within 200 ms. */
static void plan_cuts(struct run *run, struct span span)
{
    struct random random = stream_of(run, FAULT_CUT);

    for (unsigned i = 0; i < run->node_count; i++) {
        uint64_t count = run->node[i].disk != NULL ? random_below(&random, 8) : 0;
        for (; count > 0; count--) {
            uint64_t at = moment(&random, span);
            uint64_t until = at + random_below(&random, 200 * NS_PER_MS);
            plan(run, &(struct trouble){at, until, ACT_CUT, ACT_BOOT, i, FAULT_CUT, 0});
        }
    }
}

/* Whoever uses others, or means ill, loses its power amid what it does, and its next boot begins anew: back before
 * anybody has noticed, or after a while. One that is alone has nobody to notice. */
static void plan_peer_cuts(struct run *run, struct span span)
{
    struct random random = stream_of(run, FAULT_PEER_CUT);

    for (unsigned i = 0; i < run->node_count; i++) {
        uint64_t count = run->node_count == 1 || node_serves(&run->node[i]) ? 0 : random_below(&random, 5);
        for (; count > 0; count--) {
            uint64_t at = moment(&random, span);
            uint64_t until = at + (1ull << random_below(&random, 32)); /* up to 2 s */
            plan(run, &(struct trouble){at, until, ACT_CUT, ACT_BOOT, i, FAULT_PEER_CUT, 0});
        }
    }
}

/* A node that is cut while it boots. */
static void plan_short_lives(struct run *run, unsigned node, struct random *random, uint64_t at)
{
    uint64_t up_ns_max = 1ull << (18 + random_below(random, 9)); /* 0.3 to 67 ms */

    for (uint64_t cuts = 2 + random_below(random, 15); cuts > 0; cuts--) {
        uint64_t until = at + random_below(random, 5 * NS_PER_MS);
        plan(run, &(struct trouble){at, until, ACT_CUT, ACT_BOOT, node, FAULT_LOOP, 0});
        at = until + 1 + random_below(random, up_ns_max);
    }
}

/* One with a disk is stopped whenever it does something to that, recovery included; some from their first boot on, when they
 * format it. */
static void plan_loop(struct run *run, unsigned node, struct random *random, struct span span)
{
    uint64_t at = random_below(random, 2) == 0 ? 0 : moment(random, span);

    if (run->node[node].disk == NULL || random_below(random, 4) == 0) {
        plan_short_lives(run, node, random, at + random_below(random, 2 * NS_PER_MS));
        return;
    }
    uint64_t stops = 4 + random_below(random, 28);
    plan(run, &(struct trouble){at, span.until_ns, ACT_LOOP, ACT_LOOP, node, stops, 0});
}

static void plan_loops(struct run *run, struct span span)
{
    struct random random = stream_of(run, FAULT_LOOP);

    for (unsigned i = 0; i < run->node_count; i++) {
        uint64_t count = node_serves(&run->node[i]) ? random_below(&random, 3) : 0;
        for (; count > 0; count--) {
            plan_loop(run, i, &random, span);
        }
    }
}

static void plan_reboots(struct run *run, struct span span)
{
    struct random random = stream_of(run, FAULT_REBOOT);

    for (unsigned i = 0; i < run->node_count; i++) {
        uint64_t count = node_serves(&run->node[i]) ? random_below(&random, 6) : 0;
        for (; count > 0; count--) {
            world_act(run, moment(&random, span), ACT_REBOOT, i, 0);
        }
    }
}

static void plan_links(struct run *run, struct span span)
{
    struct random random = stream_of(run, FAULT_LINK);

    for (uint64_t count = random_below(&random, 6); count > 0; count--) {
        uint64_t node = random_below(&random, run->node_count);
        uint64_t at = moment(&random, span);
        uint64_t until = at + random_below(&random, 300 * NS_PER_MS);
        plan(run, &(struct trouble){at, until, ACT_LINK, ACT_LINK, node, 0, 1});
    }
}

static void plan_partitions(struct run *run, struct span span)
{
    struct random random = stream_of(run, FAULT_PARTITION);

    for (uint64_t count = random_below(&random, 5); count > 0; count--) {
        uint64_t at = moment(&random, span);
        uint64_t until = at + random_below(&random, 500 * NS_PER_MS);
        uint64_t side = random_below(&random, 1ull << run->node_count);
        plan(run, &(struct trouble){at, until, ACT_PARTITION, ACT_HEAL, side, 0, 0});
    }
}

/* Early, while there is much that was never written; some have room again before all is calm. */
static void plan_full_disks(struct run *run)
{
    struct random random = stream_of(run, FAULT_DISK_FULL);

    for (unsigned i = 0; i < run->node_count; i++) {
        uint64_t count = run->node[i].disk != NULL ? random_below(&random, 4) : 0;
        for (; count > 0; count--) {
            uint64_t at = (1ull << (20 + random_below(&random, 11))) + random_below(&random, NS_PER_MS); /* to 1 s */
            uint64_t until = at + (1ull << (20 + random_below(&random, 14))); /* 1 ms to 8 s */
            plan(run, &(struct trouble){at, until, ACT_DISK_FULL, ACT_DISK_FULL, i, true, false});
        }
    }
}

static void plan_walls(struct run *run, struct span span)
{
    struct random random = stream_of(run, FAULT_WALL);

    for (uint64_t count = random_below(&random, 6); count > 0; count--) {
        uint64_t node = random_below(&random, run->node_count);
        world_act(run, moment(&random, span), ACT_WALL, node, random_below(&random, 4000000000ull * NS_PER_S));
    }
}

static void plan_drifts(struct run *run, struct span span)
{
    struct random random = stream_of(run, FAULT_DRIFT);

    for (uint64_t count = random_below(&random, 10); count > 0; count--) {
        uint64_t node = random_below(&random, run->node_count);
        world_act(run, moment(&random, span), ACT_DRIFT, node, random_below(&random, 2 * DRIFT_PPM_MAX + 1));
    }
}

/* The cable's and the disk's device as often, the generator of random numbers seldom. */
static enum sim_device device_drawn(const struct node *node, struct random *random)
{
    uint64_t which = random_below(random, 8);

    return which == 0 ? SIM_DEVICE_RANDOM : node->disk != NULL && which < 4 ? SIM_DEVICE_DISK : SIM_DEVICE_NET;
}

enum { NET_QUEUE_TX = 1, ALL_QUEUES = 0xf };

/* Half of what stalls does so until it is reset, which the driver has to do. Of a card then only the sending: that nothing
 * comes in looks like a network where nobody says anything. */
static uint64_t argument_drawn(enum sim_fault strike, enum sim_device device, uint64_t chance)
{
    bool half = chance % 2 == 0;

    if (strike == SIM_FAULT_LIE) {
        return chance;
    }
    if (strike != SIM_FAULT_STALL) {
        return half;
    }
    return half | (half && device == SIM_DEVICE_NET ? 1u << NET_QUEUE_TX : ALL_QUEUES) << 1;
}

static void plan_devices(struct run *run, struct span span, enum fault fault, enum sim_fault strike)
{
    struct random random = stream_of(run, fault);

    for (uint64_t count = random_below(&random, 5); count > 0; count--) {
        uint64_t node = random_below(&random, run->node_count);
        enum sim_device device = device_drawn(&run->node[node], &random);
        uint64_t last = moment(&random, span); /* rather early: a workload that nothing else disturbs is over soon */
        uint64_t at = moment(&random, (struct span){span.from_ns, last + 1});
        uint64_t until = at + random_below(&random, strike == SIM_FAULT_GONE ? 10 * NS_PER_S : 2 * NS_PER_S);
        uint64_t chance = random_next(&random);
        uint64_t argument = argument_drawn(strike, device, chance);
        plan(run, &(struct trouble){at, until, ACT_DEVICE, ACT_DEVICE, node, act_device(device, strike, argument),
                                    act_device(device, SIM_FAULT_OVER, 1)});
    }
}

static void plan_all_devices(struct run *run, struct span span)
{
    static const struct {
        enum fault fault;
        enum sim_fault strike;
    } kinds[] = {{FAULT_DEVICE_LIE, SIM_FAULT_LIE},
                 {FAULT_DEVICE_STALL, SIM_FAULT_STALL},
                 {FAULT_DEVICE_RESET, SIM_FAULT_RESET},
                 {FAULT_DEVICE_GONE, SIM_FAULT_GONE}};

    for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (is_on(run, kinds[i].fault)) {
            plan_devices(run, span, kinds[i].fault, kinds[i].strike);
        }
    }
}

/* A node is up to 16 times slower than another, from boot to boot. */
uint32_t faults_slower(const struct run *run, struct random *random)
{
    return is_on(run, FAULT_SLOW_CPU) && !run->calm ? (uint32_t)random_below(random, 16) : 0;
}

bool faults_no_entropy(const struct run *run, struct random *random)
{
    return is_on(run, FAULT_NO_ENTROPY) && !run->calm && random_below(random, 2) == 0;
}

uint32_t faults_memory(const struct run *run)
{
    return run->calm ? 0 : strength(run, FAULT_MEMORY, 200000);
}

uint32_t faults_preempt(const struct run *run)
{
    return run->calm ? 0 : strength(run, FAULT_PREEMPT, 500000);
}

uint32_t faults_edge(const struct run *run)
{
    return run->calm ? 0 : strength(run, FAULT_EDGE, 20000);
}

bool faults_fired(const struct run *run, uint32_t bits)
{
    for (unsigned i = 0; i < FAULTS; i++) {
        if ((bits >> i & 1) != 0 && run->faults.fired[i] > 0) {
            return true;
        }
    }
    return false;
}

static uint32_t drawn(const struct run *run)
{
    struct random random = random_stream(run->seed, 'faul', FAULTS_DRAW);
    uint32_t on = run->faults.wanted & (uint32_t)(random_next(&random) | random_next(&random));
    bool all = run->faults.wanted == FAULTS_ALL;
    bool honest = all && random_below(&random, 5) != 0;
    bool sound = all && random_below(&random, 2) != 0;

    return on & ~(honest ? FAULTS_DISHONEST : 0) & ~(sound ? FAULTS_DEVICE : 0);
}

void faults_begin(struct run *run, uint64_t from_ns, uint64_t until_ns)
{
    struct span span = {from_ns, until_ns};

    run->faults.planned = 0;
    run->faults.on = drawn(run);
    wire_begin(run);
    ill_begin(run);
    for (unsigned i = 0; i < run->node_count; i++) {
        if (run->node[i].disk != NULL) {
            disk_begin(run, disk_faults(run->node[i].disk));
        }
    }
    if (is_on(run, FAULT_CUT)) {
        plan_cuts(run, span);
    }
    if (is_on(run, FAULT_PEER_CUT)) {
        plan_peer_cuts(run, span);
    }
    if (is_on(run, FAULT_LOOP)) {
        plan_loops(run, span);
    }
    if (is_on(run, FAULT_REBOOT)) {
        plan_reboots(run, span);
    }
    if (is_on(run, FAULT_LINK)) {
        plan_links(run, span);
    }
    if (is_on(run, FAULT_PARTITION)) {
        plan_partitions(run, span);
    }
    if (is_on(run, FAULT_WALL)) {
        plan_walls(run, span);
    }
    plan_all_devices(run, span);
    if (is_on(run, FAULT_DISK_FULL)) {
        plan_full_disks(run);
    }
    if (is_on(run, FAULT_DRIFT)) {
        plan_drifts(run, span);
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

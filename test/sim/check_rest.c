/* SPDX-License-Identifier: MIT OR Apache-2.0
 * check_rest.c: asks every node twice what it holds.
 */
#include "check_rest.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "record.h"
#include "run.h"

#define QUESTION "mem\nrpc\nnet\nstore\n"
#define ANSWER_NS (50 * NS_PER_MS)
#define BOOT_NS (5 * NS_PER_S)        /* an address, a mount */
#define QUIET_NS (40 * NS_PER_S)      /* of peers that close what they have: net/lwip gives that 30 s, after losses */
#define VANISHED_NS (1000 * NS_PER_S) /* of peers that say nothing: the longest idle deadline of a profile, and more */
#define LINES_MAX 64u

struct said {
    char line[LINES_MAX][64];
    unsigned count;
};

struct rest {
    struct said said[REST_PHASES];
};

/* One run in four, and whenever one of them means ill: the peers do not say goodbye. */
static bool peers_vanish(const struct run *run)
{
    struct random random = random_stream(run->seed, 'rest', 0);
    bool any_hostile = false;

    for (unsigned i = 0; i < run->node_count; i++) {
        any_hostile |= run->node[i].hostile;
    }
    return any_hostile || random_below(&random, 4) == 0;
}

void rest_ask(struct run *run)
{
    for (unsigned i = 0; i < run->node_count; i++) {
        if (node_serves(&run->node[i])) {
            node_type(&run->node[i], QUESTION, run->now_ns);
        }
    }
}

static void boot_anew(struct run *run)
{
    for (unsigned i = 0; i < run->node_count; i++) {
        node_cut(&run->node[i]);
        if (node_serves(&run->node[i])) {
            node_boot(&run->node[i], run->now_ns);
        }
    }
}

void rest_begin(struct run *run)
{
    bool vanish = peers_vanish(run);
    bool lost = faults_fired(run, FAULTS_DEVICE | 1u << FAULT_PEER_CUT); /* or a goodbye was perhaps not sent */
    uint64_t at = run->now_ns + (vanish || lost ? VANISHED_NS : QUIET_NS);

    record_note(run, NULL, vanish ? "workloads done; they vanish" : "workloads done");
    for (unsigned i = 0; i < run->node_count && vanish; i++) {
        if (!node_serves(&run->node[i])) {
            node_plug(&run->node[i], false, run->now_ns);
        }
    }
    run->check.rest = sim_alloc(NODES_MAX * sizeof *run->check.rest);
    world_act(run, at, ACT_REST, 0, 0);
    world_act(run, at + ANSWER_NS, ACT_REST, 0, 0);
    world_act(run, at + ANSWER_NS + BOOT_NS, ACT_REST, 0, 0);
    world_act(run, at + 2 * ANSWER_NS + BOOT_NS, ACT_REST, 0, 0);
}

void rest_act(struct run *run)
{
    switch (run->check.rest_acts++) {
    case 0:
        run->check.rest_phase = REST_USED;
        rest_ask(run);
        return;
    case 1:
        boot_anew(run);
        return;
    case 2:
        run->check.rest_phase = REST_FRESH;
        rest_ask(run);
        return;
    default:
        run->over = true;
    }
}

/* "..., at most N, refused N": since the boot. A node whose tables are not small by its fleet has enough for all of it. */
static void high_water(struct run *run, const struct node *node, const char *line, unsigned long budget)
{
    const char *most_at = strstr(line, "at most ");
    const char *refused_at = strstr(line, ", refused ");
    unsigned long most = 0, refused = 0;

    (void)(most_at != NULL && sscanf(most_at, "at most %lu", &most));
    (void)(refused_at != NULL && sscanf(refused_at, ", refused %lu", &refused));
    if (most > budget || (refused > 0 && !node->small && !faults_fired(run, 1u << FAULT_MEMORY))) {
        run_violation(run, BY_MEMORY, "%s: more was wanted than there is:%s", node->name, line);
    }
}

/* "  NAME  N of M ...": kept up to M. */
void rest_line(struct run *run, const struct node *node, const char *line)
{
    struct said *said = &run->check.rest[node->number].said[run->check.rest_phase];
    char name[32];
    unsigned long in_use, count;
    int end = 0;

    if (sscanf(line, "  %25[^0-9] %lu of %lu%n", name, &in_use, &count, &end) != 3 || said->count == LINES_MAX) {
        return;
    }
    high_water(run, node, line, count);
    snprintf(said->line[said->count++], sizeof said->line[0], "%.*s", end, line);
}

static void compare(struct run *run, const struct node *node, const struct rest *rest)
{
    const struct said *used = &rest->said[REST_USED];
    const struct said *fresh = &rest->said[REST_FRESH];

    if (used->count == 0 || used->count != fresh->count) {
        run_violation(run, BY_REST, "%s: says %u lines of what it holds, and %u after a boot", node->name, used->count,
                      fresh->count);
        return;
    }
    for (unsigned i = 0; i < used->count; i++) {
        if (strcmp(used->line[i], fresh->line[i]) != 0) {
            run_violation(run, BY_REST, "%s: holds%s when all peers are gone, and%s after a boot", node->name,
                          used->line[i], fresh->line[i]);
        }
    }
}

void rest_end(struct run *run)
{
    for (unsigned i = 0; run->check.rest_acts == 4 && i < run->node_count; i++) {
        if (node_serves(&run->node[i])) {
            compare(run, &run->node[i], &run->check.rest[i]);
        }
    }
    free(run->check.rest);
    run->check.rest = NULL;
}

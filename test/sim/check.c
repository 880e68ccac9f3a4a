/* SPDX-License-Identifier: MIT OR Apache-2.0
 * check.c: gives every checker its look. What holds for all nodes is here: no panic, and a workload that ends.
 *
 *  A workload says what it does in lines with '@': `@ audit` when it will only look from now on, `@ done` when it is finished,
 *  `@ fail TEXT` when it saw a promise broken, `@ lost TEXT` when the store says that it cannot read what it has;
 *  the rest is for the checker of that workload.
 */
#include "check.h"
#include <stdio.h>
#include <string.h>
#include "check_caps.h"
#include "check_rpc.h"
#include "check_store.h"
#include "run.h"

const char *const checker_names[CHECKERS] = {
    [BY_NOBODY] = "nobody",   [BY_STORE] = "check_store", [BY_CAPS] = "check_caps", [BY_RPC] = "check_rpc",
    [BY_REST] = "check_rest", [BY_MEMORY] = "memory",     [BY_SAID] = "said",       [BY_END] = "end",
    [BY_PANIC] = "panic",     [BY_PEER] = "peer",         [BY_MOUNT] = "mount",     [BY_DAMAGE] = "damage",
    [BY_DEVICE] = "device",   [BY_TURN] = "turn",         [BY_MACHINE] = "machine"};

static void not_understood(struct run *run, const struct node *node, const char *said)
{
    run_violation(run, BY_SAID, "%s: says what no checker understands: %s", node->name, said);
}

static void store_line(struct run *run, const struct node *node, uint64_t time_ns, const char *said)
{
    if (run->check.store == NULL) {
        run->check.store = history_new();
    }
    if (!history_line(run->check.store, node->number, node->boots, time_ns, said)) {
        not_understood(run, node, said);
    }
}

static void store_end(struct run *run)
{
    char why[256] = "";

    if (run->check.store == NULL) {
        return;
    }
    if (faults_fired(run, FAULTS_DISHONEST)) {
        history_forgets(run->check.store);
    }
    enum verdict verdict = history_check(run->check.store, why, sizeof why);
    run->check.undecided = verdict == VERDICT_UNDECIDED;
    if (verdict == VERDICT_BROKEN) {
        run_violation(run, BY_STORE, "%s", why);
    }
    history_free(run->check.store);
    run->check.store = NULL;
}

static void caps_said(struct run *run, const struct node *node, const char *said)
{
    char why[256] = "";

    if (run->check.caps == NULL) {
        run->check.caps = caps_new();
    }
    if (!caps_line(run->check.caps, said, why, sizeof why)) {
        run_violation(run, BY_CAPS, "%s: %s", node->name, why);
    }
}

static void caps_over(struct run *run)
{
    char why[256] = "";

    if (run->check.caps == NULL) {
        return;
    }
    if (!caps_end(run->check.caps, why, sizeof why)) {
        run_violation(run, BY_CAPS, "%s", why);
    }
    caps_free(run->check.caps);
    run->check.caps = NULL;
}

/* All peers here speak properly: who ends a connection for what it was sent has, or was sent, a fault of ours. A bound that is
 * reached is none; each is named by words of its own (rpc/vat says "more than" of a reference that is let go too often, too). */
static bool ended_wrongly(const char *line)
{
    static const char *const bounds[] = {"wait for a Finish", "half said for", "capabilities of one peer",
                                         "too many promises"};

    if (strstr(line, "ended the connection: ") == NULL) {
        return false;
    }
    for (unsigned i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        if (strstr(line, bounds[i]) != NULL) {
            return false;
        }
    }
    return true;
}

/* Somebody means ill, and the line is his or speaks of him. */
static bool means_ill(const struct run *run, const struct node *node, const char *line)
{
    for (unsigned i = 0; i < run->node_count; i++) {
        char address[24];
        snprintf(address, sizeof address, "10.9.0.%u:", 10 + i);
        if (run->node[i].hostile && (node == &run->node[i] || strstr(line, address) != NULL)) {
            return true;
        }
    }
    return false;
}

/* The store may say that it cannot read what it has. */
static bool may_be_unreadable(const struct run *run, uint64_t time_ns)
{
    for (unsigned i = 0; i < run->node_count; i++) {
        if (time_ns < run->node[i].sick_until_ns) {
            return true;
        }
    }
    return faults_fired(run, FAULTS_DISHONEST) || (!run->calm && faults_fired(run, 1u << FAULT_IO_ERROR));
}

/* A mount writes, too, and FLUSHes. */
static bool disk_may_fail(const struct run *run, const struct node *node, uint64_t time_ns)
{
    return may_be_unreadable(run, time_ns) || node->disk_was_reset ||
           (!run->calm && faults_fired(run, 1u << FAULT_DISK_FULL));
}

void check_boot(struct run *run, const struct node *node)
{
    if (node->disk != NULL && run->check.store != NULL) {
        history_boot(run->check.store, run->now_ns);
    }
}

/* What a node says of its devices. */
static void device_line(struct run *run, struct node *node, const char *line)
{
    bool disk = strstr(line, "drv/virtio-blk at ") != NULL || strstr(line, "drv/virtio-scsi at ") != NULL ||
                strstr(line, "drv/nvme at ") != NULL;

    if (disk && strstr(line, "not used any more") != NULL) {
        run_node_ill(run, node);
    }
    if ((strstr(line, "drv/nvme at ") != NULL && strstr(line, "; reset") != NULL) ||
        strstr(line, "the unit is reset") != NULL) {
        node->disk_was_reset = true; /* and the next FLUSH fails, if a write had ended (drv/nvme, drv/virtio-scsi) */
    }
    if (strstr(line, "; reset, ") != NULL && !faults_fired(run, FAULTS_DEVICE | 1u << FAULT_STALL)) {
        run_violation(run, BY_DEVICE, "%s: %s", node->name, line);
    }
    /* What failed was not acknowledged, and nobody reads it: only a dishonest disk is an excuse. */
    if (strstr(line, "does not hold what was written") != NULL && !faults_fired(run, FAULTS_DISHONEST)) {
        run_violation(run, BY_DAMAGE, "%s: %s", node->name, line);
    }
}

void check_line(struct run *run, struct node *node, uint64_t time_ns, const char *line)
{
    const char *said = strstr(line, "@ ");

    if (strncmp(line, "*** panic: ", 11) == 0) {
        run_violation(run, BY_PANIC, "%s: %s", node->name, line);
    }
    device_line(run, node, line);
    if (ended_wrongly(line) && !means_ill(run, node, line)) {
        run_violation(run, BY_PEER, "%s: %s", node->name, line);
    }
    bool fails = strstr(line, "a disk that fails") != NULL && disk_may_fail(run, node, time_ns);
    bool refused = strstr(line, "is not mounted: found ") != NULL;
    if (refused && !fails && !faults_fired(run, FAULTS_DISHONEST)) {
        run_violation(run, BY_MOUNT, "%s: refuses its own disk: %s", node->name, line);
    }
    if (run->check.rest_phase != REST_NOT_YET && node_serves(node)) {
        rest_line(run, node, line);
    }
    if (said != NULL && strncmp(said, "@ rpc ", 6) == 0 && !node->hostile) {
        rpc_line(run, node, said + 6);
        return;
    }
    if (said == NULL || !node->load) {
        return;
    }
    if (strcmp(said, "@ audit") == 0) {
        run_node_audits(run, node);
    } else if (strcmp(said, "@ done") == 0) {
        run_node_done(run, node);
    } else if (strncmp(said, "@ fail ", 7) == 0) {
        if (!faults_fired(run, FAULTS_DECEIVING)) {
            run_violation(run, BY_SAID, "%s: %s", node->name, said + 7);
        }
    } else if (strncmp(said, "@ lost ", 7) == 0) {
        if (!may_be_unreadable(run, time_ns)) {
            run_violation(run, BY_SAID, "%s: the store cannot read what it has: %s", node->name, said + 7);
        }
    } else if (strncmp(said, "@ cap ", 6) == 0) {
        caps_said(run, node, said + 6);
    } else if (said[2] >= '0' && said[2] <= '9') {
        store_line(run, node, time_ns, said + 2);
    } else {
        not_understood(run, node, said);
    }
}

void check_end(struct run *run)
{
    rpc_end(run);
    for (unsigned i = 0; i < run->node_count; i++) {
        if (run->node[i].load && !run->node[i].done && run->violation[0] == '\0') {
            run_violation(run, BY_END, "%s: its workload did not end, though nothing went wrong any more",
                          run->node[i].name);
        }
    }
    store_end(run);
    caps_over(run);
    rest_end(run);
}

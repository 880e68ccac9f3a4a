/* SPDX-License-Identifier: MIT OR Apache-2.0
 * check_rpc.c: lines of calls, and what became of each.
 */
#include "check_rpc.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "run.h"

#define CALLS_MAX 63u /* of a line, whose calls are bits of a word */

/* As EXCEPTION_* of core/object.h. */
enum why { WHY_FAILED, WHY_OVERLOADED, WHY_DISCONNECTED, WHY_UNIMPLEMENTED };

struct line {
    unsigned long tag, number;
    const struct node *sender;
    unsigned boots;                         /* of the sender, when it began */
    unsigned sent, reached;                 /* the last of either */
    uint64_t had_reached, ended, cancelled; /* bits */
    bool broken, audit;
};

struct rpc {
    struct line *line;
    size_t count, room;
};

static struct rpc *rpc_of(struct run *run)
{
    if (run->check.rpc == NULL) {
        run->check.rpc = sim_alloc(sizeof *run->check.rpc);
    }
    return run->check.rpc;
}

/* Of late is likelier. */
static struct line *line_find(struct rpc *rpc, unsigned long tag, unsigned long number)
{
    for (size_t i = rpc->count; i > 0; i--) {
        if (rpc->line[i - 1].tag == tag && rpc->line[i - 1].number == number) {
            return &rpc->line[i - 1];
        }
    }
    return NULL;
}

static struct line *line_new(struct rpc *rpc, unsigned long tag, unsigned long number, const struct node *sender)
{
    if (rpc->count == rpc->room) {
        rpc->room = rpc->room == 0 ? 256 : 2 * rpc->room;
        rpc->line = realloc(rpc->line, rpc->room * sizeof *rpc->line);
        if (rpc->line == NULL) {
            sim_fail("no memory for %zu lines of calls", rpc->room);
        }
    }
    struct line *line = &rpc->line[rpc->count++];
    *line =
        (struct line){.tag = tag, .number = number, .sender = sender, .boots = sender->boots, .audit = sender->audits};
    return line;
}

static void broken(struct run *run, const struct line *line, unsigned call, const char *what)
{
    run_violation(run, BY_RPC, "%s: call %u of line %lx %lu %s", line->sender->name, call, line->tag, line->number,
                  what);
}

static void sent(struct run *run, struct line *line, unsigned call)
{
    if (call != line->sent + 1 || call > CALLS_MAX) {
        broken(run, line, call, "is sent out of turn");
    }
    line->sent = call;
}

static void reached(struct run *run, struct line *line, unsigned call)
{
    if (call > line->sent) {
        broken(run, line, call, "reaches its object, though nobody sent it"); /* (1) */
    } else if ((line->had_reached >> call & 1) != 0) {
        broken(run, line, call, "reaches its object twice");
    } else if (call < line->reached) {
        broken(run, line, call, "reaches its object behind a later one"); /* (2) */
    }
    line->had_reached |= 1ull << call;
    line->reached = call;
}

static void has_ended(struct run *run, struct line *line, unsigned call)
{
    if (call > line->sent || (line->ended >> call & 1) != 0) {
        broken(run, line, call, "ends twice, or was never sent"); /* (3) */
    }
    line->ended |= 1ull << call;
}

static void returned(struct run *run, struct line *line, unsigned call)
{
    has_ended(run, line, call);
    if ((line->had_reached >> call & 1) == 0) {
        broken(run, line, call, "returned, and has not reached its object"); /* (3) */
    }
}

/* (4) */
static bool may_fail(const struct run *run, const struct line *line, unsigned call, unsigned why)
{
    if ((line->cancelled >> call & 1) != 0) {
        return true;
    }
    switch (why) {
    case WHY_OVERLOADED:
        return faults_fired(run, 1u << FAULT_MEMORY) && (!line->audit || !run_settled(run));
    case WHY_DISCONNECTED:
        return faults_fired(run, FAULTS_SEVERING) && (!line->audit || !run_settled(run));
    case WHY_FAILED:
        return line->broken;
    default:
        return false;
    }
}

static void failed(struct run *run, struct line *line, unsigned call, unsigned why)
{
    static const char *const words[] = {"fails `failed`", "fails `overloaded`", "fails `disconnected`",
                                        "fails `unimplemented`"};

    has_ended(run, line, call);
    if (!may_fail(run, line, call, why)) {
        broken(run, line, call, why <= WHY_UNIMPLEMENTED ? words[why] : "fails, nobody knows why");
    }
}

static void impatient(struct run *run, struct line *line)
{
    if (line->audit && run_settled(run)) {
        broken(run, line, line->sent, "or one before it did not end, though nothing went wrong any more");
    }
}

void rpc_line(struct run *run, const struct node *node, const char *said)
{
    struct rpc *rpc = rpc_of(run);
    unsigned long tag, number;
    unsigned call = 0, why = 0;

    if (sscanf(said + 1, "%lx %lu %u %u", &tag, &number, &call, &why) < 2 || call > CALLS_MAX) {
        run_violation(run, BY_RPC, "%s: says what no checker understands: %s", node->name, said);
        return;
    }
    struct line *line = line_find(rpc, tag, number);
    line = line != NULL ? line : line_new(rpc, tag, number, node);
    switch (said[0]) {
    case '>':
        sent(run, line, call);
        return;
    case '<':
        reached(run, line, call);
        return;
    case '=':
        returned(run, line, call);
        return;
    case '!':
        failed(run, line, call, why);
        return;
    case 'x':
        line->cancelled |= 1ull << call;
        return;
    case 'b':
        line->broken = true;
        return;
    case 'i':
        impatient(run, line);
        return;
    default:
        run_violation(run, BY_RPC, "%s: says what no checker understands: %s", node->name, said);
    }
}

void rpc_end(struct run *run)
{
    struct rpc *rpc = run->check.rpc;

    for (size_t i = 0; rpc != NULL && i < rpc->count; i++) {
        struct line *line = &rpc->line[i];
        for (unsigned call = 1; call <= line->sent && line->boots == line->sender->boots; call++) {
            if ((line->ended >> call & 1) == 0) {
                broken(run, line, call, "has no end"); /* (3) */
            }
        }
    }
    if (rpc != NULL) {
        free(rpc->line);
    }
    free(rpc);
    run->check.rpc = NULL;
}

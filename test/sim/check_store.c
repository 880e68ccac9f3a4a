/* SPDX-License-Identifier: MIT OR Apache-2.0
 * check_store.c: the search for an order.
 *
 *  A name is a register: bind writes it and tells what was there, lookup reads it, remove empties it and tells whether anything
 *  was there. The history of one name is walked in the order of time with the set of all states that could be: the value, and
 *  which of the operations under way have already had their effect. When an operation ends, every state in which it has not
 *  had its effect yet is carried on by all orders of operations under way that let it; what has no such order is dropped.
 *  No state left: no order explains what was seen.
 *
 *  (1) An operation whose outcome nobody knows is under way until the end: it may have its effect at any time, or never. Only an
 *      effect that somebody saw matters, so it is tried right before an operation that needs it, and nowhere else.
 *  (2) When the store forgets, every name may be as it was at any time until then, whatever had its effect: but not as it
 *      never was, and from there on the order holds again.
 *  (3) What was refused had no effect; it is not looked at. An effect of it shows as a value that nobody wrote.
 */
#include "check_store.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "random.h"
#include "util.h"

#define KEYS_MAX 64
#define UNDER_WAY_MAX 64u /* of one name at a time, those of (1) included */
#define STATES_MAX 200000u
#define NOTHING (-1)
#define UNSEEN (-2) /* nobody was told what was there */

enum kind { BIND, LOOKUP, REMOVE, BOOT };
enum outcome { UNDER_WAY, DONE, REFUSED, UNKNOWN };

struct op {
    unsigned node, boot, session, number;
    enum kind kind;
    enum outcome outcome;
    int key, blob, seen; /* bind: written, previous; lookup: -, found; remove: -, whether it was there */
    uint64_t from_ns, to_ns;
};

struct history {
    struct op *op;
    size_t count, size;
    bool forgets; /* whenever it boots (2) */
};

/* --- collecting ------------------------------------------------------------------------------------------------------ */

static struct op *op_find(struct history *history, const struct op *same)
{
    for (size_t i = history->count; i > 0; i--) {
        struct op *op = &history->op[i - 1];
        if (op->node == same->node && op->boot == same->boot && op->session == same->session &&
            op->number == same->number && op->outcome == UNDER_WAY) {
            return op;
        }
    }
    return NULL;
}

static struct op *op_new(struct history *history)
{
    if (history->count == history->size) {
        history->size = history->size * 2 + 256;
        history->op = realloc(history->op, history->size * sizeof *history->op);
        if (history->op == NULL) {
            sim_fail("no memory for the history");
        }
    }
    history->op[history->count] = (struct op){0};
    return &history->op[history->count++];
}

static bool kind_of(const char *word, enum kind *kind)
{
    static const char *const words[] = {[BIND] = "bind", [LOOKUP] = "lookup", [REMOVE] = "remove"};

    for (unsigned i = 0; i < 3; i++) {
        if (strcmp(word, words[i]) == 0) {
            *kind = (enum kind)i;
            return true;
        }
    }
    return false;
}

static bool op_begins(struct history *history, struct op op, const char *rest)
{
    char word[16] = "";

    op.blob = NOTHING;
    if (sscanf(rest, "%15s %d %d", word, &op.key, &op.blob) < 2 || !kind_of(word, &op.kind) || op.key < 0 ||
        op.key >= KEYS_MAX) {
        return false;
    }
    *op_new(history) = op;
    return true;
}

static void op_ends(struct op *op, char how, const char *rest, uint64_t time_ns)
{
    int ignored;

    op->to_ns = time_ns;
    op->outcome = how == '=' ? DONE : how == '!' ? REFUSED : UNKNOWN;
    if (how == '=' && op->kind == BIND) {
        (void)sscanf(rest, "%*s %d %d %d", &ignored, &ignored, &op->seen);
    } else if (how == '=') {
        (void)sscanf(rest, "%*s %d %d", &ignored, &op->seen);
    }
}

bool history_line(struct history *history, unsigned node, unsigned boot, uint64_t time_ns, const char *said)
{
    struct op op = {.node = node, .boot = boot, .from_ns = time_ns};
    char how;
    int rest = 0;

    if (sscanf(said, "%u %u %c %n", &op.session, &op.number, &how, &rest) != 3) {
        return true; /* not this checker's */
    }
    if (how == '?') {
        return op_begins(history, op, said + rest);
    }
    struct op *begun = op_find(history, &op);
    if (begun != NULL) {
        op_ends(begun, how, said + rest, time_ns);
    }
    return begun != NULL;
}

void history_boot(struct history *history, uint64_t time_ns)
{
    *op_new(history) = (struct op){.kind = BOOT, .outcome = UNKNOWN, .from_ns = time_ns};
}

void history_forgets(struct history *history)
{
    history->forgets = true;
}

struct history *history_new(void)
{
    return sim_alloc(sizeof(struct history));
}

void history_free(struct history *history)
{
    free(history->op);
    free(history);
}

/* --- one name -------------------------------------------------------------------------------------------------------- */

struct state {
    uint64_t had; /* bit by place in under_way: had its effect */
    int value;
};

struct states {
    struct state *state;
    size_t count;
};

struct search {
    const struct op *under_way[UNDER_WAY_MAX]; /* NULL: a free place */
    struct states now, next;
    uint32_t *table; /* of next: place + 1 by hash, so that no state is there twice */
    size_t table_size;
    size_t *taken; /* by place in next: where in the table it stands */
};

static void states_clear(struct search *search)
{
    for (size_t i = 0; i < search->next.count; i++) {
        search->table[search->taken[i]] = 0;
    }
    search->next.count = 0;
}

/* False: there are too many to go on. */
static bool states_add(struct search *search, struct state state)
{
    size_t at = (size_t)random_mix(state.had * 31 + (uint64_t)state.value);

    for (;; at++) {
        at &= search->table_size - 1;
        uint32_t place = search->table[at];
        if (place == 0) {
            break;
        }
        const struct state *there = &search->next.state[place - 1];
        if (there->had == state.had && there->value == state.value) {
            return true;
        }
    }
    if (search->next.count == STATES_MAX) {
        return false;
    }
    search->taken[search->next.count] = at;
    search->next.state[search->next.count++] = state;
    search->table[at] = (uint32_t)search->next.count;
    return true;
}

/* The next is now. */
static void take_next(struct search *search)
{
    memcpy(search->now.state, search->next.state, search->next.count * sizeof *search->now.state);
    search->now.count = search->next.count;
    states_clear(search);
}

/* What may be now is where the next begins. False: too many. */
static bool begin_next(struct search *search)
{
    states_clear(search);
    for (size_t i = 0; i < search->now.count; i++) {
        if (!states_add(search, search->now.state[i])) {
            return false;
        }
    }
    return true;
}

/* What it saw. */
static bool explains(const struct op *op, int value)
{
    if (op->seen == UNSEEN) {
        return true;
    }
    return op->kind == REMOVE ? (op->seen != 0) == (value != NOTHING) : op->seen == value;
}

static int value_after(const struct op *op, int value)
{
    return op->kind == BIND ? op->blob : op->kind == REMOVE ? NOTHING : value;
}

/* The state after the operation at that place, which may need one of (1) right before it. False: too many. */
static bool goes_on(struct search *search, struct state from, unsigned place)
{
    const struct op *op = search->under_way[place];
    bool any = false;

    from.had |= 1ull << place;
    if (explains(op, from.value)) {
        return states_add(search, (struct state){from.had, value_after(op, from.value)});
    }
    for (unsigned i = 0; i < UNDER_WAY_MAX && !(any && op->kind != REMOVE); i++) { /* of those with one value, one */
        const struct op *unknown = search->under_way[i];
        if (unknown == NULL || unknown->outcome == DONE || (from.had >> i & 1) != 0) {
            continue;
        }
        int value = value_after(unknown, from.value);
        any |= explains(op, value);
        if (explains(op, value) && !states_add(search, (struct state){from.had | 1ull << i, value_after(op, value)})) {
            return false;
        }
    }
    return true;
}

/* All states that can follow from those in `next`, by effects of what is under way. False: too many. */
static bool carry_on(struct search *search)
{
    for (size_t i = 0; i < search->next.count; i++) { /* grows while it is walked */
        struct state from = search->next.state[i];
        for (unsigned place = 0; place < UNDER_WAY_MAX; place++) {
            const struct op *op = search->under_way[place];
            if (op != NULL && op->outcome == DONE && (from.had >> place & 1) == 0 && !goes_on(search, from, place)) {
                return false;
            }
        }
    }
    return true;
}

static unsigned place_of(const struct search *search, const struct op *op)
{
    unsigned place = 0;

    while (place < UNDER_WAY_MAX && search->under_way[place] != op) {
        place++;
    }
    return place;
}

/* The operation has ended: only states in which it had its effect remain. False: too many. */
static bool op_over(struct search *search, const struct op *op)
{
    unsigned place = place_of(search, op);
    size_t kept = 0;

    if (!begin_next(search) || !carry_on(search)) {
        return false;
    }
    for (size_t i = 0; i < search->next.count; i++) {
        struct state state = search->next.state[i];
        if ((state.had >> place & 1) != 0) {
            state.had &= ~(1ull << place);
            search->now.state[kept++] = state;
        }
    }
    search->now.count = kept;
    search->under_way[place] = NULL;
    return true;
}

struct moment {
    uint64_t time_ns;
    bool end;
    const struct op *op;
};

/* Ends before beginnings of the same time: then one came after the other. */
static int moment_order(const void *a, const void *b)
{
    const struct moment *x = a;
    const struct moment *y = b;

    if (x->time_ns != y->time_ns) {
        return x->time_ns < y->time_ns ? -1 : 1;
    }
    if (x->end != y->end) {
        return x->end ? -1 : 1;
    }
    return x->op < y->op ? -1 : x->op > y->op; /* of one array: as they were said, whatever qsort is like */
}

static size_t moments_of(const struct history *history, int key, struct moment *moments)
{
    size_t count = 0;

    for (size_t i = 0; i < history->count; i++) {
        const struct op *op = &history->op[i];
        if (op->kind == BOOT && history->forgets) {
            moments[count++] = (struct moment){op->from_ns, false, op};
        }
        if (op->kind == BOOT || op->key != key || op->outcome == REFUSED ||
            (op->outcome != DONE && op->kind == LOOKUP)) {
            continue;
        }
        moments[count++] = (struct moment){op->from_ns, false, op};
        if (op->outcome == DONE) {
            moments[count++] = (struct moment){op->to_ns, true, op};
        }
    }
    qsort(moments, count, sizeof *moments, moment_order);
    return count;
}

/* (2), at the last of these. False: too many. */
static bool forget(struct search *search, const struct moment *moments, size_t count)
{
    if (!begin_next(search) || !carry_on(search)) {
        return false;
    }
    take_next(search);
    for (size_t i = 0; i < search->now.count; i++) {
        struct state state = {search->now.state[i].had, NOTHING};
        if (!states_add(search, state)) {
            return false;
        }
        for (size_t j = 0; j < count; j++) {
            state.value = moments[j].op->blob;
            if (!moments[j].end && moments[j].op->kind == BIND && !states_add(search, state)) {
                return false;
            }
        }
    }
    take_next(search);
    return true;
}

static void cannot_be(const struct op *op, char *why, size_t why_size)
{
    static const char *const words[] = {[BIND] = "bind", [LOOKUP] = "lookup", [REMOVE] = "remove"};

    snprintf(
        why, why_size,
        "node %u, boot %u, session %u, operation %u: %s of name %d saw %d, which no order of what happened explains",
        op->node, op->boot, op->session, op->number, words[op->kind], op->key, op->seen);
}

static enum verdict key_check(struct search *search, const struct moment *moments, size_t count, char *why,
                              size_t why_size)
{
    memset(search->under_way, 0, sizeof search->under_way);
    search->now.state[0] = (struct state){0, NOTHING};
    search->now.count = 1;
    for (size_t i = 0; i < count; i++) {
        if (moments[i].op->kind == BOOT) {
            if (!forget(search, moments, i)) {
                return VERDICT_UNDECIDED;
            }
            continue;
        }
        if (!moments[i].end) {
            unsigned place = place_of(search, NULL);
            if (place == UNDER_WAY_MAX) {
                return VERDICT_UNDECIDED;
            }
            search->under_way[place] = moments[i].op;
            continue;
        }
        if (!op_over(search, moments[i].op)) {
            return VERDICT_UNDECIDED;
        }
        if (search->now.count == 0) {
            cannot_be(moments[i].op, why, why_size);
            return VERDICT_BROKEN;
        }
    }
    return VERDICT_KEPT;
}

static void search_begin(struct search *search)
{
    search->table_size = 1u << 19;
    search->table = sim_alloc(search->table_size * sizeof *search->table);
    search->taken = sim_alloc(STATES_MAX * sizeof *search->taken);
    search->now.state = sim_alloc(STATES_MAX * sizeof *search->now.state);
    search->next.state = sim_alloc(STATES_MAX * sizeof *search->next.state);
}

/* Large, and the same for all searches: made once. */
static struct search *search_get(void)
{
    static struct search search;

    if (search.table == NULL) {
        search_begin(&search);
    }
    return &search;
}

enum verdict history_check(const struct history *history, char *why, size_t why_size)
{
    struct moment *moments = sim_alloc(2 * history->count * sizeof *moments);
    struct search *search = search_get();
    enum verdict verdict = VERDICT_KEPT;

    for (int key = 0; key < KEYS_MAX && verdict != VERDICT_BROKEN; key++) {
        size_t count = moments_of(history, key, moments);
        enum verdict of_key = key_check(search, moments, count, why, why_size);
        verdict = of_key == VERDICT_KEPT ? verdict : of_key;
    }
    free(moments);
    return verdict;
}

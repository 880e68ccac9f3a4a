/* SPDX-License-Identifier: MIT OR Apache-2.0
 * check_caps.c: a model of capability tables, by the lines that threads and the loop say.
 *
 *  (1) Time is the number of the line. A thread's use of a capability lies between two lines, so a capability may have been good
 *      in a use when it was not surely gone before the first, and may have been bad when it may have gone before the second.
 *  (2) A capability has the limits of the one that it was made of: rights, revoker, and the revoker's epoch. That is kept too for
 *      what was passed in a message, which says nothing of limits.
 */
#include "check_caps.h"
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "util.h"

#define RIGHT_CALL 1u /* as core/cap.h has them */
#define RIGHT_COPY 2u
#define RIGHT_MOVE 4u
#define RIGHT_ALL 7u
#define ST_OK 0
#define ST_AGAIN -1
#define ST_FULL -2
#define ST_STALE -4
#define ST_DENIED -5
#define ST_BADARG -6
#define ST_UNSUPPORTED -12
#define REVOKERS_MAX 8u
#define DOMAINS_MAX 8u
#define THREADS_MAX 8u
#define ENDPOINT_FIRST 8u
#define TABLE_SIZE 64u /* DOMAIN_CAPS_SPARE, and what is there from the beginning */
#define UNTOLD_MAX 16u /* entries of the two threads of a domain, and as much again */
#define NEVER SIZE_MAX

enum method { METHOD_ADD, METHOD_LATER, METHOD_NEVER, METHOD_FAIL, METHOD_GIVE }; /* as in cap_load.h */

/* A capability: one number of one table. */
struct cap {
    unsigned domain, object, rights, revoker;
    uint64_t number;
    size_t moved, dropped, revoked; /* lines; NEVER */
    unsigned drops;                 /* that were begun */
};

enum kind { CALL, DROP, ASK };

struct use {
    unsigned thread;
    uint64_t number;
    enum kind kind;
    bool over, cancelled;
    unsigned domain, method;
    uint64_t cap, value, passed;
    size_t begun;
};

struct caps {
    struct cap *cap;
    struct use *use;
    size_t cap_count, cap_size, use_count, use_size;
    size_t line;
    bool left[THREADS_MAX];
    char *why;
    size_t why_size;
};

/* --- the model ----------------------------------------------------------------------------------------------------------- */

static bool broken(struct caps *caps, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool broken(struct caps *caps, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(caps->why, caps->why_size, format, args);
    va_end(args);
    return false;
}

static struct cap *cap_find(struct caps *caps, unsigned domain, uint64_t number)
{
    for (size_t i = caps->cap_count; i > 0; i--) {
        struct cap *cap = &caps->cap[i - 1];
        if (cap->domain == domain && cap->number == number) {
            return cap;
        }
    }
    return NULL;
}

static void *grown(void *array, size_t count, size_t *size, size_t item)
{
    if (count < *size) {
        return array;
    }
    *size = *size * 2 + 256;
    array = realloc(array, *size * item);
    if (array == NULL) {
        sim_fail("no memory for capabilities");
    }
    return array;
}

/* A number that was not there before. */
static bool cap_add(struct caps *caps, struct cap cap)
{
    if (cap_find(caps, cap.domain, cap.number) != NULL) {
        return broken(caps, "table %u gives out the number %lu again", cap.domain, (unsigned long)cap.number);
    }
    cap.moved = cap.dropped = NEVER;
    cap.drops = 0;
    caps->cap = grown(caps->cap, caps->cap_count, &caps->cap_size, sizeof *caps->cap);
    caps->cap[caps->cap_count++] = cap;
    return true;
}

/* It can have been good for this between that line and now. */
static bool may(const struct cap *cap, unsigned rights, size_t begun)
{
    return cap != NULL && (cap->rights & rights) == rights && cap->moved > begun && cap->dropped > begun &&
           cap->revoked > begun;
}

/* It can have been gone at some time until now. */
static bool may_be_gone(const struct cap *cap)
{
    return cap == NULL || cap->moved != NEVER || cap->drops > 0 || cap->revoked != NEVER;
}

static bool limited(const struct cap *cap)
{
    return cap != NULL && (cap->rights != RIGHT_ALL || cap->revoker != 0);
}

/* --- what the loop does: it is done now ---------------------------------------------------------------------------------- */

static bool line_born(struct caps *caps, const char *rest)
{
    struct cap cap = {.revoked = NEVER};

    if (sscanf(rest, "%u %lu %u %u", &cap.domain, &cap.number, &cap.object, &cap.rights) != 4) {
        return broken(caps, "born what?");
    }
    return cap_add(caps, cap);
}

struct transfer {
    unsigned domain, target, rights, revoker;
    uint64_t cap, number;
    int status;
};

static bool copy_done(struct caps *caps, const struct transfer *t, const struct cap *from)
{
    if (!may(from, RIGHT_COPY, caps->line)) {
        return broken(caps, "table %u copies %lu, which is gone or may not be copied", t->domain,
                      (unsigned long)t->cap);
    }
    if (t->revoker != 0 && from->revoker != 0 && t->revoker != from->revoker) {
        return broken(caps, "table %u copies %lu from under its revoker", t->domain, (unsigned long)t->cap);
    }
    struct cap cap = *from;
    cap.domain = t->target;
    cap.number = t->number;
    cap.rights &= t->rights;
    cap.revoker = t->revoker != 0 ? t->revoker : from->revoker;
    if (cap.rights == 0) {
        return broken(caps, "table %u copies %lu with rights that it does not have", t->domain, (unsigned long)t->cap);
    }
    return cap_add(caps, cap);
}

/* Whatever is not surely gone, and what came with messages of which no line has told yet, may take a place. */
static bool may_be_full(const struct caps *caps, unsigned domain)
{
    size_t there = UNTOLD_MAX;

    for (size_t i = 0; i < caps->cap_count; i++) {
        const struct cap *cap = &caps->cap[i];
        there += cap->domain == domain && cap->moved == NEVER && cap->dropped == NEVER;
    }
    return there >= TABLE_SIZE;
}

/* The table had no reason to say no. */
static bool refused(struct caps *caps, const struct transfer *t, const struct cap *from, unsigned right)
{
    bool lacks = from != NULL && (from->rights & right) == 0;
    bool good = (t->status == ST_FULL && may_be_full(caps, t->target)) ||
                (t->status == ST_STALE && may_be_gone(from)) || (t->status == ST_DENIED && lacks) ||
                (t->status == ST_BADARG && from != NULL && (from->rights & t->rights) == 0) ||
                (t->status == ST_UNSUPPORTED && from != NULL && from->revoker != 0 && t->revoker != 0);

    return good || broken(caps, "table %u refuses %lu with %d", t->domain, (unsigned long)t->cap, t->status);
}

static bool line_copy(struct caps *caps, const char *rest)
{
    struct transfer t;

    if (sscanf(rest, "%u %lu %u %lu %u %u %d", &t.domain, &t.cap, &t.target, &t.number, &t.rights, &t.revoker,
               &t.status) != 7) {
        return broken(caps, "copied what?");
    }
    const struct cap *from = cap_find(caps, t.domain, t.cap);
    return t.status == ST_OK ? copy_done(caps, &t, from) : refused(caps, &t, from, RIGHT_COPY);
}

static bool line_move(struct caps *caps, const char *rest)
{
    struct transfer t = {.rights = RIGHT_ALL};

    if (sscanf(rest, "%u %lu %u %lu %d", &t.domain, &t.cap, &t.target, &t.number, &t.status) != 5) {
        return broken(caps, "moved what?");
    }
    struct cap *from = cap_find(caps, t.domain, t.cap);
    if (t.status != ST_OK) {
        return refused(caps, &t, from, RIGHT_MOVE);
    }
    if (!may(from, RIGHT_MOVE, caps->line)) {
        return broken(caps, "table %u moves %lu, which is gone or may not be moved", t.domain, (unsigned long)t.cap);
    }
    struct cap cap = *from;
    from->moved = caps->line;
    cap.domain = t.target;
    cap.number = t.number;
    return cap_add(caps, cap);
}

static bool line_revoke(struct caps *caps, const char *rest)
{
    unsigned revoker;

    if (sscanf(rest, "%u", &revoker) != 1 || revoker == 0 || revoker >= REVOKERS_MAX) {
        return broken(caps, "revoked what?");
    }
    for (size_t i = 0; i < caps->cap_count; i++) {
        if (caps->cap[i].revoker == revoker && caps->cap[i].revoked == NEVER) {
            caps->cap[i].revoked = caps->line;
        }
    }
    return true;
}

/* --- what a thread does: it was somewhere between two lines -------------------------------------------------------------- */

static bool line_begins(struct caps *caps, const char *rest)
{
    struct use use = {.begun = caps->line};
    char word[8] = "";
    int at = 0;

    if (sscanf(rest, "%u %lu %7s %n", &use.thread, &use.number, word, &at) != 3 || use.thread >= THREADS_MAX) {
        return broken(caps, "begins what?");
    }
    use.kind = strcmp(word, "call") == 0 ? CALL : strcmp(word, "drop") == 0 ? DROP : ASK;
    int got = sscanf(rest + at, "%u %lu %u %lu %lu", &use.domain, &use.cap, &use.method, &use.value, &use.passed);
    if (got != (use.kind == CALL ? 5 : use.kind == DROP ? 2 : EOF)) {
        return broken(caps, "begins what?");
    }
    struct cap *cap = use.kind == DROP ? cap_find(caps, use.domain, use.cap) : NULL;
    if (cap != NULL) {
        cap->drops++;
    }
    caps->use = grown(caps->use, caps->use_count, &caps->use_size, sizeof *caps->use);
    caps->use[caps->use_count++] = use;
    return true;
}

static struct use *use_find(struct caps *caps, unsigned thread, uint64_t number)
{
    for (size_t i = caps->use_count; i > 0; i--) {
        struct use *use = &caps->use[i - 1];
        if (use->thread == thread && use->number == number) {
            return use;
        }
    }
    return NULL;
}

struct outcome {
    int status;
    unsigned exception; /* 1: it came from the object */
    uint64_t value, cap;
};

static bool drop_ended(struct caps *caps, const struct use *use, const struct outcome *o)
{
    struct cap *cap = cap_find(caps, use->domain, use->cap);

    if (o->status == ST_STALE) {
        return cap == NULL || cap->moved != NEVER || cap->drops > 1 ||
               broken(caps, "table %u does not know %lu, which is there", use->domain, (unsigned long)use->cap);
    }
    if (o->status != ST_OK || cap == NULL || cap->moved <= use->begun || cap->dropped != NEVER) {
        return broken(caps, "table %u releases %lu, which is not there: %d", use->domain, (unsigned long)use->cap,
                      o->status);
    }
    cap->dropped = caps->line;
    return true;
}

/* What came with the answer is made of what was passed to an endpoint, or is the object's own. */
static bool call_gave(struct caps *caps, const struct use *use, const struct outcome *o, const struct cap *target)
{
    struct cap cap = {.object = target->object, .rights = RIGHT_ALL, .revoked = NEVER};

    if (use->method != METHOD_GIVE) {
        return broken(caps, "thread %u is given what it did not ask for", use->thread);
    }
    if (target->object >= ENDPOINT_FIRST) {
        const struct cap *passed = cap_find(caps, use->domain, use->passed);
        if (passed == NULL) {
            return broken(caps, "thread %u is given what nobody had", use->thread);
        }
        cap = *passed; /* (2) */
    }
    cap.domain = use->domain;
    cap.number = o->cap;
    return cap_add(caps, cap);
}

static bool call_done(struct caps *caps, const struct use *use, const struct outcome *o)
{
    const struct cap *target = cap_find(caps, use->domain, use->cap);
    const struct cap *passed = cap_find(caps, use->domain, use->passed);

    if (!may(target, RIGHT_CALL, use->begun)) {
        return broken(caps, "thread %u calls by %lu of table %u, which is gone or may not be called", use->thread,
                      (unsigned long)use->cap, use->domain);
    }
    if (use->passed != 0 && !may(passed, RIGHT_COPY, use->begun)) {
        return broken(caps, "thread %u passes %lu of table %u, which is gone or may not be passed", use->thread,
                      (unsigned long)use->passed, use->domain);
    }
    if (o->exception == 0 && o->status == ST_OK && o->value != use->value * 16 + target->object) {
        return broken(caps, "thread %u called object %u with %lu, and %lu came back", use->thread, target->object,
                      (unsigned long)use->value, (unsigned long)o->value);
    }
    if (o->exception != 0 && !use->cancelled && use->method != METHOD_FAIL && o->status != ST_AGAIN &&
        target->object < ENDPOINT_FIRST) {
        return broken(caps, "thread %u's call of object %u fails with %d, and nobody cancelled it", use->thread,
                      target->object, o->status);
    }
    if (o->status == ST_OK &&
        (use->method == METHOD_FAIL || (use->method == METHOD_NEVER && target->object < ENDPOINT_FIRST))) {
        return broken(caps, "thread %u's call of object %u returns, which it never does", use->thread, target->object);
    }
    return o->cap == 0 || call_gave(caps, use, o, target);
}

static bool call_refused(struct caps *caps, const struct use *use, const struct outcome *o)
{
    const struct cap *target = cap_find(caps, use->domain, use->cap);
    const struct cap *passed = cap_find(caps, use->domain, use->passed);
    bool passes = use->passed != 0;
    bool lacks = (target != NULL && (target->rights & RIGHT_CALL) == 0) || (passes && limited(passed));
    bool gone = may_be_gone(target) || (passes && may_be_gone(passed));
    bool good = (o->status == ST_STALE && gone) || (o->status == ST_DENIED && lacks);

    return good || broken(caps, "thread %u is refused %lu of table %u, passing %lu, with %d", use->thread,
                          (unsigned long)use->cap, use->domain, (unsigned long)use->passed, o->status);
}

static bool line_ended(struct caps *caps, const char *rest)
{
    unsigned thread;
    uint64_t number;
    struct outcome o;

    if (sscanf(rest, "%u %lu %d %u %lu %lu", &thread, &number, &o.status, &o.exception, &o.value, &o.cap) != 6) {
        return broken(caps, "what has ended?");
    }
    struct use *use = use_find(caps, thread, number);
    if (use == NULL || use->over) {
        return broken(caps, "operation %lu of thread %u completes, and %s", (unsigned long)number, thread,
                      use == NULL ? "was never begun" : "has completed");
    }
    use->over = true;
    if (use->kind == ASK) {
        return o.status == ST_OK || broken(caps, "thread %u is refused the broker: %d", thread, o.status);
    }
    if (use->kind == DROP) {
        return drop_ended(caps, use, &o);
    }
    return o.status == ST_OK || o.exception != 0 ? call_done(caps, use, &o) : call_refused(caps, use, &o);
}

/* --- the rest ------------------------------------------------------------------------------------------------------------ */

static bool line_got(struct caps *caps, const char *rest)
{
    unsigned thread, domain, from;
    uint64_t number, passed;

    if (sscanf(rest, "%u %u %lu %u %lu", &thread, &domain, &number, &from, &passed) != 5) {
        return broken(caps, "got what?");
    }
    const struct cap *parent = cap_find(caps, from, passed);
    if (parent == NULL) {
        return broken(caps, "thread %u is passed what nobody had", thread);
    }
    struct cap cap = *parent; /* (2) */
    cap.domain = domain;
    cap.number = number;
    return cap_add(caps, cap);
}

static bool line_cancels(struct caps *caps, const char *rest)
{
    unsigned thread;
    uint64_t number;

    if (sscanf(rest, "%u %lu", &thread, &number) != 2) {
        return broken(caps, "cancels what?");
    }
    struct use *use = use_find(caps, thread, number);
    if (use == NULL) {
        return broken(caps, "thread %u cancels what it has not begun", thread);
    }
    use->cancelled = true;
    return true;
}

static bool line_leaves(struct caps *caps, const char *rest)
{
    unsigned thread, count;

    if (sscanf(rest, "%u %u", &thread, &count) != 2 || thread >= THREADS_MAX || caps->left[thread]) {
        return broken(caps, "who leaves?");
    }
    caps->left[thread] = true;
    for (size_t i = 0; i < caps->use_count; i++) {
        count -= caps->use[i].thread == thread && !caps->use[i].over;
    }
    return count == 0 || broken(caps, "thread %u waits for an operation that never completes", thread);
}

static bool line_rest(struct caps *caps, const char *rest)
{
    char name[64];
    unsigned count, wanted;

    if (sscanf(rest, "%63s %u %u", name, &count, &wanted) != 3) {
        return broken(caps, "what rests?");
    }
    return count == wanted || broken(caps, "when all is over: %s %u, not %u", name, count, wanted);
}

/* No promise: where threads are stopped amid it, it may lose some. edges.sh reads it. */
static bool line_careless(struct caps *caps, const char *rest)
{
    unsigned count, most;

    if (sscanf(rest, "%u %u", &count, &most) != 2 || count > most) {
        return broken(caps, "counted to more than there was: %s", rest);
    }
    return true;
}

bool caps_line(struct caps *caps, const char *said, char *why, size_t size)
{
    static const struct {
        const char *word;
        bool (*take)(struct caps *caps, const char *rest);
    } lines[] = {{"born ", line_born},    {"copy ", line_copy}, {"move ", line_move},        {"revoke ", line_revoke},
                 {"? ", line_begins},     {"= ", line_ended},   {"x ", line_cancels},        {"got ", line_got},
                 {"leave ", line_leaves}, {"rest ", line_rest}, {"careless ", line_careless}};

    caps->line++;
    caps->why = why;
    caps->why_size = size;
    for (unsigned i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        size_t length = strlen(lines[i].word);
        if (strncmp(said, lines[i].word, length) == 0) {
            return lines[i].take(caps, said + length);
        }
    }
    return broken(caps, "says what no checker understands: %s", said);
}

bool caps_end(struct caps *caps, char *why, size_t size)
{
    caps->why = why;
    caps->why_size = size;
    for (size_t i = 0; i < caps->use_count; i++) {
        if (!caps->left[caps->use[i].thread]) {
            return broken(caps, "thread %u never ended", caps->use[i].thread);
        }
    }
    return true;
}

struct caps *caps_new(void)
{
    return sim_alloc(sizeof(struct caps));
}

void caps_free(struct caps *caps)
{
    free(caps->cap);
    free(caps->use);
    free(caps);
}

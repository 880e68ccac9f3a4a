/* SPDX-License-Identifier: MIT OR Apache-2.0
 * cap_load_broker.c: the loop's side: objects to call, and the broker, which copies, moves and revokes for the threads.
 */
#include <string.h>
#include "cap_load.h"
#include "core/assert.h"
#define LOG_TAG "cap-load"
#include "core/log.h"

#define LATERS 6u /* calls that wait at a time; few, so that some are refused */
#define REST_NS (500 * NS_PER_MS)

struct cell {
    struct object object;
    unsigned number;
};

/* A METHOD_LATER. */
struct later {
    struct call *call; /* [L] */
    struct timer timer;
    uint64_t value;
};

static struct {
    struct object broker;
    struct cell cell[CELLS];
    struct endpoint endpoint[DOMAINS];
    struct cap_table *table[DOMAINS]; /* [I] */
    cap_t broker_cap[DOMAINS];        /* [I] */
    struct cap_revoker revoker[REVOKERS];
    struct pool laters;
    unsigned done; /* [L] threads */
    uint32_t over; /* [a] */
    struct timer rest;
} self;

bool cap_load_over(void)
{
    return __atomic_load_n(&self.over, __ATOMIC_RELAXED) != 0;
}

/* --- messages ------------------------------------------------------------------------------------------------------------ */

static bool params_of(const struct call *call, uint64_t words[WORDS])
{
    const struct message_segment *segment = &call->params.message->segment[call->params.segment];

    if (call->interface_id != INTERFACE || call->params.word + WORDS > segment->used ||
        segment->words[call->params.word] != ROOT) {
        return false;
    }
    memcpy(words, segment->words + call->params.word, WORDS * sizeof *words);
    return true;
}

/* `give`: borrowed, or NULL. */
static void answer(struct call *call, uint64_t value, struct object *give) REQUIRES(LOOP)
{
    struct payload results = call_results(call, WORDS);
    struct message_segment *segment = &results.message->segment[results.segment];

    if (segment->size - segment->used < WORDS - 1) {
        results.message->failed = true;
    } else {
        memcpy(segment->words + results.word, (const uint64_t[WORDS]){ROOT, value}, WORDS * 8);
        segment->used += WORDS - 1;
    }
    if (give != NULL && results.message->cap_count < results.message->cap_max) {
        results.message->caps[results.message->cap_count++] = object_get(give);
    }
    call_return(call);
}

static void cancelled(struct call *call)
{
    room_assert_loop();
    call_fail(call, EXCEPTION_FAILED, "cancelled");
}

/* --- cells --------------------------------------------------------------------------------------------------------------- */

static void later_over(struct timer *timer)
{
    room_assert_loop();
    struct later *later = CONTAINER_OF(timer, struct later, timer);
    struct call *call = later->call;
    uint64_t value = later->value;

    pool_put(&self.laters, later);
    answer(call, value, NULL);
}

static void later_cancelled(struct call *call)
{
    room_assert_loop();
    struct later *later = call->server;

    timer_cancel(&later->timer);
    pool_put(&self.laters, later);
    call_fail(call, EXCEPTION_FAILED, "cancelled");
}

static void later_begin(struct call *call, uint64_t us, uint64_t value) REQUIRES(LOOP)
{
    struct later *later = pool_get(&self.laters);

    if (later == NULL) {
        call_fail(call, EXCEPTION_OVERLOADED, "%u wait already", LATERS);
        return;
    }
    *later = (struct later){.call = call, .value = value};
    call->server = later;
    call->cancelled = later_cancelled;
    timer_init(&later->timer, later_over);
    timer_set(&later->timer, clock_ns() + us * 1000);
}

static void cell_called(struct object *object, struct call *call)
{
    room_assert_loop();
    const struct cell *cell = CONTAINER_OF(object, struct cell, object);
    uint64_t words[WORDS];

    if (!params_of(call, words)) {
        call_fail(call, EXCEPTION_UNIMPLEMENTED, "not this interface, or not its message");
        return;
    }
    uint64_t value = words[VALUE_WORD] * 16 + cell->number;
    switch (call->method_id) {
    case METHOD_ADD:
        answer(call, value, NULL);
        return;
    case METHOD_LATER:
        later_begin(call, words[VALUE_WORD], value);
        return;
    case METHOD_NEVER:
        call->cancelled = cancelled;
        return;
    case METHOD_GIVE:
        answer(call, value, object);
        return;
    default:
        call_fail(call, EXCEPTION_FAILED, "as asked");
    }
}

static const struct object_ops cell_ops = {.call = cell_called};

static struct object *object_of(unsigned number)
{
    return number < CELLS ? &self.cell[number].object : &self.endpoint[number - CELLS].object;
}

/* As the lines say it. An endpoint's number is that of the thread that serves it, an even one. */
static unsigned number_of(unsigned object)
{
    return object < CELLS ? object : ENDPOINT_FIRST + (object - CELLS) * 2;
}

/* --- the broker ---------------------------------------------------------------------------------------------------------- */

/* What a thread asks for, taken apart. */
struct wish {
    unsigned domain, target;
    cap_t cap;
    uint32_t rights;
    unsigned revoker; /* 0: none */
};

static cap_t born(unsigned domain, unsigned object) REQUIRES(LOOP)
{
    cap_t cap = CAP_NONE;

    if (cap_insert(self.table[domain], object_of(object), CAP_ALL, NULL, &cap) == ST_OK) {
        log_info("@ cap born %u %lu %u %u", domain, cap, number_of(object), CAP_ALL);
    }
    return cap;
}

static cap_t copy(const struct wish *w) REQUIRES(LOOP)
{
    const struct cap_revoker *revoker = w->revoker > 0 ? &self.revoker[w->revoker - 1] : NULL;
    cap_t cap = CAP_NONE;
    status_t s = cap_copy(self.table[w->domain], w->cap, self.table[w->target], w->rights, revoker, &cap);

    log_info("@ cap copy %u %lu %u %lu %u %u %d", w->domain, w->cap, w->target, cap, w->rights, w->revoker, s);
    return cap;
}

static cap_t move(const struct wish *w) REQUIRES(LOOP)
{
    cap_t cap = CAP_NONE;
    status_t s = cap_move(self.table[w->domain], w->cap, self.table[w->target], &cap);

    log_info("@ cap move %u %lu %u %lu %d", w->domain, w->cap, w->target, cap, s);
    return cap;
}

static void revoke(const struct wish *w) REQUIRES(LOOP)
{
    unsigned revoker = w->revoker > 0 ? w->revoker : 1;

    cap_revoke(&self.revoker[revoker - 1]);
    log_info("@ cap revoke %u", revoker);
}

static void done(void) REQUIRES(LOOP)
{
    self.done++;
    if (self.done == CAP_LOAD_THREADS) {
        __atomic_store_n(&self.over, 1, __ATOMIC_RELAXED);
        timer_set(&self.rest, clock_ns() + REST_NS);
    }
}

static void broker_called(struct object *object, struct call *call)
{
    room_assert_loop();
    uint64_t words[WORDS];
    cap_t cap = CAP_NONE;

    (void)object;
    bool good = params_of(call, words);
    ASSERT(good && words[DOMAIN_WORD] < DOMAINS); /* our own threads ask, with a capability that nobody passes on */
    uint64_t more = words[MORE_WORD];
    struct wish w = {.domain = (unsigned)words[DOMAIN_WORD],
                     .target = (unsigned)(more & 0xff),
                     .cap = words[CAP_WORD],
                     .rights = (uint32_t)(more >> 8 & 0xff),
                     .revoker = (unsigned)(more >> 16 & 0xff)};
    switch (call->method_id) {
    case METHOD_BORN:
        cap = born(w.target, (unsigned)(w.rights + w.revoker) % (CELLS + DOMAINS));
        break;
    case METHOD_COPY:
        cap = copy(&w);
        break;
    case METHOD_MOVE:
        cap = move(&w);
        break;
    case METHOD_REVOKE:
        revoke(&w);
        break;
    default:
        done();
    }
    answer(call, cap, NULL);
}

static const struct object_ops broker_ops = {.call = broker_called};

/* --- begin and end ------------------------------------------------------------------------------------------------------- */

/* The tables are emptied; then nobody refers to the objects, or somebody forgot to let go. */
static void rest(struct timer *timer)
{
    room_assert_loop();
    (void)timer;
    for (unsigned i = 0; i < DOMAINS; i++) {
        if (!cap_table_clear(self.table[i], self.table[i]->size)) {
            log_err("@ fail a table is not empty after it was cleared");
        }
    }
    for (unsigned i = 0; i < CELLS + DOMAINS; i++) {
        log_info("@ cap rest references-of-%u %u 1", number_of(i), object_of(i)->references);
    }
    log_info("@ cap rest references-of-broker %u 1", self.broker.references);
    log_info("@ cap careless %u %u", cap_load_careless(), CAP_LOAD_THREADS * CAP_LOAD_OPS * CARELESS);
    log_info("@ cap rest calls-under-way %u 0", self.laters.in_use);
    log_info("@ audit");
    log_info("@ done");
}

static status_t domain_start(unsigned domain) REQUIRES(BOOT)
{
    static const char *const names[] = {"app/cap-load 0", "app/cap-load 1", "app/cap-load 2", "app/cap-load 3"};
    status_t s = ST_OK;

    self.table[domain] = domain_table(names[domain]);
    s = domain_give(self.table[domain], &self.broker, CAP_CALL, &self.broker_cap[domain]);
    for (unsigned i = 0; i < CELLS + DOMAINS && s == ST_OK; i++) {
        cap_t cap;
        s = domain_give(self.table[domain], object_of(i), CAP_ALL, &cap);
        log_info("@ cap born %u %lu %u %u", domain, cap, number_of(i), CAP_ALL);
        (void)cap_load_know(domain, cap, 0);
    }
    return s;
}

status_t cap_load_objects_start(void)
{
    status_t s = ST_OK;

    object_init(&self.broker, &broker_ops);
    for (unsigned i = 0; i < CELLS; i++) {
        self.cell[i].number = i;
        object_init(&self.cell[i].object, &cell_ops);
    }
    for (unsigned i = 0; i < DOMAINS; i++) {
        endpoint_init(&self.endpoint[i]);
    }
    pool_init(&self.laters, "cap-load calls", sizeof(struct later), LATERS);
    timer_init(&self.rest, rest);
    for (unsigned i = 0; i < DOMAINS && s == ST_OK; i++) {
        s = domain_start(i);
    }
    return s;
}

/* The first of a domain's two threads serves its endpoint. */
status_t cap_load_endow(struct runner *r)
{
    r->broker = self.broker_cap[r->domain];
    if (r->number % 2 != 0) {
        return ST_OK;
    }
    return domain_give(self.table[r->domain], &self.endpoint[r->domain].object, CAP_SERVE, &r->serves);
}

struct cap_table *cap_load_table(unsigned domain)
{
    return self.table[domain];
}

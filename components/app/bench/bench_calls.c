/* SPDX-License-Identifier: MIT OR Apache-2.0
 * bench_calls.c: the null call: no parameters, no results, returned at once.
 *
 *   LOOP sections, a batch a turn ----> THREAD sections ----> its reads ----> call of DONE ----> the loop's reads
 *
 *  (1) The thread's first call is WAIT, which the loop returns when its own section is done: only one of them runs at a time.
 */
#include "bench.h"
#include "config.h"
#include "core/assert.h"
#include "core/loop.h"
#include "core/object.h"
#include "core/thread.h"

#define INTERFACE 0xd1b71e2c4f0a9d35ull
#define BATCH 32u
#define LIMIT_NS (60 * NS_PER_S)
#define AREA_BYTES (BENCH_THREAD_READS_AT + BENCH_THREAD_AREA)
#define RESULTS 1024u /* where results of the thread's calls begin, 64 bytes for each of a batch */

enum method { METHOD_NULL, METHOD_WAIT, METHOD_DONE };

static struct {
    struct object object;
    cap_t cap;
    struct work turn;
    struct call *waiter; /* [L] the thread's WAIT, or NULL */
    uint32_t left;       /* [L] loop calls of this round */
    uint32_t rounds;     /* [L] that the loop has done */
    uint32_t returned;   /* [L] */
    struct call call;
    struct message params;
    struct message results;
    struct message_segment results_segment;
    uint64_t results_words[4];
} self;

/* --- the object ------------------------------------------------------------------------------------------------------ */

static void object_called(struct object *object, struct call *call)
{
    room_assert_loop();
    switch (call->method_id) {
    case METHOD_NULL:
        call_return(call);
        return;
    case METHOD_WAIT:
        self.waiter = call;
        loop_post(&self.turn);
        return;
    case METHOD_DONE:
        call_return(call);
        bench_disk_begin();
        return;
    default:
        call_fail(call, EXCEPTION_UNIMPLEMENTED, "method %u", call->method_id);
    }
}

static const struct object_ops object_ops = {.call = object_called};

/* --- from the loop --------------------------------------------------------------------------------------------------- */

static struct payload source_results(struct call *call, uint32_t words)
{
    self.results_segment = (struct message_segment){.words = self.results_words, .used = 1, .size = 4};
    self.results = (struct message){.segment = &self.results_segment, .segment_count = 1, .segment_max = 1};
    return (struct payload){&self.results, 0, 0};
}

static void source_returned(struct call *call)
{
    self.returned++;
}

static void source_failed(struct call *call, enum exception type, const char *reason)
{
    room_assert_loop();
    bench_end(reason);
}

static const struct call_source source = {source_results, source_returned, source_failed};

static void loop_batch(void) REQUIRES(LOOP)
{
    for (uint32_t i = 0; i < BATCH && self.left > 0; i++) {
        self.call = (struct call){.interface_id = INTERFACE, .params = {&self.params, 0, 0}, .source = &source};
        object_call(&self.object, &self.call);
        self.left--;
    }
}

static void on_turn(struct work *work)
{
    room_assert_loop();
    if (self.rounds == BENCH_ROUNDS) {
        ASSERT(self.returned == BENCH_ROUNDS * BENCH_CALLS);
        call_return(self.waiter); /* (1) */
        return;
    }
    if (self.left == 0) {
        self.left = BENCH_CALLS;
        MARK_BEGIN();
    }
    loop_batch();
    if (self.left == 0) {
        MARK_END();
        bench_section_done("loop-call", BENCH_CALLS);
        self.rounds++;
    }
    loop_post(&self.turn);
}

/* --- from a thread --------------------------------------------------------------------------------------------------- */

/* `count` entries, entered together. */
static void enter(struct ring_shared *ring, uint8_t op, enum method method, uint32_t count) REQUIRES(THREAD)
{
    struct ring_cqe cqe;

    for (uint32_t i = 0; i < count; i++) {
        struct ring_sqe sqe = {.op = op};
        if (op == RING_CALL) {
            sqe = (struct ring_sqe){.op = op,
                                    .method_id = (uint16_t)method,
                                    .params_words = 1,
                                    .results_offset = RESULTS + i * 64,
                                    .results_words_max = 1,
                                    .cap = self.cap,
                                    .interface_id = INTERFACE,
                                    .user_data = i};
        }
        bool taken = ring_submit(ring, &sqe);
        ASSERT(taken);
    }
    status_t s = cap_enter(count, LIMIT_NS);
    ASSERT(s == ST_OK);
    for (uint32_t i = 0; i < count; i++) {
        bool there = ring_take(ring, &cqe);
        ASSERT(there && cqe.status == ST_OK);
    }
}

static void section(struct ring_shared *ring, const char *name, uint8_t op, uint32_t batch) REQUIRES(THREAD)
{
    MARK_BEGIN();
    for (uint32_t i = 0; i < BENCH_CALLS / batch; i++) {
        enter(ring, op, METHOD_NULL, batch);
    }
    MARK_END();
    bench_section_done(name, BENCH_CALLS / batch * batch);
}

static void thread_main(struct ring_shared *ring, void *context)
{
    room_assert_thread();
    enter(ring, RING_CALL, METHOD_WAIT, 1);
    for (uint32_t round = 0; round < BENCH_ROUNDS; round++) {
        section(ring, "ring-call", RING_CALL, 1);
        section(ring, "ring-call-32", RING_CALL, BATCH);
        section(ring, "ring-nop-32", RING_NOP, BATCH);
    }
    bench_reads_run(ring);
    enter(ring, RING_CALL, METHOD_DONE, 1);
}

status_t bench_calls_init(struct object *disk, uint64_t blocks)
{
    struct cap_table *caps = domain_table("app/bench");

    object_init(&self.object, &object_ops);
    work_init(&self.turn, on_turn);
    status_t s = domain_give(caps, &self.object, CAP_ALL, &self.cap);
    if (s == ST_OK) {
        s = bench_reads_init(caps, disk, blocks);
    }
    if (s == ST_OK) {
        (void)thread_new(&(struct thread_config){.name = "bench",
                                                 .entry = thread_main,
                                                 .stack_bytes = 16384,
                                                 .sq_size = BATCH,
                                                 .cq_size = 2 * BATCH,
                                                 .area_bytes = AREA_BYTES,
                                                 .caps = caps});
    }
    return s;
}

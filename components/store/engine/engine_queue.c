/* SPDX-License-Identifier: MIT OR Apache-2.0
 * engine_queue.c: the loop's side of the desk: batches to the thread, and their answers.
 *
 *  (1) While the bell's call is out, the desk and the operations in `batch` are the thread's.
 *  (2) From when a format is asked for until it has ended nobody is let in (ENGINE_MOUNTING), whatever the batches say that
 *      what was kept or scrubbed still needs: what is acknowledged meanwhile would be erased.
 */
#define LOG_TAG "store"
#include <string.h>
#include "core/assert.h"
#include "core/log.h"
#include "core/loop.h"
#include "engine.h"

static struct {
    struct message params, results;
    struct message_segment params_segment, results_segment;
    uint64_t words[2]; /* the null pointer: an empty struct */
} empty;

/* --- the bell -------------------------------------------------------------------------------------------------------- */

/* A volume's UUID need not be secret, only its own: clocks, the disk's serial, and random bytes where there are any, hashed. */
static void make_seed(uint8_t seed[SHA256_BYTES]) REQUIRES(LOOP)
{
    struct {
        uint64_t clock, wall;
        char id[24];
        uint8_t random[32];
    } from = {.clock = clock_ns(), .wall = clock_wall_ns()};

    memcpy(from.id, engine_self.data->id, sizeof engine_self.data->id);
    if (engine_self.random != NULL) {
        status_ignore(random_fill(engine_self.random, from.random, sizeof from.random),
                      "then clocks and the serial are all");
    }
    sha256_bytes(&from, sizeof from, seed);
}

static void ring(enum engine_command command) REQUIRES(LOOP)
{
    if (command != ENGINE_RUN) {
        make_seed(engine_self.desk.seed);
    }
    ASSERT(!engine_self.bell.out);
    engine_self.desk.command = command;
    object_call(&engine_self.endpoint.object, &engine_self.bell);
}

/* The next batch, if there is one and the thread is free. */
static void hand_over(void) REQUIRES(LOOP)
{
    if (engine_self.bell.out) {
        return;
    }
    if (engine_self.format_wanted && engine_self.out == 0 && engine_self.open == 0) {
        engine_self.format_wanted = false;
        ring(ENGINE_FORMAT);
        return;
    }
    engine_self.desk.count = 0;
    while (engine_self.desk.count < ENGINE_BATCH_MAX && !list_empty(&engine_self.waiting)) {
        struct list *node = list_pop_front(&engine_self.waiting);
        list_push_back(&engine_self.batch, node);
        engine_self.desk.batch[engine_self.desk.count++] = &CONTAINER_OF(node, struct engine_op, node)->op;
    }
    if (engine_self.desk.count > 0) {
        engine_self.count.batches++;
        engine_self.count.operations += engine_self.desk.count;
        ring(ENGINE_RUN);
    }
}

void engine_submit(struct engine_op *op)
{
    op->since_ns = clock_ns();
    engine_self.out++;
    list_push_back(&engine_self.waiting, &op->node);
    hand_over();
}

static void format_ended(void) REQUIRES(LOOP)
{
    struct call *call = engine_self.format_call;

    engine_self.format_call = NULL;
    if (call != NULL && engine_self.state == ENGINE_MOUNTED) {
        call_return(call);
    } else if (call != NULL) {
        call_fail(call, EXCEPTION_FAILED, "not formatted: %s", engine_self.why);
    }
}

static void take_state(void) REQUIRES(LOOP)
{
    if (engine_self.format_call != NULL && engine_self.desk.command == ENGINE_RUN) {
        return; /* (2) */
    }
    engine_self.state = engine_self.desk.state;
    engine_self.why = engine_self.desk.why;
    health_set(&engine_self.health, engine_self.state == ENGINE_MOUNTED ? NULL : engine_self.why);
    if (engine_self.state == ENGINE_FOREIGN) {
        log_err("%s is not mounted: found %s", engine_self.data->name, engine_self.why);
    }
    if (engine_self.desk.command != ENGINE_RUN) {
        ready_release(&engine_self.ready); /* a disk that is not ours: the node is up, to be asked and told to format */
        format_ended();
    }
}

static void note_latency(uint64_t ns) REQUIRES(LOOP)
{
    uint64_t units = ns / 16000;
    uint32_t i = units == 0 ? 0 : 64u - (uint32_t)__builtin_clzll(units);

    engine_self.count.latency[i < ENGINE_LATENCIES ? i : ENGINE_LATENCIES - 1]++;
}

static void answered(struct call *call)
{
    room_assert_loop();
    uint64_t now = clock_ns();
    struct list done;

    take_state();
    list_init(&done);
    for (struct list *node = list_pop_front(&engine_self.batch); node != NULL;
         node = list_pop_front(&engine_self.batch)) {
        list_push_back(&done, node);
    }
    hand_over(); /* first: the thread works while the answers go out */
    for (struct list *node = list_pop_front(&done); node != NULL; node = list_pop_front(&done)) {
        struct engine_op *op = CONTAINER_OF(node, struct engine_op, node);
        engine_self.out--;
        note_latency(now - op->since_ns);
        if (op->op.kind >= CATALOG_CHANGES && op->op.answer == CATALOG_OK) {
            engine_self.changes++; /* before anyone is told */
            engine_watch_note(&op->op);
        }
        op->done(op);
    }
    hand_over();
}

static void failed(struct call *call, enum exception type, const char *reason)
{
    panic("the store's thread: %s", reason); /* it serves for as long as the image lives */
}

static struct payload results(struct call *call, uint32_t words)
{
    return (struct payload){&empty.results, 0, 0};
}

void engine_format(struct call *call)
{
    engine_self.format_call = call;
    engine_self.format_wanted = true;
    engine_self.state = ENGINE_MOUNTING;
    hand_over();
}

/* --- start ----------------------------------------------------------------------------------------------------------- */

static void message_init(struct message *message, struct message_segment *segment, uint64_t *word)
{
    *segment = (struct message_segment){word, 1, 1};
    *message =
        (struct message){.segment = segment, .segment_count = 1, .segment_max = 1, .read_limit_words = UINT64_MAX};
}

void engine_queue_init(void)
{
    static const struct call_source source = {results, answered, failed};

    list_init(&engine_self.waiting);
    list_init(&engine_self.batch);
    endpoint_init(&engine_self.endpoint);
    message_init(&empty.params, &empty.params_segment, &empty.words[0]);
    message_init(&empty.results, &empty.results_segment, &empty.words[1]);
    engine_self.bell =
        (struct call){.target = &engine_self.endpoint.object, .params = {&empty.params, 0, 0}, .source = &source};
}

void engine_queue_start(void)
{
    ring(ENGINE_MOUNT);
}

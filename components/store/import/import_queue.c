/* SPDX-License-Identifier: MIT OR Apache-2.0
 * import_queue.c: the loop's side of the desk: one operation at a time goes to the thread, by a call on its endpoint.
 */
#define LOG_TAG "import"
#include "core/assert.h"
#include "core/health.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/ring.h"
#include "import.h"

static struct {
    struct endpoint endpoint; /* [I] the thread's */
    struct call bell;
    struct list waiting;
    struct import_op mount;
    struct health health;
    struct ready ready;
    struct work start;
    struct message params, results;
    struct message_segment params_segment, results_segment;
    uint64_t words[2]; /* the null pointer: an empty struct */
} self;

static void hand_over(void) REQUIRES(LOOP)
{
    if (self.bell.out || list_empty(&self.waiting)) {
        return;
    }
    import_self.desk->op = CONTAINER_OF(list_pop_front(&self.waiting), struct import_op, node_waiting);
    object_call(&self.endpoint.object, &self.bell);
}

void import_submit(struct import_op *op)
{
    list_push_back(&self.waiting, &op->node_waiting);
    hand_over();
}

static void answered(struct call *call)
{
    room_assert_loop();
    (void)call;
    struct import_op *op = import_self.desk->op;

    op->done(op); /* before the desk is somebody else's */
    hand_over();
}

static void failed(struct call *call, enum exception type, const char *reason)
{
    (void)call, (void)type;
    panic("the import's thread: %s", reason); /* it serves for as long as the image lives */
}

static struct payload results(struct call *call, uint32_t words)
{
    (void)call, (void)words;
    return (struct payload){&self.results, 0, 0};
}

static void mounted(struct import_op *op)
{
    room_assert_loop();
    const char *found = import_self.desk->found;

    import_self.mounting = false;
    import_self.disk_bytes = import_self.desk->disk_bytes;
    import_self.why = op->answer == IMPORT_OK ? NULL : found;
    health_set(&self.health, import_self.why);
    if (op->answer == IMPORT_OK) {
        log_info("mounted: %s", found);
    } else {
        log_err("not mounted: found %s", found);
    }
    ready_release(&self.ready); /* a disk that cannot be read: the node is up, to say so */
}

static void begin(struct work *work)
{
    room_assert_loop();
    (void)work;
    self.mount = (struct import_op){.kind = IMPORT_MOUNT, .done = mounted};
    import_submit(&self.mount);
}

static void message_init(struct message *message, struct message_segment *segment, uint64_t *word)
{
    *segment = (struct message_segment){word, 1, 1};
    *message =
        (struct message){.segment = segment, .segment_count = 1, .segment_max = 1, .read_limit_words = UINT64_MAX};
}

struct object *import_queue_endpoint(void)
{
    return &self.endpoint.object;
}

void import_queue_init(void)
{
    static const struct call_source source = {results, answered, failed};

    list_init(&self.waiting);
    endpoint_init(&self.endpoint);
    message_init(&self.params, &self.params_segment, &self.words[0]);
    message_init(&self.results, &self.results_segment, &self.words[1]);
    self.bell = (struct call){.target = &self.endpoint.object, .params = {&self.params, 0, 0}, .source = &source};
    import_self.mounting = true;
    health_add(&self.health, "store/import");
    ready_hold(&self.ready);
    work_init(&self.start, begin);
    loop_post_boot(&self.start);
}

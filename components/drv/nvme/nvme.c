/* SPDX-License-Identifier: MIT OR Apache-2.0
 * nvme.c: requests in, answers out.
 *
 *       submit              part by part, a command each        all parts answered
 *   CLIENT ----> waiting ------------------------------> out --------------------> CLIENT (done)
 *      \---> instant (nothing for the controller to do) ---------------------------/
 *
 *  (1) taken = jobs with a request, at most `depth`. Each request is answered once, never from inside submit.
 *  (2) Jobs leave `waiting` in the order in which they came. A job is in `waiting` exactly while a part of it is not sent.
 *  (3) A job that is sent again begins anew: its request is the client's promise that the memory is as it was, and no other
 *      request in flight has an order with it (blkdev.h (2)). So it does no harm to write what was written, or to read anew.
 *  (4) A reset may cost what was in the controller's cache. When writes had ended that no FLUSH covers, then every FLUSH that
 *      was in flight ends with ST_IO, and so does the next one if a write had ended that none of those was to cover: nobody
 *      could say that it did what it is for.
 */
#include "nvme.h"
#include "core/assert.h"
#include "core/mem.h"

enum { OP_FLUSH = 0x00, OP_WRITE = 0x01, OP_READ = 0x02, OP_WRITE_ZEROES = 0x08, OP_DATASET = 0x09 }; /* 6 */
#define ZEROES_DEALLOCATE (1u << 25) /* 6.17, dword 12 */
#define WRITE_FUA (1u << 30)         /* 6.15, dword 12 */
#define DATASET_DISCARD (1u << 2)    /* 6.7, dword 11 */

struct nvme nvme_self;

/* --- to the controller ----------------------------------------------------------------------------------------------- */

static void job_rewind(struct nvme_job *job)
{
    job->sector = job->request->sector;
    job->segment = 0;
    job->segment_bytes = 0;
    job->sent = false;
    job->status = ST_OK;
}

static void transfer_fill(const struct nvme *nvme, struct nvme_job *job, struct nvme_slot *slot,
                          struct nvme_command *command)
{
    uint8_t shift = nvme->identity.block_shift;
    uint64_t block = job->sector >> (shift - 9);

    slot->bytes = nvme_prp_fill(&nvme->function->grant, job, slot, command, nvme->identity.command_bytes);
    command->opcode = job->request->op == BLK_READ ? OP_READ : OP_WRITE;
    command->word10 = (uint32_t)block;
    command->word11 = (uint32_t)(block >> 32);
    command->word12 = ((slot->bytes >> shift) - 1) | (job->request->durable ? WRITE_FUA : 0);
    job->sector += slot->bytes / BLKDEV_SECTOR_BYTES;
    job->sent = job->segment == job->request->segment_count;
}

/* The next piece of a request that has sectors and no segments, of at most so many blocks: its first block. */
static uint64_t range_next(const struct nvme *nvme, struct nvme_job *job, uint64_t most, uint32_t *blocks)
{
    unsigned shift = nvme->identity.block_shift - 9u;
    uint64_t end = job->request->sector + job->request->sector_count;
    uint64_t first = job->sector >> shift;
    uint64_t left = (end - job->sector) >> shift;

    *blocks = (uint32_t)(left < most ? left : most);
    job->sector += (uint64_t)*blocks << shift;
    job->sent = job->sector == end;
    return first;
}

/* One range (6.7.1), which lies where a transfer would have its list. */
static void discard_fill(const struct nvme *nvme, struct nvme_job *job, struct nvme_slot *slot,
                         struct nvme_command *command)
{
    uint32_t blocks = 0;

    slot->list[1] = range_next(nvme, job, UINT32_MAX, &blocks);
    slot->list[0] = (uint64_t)blocks << 32;
    command->opcode = OP_DATASET;
    command->prp1 = slot->list_dma.value;
    command->word11 = DATASET_DISCARD;
}

/* No data, so no limit but the field's is in the specification (6.17); but controllers are known that take no more than they do
 * of data, and a command must not take longer than timeout_ms. */
static void zeroes_fill(const struct nvme *nvme, struct nvme_job *job, struct nvme_command *command)
{
    uint32_t blocks = 0;
    uint64_t first = range_next(nvme, job, nvme->identity.command_bytes >> nvme->identity.block_shift, &blocks);

    command->opcode = OP_WRITE_ZEROES;
    command->word10 = (uint32_t)first;
    command->word11 = (uint32_t)(first >> 32);
    command->word12 = (blocks - 1) | (nvme->identity.zeroes_free ? ZEROES_DEALLOCATE : 0);
}

static void command_fill(const struct nvme *nvme, struct nvme_job *job, struct nvme_slot *slot,
                         struct nvme_command *command)
{
    command->nsid = nvme->identity.nsid;
    switch (job->request->op) {
    case BLK_READ:
    case BLK_WRITE:
        transfer_fill(nvme, job, slot, command);
        return;
    case BLK_DISCARD:
        discard_fill(nvme, job, slot, command);
        return;
    case BLK_WRITE_ZEROES:
        zeroes_fill(nvme, job, command);
        return;
    case BLK_FLUSH:
        command->opcode = OP_FLUSH;
        job->sent = true;
        return;
    }
    UNREACHABLE();
}

/* The next queue that has room, in turn. NULL: none has. */
static struct nvme_queue *queue_choose(struct nvme *nvme)
{
    for (uint16_t i = 0; i < nvme->queue_count; i++) {
        struct nvme_queue *q = &nvme->queue[1 + nvme->queue_next];
        nvme->queue_next = (uint16_t)(nvme->queue_next + 1 < nvme->queue_count ? nvme->queue_next + 1 : 0);
        if (q->in_flight < q->size - 1) {
            return q;
        }
    }
    return NULL;
}

/* Sends the job's next part. False: no queue has room. */
static bool part_send(struct nvme *nvme, struct nvme_job *job)
{
    struct nvme_queue *q = queue_choose(nvme);
    struct nvme_slot *slot = NULL;

    if (q == NULL) {
        return false;
    }
    struct nvme_command *command = nvme_queue_add(q, job, &slot);
    command_fill(nvme, job, slot, command);
    slot->sent_at = nvme->tick;
    job->out++;
    return true;
}

void nvme_requests_send(struct nvme *nvme)
{
    while (nvme->state == NVME_RUNNING && !list_empty(&nvme->waiting)) {
        struct nvme_job *job = CONTAINER_OF(nvme->waiting.next, struct nvme_job, node);
        if (!part_send(nvme, job)) {
            return; /* an answer will make room */
        }
        loop_at_turn_end(&nvme->bell);
        if (job->sent) {
            list_remove(&job->node);
        }
    }
}

static void on_bell(struct work *work)
{
    (void)work;
    room_assert_loop();
    for (uint16_t i = 1; i <= nvme_self.queue_count && nvme_self.state == NVME_RUNNING; i++) {
        nvme_queue_ring(&nvme_self.queue[i]);
    }
    if (NVME_POLL) {
        loop_post(&nvme_self.again);
    }
}

/* Answered without the controller, but not from inside submit: (1). */
static void job_answer(struct nvme *nvme, struct nvme_job *job, status_t status) REQUIRES(LOOP)
{
    job->status = status;
    list_push_back(&nvme->instant, &job->node);
    loop_post(&nvme->instant_work);
}

static void job_begin(struct nvme *nvme, struct nvme_job *job) REQUIRES(LOOP)
{
    if (job->request->op == BLK_FLUSH && nvme->doubt) {
        nvme->doubt = false;
        nvme->flushed = nvme->written;
        job_answer(nvme, job, ST_IO); /* (4) */
    } else if (job->request->op == BLK_FLUSH && !nvme->blkdev.has_flush) {
        job_answer(nvme, job, ST_OK);
    } else {
        list_push_back(&nvme->waiting, &job->node);
        nvme_requests_send(nvme);
    }
}

static status_t ops_submit(struct blkdev *blkdev, struct blk_request *request)
{
    struct nvme *nvme = &nvme_self;

    room_assert_loop();
    ASSERT(blkdev == &nvme->blkdev && nvme->taken <= NVME_DEPTH);
    if (blkdev->dead) {
        return ST_CLOSED;
    }
    status_t s = blkdev_check(blkdev, request);
    if (s != ST_OK) {
        return s;
    }
    struct list *node = list_pop_front(&nvme->job_free);
    if (node == NULL) {
        return ST_FULL;
    }
    struct nvme_job *job = CONTAINER_OF(node, struct nvme_job, node);
    job->request = request;
    job->again = false;
    job->covers = nvme->written;
    job_rewind(job);
    nvme->taken++;
    nvme_watch_begin(nvme);
    job_begin(nvme, job);
    return ST_OK;
}

/* --- from the controller ---------------------------------------------------------------------------------------------- */

/* What FLUSHes have to vouch for: (4). */
static void cache_note(struct nvme *nvme, const struct nvme_job *job)
{
    switch (job->request->op) {
    case BLK_WRITE:
        nvme->written += nvme->blkdev.has_flush && !job->request->durable;
        return;
    case BLK_WRITE_ZEROES:
        nvme->written += nvme->blkdev.has_flush;
        return;
    case BLK_FLUSH:
        nvme->flushed = job->covers > nvme->flushed ? job->covers : nvme->flushed;
        return;
    case BLK_READ:
    case BLK_DISCARD:
        return;
    }
    UNREACHABLE();
}

static void job_end(struct nvme *nvme, struct nvme_job *job, status_t status) REQUIRES(LOOP)
{
    struct blk_request *request = job->request;

    ASSERT(request != NULL && job->out == 0 && nvme->taken > 0);
    blkdev_count(&nvme->blkdev.count, request, status);
    if (status == ST_OK) {
        cache_note(nvme, job);
    }
    job->request = NULL;
    list_push_front(&nvme->job_free, &job->node);
    nvme->taken--;
    request->done(request, status);
}

static void on_instant(struct work *work)
{
    struct list *node;

    (void)work;
    room_assert_loop();
    for (unsigned i = 0; i < NVME_DEPTH && (node = list_pop_front(&nvme_self.instant)) != NULL; i++) {
        struct nvme_job *job = CONTAINER_OF(node, struct nvme_job, node);
        job_end(&nvme_self, job, job->status);
    }
    if (!list_empty(&nvme_self.instant)) {
        loop_post(&nvme_self.instant_work);
    }
}

/* ST_TIMEOUT: we had it aborted. */
static status_t answer_status(const struct nvme_answer *answer)
{
    switch (answer->status) {
    case NVME_OK:
        return ST_OK;
    case NVME_INVALID_OPCODE:
        return ST_UNSUPPORTED;
    default:
        return answer->status == NVME_ABORTED && answer->slot->aborting ? ST_TIMEOUT : ST_IO;
    }
}

/* All its commands are answered. */
static void job_finish(struct nvme *nvme, struct nvme_job *job) REQUIRES(LOOP)
{
    if (job->status == ST_TIMEOUT && !job->again) {
        job->again = true;
        job_rewind(job); /* (3) */
        list_push_front(&nvme->waiting, &job->node);
        return;
    }
    job_end(nvme, job, job->status == ST_TIMEOUT ? ST_IO : job->status);
}

static void command_answered(struct nvme *nvme, struct nvme_queue *q, const struct nvme_answer *answer) REQUIRES(LOOP)
{
    struct nvme_job *job = answer->slot->owner;
    status_t status = answer_status(answer);

    ASSERT(job->request != NULL && job->out > 0);
    nvme_slot_put(q, answer->slot);
    job->out--;
    if (status != ST_OK && job->status == ST_OK) {
        job->status = status;
    }
    if (job->status != ST_OK && !job->sent) { /* what was not sent need not be */
        job->sent = true;
        list_remove(&job->node);
    }
    if (job->sent && job->out == 0) {
        job_finish(nvme, job);
    }
}

/* False: it lies. */
static bool queue_reap(struct nvme *nvme, struct nvme_queue *q) REQUIRES(LOOP)
{
    struct nvme_answer answer;
    status_t s = ST_OK;

    for (unsigned i = 0; i < q->size && (s = nvme_queue_reap(q, &answer)) == ST_OK; i++) {
        command_answered(nvme, q, &answer);
    }
    if (s == ST_OK) {
        loop_post(&nvme->again);
    }
    if (s != ST_PROTO) {
        nvme_queue_reaped(q);
    }
    return s != ST_PROTO;
}

bool nvme_io_reap(struct nvme *nvme, uint32_t queues)
{
    for (uint16_t i = 1; i <= nvme->queue_count; i++) {
        if ((queues >> i & 1) != 0 && !queue_reap(nvme, &nvme->queue[i])) {
            nvme_fail(nvme, "completion queue", false);
            return false;
        }
    }
    nvme_requests_send(nvme);
    return true;
}

static void on_again(struct work *work)
{
    (void)work;
    room_assert_loop();
    if (nvme_self.state == NVME_RUNNING && nvme_io_reap(&nvme_self, UINT32_MAX) && NVME_POLL && nvme_self.taken != 0) {
        loop_post(&nvme_self.again);
    }
}

void nvme_interrupt(struct irq *irq)
{
    struct nvme *nvme = &nvme_self;

    room_assert_loop();
    uint32_t queues = CONTAINER_OF(irq, struct nvme_irq, irq)->queues;
    if (nvme->state == NVME_STARTING) {
        loop_post(&nvme->control_work);
    }
    if (nvme->state != NVME_RUNNING || !nvme_io_reap(nvme, queues)) {
        return;
    }
    if ((queues & 1) != 0) {
        nvme_admin_reap(nvme);
    }
}

/* --- when the controller was reset ------------------------------------------------------------------------------------ */

/* Whether some of it was sent: also when all that was sent is answered, and a part waits for room. */
static bool is_begun(const struct nvme_job *job)
{
    return job->out != 0 || job->sector != job->request->sector;
}

/* Takes every command back. Jobs that had some are in `returned` then, and nowhere else. */
static void commands_reclaim(struct nvme *nvme, struct list *returned)
{
    for (uint16_t i = 0; i <= NVME_QUEUES; i++) {
        struct nvme_queue *q = &nvme->queue[i];
        for (uint16_t place = 0; place + 1 < q->size; place++) {
            if (q->slot[place].owner != NULL) {
                nvme_slot_put(q, &q->slot[place]);
            }
        }
    }
    for (uint16_t i = 0; i < NVME_DEPTH; i++) {
        struct nvme_job *job = &nvme->job[i];
        if (job->request != NULL && is_begun(job)) {
            job->out = 0;
            list_remove(&job->node);
            list_push_back(returned, &job->node);
        }
    }
}

/* Moves the FLUSHes of a list to `instant`, to fail; whoever waits for one is told of the writes that it was to cover. */
static void flushes_fail(struct nvme *nvme, struct list *list) REQUIRES(LOOP)
{
    for (struct list *at = list->next, *next = at->next; at != list; at = next, next = at->next) {
        struct nvme_job *job = CONTAINER_OF(at, struct nvme_job, node);
        if (job->request->op == BLK_FLUSH) {
            list_remove(at);
            job_answer(nvme, job, ST_IO);
            nvme->flushed = job->covers > nvme->flushed ? job->covers : nvme->flushed;
        }
    }
}

static void doubt_settle(struct nvme *nvme, struct list *returned) REQUIRES(LOOP)
{
    if (nvme->written == nvme->flushed) {
        return;
    }
    flushes_fail(nvme, returned);
    flushes_fail(nvme, &nvme->waiting);
    nvme->doubt = nvme->written != nvme->flushed; /* (4) */
}

static void all_end(struct nvme *nvme, struct list *list) REQUIRES(LOOP)
{
    struct list *node;

    while ((node = list_pop_front(list)) != NULL) {
        job_end(nvme, CONTAINER_OF(node, struct nvme_job, node), ST_IO);
    }
}

void nvme_requests_return(struct nvme *nvme)
{
    struct list returned;

    list_init(&returned);
    commands_reclaim(nvme, &returned);
    if (nvme->blkdev.dead) {
        all_end(nvme, &returned);
        all_end(nvme, &nvme->waiting);
        all_end(nvme, &nvme->instant);
        ASSERT(nvme->taken == 0);
        return;
    }
    doubt_settle(nvme, &returned);
    for (struct list *node = list_pop_front(&returned); node != NULL; node = list_pop_front(&returned)) {
        struct nvme_job *job = CONTAINER_OF(node, struct nvme_job, node);
        if (!nvme->resend || job->again) {
            job_end(nvme, job, ST_IO);
        } else {
            job->again = true;
            job_rewind(job); /* (3) */
            list_push_front(&nvme->waiting, &job->node);
        }
    }
}

/* --- at boot ---------------------------------------------------------------------------------------------------------- */

void nvme_requests_init(struct nvme *nvme)
{
    nvme->job = boot_alloc(sizeof(struct nvme_job) * NVME_DEPTH, _Alignof(struct nvme_job));
    list_init(&nvme->job_free);
    list_init(&nvme->waiting);
    list_init(&nvme->instant);
    for (unsigned i = 0; i < NVME_DEPTH; i++) {
        list_push_back(&nvme->job_free, &nvme->job[i].node);
    }
    work_init(&nvme->instant_work, on_instant);
    work_init(&nvme->bell, on_bell);
    work_init(&nvme->again, on_again);
}

const struct blkdev_ops nvme_ops = {.submit = ops_submit, .revoke = nvme_revoke};

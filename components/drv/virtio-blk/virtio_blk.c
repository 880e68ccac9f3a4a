/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio_blk.c: a virtio block device (virtio 1.2, 5.2) in use: requests in, answers out.
 *
 *         submit              slot and descriptors         device finished
 *   CLIENT -----> WAITING -------------------------> BUSY ----------------> CLIENT (done)
 *
 *  (1) taken = requests that wait + slots that are busy with a request + flushes that need no device, at most `depth`. Each
 *      is answered once.
 *  (2) Requests leave the waiting list in the order in which they came.
 *  (3) The status byte is preset to a value that no device answers: success is what the device wrote, never what it forgot.
 *      A read must also have written all bytes that were asked for.
 *  (4) done() is called from the device's turn only, after the slot is free: it may submit again.
 *  (5) While the device has requests a timer is armed; one that is still there when it fires for the second time is
 *      overdue, and the device is reset. A disk that was reset is not used again: it may have forgotten writes that it said
 *      were done, and a FLUSH that succeeds then would say that they are safe.
 */
#define LOG_TAG "virtio-blk"
#include "virtio_blk.h"
#include "core/assert.h"
#include "core/log.h"
#include "core/stack.h"

struct virtio_blk virtio_blk_self;

static void dead(void) REQUIRES(LOOP)
{
    virtio_blk_self.blkdev.dead = true;
    health_set(&virtio_blk_self.health,
               "the disk failed and is not used any more; what was acknowledged is on it: reboot");
}

static void die(const char *why) REQUIRES(LOOP)
{
    dead();
    virtio_fail(virtio_blk_self.device, why);
}

static void lied(const char *what) REQUIRES(LOOP)
{
    virtio_blk_self.blkdev.count.broken_rules++;
    die(what);
}

void virtio_blk_bell(struct work *work)
{
    (void)work;
    room_assert_loop();
    for (uint16_t i = 0; i < virtio_blk_self.queue_count; i++) {
        virtio_notify(virtio_blk_self.device, i, &virtio_blk_self.queue[i]);
    }
}

/* --- to the device -------------------------------------------------------------------------------------------------- */

static uint32_t type_of(const struct blk_request *request)
{
    switch (request->op) {
    case BLK_READ:
        return TYPE_IN;
    case BLK_WRITE:
        return TYPE_OUT;
    case BLK_FLUSH:
        return TYPE_FLUSH;
    case BLK_DISCARD:
        return TYPE_DISCARD;
    case BLK_WRITE_ZEROES:
        return TYPE_WRITE_ZEROES;
    }
    UNREACHABLE();
}

/* A chain as the device is to see it: `readable` segments, then those that it writes. */
struct chain {
    struct virtq_segment segment[TABLE_SIZE];
    uint16_t count, readable;
};

static void chain_add(struct chain *chain, uint64_t address, uint32_t size)
{
    ASSERT(chain->count < TABLE_SIZE);
    chain->segment[chain->count++] = (struct virtq_segment){.address = {address}, .size = size};
}

static void chain_data(struct chain *chain, const struct blk_request *request)
{
    for (uint16_t i = 0; i < request->segment_count; i++) {
        chain_add(chain, dma_lend(virtio_blk_self.device->grant, request->segment[i].data).value,
                  request->segment[i].size);
    }
}

static void range_fill(struct blk_slot *slot, uint32_t type, const struct blk_request *request)
{
    slot->wrap->range = (struct virtio_blk_range){
        .sector = request->sector,
        .count = (uint32_t)request->sector_count,
        .flags = type == TYPE_WRITE_ZEROES ? virtio_blk_self.zeroes_flags : 0, /* none is for DISCARD */
    };
}

/* Header, data, status: virtio 1.2, 5.2.6. GET_ID has no request and reads into the wrap itself. */
static void chain_make(struct chain *chain, struct blk_slot *slot, uint32_t type, const struct blk_request *request)
{
    uint64_t base = slot->wrap_dma.value;

    chain->count = 0;
    chain_add(chain, base, HEADER_BYTES);
    chain->readable = 1;
    if (type == TYPE_IN || type == TYPE_OUT) {
        slot->wrap->sector = request->sector;
        chain_data(chain, request);
    } else if (type == TYPE_DISCARD || type == TYPE_WRITE_ZEROES) {
        range_fill(slot, type, request);
        chain_add(chain, base + offsetof(struct virtio_blk_wrap, range), sizeof slot->wrap->range);
    } else if (type == TYPE_GET_ID) {
        chain_add(chain, base + offsetof(struct virtio_blk_wrap, id), sizeof slot->wrap->id);
    }
    if (type != TYPE_IN && type != TYPE_GET_ID) {
        chain->readable = chain->count;
    }
    chain_add(chain, base + offsetof(struct virtio_blk_wrap, status), 1);
}

status_t virtio_blk_slot_submit(struct blk_slot *slot, uint32_t type, const struct blk_request *request)
{
    UNINITIALIZED struct chain chain; /* the first `count` segments are written, and passed on */
    struct virtio_blk *blk = &virtio_blk_self;
    status_t s = ST_FULL;

    slot->wrap->type = type;
    slot->wrap->reserved = 0;
    slot->wrap->sector = 0;
    slot->wrap->status = STATUS_NOT_WRITTEN; /* (3) */
    chain_make(&chain, slot, type, request);
    for (uint16_t i = 0; i < blk->queue_count && s == ST_FULL; i++) {
        struct virtq *q = &blk->queue[blk->queue_next];
        blk->queue_next = (uint16_t)(blk->queue_next + 1 < blk->queue_count ? blk->queue_next + 1 : 0);
        s = virtq_submit_either(q, &slot->table, chain.segment, chain.readable,
                                (uint16_t)(chain.count - chain.readable), slot);
    }
    return s;
}

/* (5) */
static void watch(struct virtio_blk *blk) REQUIRES(LOOP)
{
    if (!timer_armed(&blk->watch)) {
        timer_set(&blk->watch, clock_ns() + VIRTIO_BLK_DEADLINE_S * NS_PER_S);
    }
}

void virtio_blk_watch(struct timer *timer)
{
    struct virtio_blk *blk = &virtio_blk_self;
    bool any = false;

    room_assert_loop();
    ASSERT(timer == &blk->watch);
    for (unsigned i = 0; i < VIRTIO_BLK_DEPTH && !blk->blkdev.dead; i++) {
        any |= blk->slot[i].busy;
        if (blk->slot[i].busy && blk->slot[i].watch != blk->watches) {
            blk->blkdev.count.overdue++;
            die("a request was not answered in time");
        }
    }
    blk->watches++;
    if (any && !blk->blkdev.dead) {
        watch(blk);
    }
}

/* Gives the request to the device, or says ST_FULL. */
static status_t request_send(struct blk_request *request) REQUIRES(LOOP)
{
    struct virtio_blk *blk = &virtio_blk_self;

    if (blk->slot_free == VIRTIO_BLK_DEPTH) {
        return ST_FULL;
    }
    struct blk_slot *slot = &blk->slot[blk->slot_free];
    status_t s = virtio_blk_slot_submit(slot, type_of(request), request);
    if (s == ST_OK) {
        ASSERT(!slot->busy);
        slot->busy = true;
        slot->request = request;
        slot->bytes = blkdev_bytes(request);
        slot->watch = blk->watches;
        blk->slot_free = slot->next;
        watch(blk);
    }
    return s;
}

/* As many of the waiting as there is room for: (2). */
static void waiting_send(void) REQUIRES(LOOP)
{
    struct virtio_blk *blk = &virtio_blk_self;

    while (!list_empty(&blk->waiting)) {
        struct blk_request *request = CONTAINER_OF(blk->waiting.next, struct blk_request, node);
        if (request_send(request) != ST_OK) {
            return; /* full, or dead: on_stopped answers it */
        }
        list_remove(&request->node);
        loop_at_turn_end(&blk->bell);
    }
}

static status_t ops_submit(struct blkdev *blkdev, struct blk_request *request)
{
    struct virtio_blk *blk = &virtio_blk_self;

    room_assert_loop();
    ASSERT(blkdev == &blk->blkdev && blk->taken <= blkdev->depth);
    if (blkdev->dead) {
        return ST_CLOSED;
    }
    status_t s = blkdev_check(blkdev, request);
    if (s != ST_OK) {
        return s;
    }
    if (blk->taken == blkdev->depth) {
        return ST_FULL;
    }
    blk->taken++;
    if (request->op == BLK_FLUSH && !blkdev->has_flush) {
        list_push_back(&blk->instant, &request->node); /* nothing to do, but (4): not from inside here */
        loop_post(&blk->instant_work);
        return ST_OK;
    }
    list_push_back(&blk->waiting, &request->node);
    waiting_send();
    return ST_OK;
}

static void ops_revoke(struct blkdev *blkdev)
{
    room_assert_loop();
    ASSERT(blkdev == &virtio_blk_self.blkdev);
    dead();
    device_revoke(virtio_blk_self.device->grant);
}

/* --- from the device ------------------------------------------------------------------------------------------------ */

static void request_done(struct blk_request *request, status_t status) REQUIRES(LOOP)
{
    ASSERT(virtio_blk_self.taken > 0);
    virtio_blk_self.taken--;
    blkdev_count(&virtio_blk_self.blkdev.count, request, status);
    request->done(request, status);
}

/* Flushes of a disk that has no cache. A write that was done before such a flush came is on the medium. */
void virtio_blk_instant(struct work *work)
{
    struct list *node;

    (void)work;
    room_assert_loop();
    for (unsigned i = 0; i < VIRTIO_BLK_DEPTH && (node = list_pop_front(&virtio_blk_self.instant)) != NULL; i++) {
        request_done(CONTAINER_OF(node, struct blk_request, node), ST_OK);
    }
    if (!list_empty(&virtio_blk_self.instant)) {
        loop_post(&virtio_blk_self.instant_work);
    }
}

static struct blk_request *slot_release(struct blk_slot *slot)
{
    struct virtio_blk *blk = &virtio_blk_self;
    struct blk_request *request = slot->request;

    if (slot == &blk->slot[VIRTIO_BLK_DEPTH]) {
        return NULL; /* GET_ID, which came too late */
    }
    ASSERT(slot->busy && request != NULL);
    slot->busy = false;
    slot->request = NULL;
    slot->next = blk->slot_free;
    blk->slot_free = (uint16_t)(slot - blk->slot);
    return request;
}

/* What the device's answer means. False: it is none that a device may give. */
static bool answer_read(const struct blk_slot *slot, uint32_t written, status_t *status)
{
    uint8_t answer = __atomic_load_n(&slot->wrap->status, __ATOMIC_RELAXED);

    switch (answer) {
    case STATUS_OK:
        *status = ST_OK;
        return slot->request->op != BLK_READ || written >= slot->bytes; /* (3) */
    case STATUS_IOERR:
        *status = ST_IO;
        return true;
    case STATUS_UNSUPP:
        *status = ST_UNSUPPORTED;
        return true;
    default:
        return false;
    }
}

/* False: it lied. */
static bool slot_finished(struct blk_slot *slot, uint32_t written) REQUIRES(LOOP)
{
    status_t status = ST_IO;

    if (slot->request == NULL) {
        ASSERT(slot == &virtio_blk_self.slot[VIRTIO_BLK_DEPTH]);
        return true;
    }
    bool honest = answer_read(slot, written, &status);
    request_done(slot_release(slot), honest ? status : ST_IO);
    return honest;
}

/* What has finished in one queue, at most a ring full a turn; then either an interrupt is asked for or the rest is posted.
 * False: it lied. */
static bool queue_reap(struct virtio_blk *blk, struct virtq *q) REQUIRES(LOOP)
{
    void *slot = NULL;
    uint32_t written = 0;
    status_t s = ST_OK;

    for (unsigned i = 0; i < q->size && (s = virtq_reap(q, &slot, &written)) == ST_OK; i++) {
        if (!slot_finished(slot, written)) {
            lied("status of a request");
            return false;
        }
    }
    if (s == ST_PROTO) {
        lied("used ring");
        return false;
    }
    if (s == ST_OK || !virtq_interrupts_on(q)) {
        loop_post(&blk->again);
    }
    return true;
}

static void queues_reap(struct virtio_blk *blk, uint32_t queues) REQUIRES(LOOP)
{
    for (uint16_t i = 0; i < blk->queue_count; i++) {
        if ((queues >> i & 1) != 0 && !queue_reap(blk, &blk->queue[i])) {
            return;
        }
    }
    waiting_send();
}

void virtio_blk_again(struct work *work)
{
    (void)work;
    room_assert_loop();
    if (virtio_blk_self.device->state == VIRTIO_RUNNING) {
        queues_reap(&virtio_blk_self, UINT32_MAX);
    }
}

static void on_interrupt(struct virtio_device *device, uint32_t queues)
{
    (void)device;
    room_assert_loop();
    queues_reap(&virtio_blk_self, queues);
}

/* NULL: no queue has anything any more. */
static struct blk_slot *slot_reclaim(struct virtio_blk *blk)
{
    struct blk_slot *slot = NULL;

    for (uint16_t i = 0; i < blk->queue_count && slot == NULL; i++) {
        slot = virtq_reclaim(&blk->queue[i]);
    }
    return slot;
}

/* Nothing is with the device any more: every request is answered, the oldest first among those that never left. */
static void on_stopped(struct virtio_device *device)
{
    struct virtio_blk *blk = &virtio_blk_self;
    struct blk_slot *slot;
    struct list *node;

    (void)device;
    room_assert_loop();
    dead();
    while ((slot = slot_reclaim(blk)) != NULL) {
        struct blk_request *request = slot_release(slot);
        if (request != NULL) {
            request_done(request, ST_IO);
        }
    }
    while ((node = list_pop_front(&blk->waiting)) != NULL || (node = list_pop_front(&blk->instant)) != NULL) {
        request_done(CONTAINER_OF(node, struct blk_request, node), ST_IO);
    }
    ASSERT(blk->taken == 0); /* (1) */
}

/* Comes with every interrupt where one vector serves all, so it is looked at what changed. */
static void on_config(struct virtio_device *device)
{
    struct virtio_blk *blk = &virtio_blk_self;
    uint64_t sectors = 0;

    room_assert_loop();
    if (virtio_config_read(device, CONFIG_CAPACITY, 8, &sectors) != ST_OK) {
        lied("configuration");
        return;
    }
    if (sectors != blk->sectors_told) {
        blk->sectors_told = sectors;
        log_warn("%s: has %llu sectors now; %llu are used until the next boot", blk->blkdev.name,
                 (unsigned long long)sectors, (unsigned long long)blk->blkdev.sectors);
    }
}

const struct blkdev_ops virtio_blk_ops = {.submit = ops_submit, .revoke = ops_revoke};

const struct virtio_driver virtio_blk_driver = {
    .name = "drv/virtio-blk",
    .interrupt = on_interrupt,
    .config = on_config,
    .stopped = on_stopped,
};

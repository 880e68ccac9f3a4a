/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio.c: the life of a virtio device, the same by every transport.
 *
 *            open               go              fail, revoke            reset confirmed
 *   IDLE ----------> OPENED ----------> RUNNING ----------> STOPPING ----------------> STOPPED
 *     \                  \_______________________ revoke ______^                       / | ^
 *      \                                 ^   \_________________ revoke _______________/  | |
 *       \                                 \___________________ restart _________________/  |
 *        \_____________________ give_up (BOOT) ____________________________________________/
 *
 *   IDLE      Nothing agreed. It may be doing what firmware told it.
 *   OPENED    Reset and negotiated. It has no memory of ours but empty rings.
 *   RUNNING   It reads and writes what queues lend it. Interrupts reach the driver in this state only.
 *   STOPPING  Reset was asked for. It may still write lent memory. Asked again by timer.
 *   STOPPED   It holds nothing. driver->stopped() has been called, once. A driver that wants its device back, and from whom it
 *             was not taken, has a timer armed for the next try. Of others the grant is released as soon as their client has
 *             none of its memory.
 *
 *  (1) A reset is confirmed by a status of 0, or by registers that read all ones: a device that is not there any more reaches
 *      no memory either.
 */
#define LOG_TAG "virtio"
#include "lib/virtio/virtio.h"
#include "core/assert.h"
#include "core/fmt.h"
#include "core/log.h"
#include "core/mem.h"

#define RESET_WAIT_NS (1 * NS_PER_S) /* in BOOT: far beyond what a device takes that works at all */
#define STOP_RETRY_NS (10 * NS_PER_MS)
#define STOP_TRIES_LOGGED 100u
#define STATUS_GONE 0xffu /* no device has all of these */
#define STATUS_RUNNING                                                                                                 \
    (VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_FEATURES_OK | VIRTIO_STATUS_DRIVER_OK)
#define RESTART_FIRST_NS (100 * NS_PER_MS)
#define RESTART_LAST_NS (10 * NS_PER_S)
#define RESTART_WELL_NS (60 * NS_PER_S) /* one that has run for so long is trusted as at first */
#define CONFIG_TRIES 64u /* a device that changes its configuration during each of so many reads is broken */

static void device_move(struct virtio_device *device, enum virtio_state to)
{
    static const uint8_t may_move[] = {
        [VIRTIO_IDLE] = 1u << VIRTIO_OPENED | 1u << VIRTIO_STOPPED,
        [VIRTIO_OPENED] = 1u << VIRTIO_RUNNING | 1u << VIRTIO_STOPPING | 1u << VIRTIO_STOPPED,
        [VIRTIO_RUNNING] = 1u << VIRTIO_STOPPING | 1u << VIRTIO_STOPPED,
        [VIRTIO_STOPPING] = 1u << VIRTIO_STOPPED,
        [VIRTIO_STOPPED] = 1u << VIRTIO_RUNNING | 1u << VIRTIO_STOPPING,
    };

    ASSERT((may_move[device->state] & 1u << to) != 0);
    device->state = to;
}

static void on_restart_timer(struct timer *timer);
static void on_restart_work(struct work *work);

static void note_set(struct virtio_device *device, const char *what)
{
    fmt_text(device->note.text, sizeof device->note.text, "%s at %s", what, device->where);
}

/* --- stopping ------------------------------------------------------------------------------------------------------- */

/* Each try waits twice as long as the one before it. */
static void restart_later(struct virtio_device *device) REQUIRES(LOOP)
{
    uint64_t wait_ns = device->restart_wait_ns != 0 ? device->restart_wait_ns : RESTART_FIRST_NS;

    device->restart_wait_ns = wait_ns * 2 < RESTART_LAST_NS ? wait_ns * 2 : RESTART_LAST_NS;
    timer_set(&device->restart_timer, clock_ns() + wait_ns);
}

static bool comes_back(const struct virtio_device *device)
{
    return device->driver->restarted != NULL && device->grant->state == DEVICE_HELD;
}

void virtio_idle(struct virtio_device *device)
{
    if (device->state != VIRTIO_STOPPED || !device_held(device->grant) || comes_back(device)) {
        return;
    }
    if (device->driver->busy == NULL || !device->driver->busy(device)) {
        device_release(device->grant);
    }
}

/* It confirmed its reset. */
static void stopped(struct virtio_device *device) REQUIRES(LOOP)
{
    device_move(device, VIRTIO_STOPPED);
    if (!device->told) {
        device->told = true;
        device->driver->stopped(device);
    }
    if (comes_back(device)) {
        restart_later(device);
    } else {
        device_silence(device->grant);
        virtio_idle(device);
    }
}

static void stop_step(struct virtio_device *device) REQUIRES(LOOP)
{
    uint8_t status = device->ops->status_get(device);

    if (status == 0 || status == STATUS_GONE) { /* (1) */
        stopped(device);
        return;
    }
    device->stop_tries++;
    if (device->stop_tries == STOP_TRIES_LOGGED) {
        log_err("%s does not confirm its reset; memory that it was lent stays lent", device->where);
    }
    if (device->stop_tries >= STOP_TRIES_LOGGED && !comes_back(device)) {
        device_silence(device->grant); /* it may have been revoked meanwhile, and this does no harm twice */
    }
    timer_set(&device->stop_timer, clock_ns() + STOP_RETRY_NS);
}

static void on_stop_work(struct work *work)
{
    room_assert_loop();
    stop_step(CONTAINER_OF(work, struct virtio_device, stop_work));
}

static void on_stop_timer(struct timer *timer)
{
    room_assert_loop();
    stop_step(CONTAINER_OF(timer, struct virtio_device, stop_timer));
}

static void stop_begin(struct virtio_device *device, const char *why) REQUIRES(LOOP)
{
    log_err("%s at %s: %s; reset, %s", device->driver->name, device->where, why,
            comes_back(device) ? "to be started again" : "not used any more");
    note_set(device, "dead: the log says why;");
    if (clock_ns() - device->running_ns >= RESTART_WELL_NS) {
        device->restart_wait_ns = 0;
    }
    device->stop_tries = 0;
    device_move(device, VIRTIO_STOPPING);
    device->ops->status_set(device, 0);
    /* Not here: the driver is in the midst of a queue, and its client perhaps in the midst of a call. */
    loop_post(&device->stop_work);
}

void virtio_fail(struct virtio_device *device, const char *why)
{
    if (device->state == VIRTIO_RUNNING) {
        stop_begin(device, why);
    } else {
        ASSERT(device->state == VIRTIO_STOPPING || device->state == VIRTIO_STOPPED);
    }
}

/* The grant is revoked. A device that is being started again is stopped anew: it may have rings already. */
static void on_quiesce(void *driver)
{
    room_assert_loop();
    struct virtio_device *device = driver;

    if (device->state != VIRTIO_STOPPING && device->state != VIRTIO_IDLE) { /* IDLE: it never even reset */
        stop_begin(device, "revoked");
    }
}

static status_t reset_wait(struct virtio_device *device)
{
    uint64_t deadline = clock_ns() + RESET_WAIT_NS;

    device->ops->status_set(device, 0);
    while (device->ops->status_get(device) != 0) {
        if (clock_ns() > deadline) {
            return ST_TIMEOUT;
        }
    }
    return ST_OK;
}

/* BOOT: it is not used again either way, and nothing that it was lent is. */
static void give_back(struct virtio_device *device, bool confirmed)
{
    if (confirmed) {
        device_release(device->grant);
    } else {
        device_silence(device->grant);
    }
}

void virtio_give_up(struct virtio_device *device, const char *why)
{
    log_err("%s at %s: %s", device->driver->name, device->where, why);
    note_set(device, "given up");
    give_back(device, reset_wait(device) == ST_OK);
    device_move(device, VIRTIO_STOPPED);
}

/* --- from a transport ----------------------------------------------------------------------------------------------- */

void virtio_device_init(struct virtio_device *device, struct device_grant *grant, const struct virtio_ops *ops,
                        uint32_t type)
{
    device->grant = grant;
    device->where = grant->where;
    device->ops = ops;
    device->type = type;
    device->state = VIRTIO_IDLE;
    work_init(&device->stop_work, on_stop_work);
    timer_init(&device->stop_timer, on_stop_timer);
    timer_init(&device->restart_timer, on_restart_timer);
    work_init(&device->restart_work, on_restart_work);
    list_init(&device->node);
    list_init(&device->note.node);
}

void virtio_interrupt(struct virtio_device *device, uint32_t queues, bool config)
{
    if (device->state != VIRTIO_RUNNING) {
        return;
    }
    if (config && (device->ops->status_get(device) & VIRTIO_STATUS_NEEDS_RESET) != 0) {
        virtio_fail(device, "device asks to be reset");
        return;
    }
    if (queues != 0) {
        device->driver->interrupt(device, queues);
    }
    if (config && device->state == VIRTIO_RUNNING && device->driver->config != NULL) {
        device->driver->config(device);
    }
}

/* --- for a driver --------------------------------------------------------------------------------------------------- */

struct virtio_device *virtio_bus_take(struct virtio_bus *bus, enum virtio_type type)
{
    for (struct list *at = bus->devices.next; at != &bus->devices; at = at->next) {
        struct virtio_device *device = CONTAINER_OF(at, struct virtio_device, node);
        if (device->type == (uint32_t)type && device->grant->state == DEVICE_FREE) {
            device_hold(device->grant, on_quiesce, device);
            return device;
        }
    }
    return NULL;
}

/* The dance of virtio 1.2, 3.1.1, steps 2 to 6. */
static status_t negotiate(struct virtio_device *device, uint64_t wanted, uint64_t required)
{
    const uint8_t begun = VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER;

    device->ops->status_set(device, VIRTIO_STATUS_ACKNOWLEDGE);
    device->ops->status_set(device, begun);
    uint64_t offered = device->ops->features_get(device);
    if ((offered & required) != required) {
        log_err("%s offers features 0x%llx; needed and missing: 0x%llx", device->where, (unsigned long long)offered,
                (unsigned long long)(required & ~offered));
        return ST_UNSUPPORTED;
    }
    device->features = offered & (wanted | required);
    device->ops->features_set(device, device->features);
    device->ops->status_set(device, begun | VIRTIO_STATUS_FEATURES_OK);
    if ((device->ops->status_get(device) & VIRTIO_STATUS_FEATURES_OK) == 0) {
        log_err("%s refuses features 0x%llx of its own offer", device->where, (unsigned long long)device->features);
        return ST_UNSUPPORTED;
    }
    return ST_OK;
}

status_t virtio_open(struct virtio_device *device, const struct virtio_driver *driver, uint64_t wanted,
                     uint64_t required)
{
    ASSERT(device->state == VIRTIO_IDLE && device->grant->state == DEVICE_HELD);
    device->driver = driver;
    device->note.driver = driver->name;
    note_set(device, "starting");
    device_note_add(&device->note);
    if (reset_wait(device) != ST_OK) {
        log_err("%s at %s does not reset", driver->name, device->where);
        give_back(device, false);
        return ST_TIMEOUT;
    }
    /* A device behind an IOMMU offers ACCESS_PLATFORM; no IOMMU translates here, so its addresses are ours. */
    status_t s =
        negotiate(device, wanted | VIRTIO_F_EVENT_IDX | VIRTIO_F_ACCESS_PLATFORM, required | VIRTIO_F_VERSION_1);
    if (s != ST_OK) {
        /* 2.1.1: a driver never clears a bit. */
        device->ops->status_set(device, device->ops->status_get(device) | VIRTIO_STATUS_FAILED);
        note_set(device, "refused");
        give_back(device, true); /* it was reset, and given nothing */
        return s;
    }
    device_move(device, VIRTIO_OPENED);
    note_set(device, "opened");
    return ST_OK;
}

static void config_copy(struct virtio_device *device, size_t offset, unsigned width, uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i += width) {
        uint32_t value = device->ops->config(device, offset + i, width);
        for (unsigned j = 0; j < width; j++) {
            bytes[i + j] = (uint8_t)(value >> 8 * j);
        }
    }
}

/* Reads until the generation is the same before and after: virtio 1.2, 2.5.1. */
static status_t config_stable(struct virtio_device *device, size_t offset, unsigned width, uint8_t *bytes, size_t size)
{
    if (offset > device->config_bytes || size > device->config_bytes - offset) {
        return ST_PROTO;
    }
    for (unsigned i = 0; i < CONFIG_TRIES; i++) {
        uint32_t before = device->ops->generation(device);
        config_copy(device, offset, width, bytes, size);
        if (device->ops->generation(device) == before) {
            return ST_OK;
        }
    }
    return ST_PROTO;
}

status_t virtio_config_read(struct virtio_device *device, size_t offset, unsigned width, uint64_t *value)
{
    uint8_t bytes[8];
    uint64_t result = 0;

    ASSERT((width == 1 || width == 2 || width == 4 || width == 8) && (offset & (width - 1)) == 0);
    /* A 64-bit field is two 32-bit accesses: virtio 1.2, 4.1.3.1. */
    status_t s = config_stable(device, offset, width == 8 ? 4 : width, bytes, width);
    if (s != ST_OK) {
        return s;
    }
    for (unsigned i = 0; i < width; i++) {
        result |= (uint64_t)bytes[i] << 8 * i;
    }
    *value = result;
    return ST_OK;
}

status_t virtio_config_bytes(struct virtio_device *device, size_t offset, void *bytes, size_t size)
{
    return config_stable(device, offset, 1, bytes, size);
}

status_t virtio_interrupts(struct virtio_device *device, uint16_t queues)
{
    ASSERT(device->state == VIRTIO_OPENED && queues != 0 && queues <= VIRTIO_QUEUES_MAX);
    return device->ops->interrupts(device, queues);
}

status_t virtio_queue_open(struct virtio_device *device, uint16_t index, uint16_t size, struct virtq *q)
{
    struct dma_memory memory;

    ASSERT(device->state == VIRTIO_OPENED && index < VIRTIO_QUEUES_MAX);
    uint16_t most = device->ops->queue_size(device, index);
    if (most == 0) {
        log_err("%s has no queue %u", device->where, (unsigned)index);
        return ST_UNSUPPORTED;
    }
    while (size > most) {
        size = (uint16_t)(size / 2); /* stays a power of two, whatever the device said */
    }
    status_t s = dma_alloc(device->grant, &memory, virtq_bytes(size));
    if (s != ST_OK) {
        return s;
    }
    virtq_init(q, size, virtio_has(device, VIRTIO_F_EVENT_IDX), memory,
               boot_alloc(sizeof(struct virtq_slot) * size, _Alignof(struct virtq_slot)));
    device->queue[index] = q;
    return device->ops->queue_set(device, index, q);
}

static void set_running(struct virtio_device *device)
{
    device_move(device, VIRTIO_RUNNING);
    device->told = false;
    device->running_ns = clock_ns();
    device->ops->status_set(device, STATUS_RUNNING);
    note_set(device, "running");
}

void virtio_go(struct virtio_device *device)
{
    set_running(device);
}

bool virtio_alive(struct virtio_device *device)
{
    ASSERT(device->state == VIRTIO_RUNNING);
    return device->ops->status_get(device) == STATUS_RUNNING;
}

void virtio_notify(struct virtio_device *device, uint16_t index, struct virtq *q)
{
    /* Before DRIVER_OK a device must not be notified (virtio 1.2, 3.1.1): what was submitted waits for the next batch. */
    if (device->state == VIRTIO_RUNNING && virtq_kick_wanted(q)) {
        device->ops->notify(device, index);
    }
}

/* --- starting again ------------------------------------------------------------------------------------------------- */

/* As it was opened in BOOT. Anything but ST_OK: not yet, or not this device any more. */
static status_t open_again(struct virtio_device *device)
{
    device->ops->status_set(device, 0);
    if (device->ops->status_get(device) != 0) {
        return ST_AGAIN;
    }
    status_t s = negotiate(device, device->features, device->features);
    if (s == ST_OK && device->ops->rewire != NULL) {
        s = device->ops->rewire(device);
    }
    return s;
}

/* All is set up, so queues can be emptied: a driver may go on submitting, and must not get rid of anything into a queue that
 * nobody reads. */
static void run_again(struct virtio_device *device) REQUIRES(LOOP)
{
    for (uint16_t i = 0; i < VIRTIO_QUEUES_MAX; i++) {
        if (device->queue[i] != NULL) {
            virtq_empty(device->queue[i]);
        }
    }
    set_running(device);
    log_info("%s at %s: started again", device->driver->name, device->where);
    device->driver->restarted(device);
}

/* A step a turn, for each is a dozen exits: the device, then each queue, then it runs. */
static void on_restart_work(struct work *work)
{
    room_assert_loop();
    struct virtio_device *device = CONTAINER_OF(work, struct virtio_device, restart_work);
    uint16_t step = device->restart_step++;
    status_t s = ST_OK;

    if (!comes_back(device)) {
        return;
    }
    if (step > VIRTIO_QUEUES_MAX) {
        run_again(device);
        return;
    }
    if (step == 0) {
        s = open_again(device);
    } else if (device->queue[step - 1] != NULL) {
        s = device->ops->queue_set(device, (uint16_t)(step - 1), device->queue[step - 1]);
    }
    if (s == ST_OK) {
        loop_post(&device->restart_work);
    } else {
        restart_later(device);
    }
}

static void on_restart_timer(struct timer *timer)
{
    room_assert_loop();
    struct virtio_device *device = CONTAINER_OF(timer, struct virtio_device, restart_timer);

    device->restart_step = 0;
    loop_post(&device->restart_work); /* which looks whether it is still wanted */
}

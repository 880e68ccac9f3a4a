/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio_rng.c: a virtio entropy device (virtio 1.2, 5.4).
 *
 *  (1) One request is out at most, for memory[filled..). What came back lies in memory[taken..filled) and is given out once,
 *      wiped as it goes.
 *  (2) In BOOT fill() waits for the device, bounded. In LOOP it never waits: it gives what is there and asks for more.
 *  (3) The device says how many bytes it wrote; virtq has checked that it is no more than it was lent. 0 is legal.
 *
 * A machine without this device is no reason to stop: the CPU may have a source. Who needs entropy decides.
 */
#define LOG_TAG "virtio-rng"
#include "config.h"
#include "core/assert.h"
#include "core/device.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/room.h"
#include "lib/entropy/entropy.h"
#include "lib/virtio/virtio.h"

#define MEMORY_BYTES 64u
#define RING_SIZE 4u
#define BOOT_WAIT_NS (2 * NS_PER_S) /* a host's own generator may be slow right after its boot */

static struct virtio_rng {
    struct entropy entropy;       /* [I] */
    struct virtio_bus *bus;       /* [I] */
    struct virtio_device *device; /* [I] NULL: there is none */
    struct virtq queue;           /* [L] */
    struct dma_memory memory;     /* [I] */
    uint32_t filled;              /* [L] bytes that the device wrote */
    uint32_t taken;               /* [L] of those, given out */
    bool asked;                   /* [L] the device has `memory` */
    uint64_t given;               /* [L] bytes, for the curious */
} self;

_Static_assert(MEMORY_BYTES >= ENTROPY_FILL_MAX, "one request serves any fill");

/* Lends the device what is not filled. */
static void ask(void)
{
    if (self.asked || self.filled == MEMORY_BYTES || self.device->state != VIRTIO_RUNNING) {
        return;
    }
    struct virtq_segment segment = {.address = {self.memory.dev.value + self.filled},
                                    .size = MEMORY_BYTES - self.filled};
    /* Nothing is out, so nothing can have finished: this only says that the next one shall be told. */
    status_ignore(virtq_interrupts_on(&self.queue) ? ST_OK : ST_PROTO, "take_back() sees the lie, if it is one");
    if (virtq_submit(&self.queue, &segment, 0, 1, &self) == ST_OK) {
        self.asked = true;
        virtio_notify(self.device, 0, &self.queue);
    }
}

/* Takes back what the device finished. ST_AGAIN: nothing yet. ST_PROTO: it lied. */
static status_t take_back(void)
{
    void *token = NULL;
    uint32_t written = 0;

    status_t s = virtq_reap(&self.queue, &token, &written);
    if (s == ST_OK) {
        ASSERT(token == &self && self.asked && written <= MEMORY_BYTES - self.filled);
        self.asked = false;
        self.filled += written;
    }
    return s;
}

static void on_interrupt(struct virtio_device *device, uint32_t queues)
{
    (void)queues;
    room_assert_loop();
    if (take_back() == ST_PROTO) {
        virtio_fail(device, "used ring");
    }
}

static void on_stopped(struct virtio_device *device)
{
    (void)device;
    room_assert_loop();
    while (virtq_reclaim(&self.queue) != NULL) {
        self.asked = false;
    }
    self.filled = self.taken = 0; /* nothing of a device that lies is entropy */
}

/* BOOT only: interrupts are off, so the device is asked again and again. */
static void wait_for(size_t size)
{
    uint64_t deadline = clock_ns() + BOOT_WAIT_NS;

    while (self.filled - self.taken < size && clock_ns() < deadline) {
        ask();
        if (take_back() == ST_PROTO) {
            return;
        }
    }
    if (self.filled - self.taken < size) {
        log_warn("%s gave less than %zu bytes in %u s", self.device->where, size, (unsigned)(BOOT_WAIT_NS / NS_PER_S));
    }
}

/* Sees to it that `size` bytes lie ready, as far as this room may. */
static status_t have(size_t size)
{
    if (self.device == NULL) {
        return ST_UNSUPPORTED;
    }
    status_t s = take_back();
    if (self.device->state != VIRTIO_RUNNING || s == ST_PROTO) {
        return ST_CLOSED; /* a lie seen here is told by the interrupt that follows, if the device still sends one */
    }
    if (self.filled - self.taken < size && MEMORY_BYTES - self.taken < size && !self.asked) {
        self.filled = self.taken = 0; /* a rest that is too short, and no room behind it */
    }
    if (self.filled - self.taken < size && room_current() == ROOM_BOOT) {
        wait_for(size);
    }
    return self.filled - self.taken < size ? ST_AGAIN : ST_OK;
}

static status_t ops_fill(struct entropy *source, void *bytes, size_t size)
{
    ASSERT(source == &self.entropy && size <= ENTROPY_FILL_MAX);
    status_t s = have(size);
    if (s == ST_OK) {
        uint8_t *from = (uint8_t *)self.memory.cpu + self.taken;
        for (size_t i = 0; i < size; i++) {
            ((uint8_t *)bytes)[i] = from[i];
            from[i] = 0; /* (1) */
        }
        self.taken += (uint32_t)size;
        self.given += size;
        if (self.taken == self.filled && !self.asked) {
            self.taken = self.filled = 0;
        }
    }
    if (s == ST_OK || s == ST_AGAIN) {
        ask(); /* so that the next one finds some */
    }
    return s;
}

static void ops_revoke(struct entropy *source)
{
    room_assert_loop();
    ASSERT(source == &self.entropy);
    if (self.device != NULL) {
        device_revoke(self.device->grant);
    }
}

static const struct entropy_ops ops = {.fill = ops_fill, .revoke = ops_revoke};
static const struct virtio_driver driver = {
    .name = "drv/virtio-rng",
    .interrupt = on_interrupt,
    .stopped = on_stopped,
};

_Static_assert(VIRTIO_RNG_MEMORY_BYTES >= VIRTIO_QUEUE_ARENA_BYTES(RING_SIZE) + DMA_ARENA_BYTES(MEMORY_BYTES),
               "the `memory` line of component.conf says less than is taken");
_Static_assert(VIRTIO_RNG_DMA_BYTES >= VIRTIO_QUEUE_DMA_BYTES(RING_SIZE) + DMA_BYTES(MEMORY_BYTES),
               "the `dma` line says less than is asked for");

static status_t device_open(void) REQUIRES(BOOT)
{
    status_t s = virtio_open(self.device, &driver, 0, 0);
    if (s != ST_OK) {
        return s;
    }
    s = virtio_interrupts(self.device, 1);
    if (s == ST_OK) {
        s = virtio_queue_open(self.device, 0, RING_SIZE, &self.queue);
    }
    if (s == ST_OK) {
        s = dma_alloc(self.device->grant, &self.memory, MEMORY_BYTES);
    }
    if (s != ST_OK) {
        virtio_give_up(self.device, status_name(s));
        return s;
    }
    virtio_go(self.device);
    return ST_OK;
}

void virtio_rng_wire_bus(struct virtio_bus *bus) REQUIRES(BOOT);
void virtio_rng_wire_bus(struct virtio_bus *bus)
{
    self.bus = bus;
}

struct entropy *virtio_rng_provide_source(void) REQUIRES(BOOT);
struct entropy *virtio_rng_provide_source(void)
{
    return &self.entropy;
}

status_t virtio_rng_start(void) REQUIRES(BOOT);
status_t virtio_rng_start(void)
{
    self.entropy = (struct entropy){.ops = &ops, .name = "virtio-rng"};
    self.device = virtio_bus_take(self.bus, VIRTIO_RNG);
    if (self.device == NULL) {
        log_warn("no virtio entropy device ('-device virtio-rng-pci', microvm: virtio-rng-device)");
        return ST_OK;
    }
    if (device_open() != ST_OK) {
        self.device = NULL; /* virtio.c said why */
    }
    return ST_OK;
}

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio.h: contract virtio_bus.v1: virtio 1.x devices, whatever transport they came by, and what a driver does with one.
 *
 * A driver, in BOOT:                                          and in LOOP:
 *   virtio_bus_take(bus, type)          its device, or none     driver->interrupt(device, queues)  reap those queues
 *   virtio_open(device, driver, ...)    reset, features         driver->config(device)             read the configuration
 *   virtio_config_*()                   what it is              virtio_notify(device, q)           the doorbell
 *   virtio_queue_open() for each queue                          virtio_fail(device, why)           it lied; see below
 *   virtio_go(device)                   DRIVER_OK               driver->stopped(device)
 *
 *  (1) A device is reset before anything else: firmware may have driven it.
 *  (2) A device that lies is failed: virtio_fail() says why, resets it and, once the device confirmed the reset, calls
 *      driver->stopped(). Only then does the memory that was lent to it come back (virtq_reclaim): until then it may still
 *      be written. A device that never confirms keeps that memory for good. One that is not started again is then given back (5).
 *  (3) Interrupt callbacks end before virtio_fail() returns, and come again after driver->restarted() only.
 *  (4) A driver that has restarted() gets its device back, set up as it was, with empty queues: at once if the device lets
 *      itself, else after more and more time. One that has none will not use it again: what a disk had cached and then forgot
 *      in its reset, for one, nobody knows.
 *  (5) A device that is not started again, because its driver does not want it or because its grant was revoked, is silenced when
 *      it has stopped, and its grant released: at once, or, while driver->busy() says that a client still has DMA memory of the
 *      device's, when the driver calls virtio_idle().
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/device.h"
#include "core/list.h"
#include "core/loop.h"
#include "core/room.h"
#include "core/status.h"
#include "lib/virtio/virtq.h"

#define VIRTIO_QUEUES_MAX 4u

enum virtio_type { VIRTIO_NET = 1, VIRTIO_BLK = 2, VIRTIO_RNG = 4, VIRTIO_SCSI = 8 }; /* virtio 1.2, 5 */

enum virtio_status { /* virtio 1.2, 2.1 */
                     VIRTIO_STATUS_ACKNOWLEDGE = 1,
                     VIRTIO_STATUS_DRIVER = 2,
                     VIRTIO_STATUS_DRIVER_OK = 4,
                     VIRTIO_STATUS_FEATURES_OK = 8,
                     VIRTIO_STATUS_NEEDS_RESET = 64,
                     VIRTIO_STATUS_FAILED = 128,
};

/* Features that are no device type's own: virtio 1.2, 6. */
#define VIRTIO_F_INDIRECT_DESC (1ull << 28)
#define VIRTIO_F_EVENT_IDX (1ull << 29)
#define VIRTIO_F_VERSION_1 (1ull << 32)
#define VIRTIO_F_ACCESS_PLATFORM (1ull << 33)

struct virtio_device;

/* What a transport does. Called by virtio.c only. */
struct virtio_ops {
    uint8_t (*status_get)(struct virtio_device *device);
    void (*status_set)(struct virtio_device *device, uint8_t status);
    uint64_t (*features_get)(struct virtio_device *device);                /* BOOT */
    void (*features_set)(struct virtio_device *device, uint64_t features); /* BOOT */
    uint32_t (*generation)(struct virtio_device *device);
    uint32_t (*config)(struct virtio_device *device, size_t offset, unsigned width); /* 1, 2, 4; inside config_bytes */
    uint16_t (*queue_size)(struct virtio_device *device, uint16_t index); /* BOOT: the most it can; 0: no such queue */
    status_t (*queue_set)(struct virtio_device *device, uint16_t index, const struct virtq *q); /* BOOT */
    status_t (*interrupts)(struct virtio_device *device, uint16_t queues); /* BOOT: before queue_set */
    status_t (*rewire)(
        struct virtio_device *device); /* LOOP: after a reset, what interrupts() had told it. May be NULL */
    void (*notify)(struct virtio_device *device, uint16_t index);
};

struct virtio_driver {
    const char *name;                                                 /* "drv/virtio-net" */
    void (*interrupt)(struct virtio_device *device, uint32_t queues); /* LOOP: queues that may have finished chains */
    void (*config)(struct virtio_device *device);                     /* LOOP: configuration changed. May be NULL */
    void (*stopped)(struct virtio_device *device);                    /* LOOP: (2) */
    void (*restarted)(struct virtio_device *device);                  /* LOOP: (4). May be NULL */
    bool (*busy)(const struct virtio_device *device);                 /* (5). May be NULL */
};

enum virtio_state {
    VIRTIO_IDLE,     /* nobody's, or not opened yet */
    VIRTIO_OPENED,   /* features agreed; queues are being made */
    VIRTIO_RUNNING,  /* DRIVER_OK */
    VIRTIO_STOPPING, /* failed; the reset is not confirmed */
    VIRTIO_STOPPED,  /* failed; it holds nothing of ours, and may be started again */
};

/* Made by a transport. Keys: [I] fixed after init  [L] the owning loop only */
struct virtio_device {
    const struct virtio_ops *ops;           /* [I] */
    uint32_t type;                          /* [I] enum virtio_type, or one that we do not know */
    size_t config_bytes;                    /* [I] of device configuration that can be reached */
    struct device_grant *grant;             /* [I] */
    const char *where;                      /* [I] the grant's: "pci 00:03.0", "mmio 0xfeb00e00" */
    const struct virtio_driver *driver;     /* [I] after virtio_open */
    void *context;                          /* [I] the driver's own */
    uint64_t features;                      /* [I] after virtio_open: agreed */
    enum virtio_state state;                /* [L] only virtio.c writes it */
    bool told;                              /* [L] driver->stopped() was called since it ran last */
    uint32_t stop_tries;                    /* [L] */
    struct work stop_work;                  /* [L] */
    struct timer stop_timer;                /* [L] */
    struct timer restart_timer;             /* [L] armed in STOPPED only: (4) */
    struct work restart_work;               /* [L] posted in STOPPED only */
    uint16_t restart_step;                  /* [L] what it does next */
    uint64_t restart_wait_ns;               /* [L] before the next try; 0: it has not been restarted */
    uint64_t running_ns;                    /* [L] since when it runs */
    struct virtq *queue[VIRTIO_QUEUES_MAX]; /* [I] by index; NULL: not opened */
    struct device_note note;                /* [L] for `devices` */
    struct list node;                       /* [I] in virtio_bus.devices */
};

struct virtio_bus {
    struct list devices; /* [I] in the order in which they were found: by slot, so names stay the same */
};

/* --- for transports ------------------------------------------------------------------------------------------------- */
void virtio_device_init(struct virtio_device *device, struct device_grant *grant, const struct virtio_ops *ops,
                        uint32_t type) REQUIRES(BOOT);
/* Any interrupt of the device: bit i of `queues` is queue i. Looks at the state, so that none reaches a dead driver. */
void virtio_interrupt(struct virtio_device *device, uint32_t queues, bool config) REQUIRES(LOOP);

/* --- for drivers ---------------------------------------------------------------------------------------------------- */
/* The first device of this type that nobody took; NULL: none. */
struct virtio_device *virtio_bus_take(struct virtio_bus *bus, enum virtio_type type) REQUIRES(BOOT);
/* Reset; agrees on `wanted` features, as far as offered, without which `required` nothing goes. ST_UNSUPPORTED: one of
 * those lacks; ST_PROTO, ST_TIMEOUT: it does not behave. Each is logged. */
status_t virtio_open(struct virtio_device *device, const struct virtio_driver *driver, uint64_t wanted,
                     uint64_t required) REQUIRES(BOOT);
static inline bool virtio_has(const struct virtio_device *device, uint64_t feature)
{
    return (device->features & feature) == feature;
}
/* One field of the device configuration, read whole though the device may be changing it. ST_PROTO: it ends before that,
 * or it never stands still. */
status_t virtio_config_read(struct virtio_device *device, size_t offset, unsigned width, uint64_t *value); /* 1 2 4 8 */
status_t virtio_config_bytes(struct virtio_device *device, size_t offset, void *bytes, size_t size);
/* Wires interrupts for queues 0..queues-1; before the first virtio_queue_open. */
status_t virtio_interrupts(struct virtio_device *device, uint16_t queues) REQUIRES(BOOT);
/* Makes queue `index` with at most `size` descriptors (a power of two), fewer when the device has fewer, out of the
 * driver's budget. ST_UNSUPPORTED: no such queue. ST_FULL: dma_alloc(). */
status_t virtio_queue_open(struct virtio_device *device, uint16_t index, uint16_t size, struct virtq *q) REQUIRES(BOOT);
/* What that takes of the budget, and of the boot arena, at most. 26 bytes a descriptor are the three rings' (virtio 1.2, 2.7), 16
 * their ends and alignment. */
#define VIRTIO_QUEUE_DMA_BYTES(size) DMA_BYTES((size)*26u + 16u)
#define VIRTIO_QUEUE_ARENA_BYTES(size) (DMA_ARENA_BYTES((size)*26u + 16u) + (size) * sizeof(struct virtq_slot))
void virtio_go(struct virtio_device *device) REQUIRES(BOOT);
/* Rings the doorbell if the device wants it rung. */
void virtio_notify(struct virtio_device *device, uint16_t index, struct virtq *q);
/* Whether a device that runs still says so: one that is gone, was reset by somebody else or asks to be, does not. One exit. */
bool virtio_alive(struct virtio_device *device);
/* (2). Harmless when it failed before. */
void virtio_fail(struct virtio_device *device, const char *why) REQUIRES(LOOP);
/* (5). Harmless when there is nothing to give back. */
void virtio_idle(struct virtio_device *device) REQUIRES(LOOP);
/* virtio_fail() for a device that does not get as far as the loop: resets it and waits for that, bounded. */
void virtio_give_up(struct virtio_device *device, const char *why) REQUIRES(BOOT);

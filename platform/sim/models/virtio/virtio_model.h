/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio_model.h: the device side of virtio 1.2 with split queues (2.7): what every virtio model is built on. Written from
 * the specification; it knows nothing of the image's drivers. A model is written once: whether it is attached by MMIO or PCI
 * is the machine's choice (virtio_transport.h).
 *
 *  (1) A driver that breaks the specification ends the process with what it did: in a simulator that is a bug to be found.
 *      That a device does what none may, when the coordinator wants it, is in virtio_fault.c; a model does not know.
 *  (2) A chain is popped, worked on, and pushed; in any order, each once, none across a reset (vm_chain.epoch).
 */
#pragma once
#include "sim_device.h"

struct vm_transport;

#define VM_QUEUES_MAX 4u
#define VM_SEGMENTS_MAX 256u

struct vm_segment {
    uint8_t *bytes;
    uint32_t size;
};

/* A chain that the driver lent: `out` segments to read, then `in` segments to write. */
struct vm_chain {
    struct vm_segment segment[VM_SEGMENTS_MAX];
    unsigned out, in;
    uint32_t out_bytes, in_bytes;
    uint16_t head;
    uint32_t epoch;
};

struct vm_queue {
    uint16_t size_max;
    uint32_t size;
    bool ready;
    uint64_t desc, driver, device; /* guest addresses of the three parts */
    uint16_t avail_seen;           /* free-running: how far the avail ring was read */
    uint16_t used_next;            /* free-running */
    uint16_t used_told;            /* free-running: used index at the last interrupt decision */
};

/* What is wrong with a device (virtio_fault.c). */
#define VM_HELD_MAX 512u
struct vm_fault {
    struct sim_hazard hazard;
    uint64_t lie;     /* told with the next chain that comes or goes; 0: none */
    uint32_t stalled; /* bit i: what is finished in queue i is kept in `held` */
    bool for_ever;
    bool ill;    /* waits to be reset, and does nothing */
    bool forgot; /* was reset behind the driver's back */
    bool gone;
    struct vm_held {
        uint32_t queue, head, written;
    } held[VM_HELD_MAX];
    uint32_t held_count;
};

struct vm_device {
    const char *name;
    uint32_t type;
    uint64_t features; /* offered, beyond VERSION_1, EVENT_IDX and INDIRECT_DESC which always are */
    unsigned queue_count;
    uint16_t queue_size;
    const void *config; /* the device configuration, read only */
    size_t config_size;
    void (*notify)(struct vm_device *device,
                   unsigned queue);          /* the driver rang; also for queues that are not of use now */
    void (*reset)(struct vm_device *device); /* drop what is in the works. May be NULL */
    /* virtio_model.c's and the transport's */
    const struct vm_transport *transport;
    void *attached; /* the transport's half */
    uint64_t agreed;
    uint32_t features_select, driver_features_select, queue_select;
    uint32_t status, generation, epoch;
    struct vm_queue queue[VM_QUEUES_MAX];
    struct vm_fault fault;
};

/* The device appears in the machine. Kept. */
void vm_device_add(struct vm_device *device);
bool vm_running(const struct vm_device *device); /* DRIVER_OK, memory is in reach, and it is well enough */
bool vm_has(const struct vm_device *device, uint64_t feature);
/* The configuration was changed: the driver is told. */
void vm_config_changed(struct vm_device *device);

/* The next chain; false: none now, and the driver will ring when there is one. */
bool vm_pop(struct vm_device *device, unsigned queue, struct vm_chain *chain);
/* Whether it is still the driver's to get back: no reset came between. */
bool vm_chain_alive(const struct vm_device *device, const struct vm_chain *chain);
/* Puts the last popped chain back, to be popped again. */
void vm_unpop(struct vm_device *device, unsigned queue);
/* Finished, with so many bytes written. */
void vm_push(struct vm_device *device, unsigned queue, const struct vm_chain *chain, uint32_t written);
/* After a batch of pushes: interrupts if the driver wants that. */
void vm_signal(struct vm_device *device, unsigned queue);

/* Copies from the chain's `out` or into its `in` bytes, at an offset; gives how many there were. */
size_t vm_chain_read(const struct vm_chain *chain, size_t offset, void *bytes, size_t size);
size_t vm_chain_write(const struct vm_chain *chain, size_t offset, const void *bytes, size_t size);

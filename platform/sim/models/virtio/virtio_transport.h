/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio_transport.h: between a virtio device (virtio_model.c) and what it is attached by: virtio-mmio (virtio 1.2, 4.2) or a
 * PCI function (4.1). A transport is a map of registers; what they mean to the device is here, once.
 */
#pragma once
#include "models/virtio/virtio_model.h"

#define VM_F_INDIRECT_DESC (1ull << 28)
#define VM_F_EVENT_IDX (1ull << 29)
#define VM_CONFIG (-1) /* in the place of a queue: the configuration changed */

struct vm_transport {
    /* The device appears in the machine. */
    void (*attach)(struct vm_device *device);
    /* The driver resets the device; also once before it looks. */
    void (*reset)(struct vm_device *device);
    /* Tells the driver of used buffers in queue `source`, or VM_CONFIG. */
    void (*interrupt)(struct vm_device *device, int source);
    /* Whether the device can reach memory now. NULL: always. */
    bool (*reaches)(const struct vm_device *device);
};
extern const struct vm_transport vm_mmio, vm_pci;

void vm_status_write(struct vm_device *device, uint32_t value);
/* The half that features_select, driver_features_select name. */
uint32_t vm_features_read(const struct vm_device *device);
uint32_t vm_driver_features_read(const struct vm_device *device);
void vm_driver_features_write(struct vm_device *device, uint32_t value);
/* The one of queue_select; NULL: there is none. */
struct vm_queue *vm_queue_selected(struct vm_device *device);
void vm_queue_ready(struct vm_device *device, struct vm_queue *q, bool ready);
/* The driver rang. */
void vm_notified(struct vm_device *device, uint32_t queue);
uint32_t vm_config_read(const struct vm_device *device, size_t offset, unsigned size);
/* Makes a used entry and the index that says so. `head` and `written` as the driver is told. */
void vm_used_write(struct vm_device *device, struct vm_queue *q, uint32_t head, uint32_t written);

/* virtio_fault.c. Whether a finished chain goes back now, as it should. */
bool vm_fault_push(struct vm_device *device, unsigned queue, const struct vm_chain *chain, uint32_t written);
/* A chain was popped. */
void vm_fault_popped(struct vm_device *device, unsigned queue, const struct vm_chain *chain);
/* The driver reset the device: all is well again, but that it is not there. */
void vm_fault_reset(struct vm_device *device);
void vm_fault_add(struct vm_device *device);
/* As the driver does by writing 0. */
void vm_reset(struct vm_device *device);

void vm_half_write(uint64_t *word, bool high, uint32_t value);

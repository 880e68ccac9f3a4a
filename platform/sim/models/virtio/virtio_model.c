/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio_model.c: what a virtio device is, however it is attached: its status, the features, the set-up of its queues.
 *
 * Rules of the specification that a driver must keep are checked where they can be seen: features within the offer, order
 * of status bits, queues set up before DRIVER_OK.
 */
#include "models/virtio/virtio_model.h"
#include <string.h>
#include "models/virtio/virtio_transport.h"

#define F_VERSION_1 (1ull << 32)

enum { STATUS_DRIVER = 2, STATUS_DRIVER_OK = 4, STATUS_FEATURES_OK = 8 };

bool vm_running(const struct vm_device *device)
{
    return (device->status & STATUS_DRIVER_OK) != 0 && !device->fault.ill && !device->fault.gone &&
           (device->transport->reaches == NULL || device->transport->reaches(device));
}

bool vm_has(const struct vm_device *device, uint64_t feature)
{
    return (device->agreed & feature) != 0;
}

static uint64_t offer_of(const struct vm_device *device)
{
    return device->features | VM_F_INDIRECT_DESC | VM_F_EVENT_IDX | F_VERSION_1;
}

void vm_config_changed(struct vm_device *device)
{
    device->generation++;
    if (vm_running(device)) {
        device->transport->interrupt(device, VM_CONFIG);
    }
}

void vm_reset(struct vm_device *device)
{
    device->agreed = 0;
    device->status = 0;
    device->features_select = device->driver_features_select = device->queue_select = 0;
    device->epoch++;
    for (unsigned i = 0; i < device->queue_count; i++) {
        device->queue[i] = (struct vm_queue){.size_max = device->queue_size};
    }
    device->transport->reset(device);
    if (device->reset != NULL) {
        device->reset(device);
    }
}

void vm_device_add(struct vm_device *device)
{
    device->transport = sim_transport.pci ? &vm_pci : &vm_mmio;
    device->transport->attach(device);
    vm_reset(device);
    vm_fault_add(device);
}

/* --- for transports --------------------------------------------------------------------------------------------------- */

void vm_status_write(struct vm_device *device, uint32_t value)
{
    if (value == 0) {
        vm_reset(device);
        vm_fault_reset(device);
        return;
    }
    if ((device->status & ~value) != 0) {
        sim_die("%s: driver cleared status bits 0x%x (2.1.1)", device->name, device->status & ~value);
    }
    if ((value & STATUS_DRIVER_OK) != 0 && (device->status & STATUS_FEATURES_OK) == 0) {
        sim_die("%s: DRIVER_OK without FEATURES_OK (3.1.1)", device->name);
    }
    if ((value & ~device->status & STATUS_FEATURES_OK) != 0 &&
        ((device->agreed & F_VERSION_1) == 0 || (device->agreed & ~offer_of(device)) != 0)) {
        value &= ~(uint32_t)STATUS_FEATURES_OK; /* not acceptable: 2.2.2 */
    }
    device->status = value;
}

uint32_t vm_features_read(const struct vm_device *device)
{
    return device->features_select > 1 ? 0 : (uint32_t)(offer_of(device) >> 32 * device->features_select);
}

uint32_t vm_driver_features_read(const struct vm_device *device)
{
    return device->driver_features_select > 1 ? 0 : (uint32_t)(device->agreed >> 32 * device->driver_features_select);
}

void vm_driver_features_write(struct vm_device *device, uint32_t value)
{
    if ((device->status & STATUS_DRIVER) == 0 || (device->status & STATUS_FEATURES_OK) != 0) {
        sim_die("%s: features written with status 0x%x (3.1.1)", device->name, device->status);
    }
    if (device->driver_features_select > 1) {
        if (value != 0) {
            sim_die("%s: feature bits beyond 63", device->name);
        }
        return;
    }
    vm_half_write(&device->agreed, device->driver_features_select == 1, value);
}

struct vm_queue *vm_queue_selected(struct vm_device *device)
{
    return device->queue_select < device->queue_count ? &device->queue[device->queue_select] : NULL;
}

void vm_queue_ready(struct vm_device *device, struct vm_queue *q, bool ready)
{
    if (ready && (q->size == 0 || q->size > q->size_max || (q->size & (q->size - 1)) != 0)) {
        sim_die("%s: queue made ready with size %u", device->name, q->size);
    }
    if (ready && ((q->desc & 15) != 0 || (q->driver & 1) != 0 || (q->device & 3) != 0)) {
        sim_die("%s: queue parts are misaligned (2.7)", device->name);
    }
    if (ready && (device->status & STATUS_DRIVER_OK) != 0) {
        sim_die("%s: queue set up after DRIVER_OK (3.1.1)", device->name);
    }
    q->ready = ready;
}

void vm_half_write(uint64_t *word, bool high, uint32_t value)
{
    *word = high ? (*word & 0xffffffffull) | (uint64_t)value << 32 : (*word & ~0xffffffffull) | value;
}

void vm_notified(struct vm_device *device, uint32_t queue)
{
    if (device->fault.forgot) {
        return; /* the driver cannot know */
    }
    if ((device->status & STATUS_DRIVER_OK) == 0) {
        sim_die("%s: notified before DRIVER_OK (3.1.1)", device->name);
    }
    if (queue < device->queue_count && device->queue[queue].ready) {
        device->notify(device, queue);
    }
}

uint32_t vm_config_read(const struct vm_device *device, size_t offset, unsigned size)
{
    uint32_t value = 0;

    if (offset < device->config_size && size <= device->config_size - offset) {
        memcpy(&value, (const char *)device->config + offset, size);
    }
    return value;
}

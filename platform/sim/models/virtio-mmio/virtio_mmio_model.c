/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio_mmio_model.c: the registers of a virtio device behind an MMIO window (virtio 1.2, 4.2.2).
 */
#include <stdlib.h>
#include "models/virtio/virtio_transport.h"

enum { CONFIG_SPACE = 0x100, WINDOW_BYTES = 0x200 };
enum { INTERRUPT_QUEUE = 1, INTERRUPT_CONFIG = 2 };

struct mmio {
    struct sim_window window;
    uint32_t gsi;
    uint32_t interrupt;
};

static struct mmio *mmio_of(const struct vm_device *device)
{
    return device->attached;
}

static void mmio_interrupt(struct vm_device *device, int source)
{
    struct mmio *mmio = mmio_of(device);

    mmio->interrupt |= source == VM_CONFIG ? INTERRUPT_CONFIG : INTERRUPT_QUEUE;
    sim_line_raise(mmio->gsi);
}

static void mmio_reset(struct vm_device *device)
{
    mmio_of(device)->interrupt = 0;
}

/* --- writes ----------------------------------------------------------------------------------------------------------- */

static void queue_write(struct vm_device *device, size_t offset, uint32_t value)
{
    struct vm_queue *q = vm_queue_selected(device);

    if (q == NULL) {
        return;
    }
    if (offset == 0x044) {
        vm_queue_ready(device, q, value == 1);
        return;
    }
    if (q->ready) {
        sim_die("%s: a queue that is ready is changed (4.2.2.2)", device->name);
    }
    switch (offset) {
    case 0x038:
        q->size = value;
        return;
    case 0x080:
    case 0x084:
        vm_half_write(&q->desc, offset == 0x084, value);
        return;
    case 0x090:
    case 0x094:
        vm_half_write(&q->driver, offset == 0x094, value);
        return;
    case 0x0a0:
    case 0x0a4:
        vm_half_write(&q->device, offset == 0x0a4, value);
        return;
    default:
        return;
    }
}

static void register_write(struct vm_device *device, size_t offset, uint32_t value)
{
    switch (offset) {
    case 0x014:
        device->features_select = value;
        return;
    case 0x020:
        vm_driver_features_write(device, value);
        return;
    case 0x024:
        device->driver_features_select = value;
        return;
    case 0x030:
        device->queue_select = value;
        return;
    case 0x050:
        vm_notified(device, value);
        return;
    case 0x064:
        mmio_of(device)->interrupt &= ~value;
        return;
    case 0x070:
        vm_status_write(device, value);
        return;
    default:
        queue_write(device, offset, value);
        return;
    }
}

static void window_write(void *context, size_t offset, unsigned size, uint32_t value)
{
    struct vm_device *device = context;

    if (device->fault.gone || offset >= CONFIG_SPACE) {
        return; /* nobody is there, or nothing there can be written */
    }
    if (size != 4) {
        sim_die("%s: %u-byte write to register 0x%zx (4.2.2.2)", device->name, size, offset);
    }
    register_write(device, offset, value);
}

/* --- reads ------------------------------------------------------------------------------------------------------------ */

static uint32_t register_read(struct vm_device *device, size_t offset)
{
    const struct vm_queue *q = vm_queue_selected(device);

    switch (offset) {
    case 0x000:
        return 0x74726976;
    case 0x004:
        return 2;
    case 0x008:
        return device->type;
    case 0x00c:
        return 0x4d495343; /* vendor: "CSIM" */
    case 0x010:
        return vm_features_read(device);
    case 0x034:
        return q != NULL ? q->size_max : 0;
    case 0x044:
        return q != NULL && q->ready;
    case 0x060:
        return mmio_of(device)->interrupt;
    case 0x070:
        return device->status;
    case 0x0fc:
        return device->generation;
    case 0x0b0: /* length of a shared memory region: there is none (4.2.2.1) */
    case 0x0b4:
        return UINT32_MAX;
    default:
        return 0;
    }
}

static uint32_t window_read(void *context, size_t offset, unsigned size)
{
    struct vm_device *device = context;

    if (device->fault.gone) {
        return UINT32_MAX;
    }
    if (offset >= CONFIG_SPACE) {
        return vm_config_read(device, offset - CONFIG_SPACE, size);
    }
    if (size != 4) {
        sim_die("%s: %u-byte read of register 0x%zx (4.2.2.2)", device->name, size, offset);
    }
    return register_read(device, offset);
}

static void mmio_attach(struct vm_device *device)
{
    struct mmio *mmio = calloc(1, sizeof *mmio);

    if (mmio == NULL) {
        sim_die("%s: no memory", device->name);
    }
    device->attached = mmio;
    mmio->window =
        (struct sim_window){.size = WINDOW_BYTES, .read = window_read, .write = window_write, .device = device};
    mmio->gsi = sim_mmio_add(&mmio->window);
}

const struct vm_transport vm_mmio = {.attach = mmio_attach, .reset = mmio_reset, .interrupt = mmio_interrupt};

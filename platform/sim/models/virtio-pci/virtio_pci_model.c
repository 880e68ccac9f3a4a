/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio_pci_model.c: a virtio device as a PCI function (virtio 1.2, 4.1), not transitional.
 *
 *  (1) Everything lies where the specification allows and QEMU does not have it, so that a driver that guesses is found out: other
 *      offsets and order, a notify multiplier of 2, notify offsets that are no queue numbers, capabilities that must be ignored.
 *  (2) Fields are accessed in their own width (4.1.3.1).
 */
#include <stdlib.h>
#include <string.h>
#include "models/virtio/virtio_transport.h"
#include "sim_pci.h"

enum { BAR_MSIX = 0, BAR_REGISTERS = 2 };
enum { DEVICE_AT = 0x0000, NOTIFY_AT = 0x1000, COMMON_AT = 0x2000, ISR_AT = 0x3000, BAR_BYTES = 0x4000, PART = 0x1000 };
enum { CAP_VENDOR = 0x09 };
enum { KIND_COMMON = 1, KIND_NOTIFY = 2, KIND_ISR = 3, KIND_DEVICE = 4, KIND_ACCESS = 5, KIND_RESERVED = 0x42 };
enum { ISR_QUEUE = 1, ISR_CONFIG = 2 };
enum { NOTIFY_MULTIPLIER = 2, NOTIFY_FIRST = 3 }; /* queue i rings at (i + 3) * 2 */
#define NO_VECTOR 0xffffu

struct __attribute__((packed)) capability { /* virtio 1.2, 4.1.4, and what follows it for two kinds */
    uint8_t id, next, length, kind, bar, number, padding[2];
    uint32_t offset, size;
    uint32_t more; /* notify: the multiplier; access: the data */
};
enum { CAP_BYTES = 16, CAP_BYTES_MORE = 20 };
_Static_assert(sizeof(struct capability) == CAP_BYTES_MORE, "virtio 1.2, 4.1.4.4, 4.1.4.9");

struct common { /* virtio 1.2, 4.1.4.3 */
    uint32_t device_feature_select, device_feature, driver_feature_select, driver_feature;
    uint16_t config_vector, queues;
    uint8_t status, generation;
    uint16_t queue_select, queue_size, queue_vector, queue_enable, queue_notify_off;
    uint32_t queue_desc[2], queue_driver[2], queue_device[2];
};
_Static_assert(sizeof(struct common) == 0x38, "virtio 1.2, 4.1.4.3");
#define AT(field) offsetof(struct common, field)

struct pci {
    struct sim_pci_function function;
    struct vm_device *device;
    unsigned access; /* where the capability for access through configuration space is */
    uint8_t isr;
    uint16_t config_vector;
    uint16_t queue_vector[VM_QUEUES_MAX];
};

static struct pci *pci_of(const struct vm_device *device)
{
    return device->attached;
}

/* --- interrupts: 4.1.5.3, 4.1.5.4 ------------------------------------------------------------------------------------- */

static void pci_interrupt(struct vm_device *device, int source)
{
    struct pci *pci = pci_of(device);
    uint16_t vector = source == VM_CONFIG ? pci->config_vector : pci->queue_vector[source];

    if (!sim_pci_msix_on(&pci->function)) {
        pci->isr |= source == VM_CONFIG ? ISR_CONFIG : ISR_QUEUE;
        sim_pci_pin(&pci->function, true);
    } else if (vector != NO_VECTOR) {
        sim_pci_message(&pci->function, vector);
    }
}

/* Reading acknowledges: 4.1.4.5. */
static uint32_t isr_read(struct pci *pci)
{
    uint8_t why = pci->isr;

    pci->isr = 0;
    sim_pci_pin(&pci->function, false);
    return why;
}

static bool pci_reaches(const struct vm_device *device)
{
    return sim_pci_master(&pci_of(device)->function);
}

static void pci_reset(struct vm_device *device)
{
    struct pci *pci = pci_of(device);

    (void)isr_read(pci);
    pci->config_vector = NO_VECTOR;
    for (unsigned i = 0; i < device->queue_count; i++) {
        device->queue[i].size = device->queue[i].size_max; /* what a driver leaves alone is the device's choice */
        pci->queue_vector[i] = NO_VECTOR;
    }
}

/* A vector that there is not reads back as none: 4.1.5.1.2.1. */
static uint16_t vector_given(const struct pci *pci, uint32_t value)
{
    return value < pci->function.vectors ? (uint16_t)value : NO_VECTOR;
}

/* --- common configuration: 4.1.4.3 ------------------------------------------------------------------------------------ */

static void common_width_check(const struct vm_device *device, size_t offset, unsigned size)
{
    unsigned width = 2;

    if (offset < AT(config_vector) || offset >= AT(queue_desc)) {
        width = 4;
    } else if (offset == AT(status) || offset == AT(generation)) {
        width = 1;
    }
    if (size != width) {
        sim_die("%s: %u-byte access to 0x%zx of the common configuration (4.1.3.1)", device->name, size, offset);
    }
}

static uint32_t queue_read(struct pci *pci, size_t offset)
{
    struct vm_device *device = pci->device;
    const struct vm_queue *q = vm_queue_selected(device);

    if (q == NULL) {
        return 0; /* above all its size: there is no such queue */
    }
    switch (offset) {
    case AT(queue_size):
        return q->size;
    case AT(queue_vector):
        return pci->queue_vector[device->queue_select];
    case AT(queue_enable):
        return q->ready;
    case AT(queue_notify_off):
        return device->queue_select + NOTIFY_FIRST;
    case AT(queue_desc):
        return (uint32_t)q->desc;
    case AT(queue_desc) + 4:
        return (uint32_t)(q->desc >> 32);
    case AT(queue_driver):
        return (uint32_t)q->driver;
    case AT(queue_driver) + 4:
        return (uint32_t)(q->driver >> 32);
    case AT(queue_device):
        return (uint32_t)q->device;
    case AT(queue_device) + 4:
        return (uint32_t)(q->device >> 32);
    default:
        return 0;
    }
}

static uint32_t common_read(struct pci *pci, size_t offset, unsigned size)
{
    struct vm_device *device = pci->device;

    common_width_check(device, offset, size);
    switch (offset) {
    case AT(device_feature_select):
        return device->features_select;
    case AT(device_feature):
        return vm_features_read(device);
    case AT(driver_feature_select):
        return device->driver_features_select;
    case AT(driver_feature):
        return vm_driver_features_read(device);
    case AT(config_vector):
        return pci->config_vector;
    case AT(queues):
        return device->queue_count;
    case AT(status):
        return device->status;
    case AT(generation):
        return device->generation & 0xff;
    case AT(queue_select):
        return device->queue_select;
    default:
        return queue_read(pci, offset);
    }
}

static void enable_write(struct vm_device *device, struct vm_queue *q, uint32_t value)
{
    if (value != 1) {
        sim_die("%s: %u written to queue_enable (4.1.4.3.2)", device->name, value);
    }
    vm_queue_ready(device, q, true);
}

static void queue_write(struct pci *pci, size_t offset, uint32_t value)
{
    struct vm_device *device = pci->device;
    struct vm_queue *q = vm_queue_selected(device);

    if (q == NULL) {
        return;
    }
    if (q->ready && offset != AT(queue_vector)) {
        sim_die("%s: a queue that is enabled is changed (4.1.4.3.2)", device->name);
    }
    switch (offset) {
    case AT(queue_size):
        q->size = value;
        return;
    case AT(queue_vector):
        pci->queue_vector[device->queue_select] = vector_given(pci, value);
        return;
    case AT(queue_enable):
        enable_write(device, q, value);
        return;
    case AT(queue_desc):
    case AT(queue_desc) + 4:
        vm_half_write(&q->desc, offset != AT(queue_desc), value);
        return;
    case AT(queue_driver):
    case AT(queue_driver) + 4:
        vm_half_write(&q->driver, offset != AT(queue_driver), value);
        return;
    case AT(queue_device):
    case AT(queue_device) + 4:
        vm_half_write(&q->device, offset != AT(queue_device), value);
        return;
    default:
        return;
    }
}

static void common_write(struct pci *pci, size_t offset, unsigned size, uint32_t value)
{
    struct vm_device *device = pci->device;

    common_width_check(device, offset, size);
    switch (offset) {
    case AT(device_feature_select):
        device->features_select = value;
        return;
    case AT(driver_feature_select):
        device->driver_features_select = value;
        return;
    case AT(driver_feature):
        vm_driver_features_write(device, value);
        return;
    case AT(config_vector):
        pci->config_vector = vector_given(pci, value);
        return;
    case AT(status):
        vm_status_write(device, value);
        return;
    case AT(queue_select):
        device->queue_select = value;
        return;
    case AT(device_feature):
    case AT(queues):
    case AT(generation):
    case AT(queue_notify_off):
        return; /* read only */
    default:
        queue_write(pci, offset, value);
        return;
    }
}

/* --- the window ------------------------------------------------------------------------------------------------------- */

static uint32_t window_read(void *context, size_t offset, unsigned size)
{
    struct pci *pci = context;
    size_t at = offset % PART;

    if (pci->device->fault.gone) {
        return UINT32_MAX;
    }
    switch (offset - at) {
    case COMMON_AT:
        return at + size <= sizeof(struct common) ? common_read(pci, at, size) : 0;
    case ISR_AT:
        return at == 0 ? isr_read(pci) : 0;
    case DEVICE_AT:
        return vm_config_read(pci->device, at, size);
    default:
        return 0; /* what rings says nothing */
    }
}

/* 4.1.4.4.1, 4.1.5.2: 16 bits, at the queue's own place, with the queue's number. */
static void notify_write(struct pci *pci, size_t at, unsigned size, uint32_t value)
{
    if (size != 2 || at != (size_t)(value + NOTIFY_FIRST) * NOTIFY_MULTIPLIER) {
        sim_die("%s: %u bytes of %u written to notify + 0x%zx (4.1.5.2)", pci->device->name, size, value, at);
    }
    vm_notified(pci->device, value);
}

static void window_write(void *context, size_t offset, unsigned size, uint32_t value)
{
    struct pci *pci = context;
    size_t at = offset % PART;

    if (pci->device->fault.gone) {
        return;
    }
    switch (offset - at) {
    case COMMON_AT:
        if (at + size <= sizeof(struct common)) {
            common_write(pci, at, size, value);
        }
        return;
    case NOTIFY_AT:
        notify_write(pci, at, size, value);
        return;
    default:
        return; /* nothing there can be written */
    }
}

/* --- access through configuration space: 4.1.4.9 ---------------------------------------------------------------------- */

/* What the capability points at. NULL: this access is not to its data. */
static const struct sim_window *accessed(const struct pci *pci, unsigned offset, unsigned size, struct capability *cap)
{
    unsigned data = pci->access + (unsigned)offsetof(struct capability, more);

    if (offset + size <= data || offset >= data + 4) {
        return NULL;
    }
    memcpy(cap, pci->function.config + pci->access, sizeof *cap);
    const struct sim_window *window = cap->bar < SIM_PCI_BARS ? &pci->function.bar[cap->bar].window : NULL;
    if (window == NULL || (cap->size != 1 && cap->size != 2 && cap->size != 4) || cap->offset % cap->size != 0 ||
        cap->offset > window->size || cap->size > window->size - cap->offset) {
        sim_die("%s: access to %u bytes at 0x%x of BAR %u (4.1.4.9.2)", pci->device->name, cap->size, cap->offset,
                cap->bar);
    }
    return window;
}

static void config_reading(struct sim_pci_function *function, unsigned offset, unsigned size)
{
    struct pci *pci = function->model;
    struct capability cap;
    const struct sim_window *window = accessed(pci, offset, size, &cap);

    if (window != NULL) {
        uint32_t value = window->read(window->device, cap.offset, cap.size);
        sim_pci_set(function, pci->access + (unsigned)offsetof(struct capability, more), cap.size, value);
    }
}

static void config_written(struct sim_pci_function *function, unsigned offset, unsigned size)
{
    struct pci *pci = function->model;
    struct capability cap;
    const struct sim_window *window = accessed(pci, offset, size, &cap);

    if (window != NULL) {
        window->write(window->device, cap.offset, cap.size,
                      cap.more & (cap.size == 4 ? UINT32_MAX : (1u << 8 * cap.size) - 1));
    }
}

/* --- making it -------------------------------------------------------------------------------------------------------- */

static unsigned capability_add(struct pci *pci, uint8_t kind, uint8_t bar, uint32_t at, uint32_t size, uint32_t more)
{
    bool longer = kind == KIND_NOTIFY || kind == KIND_ACCESS;
    struct capability cap = {.id = CAP_VENDOR,
                             .length = longer ? CAP_BYTES_MORE : CAP_BYTES,
                             .kind = kind,
                             .bar = bar,
                             .offset = at,
                             .size = size,
                             .more = more};

    return sim_pci_capability(&pci->function, &cap, cap.length);
}

static void capabilities_add(struct pci *pci)
{
    const struct vm_device *device = pci->device;

    capability_add(pci, KIND_RESERVED, BAR_REGISTERS, 0, PART, 0); /* both to be ignored: 4.1.4.1 (1) */
    capability_add(pci, KIND_COMMON, 7, 0, PART, 0);
    if (device->config_size != 0) {
        capability_add(pci, KIND_DEVICE, BAR_REGISTERS, DEVICE_AT, (uint32_t)device->config_size, 0);
    }
    capability_add(pci, KIND_ISR, BAR_REGISTERS, ISR_AT, 1, 0);
    capability_add(pci, KIND_NOTIFY, BAR_REGISTERS, NOTIFY_AT, (device->queue_count + NOTIFY_FIRST) * NOTIFY_MULTIPLIER,
                   NOTIFY_MULTIPLIER);
    capability_add(pci, KIND_COMMON, BAR_REGISTERS, COMMON_AT, sizeof(struct common), 0);
    pci->access = capability_add(pci, KIND_ACCESS, 0, 0, 0, 0);
    sim_pci_writable(&pci->function, pci->access + (unsigned)offsetof(struct capability, bar), 1);
    sim_pci_writable(&pci->function, pci->access + (unsigned)offsetof(struct capability, offset), 12);
}

static uint32_t class_of(const struct vm_device *device)
{
    return device->type == 1 ? 0x020000 : device->type == 2 ? 0x010000 : 0x00ff00;
}

static void pci_attach(struct vm_device *device)
{
    struct pci *pci = calloc(1, sizeof *pci);
    unsigned wanted = device->queue_count + 1;

    if (pci == NULL) {
        sim_die("%s: no memory", device->name);
    }
    device->attached = pci;
    pci->device = device;
    pci->function =
        (struct sim_pci_function){.name = device->name,
                                  .vendor_id = 0x1af4, /* 4.1.2 */
                                  .device_id = (uint16_t)(0x1040 + device->type),
                                  .subsystem_vendor = 0x1af4,
                                  .subsystem = 0x40,
                                  .revision = 1,
                                  .class_code = class_of(device),
                                  .wired = true,
                                  .vectors = wanted < sim_transport.vectors ? wanted : sim_transport.vectors,
                                  .msix_bar = BAR_MSIX,
                                  .reading = config_reading,
                                  .written = config_written,
                                  .model = pci};
    pci->function.bar[BAR_REGISTERS] = (struct sim_pci_bar){
        .wide = true, .window = {.size = BAR_BYTES, .read = window_read, .write = window_write, .device = pci}};
    sim_pci_add(&pci->function);
    capabilities_add(pci);
}

const struct vm_transport vm_pci = {
    .attach = pci_attach, .reset = pci_reset, .interrupt = pci_interrupt, .reaches = pci_reaches};

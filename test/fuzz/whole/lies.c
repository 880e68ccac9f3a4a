/* SPDX-License-Identifier: MIT OR Apache-2.0
 * lies.c: what goes wrong between a device's model and its rings.
 *
 *  (1) A device does not write where nothing is lent to it: without an IOMMU no driver could defend itself. So one that gave
 *      back what it still has, or what it never had, does nothing more until its driver resets it.
 */
#include "lies.h"
#include "models/virtio/virtio_model.h"
#include "world.h"

#define LIES_MAX 16u
#define DEVICES_MAX 3u
#define STATUS_NEEDS_RESET 64u

enum kind {
    LIE_WRITTEN,     /* says that it wrote so much */
    LIE_ID,          /* gives another chain back */
    LIE_NEVER,       /* never gives it back */
    LIE_TWICE,       /* gives it back twice */
    LIE_INDEX,       /* its index jumps */
    LIE_DATA,        /* a bit turns in what some device writes, headers and status included */
    LIE_CONFIG,      /* a bit turns in its configuration, once */
    LIE_FEATURES,    /* and in its offer */
    LIE_INTERRUPT,   /* interrupts for nothing, and says that it was changed */
    LIE_NEEDS_RESET, /* says that it is broken */
    LIE_KINDS,
};

struct lie {
    bool told; /* or none */
    enum kind kind;
    uint32_t type;  /* of the device */
    unsigned after; /* so many occasions */
    uint16_t argument;
};

static struct {
    struct lie lie[LIES_MAX];
    unsigned count;
    struct vm_device *device[DEVICES_MAX];
    unsigned device_count;
    uint32_t silent[DEVICES_MAX]; /* (1) the epoch + 1 in which it does nothing more */
} self;

/* --- real and wrapped ------------------------------------------------------------------------------------------------ */

#define WRAP(type, name, ...)                                                                                          \
    type __real_##name(__VA_ARGS__);                                                                                   \
    type __wrap_##name(__VA_ARGS__);                                                                                   \
    type __wrap_##name(__VA_ARGS__)

/* `device` NULL: any. */
static const struct lie *lie_due(const struct vm_device *device, enum kind kind)
{
    for (unsigned i = 0; i < self.count; i++) {
        struct lie *lie = &self.lie[i];
        if (!lie->told && lie->kind == kind && (device == NULL || lie->type == device->type) && lie->after-- == 0) {
            lie->told = true;
            return lie;
        }
    }
    return NULL;
}

static uint32_t *silence_of(const struct vm_device *device)
{
    unsigned i = 0;

    while (self.device[i] != device) {
        i++;
    }
    return &self.silent[i];
}

static bool is_silent(const struct vm_device *device)
{
    return *silence_of(device) == device->epoch + 1;
}

WRAP(void, vm_device_add, struct vm_device *device)
{
    if (self.device_count == DEVICES_MAX) {
        world_broken("more devices than lies.c knows");
    }
    self.device[self.device_count++] = device;
    __real_vm_device_add(device);
}

WRAP(bool, vm_pop, struct vm_device *device, unsigned queue, struct vm_chain *chain)
{
    return !is_silent(device) && __real_vm_pop(device, queue, chain);
}

WRAP(bool, vm_chain_alive, const struct vm_device *device, const struct vm_chain *chain)
{
    return !is_silent(device) && __real_vm_chain_alive(device, chain);
}

WRAP(void, vm_push, struct vm_device *device, unsigned queue, const struct vm_chain *chain, uint32_t written)
{
    static struct vm_chain other;
    const struct lie *lie;

    if (is_silent(device) || lie_due(device, LIE_NEVER) != NULL) {
        return;
    }
    if ((lie = lie_due(device, LIE_WRITTEN)) != NULL) {
        written = lie->argument < 0x8000 ? lie->argument : (uint32_t)lie->argument << 16;
    }
    if ((lie = lie_due(device, LIE_INDEX)) != NULL) {
        device->queue[queue].used_next = (uint16_t)(device->queue[queue].used_next + lie->argument);
        *silence_of(device) = device->epoch + 1;
    }
    if (lie_due(device, LIE_TWICE) != NULL) {
        __real_vm_push(device, queue, chain, written);
    }
    if ((lie = lie_due(device, LIE_ID)) != NULL) {
        other = *chain;
        other.head = lie->argument;
        chain = &other;
        *silence_of(device) = device->epoch + 1;
    }
    __real_vm_push(device, queue, chain, written);
}

/* A bit turns in one of the pieces that are written, header and status included. */
WRAP(size_t, vm_chain_write, const struct vm_chain *chain, size_t offset, const void *bytes, size_t size)
{
    size_t done = __real_vm_chain_write(chain, offset, bytes, size);
    const struct lie *lie = lie_due(NULL, LIE_DATA);
    uint8_t byte;

    if (lie != NULL && done > 0) {
        size_t at = (size_t)lie->argument / 8 % done;
        byte = ((const uint8_t *)bytes)[at] ^ (uint8_t)(1u << lie->argument % 8);
        (void)__real_vm_chain_write(chain, offset + at, &byte, 1);
    }
    return done;
}

WRAP(uint32_t, vm_config_read, const struct vm_device *device, size_t offset, unsigned size)
{
    uint32_t value = __real_vm_config_read(device, offset, size);
    const struct lie *lie = lie_due(device, LIE_CONFIG);

    return lie != NULL ? value ^ 1u << lie->argument % (8 * size) : value;
}

WRAP(uint32_t, vm_features_read, const struct vm_device *device)
{
    uint32_t value = __real_vm_features_read(device);
    const struct lie *lie = lie_due(device, LIE_FEATURES);

    return lie != NULL ? value ^ 1u << lie->argument % 32 : value;
}

/* --- at once --------------------------------------------------------------------------------------------------------- */

static struct vm_device *device_of(uint32_t type)
{
    for (unsigned i = 0; i < self.device_count; i++) {
        if (self.device[i]->type == type) {
            return self.device[i];
        }
    }
    return NULL;
}

static void tell_now(const struct lie *lie)
{
    struct vm_device *device = device_of(lie->type);

    if (device == NULL) {
        return;
    }
    if (lie->kind == LIE_NEEDS_RESET) {
        device->status |= STATUS_NEEDS_RESET;
    }
    vm_config_changed(device);
}

void lie_take(void)
{
    static const uint32_t types[DEVICES_MAX] = {1, 2, 4}; /* network, block, entropy */
    struct lie lie = {.kind = (enum kind)(take8() % LIE_KINDS), .type = types[take8() % DEVICES_MAX]};

    lie.after = take8();
    lie.argument = take16();
    world_excuse();
    if (lie.kind == LIE_INTERRUPT || lie.kind == LIE_NEEDS_RESET) {
        tell_now(&lie);
    } else if (self.count < LIES_MAX) {
        self.lie[self.count++] = lie;
    }
}

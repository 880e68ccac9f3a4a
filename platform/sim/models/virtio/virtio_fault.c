/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio_fault.c: a virtio device that does what none may: lies, keeps things to itself, wants to be reset, is not there.
 *
 *  (1) The model on top does not know. Chains are falsified on their way back to the driver; else the device only does less.
 *  (2) A lie can be found out from what the driver reads, or the device is silent afterwards, which can be too. One that damages
 *      bytes and says that all is well cannot be told from a bad medium or wire, which the coordinator has.
 *  (3) Only a device that runs is struck: one that fails while it is set up may refuse the boot.
 *  (4) Being reset by the driver heals everything but being gone. SIM_FAULT_OVER ends what the device gets over by itself; one
 *      that was gone is then reset, behind the driver's back, and one whose lie nobody found out asks to be.
 */
#include "models/virtio/virtio_transport.h"
#include "sim_protocol.h"

#define STATUS_NEEDS_RESET 64u

enum lie { LIE_ID_BEYOND, LIE_ID_TWICE, LIE_LENGTH, LIE_JUMP, LIE_BACK, LIE_EARLY, LIES };

static enum lie lie_of(const struct vm_fault *fault)
{
    return (enum lie)((fault->lie & 0xff) % LIES);
}

/* A number from the lie's chance, 1 to `most`. */
static uint32_t drawn(const struct vm_fault *fault, uint32_t most)
{
    return (uint32_t)((fault->lie >> 8) % most) + 1;
}

/* Its last word before it is reset: what it would say afterwards could hide the lie, or be one that nobody can find out. */
static void told(struct vm_device *device, unsigned queue)
{
    struct vm_fault *fault = &device->fault;

    fault->lie = 0;
    fault->ill = true;
    device->transport->interrupt(device, (int)queue);
    sim_hazard_struck(&fault->hazard, SIM_FAULT_LIE);
}

/* Falsifies a chain that goes back. */
static void lie(struct vm_device *device, struct vm_queue *q, uint32_t head, uint32_t written, uint32_t lent)
{
    const struct vm_fault *fault = &device->fault;
    enum lie kind = lie_of(fault);

    if (kind == LIE_ID_TWICE) {
        vm_used_write(device, q, head, written);
    } else if (kind == LIE_JUMP) {
        q->used_next = (uint16_t)(q->used_next + q->size + drawn(fault, 1000)); /* more than it can have */
    } else if (kind == LIE_BACK) {
        q->used_next = (uint16_t)(q->used_next - 1 - drawn(fault, 1000));
    } else if (kind == LIE_LENGTH && lent != 0) { /* of what it may not write a driver need not look at the length */
        written = lent + drawn(fault, 1u << 20);
    } else {
        head = q->size + drawn(fault, 1u << 20);
    }
    vm_used_write(device, q, head, written);
}

bool vm_fault_push(struct vm_device *device, unsigned queue, const struct vm_chain *chain, uint32_t written)
{
    struct vm_fault *fault = &device->fault;

    if ((fault->stalled >> queue & 1) != 0) {
        if (fault->held_count < VM_HELD_MAX) {
            fault->held[fault->held_count++] = (struct vm_held){queue, chain->head, written};
        }
        return false;
    }
    if (fault->lie == 0 || lie_of(fault) == LIE_EARLY) {
        return true;
    }
    lie(device, &device->queue[queue], chain->head, written, chain->in_bytes);
    told(device, queue);
    return false;
}

/* Done, it says, before it has begun. */
void vm_fault_popped(struct vm_device *device, unsigned queue, const struct vm_chain *chain)
{
    const struct vm_fault *fault = &device->fault;

    if (fault->lie != 0 && lie_of(fault) == LIE_EARLY && fault->stalled == 0) {
        vm_used_write(device, &device->queue[queue], chain->head, chain->in_bytes);
        told(device, queue);
    }
}

void vm_fault_reset(struct vm_device *device)
{
    struct vm_fault *fault = &device->fault;

    fault->lie = 0;
    fault->stalled = 0;
    fault->ill = fault->forgot = false;
    fault->held_count = 0;
}

/* What it held comes all at once. */
static void stall_end(struct vm_device *device)
{
    struct vm_fault *fault = &device->fault;

    fault->stalled = 0;
    for (uint32_t i = 0; i < fault->held_count && vm_running(device); i++) {
        const struct vm_held *held = &fault->held[i];
        vm_used_write(device, &device->queue[held->queue], held->head, held->written);
    }
    fault->held_count = 0;
    for (unsigned i = 0; i < device->queue_count; i++) {
        vm_signal(device, i);
    }
}

static void forget(struct vm_device *device)
{
    vm_reset(device);
    vm_fault_reset(device);
    device->fault.forgot = true;
}

static void ask_for_reset(struct vm_device *device)
{
    device->fault.ill = true;
    device->status |= STATUS_NEEDS_RESET;
    device->transport->interrupt(device, VM_CONFIG);
}

static void over(struct vm_device *device, bool there)
{
    device->fault.lie = 0;
    if (device->fault.gone && there) {
        device->fault.gone = false;
        forget(device); /* (4) */
    } else if (device->fault.stalled != 0 && !device->fault.for_ever) {
        stall_end(device);
    } else if (device->fault.ill) {
        ask_for_reset(device);
    }
}

static void strike(struct vm_device *device, uint32_t what, uint64_t argument)
{
    struct vm_fault *fault = &device->fault;

    switch (what) {
    case SIM_FAULT_LIE:
        fault->lie = argument | 1ull << 63;
        return; /* counted when it is told */
    case SIM_FAULT_STALL:
        fault->for_ever = (argument & 1) != 0;
        fault->stalled = (uint32_t)(argument >> 1);
        break;
    case SIM_FAULT_RESET:
        if (argument == 1) {
            forget(device);
            break;
        }
        ask_for_reset(device);
        break;
    default:
        fault->gone = true;
        device->epoch++;                  /* and writes nothing that it still had to write */
        device->transport->reset(device); /* nor pulls a wire */
        break;
    }
    sim_hazard_struck(&fault->hazard, what);
}

static void befalls(struct sim_hazard *hazard, uint32_t what, uint64_t argument)
{
    struct vm_device *device = (struct vm_device *)((char *)hazard - offsetof(struct vm_device, fault.hazard));

    if (what == SIM_FAULT_OVER) {
        over(device, argument == 1);
    } else if (vm_running(device)) { /* (3) */
        strike(device, what, argument);
    }
}

/* Which of the machine's devices the world knows a type as (virtio 1.3, 5). */
static uint16_t known_as(uint32_t type)
{
    enum { NETWORK = 1, BLOCK = 2, SCSI_HOST = 8 };

    return type == NETWORK ? SIM_DEVICE_NET : type == BLOCK || type == SCSI_HOST ? SIM_DEVICE_DISK : SIM_DEVICE_RANDOM;
}

void vm_fault_add(struct vm_device *device)
{
    device->fault.hazard.befalls = befalls;
    device->fault.hazard.device = known_as(device->type);
    sim_hazard_add(&device->fault.hazard);
}

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio_pci_fuzz.c: a driver that does anything to a virtio device on the simulator's PCI bus, and to the memory that it lends.
 * The model may end the process (sim_die, here: the input is over); it may not touch what is not its own, and must end.
 */
#include "fake_machine.h"
#include "../models/virtio-pci/virtio_pci_model.c"
#include "../models/virtio/virtio_model.c"
#include "../models/virtio/virtio_queue.c"
#include "../models/virtio/virtio_fault.c"
#include "../pci.c"
#include "../pci_msix.c"
#include "fake_driver.h"

const struct vm_transport vm_mmio;

enum { SLOT = 2 };

/* All that changes, as it is before a driver looks. */
static struct {
    struct vm_device device;
    struct pci pci;
    __typeof__(fake) machine;
    bool taken;
} fresh;

static const uint8_t *bytes;
static size_t left;

static uint32_t take(unsigned size)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < size && left > 0; i++, left--) {
        value |= (uint32_t)*bytes++ << 8 * i;
    }
    return value;
}

static void begin(void)
{
    if (!fresh.taken) {
        sim_transport = (struct sim_transport){.pci = true, .vectors = UINT32_MAX};
        vm_device_add(&tried);
        fresh.device = tried;
        fresh.pci = *pci_of(&tried);
        fresh.machine = fake;
        fresh.taken = true;
    }
    tried = fresh.device;
    *pci_of(&tried) = fresh.pci;
    fake = fresh.machine;
}

/* --- what a driver can do ---------------------------------------------------------------------------------------------- */

static unsigned size_take(void)
{
    return 1u << take(1) % 3;
}

static void window_access(const struct sim_window *window, bool write)
{
    unsigned size = size_take();
    size_t offset = (take(2) % window->size) & ~(size_t)(size - 1);

    if (write) {
        window->write(window->device, offset, size, take(size));
    } else {
        (void)window->read(window->device, offset, size);
    }
}

static void config_access(bool write)
{
    unsigned size = size_take();
    uint16_t offset = (uint16_t)(take(1) & ~(size - 1));
    uint32_t value;

    if (write) {
        (void)plat_pci_write(0, SLOT, 0, offset, size, take(size));
    } else {
        (void)plat_pci_read(0, SLOT, 0, offset, size, &value);
    }
}

/* As a driver does it, so that the rings are reached. */
static void set_up(void)
{
    struct pci *pci = pci_of(&tried);
    uint64_t features = OFFER | F_VERSION_1 | (take(1) % 2 == 0 ? VM_F_EVENT_IDX : 0);

    vm_status_write(&tried, 0);
    vm_status_write(&tried, 3);
    tried.agreed = features;
    vm_status_write(&tried, 11);
    for (unsigned i = 0; i < QUEUES; i++) {
        tried.queue[i].desc = queue_part(i, DESC_AT);
        tried.queue[i].driver = queue_part(i, AVAIL_AT);
        tried.queue[i].device = queue_part(i, USED_AT);
        vm_queue_ready(&tried, &tried.queue[i], true);
        pci->queue_vector[i] = (uint16_t)(1 + i);
    }
    vm_status_write(&tried, STATUS_ALL);
    (void)plat_pci_write(0, SLOT, 0, PCI_COMMAND, 2, 6);
}

static void desc_write(void)
{
    uint64_t address = FAKE_MEMORY_BASE + take(3);
    uint32_t size = take(2);
    uint16_t flags = (uint16_t)take(1);

    desc_set(take(1) % QUEUES, take(1) % QUEUE_SIZE, address, size, flags, (uint16_t)take(1));
}

static void device_works(unsigned queue)
{
    uint8_t byte;

    if (vm_pop(&tried, queue, &device_saw.chain)) {
        (void)vm_chain_read(&device_saw.chain, take(1), &byte, 1);
        (void)vm_chain_write(&device_saw.chain, take(1), "x", 1);
        vm_push(&tried, queue, &device_saw.chain, device_saw.chain.in_bytes);
    }
    vm_signal(&tried, queue);
}

static void act(void)
{
    const struct sim_pci_bar *bar = pci_of(&tried)->function.bar;

    switch (take(1) % 10) {
    case 0:
    case 1:
        config_access(take(1) % 2 == 0);
        return;
    case 2:
    case 3:
        window_access(&bar[BAR_REGISTERS].window, take(1) % 2 == 0);
        return;
    case 4:
        window_access(&bar[BAR_MSIX].window, take(1) % 2 == 0);
        return;
    case 5:
        set_up();
        return;
    case 6:
        desc_write();
        return;
    case 7:
        avail_add(take(1) % QUEUES, (uint16_t)take(1));
        return;
    case 8:
        vm_config_changed(&tried);
        return;
    default:
        device_works(take(1) % QUEUES);
        return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    jmp_buf over;

    bytes = data;
    left = size;
    begin();
    test_panic_jump = &over;
    if (setjmp(over) == 0) {
        while (left > 0) {
            act();
        }
    }
    test_panic_jump = NULL;
    return 0;
}

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * nvme_model.c: an NVMe controller with one namespace of 512-byte blocks on the simulator's PCI bus (NVMe 1.4): its registers
 * (3.1), its life (7.6, 7.3.2).
 *
 *            EN set                some time later
 *   OFF ---------------> starting ----------------> ready
 *    ^                                               | EN cleared
 *    \-- the medium has nothing of ours any more ----/
 *
 *  (1) EN is changed only when RDY says the same as it (3.1.5); anything else ends the process.
 *  (2) RDY changes only when the medium has ended all that it was given: what was written before a reset is never written after it.
 *  (3) Doorbells lie 8 bytes apart (CAP.DSTRD 1), so that a driver that does not ask is found out.
 */
#include "models/nvme/nvme_model.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "models/nvme/nvme_device.h"

enum {
    REG_CAP = 0x00,
    REG_VS = 0x08,
    REG_INTMS = 0x0c,
    REG_INTMC = 0x10,
    REG_CC = 0x14,
    REG_CSTS = 0x1c,
    REG_AQA = 0x24,
    REG_ASQ = 0x28,
    REG_ACQ = 0x30,
    REG_DOORBELLS = 0x1000,
};
enum { STRIDE = 8, BAR_BYTES = 0x4000, BAR_MSIX = 4 };
enum { CC_EN = 1, CC_NOT_ZERO = 0x3ff0 /* command set, page size, arbitration */, CC_SHN = 0xc000 };
enum { CC_WRITABLE = 0x00fffff1, CSTS_SHST_DONE = 8 };
#define START_NS 200000u /* as long as it takes to be ready, and to stop at least */
#define TIMEOUT_HALVES 40u
static const uint64_t capabilities = (uint64_t)1 << 37 /* NVM */ | (uint64_t)1 << 32 /* DSTRD: (3) */ |
                                     TIMEOUT_HALVES << 24 | 1u << 16 /* CQR */ | (NVME_ENTRIES_MAX - 1);

bool nvme_enabled(const struct nvme_device *nvme)
{
    return (nvme->csts & (CSTS_RDY | CSTS_CFS)) == CSTS_RDY && (nvme->cc & CC_EN) != 0;
}

void nvme_fatal(struct nvme_device *nvme)
{
    nvme->csts |= CSTS_CFS;
}

/* --- the controller's life ------------------------------------------------------------------------------------------------ */

static void enable(struct nvme_device *nvme)
{
    uint32_t sq_last = nvme->aqa & 0xfff;
    uint32_t cq_last = nvme->aqa >> 16 & 0xfff;

    if ((nvme->cc & CC_NOT_ZERO) != 0) {
        sim_die("nvme: CC is 0x%x: no such command set, page size or arbitration (3.1.5)", nvme->cc);
    }
    if (sq_last == 0 || cq_last == 0 || nvme->asq % NVME_PAGE != 0 || nvme->acq % NVME_PAGE != 0) {
        sim_die("nvme: admin queues of %u and %u entries at 0x%llx and 0x%llx (3.1.8)", sq_last + 1, cq_last + 1,
                (unsigned long long)nvme->asq, (unsigned long long)nvme->acq);
    }
    nvme->sq[0] = (struct nvme_sq){.address = nvme->asq, .size = sq_last + 1};
    nvme->cq[0] = (struct nvme_cq){.address = nvme->acq, .size = cq_last + 1, .interrupts = true, .phase = true};
}

/* 3.1.5, 7.3.2. AQA, ASQ and ACQ stay; CC does not. */
void nvme_reset(struct nvme_device *nvme)
{
    memset(nvme->sq, 0, sizeof nvme->sq);
    memset(nvme->cq, 0, sizeof nvme->cq);
    nvme->epoch++;
    nvme->queue_count = 0;
    nvme->events = 0;
    nvme->masked = 0;
    nvme->cc = 0;
    nvme_fault_reset(nvme);
    nvme_pin(nvme);
}

/* What has come about since the last look. */
static void ready_update(struct nvme_device *nvme)
{
    bool on = (nvme->cc & CC_EN) != 0;

    if (sim_clock_ns() < nvme->change_ns || nvme->works_out != 0) { /* (2) */
        return;
    }
    nvme->csts = on ? nvme->csts | CSTS_RDY : 0;
}

static void cc_write(struct nvme_device *nvme, uint32_t value)
{
    bool was = (nvme->cc & CC_EN) != 0;
    bool on = (value & CC_EN) != 0;

    ready_update(nvme);
    nvme->cc = value & CC_WRITABLE;
    if ((value & CC_SHN) != 0) {
        nvme->csts |= CSTS_SHST_DONE; /* the medium needs no time for it: 7.6.2 */
    }
    if (was == on) {
        return;
    }
    if (((nvme->csts & CSTS_RDY) != 0) != was && (nvme->csts & CSTS_CFS) == 0) {
        sim_die("nvme: CC.EN becomes %u while CSTS is 0x%x (3.1.5)", on, nvme->csts); /* (1) */
    }
    nvme->change_ns = sim_clock_ns() + START_NS;
    if (on) {
        nvme->fault.forgot = false;
        enable(nvme);
    } else {
        nvme_reset(nvme);
    }
}

/* --- registers ------------------------------------------------------------------------------------------------------------- */

static uint32_t half(uint64_t value, bool high)
{
    return (uint32_t)(high ? value >> 32 : value);
}

static void half_write(uint64_t *at, bool high, uint32_t value)
{
    *at = high ? (*at & UINT32_MAX) | (uint64_t)value << 32 : (*at & ~(uint64_t)UINT32_MAX) | value;
}

static void width_check(size_t offset, unsigned size)
{
    if (size != 4) {
        sim_die("nvme: %u bytes of registers at 0x%zx (3.1: 32 or 64 bits)", size, offset);
    }
}

static uint32_t window_read(void *device, size_t offset, unsigned size)
{
    struct nvme_device *nvme = device;

    width_check(offset, size);
    if (nvme->fault.gone) {
        return UINT32_MAX;
    }
    ready_update(nvme);
    switch (offset) {
    case REG_CAP:
    case REG_CAP + 4:
        return half(capabilities, offset != REG_CAP);
    case REG_VS:
        return 0x00010400;
    case REG_INTMS:
    case REG_INTMC:
        return nvme->masked;
    case REG_CC:
        return nvme->cc;
    case REG_CSTS:
        return nvme->csts;
    case REG_AQA:
        return nvme->aqa;
    case REG_ASQ:
    case REG_ASQ + 4:
        return half(nvme->asq, offset != REG_ASQ);
    case REG_ACQ:
    case REG_ACQ + 4:
        return half(nvme->acq, offset != REG_ACQ);
    default:
        return 0;
    }
}

static void mask_write(struct nvme_device *nvme, uint32_t set, uint32_t clear)
{
    if (sim_pci_msix_on(&nvme->function)) {
        sim_die("nvme: INTMS or INTMC is written while MSI-X is on (3.1.3)");
    }
    nvme->masked = (nvme->masked | set) & ~clear;
    nvme_pin(nvme);
}

static void admin_queue_write(struct nvme_device *nvme, size_t offset, uint32_t value)
{
    if ((nvme->cc & CC_EN) != 0) {
        sim_die("nvme: the admin queues are changed while CC.EN is set (3.1.8)");
    }
    if (offset == REG_AQA) {
        nvme->aqa = value & 0x0fff0fff;
    } else if (offset == REG_ASQ || offset == REG_ASQ + 4) {
        half_write(&nvme->asq, offset != REG_ASQ, offset == REG_ASQ ? value & ~0xfffu : value);
    } else {
        half_write(&nvme->acq, offset != REG_ACQ, offset == REG_ACQ ? value & ~0xfffu : value);
    }
}

static void window_write(void *device, size_t offset, unsigned size, uint32_t value)
{
    struct nvme_device *nvme = device;

    width_check(offset, size);
    if (nvme->fault.gone) {
        return;
    }
    if (offset >= REG_DOORBELLS) {
        if (offset % STRIDE == 0) {
            nvme_doorbell(nvme, (offset - REG_DOORBELLS) / STRIDE, value);
        }
        return;
    }
    switch (offset) {
    case REG_INTMS:
        mask_write(nvme, value, 0);
        return;
    case REG_INTMC:
        mask_write(nvme, 0, value);
        return;
    case REG_CC:
        cc_write(nvme, value);
        return;
    case REG_AQA:
    case REG_ASQ:
    case REG_ASQ + 4:
    case REG_ACQ:
    case REG_ACQ + 4:
        admin_queue_write(nvme, offset, value);
        return;
    default:
        return; /* read only, or reserved */
    }
}

/* --- making it -------------------------------------------------------------------------------------------------------------- */

static void medium_changed(struct disk_medium *medium)
{
    (void)medium; /* identify asks it */
}

static bool start(const char *argument, char *why, size_t why_size)
{
    static unsigned count;
    struct nvme_device *nvme = calloc(1, sizeof *nvme);
    unsigned most = sim_transport.pci ? sim_transport.vectors : UINT32_MAX;

    if (nvme == NULL) {
        sim_die("nvme: no memory");
    }
    nvme->medium = disk_medium_open(argument, why, why_size);
    if (nvme->medium == NULL) {
        free(nvme);
        return false;
    }
    nvme->medium->model = nvme;
    nvme->medium->done = nvme_medium_done;
    nvme->medium->changed = medium_changed;
    snprintf(nvme->serial, sizeof nvme->serial, "sim-nvme-%u", count++);
    nvme->function = (struct sim_pci_function){.name = "nvme",
                                               .vendor_id = 0x1b36,
                                               .device_id = 0x0010,
                                               .subsystem_vendor = 0x1af4,
                                               .subsystem = 0x1100,
                                               .revision = 2,
                                               .class_code = 0x010802,
                                               .wired = true,
                                               .vectors = most < 1 + NVME_IO_QUEUES ? most : 1 + NVME_IO_QUEUES,
                                               .msix_bar = BAR_MSIX,
                                               .model = nvme};
    nvme->function.bar[0] = (struct sim_pci_bar){
        .wide = true, .window = {.size = BAR_BYTES, .read = window_read, .write = window_write, .device = nvme}};
    sim_pci_add(&nvme->function);
    nvme_fault_add(nvme);
    return true;
}

const struct sim_model nvme_model = {.name = "nvme", .start = start};

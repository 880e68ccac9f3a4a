/* SPDX-License-Identifier: MIT OR Apache-2.0
 * nvme_fault.c: an NVMe controller that does what none may: lies, keeps its answers to itself, fails, is not there.
 *
 *  (1) Completions are falsified on their way to the driver, or not said; the rest of the model does not know.
 *  (2) A lie can be found out from what the driver reads. What damages bytes and says that all is well is the medium's to do.
 *  (3) Only a controller with an I/O queue is struck: one that fails while it is set up may refuse the boot.
 *  (4) Being reset by the driver heals everything but being gone. SIM_FAULT_OVER ends what it gets over by itself; one that was
 *      gone is then reset, behind the driver's back, and one whose lie nobody found out says that it failed.
 */
#include "models/nvme/nvme_device.h"
#include "sim_protocol.h"

enum lie { LIE_ID, LIE_TWICE, LIE_QUEUE, LIE_HEAD, LIES };

void nvme_fault_reset(struct nvme_device *nvme)
{
    struct nvme_fault *fault = &nvme->fault;

    fault->lie = 0;
    fault->silent = fault->stalled = false;
    fault->held_count = 0;
}

static bool is_out(const struct nvme_device *nvme, uint16_t id)
{
    for (unsigned i = 0; i < NVME_WORKS; i++) {
        if (nvme->work[i].used && nvme->work[i].command.id == id) {
            return true;
        }
    }
    return false;
}

/* Of no command that is out, nor of the one that has just ended. */
static uint16_t id_of_none(const struct nvme_device *nvme, uint16_t id, uint16_t chance)
{
    uint16_t other = (uint16_t)(id + (chance | 1));

    while (other == id || is_out(nvme, other)) {
        other = (uint16_t)(other + 1);
    }
    return other;
}

/* Its last word before it is reset: what it would say afterwards could hide the lie. */
static void lie(struct nvme_device *nvme, struct nvme_completion completion)
{
    struct nvme_fault *fault = &nvme->fault;
    unsigned cq = nvme->sq[completion.sq].cq;
    uint16_t chance = (uint16_t)(fault->lie >> 8);

    switch ((enum lie)((fault->lie & 0xff) % LIES)) {
    case LIE_ID:
        completion.id = id_of_none(nvme, completion.id, chance);
        break;
    case LIE_TWICE:
        nvme_post(nvme, cq, completion);
        break;
    case LIE_QUEUE:
        completion.sq = (uint16_t)(completion.sq ^ (chance | 1));
        break;
    default: /* further than it was told */
        completion.sq_head = (uint16_t)((nvme->sq[completion.sq].tail + 1) % nvme->sq[completion.sq].size);
        break;
    }
    nvme_post(nvme, cq, completion);
    fault->lie = 0;
    fault->silent = true;
    sim_hazard_struck(&fault->hazard, SIM_FAULT_LIE);
}

bool nvme_fault_complete(struct nvme_device *nvme, const struct nvme_completion *completion)
{
    struct nvme_fault *fault = &nvme->fault;

    if (fault->silent) {
        return false;
    }
    if (fault->stalled) {
        if (fault->held_count < NVME_WORKS) {
            fault->held[fault->held_count++] = *completion;
        }
        return false;
    }
    if (fault->lie == 0 || completion->sq == 0) {
        return true;
    }
    lie(nvme, *completion);
    return false;
}

/* What it held comes all at once. */
static void stall_end(struct nvme_device *nvme)
{
    struct nvme_fault *fault = &nvme->fault;

    fault->stalled = false;
    for (unsigned i = 0; i < fault->held_count; i++) {
        nvme_post(nvme, nvme->sq[fault->held[i].sq].cq, fault->held[i]);
    }
    fault->held_count = 0;
    nvme_settle(nvme);
}

static void forget(struct nvme_device *nvme)
{
    nvme_reset(nvme);
    nvme->csts = 0;
    nvme->fault.forgot = true;
}

static void over(struct nvme_device *nvme, bool there)
{
    struct nvme_fault *fault = &nvme->fault;

    fault->lie = 0;
    if (fault->gone && there) {
        fault->gone = false;
        forget(nvme); /* (4) */
    } else if (fault->stalled && !fault->for_ever) {
        stall_end(nvme);
    } else if (fault->silent) {
        nvme_fatal(nvme);
    }
}

static void strike(struct nvme_device *nvme, uint32_t what, uint64_t argument)
{
    struct nvme_fault *fault = &nvme->fault;

    switch (what) {
    case SIM_FAULT_LIE:
        fault->lie = argument | 1ull << 63;
        return; /* counted when it is told */
    case SIM_FAULT_STALL:
        fault->for_ever = (argument & 1) != 0;
        fault->stalled = true;
        break;
    case SIM_FAULT_RESET:
        if (argument == 1) {
            forget(nvme);
        } else {
            nvme_fatal(nvme);
        }
        break;
    default:
        fault->gone = true;
        nvme->epoch++;  /* and writes nothing that it still had to write */
        nvme_pin(nvme); /* nor pulls a wire */
        break;
    }
    sim_hazard_struck(&fault->hazard, what);
}

static void befalls(struct sim_hazard *hazard, uint32_t what, uint64_t argument)
{
    struct nvme_device *nvme = (struct nvme_device *)((char *)hazard - offsetof(struct nvme_device, fault.hazard));

    if (what == SIM_FAULT_OVER) {
        over(nvme, argument == 1);
    } else if (nvme_enabled(nvme) && nvme->sq[1].size != 0 && !nvme->fault.gone) { /* (3) */
        strike(nvme, what, argument);
    }
}

void nvme_fault_add(struct nvme_device *nvme)
{
    nvme->fault.hazard.befalls = befalls;
    nvme->fault.hazard.device = SIM_DEVICE_DISK;
    sim_hazard_add(&nvme->fault.hazard);
}

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * nvme_bringup.c: from whatever the controller did to queues that work (NVMe 1.4, 7.6.1), one look at a time: BOOT looks until it
 * is done, LOOP by a timer.
 *
 *  (1) CC.EN is cleared only when CSTS.RDY is set, and set only when it is not: anything else is undefined (3.1.5). What firmware
 *      began is waited for; a controller that has failed (CSTS.CFS) is not.
 *  (2) Memory that was lent is the controller's until CSTS.RDY reads 0, or until nobody answers any more.
 *  (3) One admin command is out at a time. What it says is copied out of the page once, checked, and kept in `found`.
 */
#define LOG_TAG "nvme"
#include <string.h>
#include "core/assert.h"
#include "core/log.h"
#include "nvme.h"

enum { CC_EN = 1, CC_QUEUE_ENTRIES = 6 << 16 | 4 << 20 }; /* 64 and 16 bytes: 3.1.5 */
enum { ADMIN_CREATE_SQ = 0x01, ADMIN_CREATE_CQ = 0x05, ADMIN_IDENTIFY = 0x06, ADMIN_SET_FEATURES = 0x09 };
enum { CNS_NAMESPACE = 0, CNS_CONTROLLER = 1, CNS_NAMESPACE_LIST = 2, FEATURE_QUEUES = 7 };
enum { QUEUE_CONTIGUOUS = 1, CQ_INTERRUPTS = 2 };
enum { /* 5.15.2.2 */
       ID_SERIAL = 4,
       ID_SERIAL_BYTES = 20,
       ID_MDTS = 77,
       ID_SQES = 512,
       ID_CQES = 513,
       ID_NN = 516,
       ID_ONCS = 520,
       ID_VWC = 525,
};
enum { /* 5.15.2.1 */
       NS_SIZE = 0,
       NS_FEATURES = 24,
       NS_FORMATS = 25,
       NS_FORMAT = 26,
       NS_DLFEAT = 33,
       NS_ATTRIBUTES = 99,
       NS_PREFERRED = 64,
       NS_FORMAT_0 = 128,
};
enum { ONCS_DATASET = 4, ONCS_WRITE_ZEROES = 8, VWC_PRESENT = 1 };
enum { NSFEAT_PREFERRED = 0x10, DLFEAT_ZEROES_FREE = 8, NSATTR_PROTECTED = 1 };
#define VERSION_1_1 0x00010100u /* since when there is CNS_NAMESPACE_LIST */
#define PHYSICAL_BYTES_MAX (1u << 20)

static uint32_t reg(const struct nvme *nvme, size_t offset)
{
    return mmio_read32(&nvme->registers, offset);
}

/* --- stopping --------------------------------------------------------------------------------------------------------- */

/* CAP.TO, in half seconds: how long RDY may take to change. 0 would be no time at all. */
static uint64_t ready_deadline(const struct nvme *nvme)
{
    uint64_t halves = nvme->capabilities >> 24 & 0xff;

    return clock_ns() + (halves != 0 ? halves : 1) * (NS_PER_S / 2);
}

void nvme_stop_begin(struct nvme *nvme)
{
    nvme->state = NVME_STOPPING;
    nvme->off_asked = false;
    nvme->state_deadline = ready_deadline(nvme);
}

/* (1). Asks when it may be asked. */
static void off_ask(struct nvme *nvme, uint32_t status, bool late)
{
    uint32_t cc = reg(nvme, NVME_REG_CC);
    bool starts = (cc & CC_EN) != 0 && (status & (NVME_CSTS_RDY | NVME_CSTS_CFS)) == 0;

    if (starts && !late) {
        return;
    }
    mmio_write32(&nvme->registers, NVME_REG_CC, cc & ~(uint32_t)CC_EN);
    nvme->off_asked = true;
    nvme->state_deadline = ready_deadline(nvme);
}

status_t nvme_stop_step(struct nvme *nvme)
{
    uint32_t status = reg(nvme, NVME_REG_CSTS);
    bool late = clock_ns() > nvme->state_deadline;

    if (status == NVME_GONE) {
        return ST_CLOSED;
    }
    if (!nvme->off_asked) {
        off_ask(nvme, status, late);
        return ST_AGAIN;
    }
    if ((status & NVME_CSTS_RDY) != 0) {
        return late ? ST_TIMEOUT : ST_AGAIN;
    }
    return ST_OK;
}

/* --- starting --------------------------------------------------------------------------------------------------------- */

void nvme_start_begin(struct nvme *nvme)
{
    struct nvme_queue *admin = &nvme->queue[0];
    uint32_t last = admin->size - 1u;

    nvme->state = NVME_STARTING;
    nvme->ready = false;
    nvme->step_out = false;
    nvme->step = STEP_CONTROLLER;
    nvme->step_queue = 1;
    nvme->found = (struct nvme_identity){0};
    for (uint16_t i = 0; i <= NVME_QUEUES; i++) {
        nvme_queue_restart(&nvme->queue[i]);
    }
    mmio_write32(&nvme->registers, NVME_REG_AQA, last << 16 | last);
    mmio_write64(&nvme->registers, NVME_REG_ASQ, admin->sq_dma.value);
    mmio_write64(&nvme->registers, NVME_REG_ACQ, admin->cq_dma.value);
    mmio_write32(&nvme->registers, NVME_REG_CC, CC_QUEUE_ENTRIES | CC_EN);
    nvme->state_deadline = ready_deadline(nvme);
}

/* Little-endian field of the identify page. (3) */
static uint64_t page_field(const struct nvme *nvme, size_t offset, unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++) {
        value |= (uint64_t)__atomic_load_n(&nvme->page[offset + i], __ATOMIC_RELAXED) << 8 * i;
    }
    return value;
}

static void identify_fill(const struct nvme *nvme, struct nvme_command *command, uint32_t what)
{
    command->opcode = ADMIN_IDENTIFY;
    command->nsid = what == CNS_NAMESPACE        ? nvme->found.nsid
                    : what == CNS_NAMESPACE_LIST ? nvme->found.nsid - 1 /* those above it */
                                                 : 0;
    command->prp1 = nvme->page_dma.value;
    command->word10 = what;
}

/* Printable characters only, for they go into logs; padded with spaces. */
static void serial_take(struct nvme *nvme)
{
    size_t end = 0;

    for (size_t i = 0; i < ID_SERIAL_BYTES; i++) {
        uint8_t c = (uint8_t)page_field(nvme, ID_SERIAL + i, 1);
        nvme->found.serial[i] = c >= ' ' && c < 0x7f ? (char)c : '?';
        end = c != ' ' && c != 0 ? i + 1 : end;
    }
    memset(nvme->found.serial + end, 0, sizeof nvme->found.serial - end);
}

static status_t controller_take(struct nvme *nvme)
{
    uint64_t mdts = page_field(nvme, ID_MDTS, 1);
    uint64_t sqes = page_field(nvme, ID_SQES, 1);
    uint64_t cqes = page_field(nvme, ID_CQES, 1);

    if ((sqes & 15) > 6 || sqes >> 4 < 6 || (cqes & 15) > 4 || cqes >> 4 < 4) {
        return ST_UNSUPPORTED;
    }
    serial_take(nvme);
    nvme->found.command_bytes =
        mdts == 0 || mdts > 8 || NVME_PAGE << mdts > NVME_COMMAND_MAX ? NVME_COMMAND_MAX : NVME_PAGE << mdts;
    nvme->found.discard = (page_field(nvme, ID_ONCS, 2) & ONCS_DATASET) != 0;
    nvme->found.zeroes = (page_field(nvme, ID_ONCS, 2) & ONCS_WRITE_ZEROES) != 0;
    nvme->found.cache = (page_field(nvme, ID_VWC, 1) & VWC_PRESENT) != 0;
    nvme->found.nsid = NVME_NAMESPACE != 0 ? NVME_NAMESPACE : 1;
    nvme->step = reg(nvme, NVME_REG_VS) >= VERSION_1_1 ? STEP_NAMESPACES : STEP_NAMESPACE;
    return ST_OK;
}

/* The list of those that are active begins with the one that the option names, or else with the first of all (5.15.2.3). */
static status_t namespaces_take(struct nvme *nvme)
{
    uint32_t first = (uint32_t)page_field(nvme, 0, 4);
    bool none = first == 0 || first == UINT32_MAX;

    if (NVME_NAMESPACE != 0 && first != NVME_NAMESPACE) {
        log_err("%s has no active namespace %u, which the profile names", nvme->where, (unsigned)NVME_NAMESPACE);
        return ST_UNSUPPORTED;
    }
    if (none) {
        log_err("%s has no namespace", nvme->where);
        return ST_UNSUPPORTED;
    }
    if (NVME_NAMESPACE == 0 && page_field(nvme, 4, 4) != 0) {
        log_warn("%s has several namespaces; only %u is used: `component drv/nvme namespace=N` names another",
                 nvme->where, first);
    }
    nvme->found.nsid = first;
    nvme->step = STEP_NAMESPACE;
    return ST_OK;
}

static uint32_t physical_bytes(const struct nvme *nvme, uint32_t block)
{
    uint64_t blocks = page_field(nvme, NS_PREFERRED, 2) + 1;
    bool told = (page_field(nvme, NS_FEATURES, 1) & NSFEAT_PREFERRED) != 0;

    return told && (blocks & (blocks - 1)) == 0 && blocks * block <= PHYSICAL_BYTES_MAX ? (uint32_t)blocks * block
                                                                                        : block;
}

static status_t namespace_take(struct nvme *nvme)
{
    uint64_t format = page_field(nvme, NS_FORMAT, 1) & 15;
    uint64_t lbaf = page_field(nvme, NS_FORMAT_0 + 4 * format, 4);
    uint32_t shift = (uint32_t)(lbaf >> 16 & 0xff);

    nvme->found.blocks = page_field(nvme, NS_SIZE, 8);
    if ((lbaf & 0xffff) != 0 || shift < 9 || shift > 12) {
        log_err("%s: blocks of 2^%u bytes with %u of metadata; format it with 512 or 4096, and none", nvme->where,
                shift, (unsigned)(lbaf & 0xffff));
        return ST_UNSUPPORTED;
    }
    if (format > page_field(nvme, NS_FORMATS, 1) || nvme->found.blocks == 0 ||
        nvme->found.blocks > UINT64_MAX >> shift) {
        return ST_PROTO;
    }
    nvme->found.block_shift = (uint8_t)shift;
    nvme->found.physical_bytes = physical_bytes(nvme, 1u << shift);
    nvme->found.zeroes_free = (page_field(nvme, NS_DLFEAT, 1) & DLFEAT_ZEROES_FREE) != 0;
    nvme->found.read_only = (page_field(nvme, NS_ATTRIBUTES, 1) & NSATTR_PROTECTED) != 0;
    nvme->step = STEP_QUEUE_COUNT;
    return ST_OK;
}

/* Both numbers are one less than they mean: 5.21.1.7. */
static status_t queue_count_take(struct nvme *nvme, uint32_t result)
{
    uint32_t sqs = (result & 0xffff) + 1;
    uint32_t cqs = (result >> 16) + 1;
    uint32_t both = sqs < cqs ? sqs : cqs;

    nvme->queue_count = (uint16_t)(both < NVME_QUEUES ? both : NVME_QUEUES);
    nvme->queue_next = 0;
    nvme->step = STEP_CQ;
    return ST_OK;
}

static status_t sq_take(struct nvme *nvme)
{
    nvme->step = nvme->step_queue++ < nvme->queue_count ? STEP_CQ : STEPS;
    return ST_OK;
}

static void cq_fill(const struct nvme *nvme, struct nvme_command *command)
{
    const struct nvme_queue *q = &nvme->queue[nvme->step_queue];
    uint32_t vector = nvme->irq_count > 1 ? q->number : 0;

    command->opcode = ADMIN_CREATE_CQ;
    command->prp1 = q->cq_dma.value;
    command->word10 = (q->size - 1u) << 16 | q->number;
    command->word11 = vector << 16 | (NVME_POLL ? 0 : CQ_INTERRUPTS) | QUEUE_CONTIGUOUS;
}

static void sq_fill(const struct nvme *nvme, struct nvme_command *command)
{
    const struct nvme_queue *q = &nvme->queue[nvme->step_queue];

    command->opcode = ADMIN_CREATE_SQ;
    command->prp1 = q->sq_dma.value;
    command->word10 = (q->size - 1u) << 16 | q->number;
    command->word11 = (uint32_t)q->number << 16 | QUEUE_CONTIGUOUS;
}

static void step_fill(const struct nvme *nvme, struct nvme_command *command)
{
    switch (nvme->step) {
    case STEP_CONTROLLER:
        identify_fill(nvme, command, CNS_CONTROLLER);
        return;
    case STEP_NAMESPACES:
        identify_fill(nvme, command, CNS_NAMESPACE_LIST);
        return;
    case STEP_NAMESPACE:
        identify_fill(nvme, command, CNS_NAMESPACE);
        return;
    case STEP_QUEUE_COUNT:
        command->opcode = ADMIN_SET_FEATURES;
        command->word10 = FEATURE_QUEUES;
        command->word11 = (NVME_QUEUES - 1u) << 16 | (NVME_QUEUES - 1u);
        return;
    case STEP_CQ:
        cq_fill(nvme, command);
        return;
    case STEP_SQ:
        sq_fill(nvme, command);
        return;
    case STEPS:
        break;
    }
    UNREACHABLE();
}

/* The step's command succeeded: what it said, and which step is next. */
static status_t step_take(struct nvme *nvme, uint32_t result)
{
    switch (nvme->step) {
    case STEP_CONTROLLER:
        return controller_take(nvme);
    case STEP_NAMESPACES:
        return namespaces_take(nvme);
    case STEP_NAMESPACE:
        return namespace_take(nvme);
    case STEP_QUEUE_COUNT:
        return queue_count_take(nvme, result);
    case STEP_CQ:
        nvme->step = STEP_SQ;
        return ST_OK;
    case STEP_SQ:
        return sq_take(nvme);
    case STEPS:
        break;
    }
    UNREACHABLE();
}

static void step_send(struct nvme *nvme)
{
    struct nvme_slot *slot = NULL;
    struct nvme_command *command = nvme_queue_add(&nvme->queue[0], &nvme->step, &slot);

    ASSERT(command != NULL); /* (3) */
    step_fill(nvme, command);
    nvme->step_out = true;
    nvme->state_deadline = clock_ns() + NVME_TIMEOUT_MS * NS_PER_MS;
    nvme_queue_ring(&nvme->queue[0]);
}

static status_t step_look(struct nvme *nvme)
{
    struct nvme_queue *admin = &nvme->queue[0];
    struct nvme_answer answer;

    if (!nvme->step_out) {
        step_send(nvme);
    }
    status_t s = nvme_queue_reap(admin, &answer);
    if (s != ST_OK) {
        return s == ST_AGAIN && clock_ns() > nvme->state_deadline ? ST_TIMEOUT : s;
    }
    nvme_slot_put(admin, answer.slot);
    nvme_queue_reaped(admin);
    nvme->step_out = false;
    if (answer.status != NVME_OK) {
        log_err("%s: step %u of its start ended with status 0x%x", nvme->where, (unsigned)nvme->step, answer.status);
        return ST_IO;
    }
    return step_take(nvme, answer.result);
}

static status_t ready_look(struct nvme *nvme)
{
    uint32_t status = reg(nvme, NVME_REG_CSTS);

    if (status == NVME_GONE) {
        return ST_CLOSED;
    }
    if ((status & NVME_CSTS_CFS) != 0) {
        return ST_IO;
    }
    nvme->ready = (status & NVME_CSTS_RDY) != 0;
    if (nvme->ready) {
        return ST_OK;
    }
    return clock_ns() > nvme->state_deadline ? ST_TIMEOUT : ST_AGAIN;
}

status_t nvme_start_step(struct nvme *nvme)
{
    status_t s = nvme->ready ? ST_OK : ready_look(nvme);

    while (s == ST_OK && nvme->step != STEPS) {
        s = step_look(nvme);
    }
    return s;
}

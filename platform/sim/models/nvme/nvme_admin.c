/* SPDX-License-Identifier: MIT OR Apache-2.0
 * nvme_admin.c: admin commands of the NVMe model (5): those that every I/O controller has, for one namespace.
 */
#include <string.h>
#include "models/nvme/nvme_device.h"

enum {
    OP_DELETE_SQ = 0x00,
    OP_CREATE_SQ = 0x01,
    OP_GET_LOG = 0x02,
    OP_DELETE_CQ = 0x04,
    OP_CREATE_CQ = 0x05,
    OP_IDENTIFY = 0x06,
    OP_ABORT = 0x08,
    OP_SET_FEATURES = 0x09,
    OP_GET_FEATURES = 0x0a,
    OP_EVENT = 0x0c,
};
enum { CNS_NAMESPACE = 0, CNS_CONTROLLER = 1, CNS_LIST = 2 };
enum { FEATURE_QUEUES = 7 };
enum { CC_IOSQES = 6 << 16, CC_IOCQES = 4 << 20, CC_ENTRIES = 0xff << 16 };
#define LOG_BYTES_MAX 4096u

static void put(uint8_t *page, unsigned offset, unsigned size, uint64_t value)
{
    memcpy(page + offset, &value, size);
}

static void put_text(uint8_t *page, unsigned offset, unsigned size, const char *text)
{
    memset(page + offset, ' ', size);
    memcpy(page + offset, text, strnlen(text, size));
}

static void identify_controller(const struct nvme_device *nvme, uint8_t *page) /* 5.15.2.2 */
{
    put(page, 0, 2, nvme->function.vendor_id);
    put(page, 2, 2, nvme->function.subsystem_vendor);
    put_text(page, 4, 20, nvme->serial);
    put_text(page, 24, 40, "capos simulator");
    put_text(page, 64, 8, "1");
    put(page, 77, 1, NVME_MDTS);
    put(page, 80, 4, 0x00010400); /* VER */
    put(page, 111, 1, 1);         /* CNTRLTYPE: I/O */
    put(page, 258, 1, 3);         /* ACL */
    put(page, 259, 1, NVME_EVENTS_MAX - 1);
    put(page, 512, 1, 0x66); /* SQES */
    put(page, 513, 1, 0x44); /* CQES */
    put(page, 516, 4, 1);    /* NN */
    put(page, 520, 2, 0xc);  /* ONCS: Dataset Management, Write Zeroes */
    put(page, 525, 1, 1);    /* VWC: there is a cache */
}

static void identify_namespace(const struct nvme_device *nvme, uint8_t *page) /* 5.15.2.1 */
{
    put(page, 0, 8, nvme->medium->sectors);
    put(page, 8, 8, nvme->medium->sectors);
    put(page, 16, 8, nvme->medium->sectors);
    put(page, 24, 1, 0x10); /* NSFEAT: NPWG is told */
    put(page, 33, 1, 8);    /* DLFEAT: Write Zeroes may deallocate */
    put(page, 64, 2, 7);    /* NPWG: 4 KiB, as file systems write */
    put(page, 99, 1, nvme->medium->read_only);
    put(page, 130, 1, 9); /* LBAF0: blocks of 512, no metadata */
}

static uint16_t identify(const struct nvme_device *nvme, const struct nvme_command *command)
{
    uint8_t page[NVME_PAGE] = {0};

    switch (command->word[0] & 0xff) {
    case CNS_NAMESPACE:
        if (command->nsid != 1) {
            return STATUS_INVALID_NAMESPACE;
        }
        identify_namespace(nvme, page);
        break;
    case CNS_CONTROLLER:
        identify_controller(nvme, page);
        break;
    case CNS_LIST:
        put(page, 0, 4, command->nsid == 0 ? 1 : 0);
        break;
    default:
        return STATUS_INVALID_FIELD;
    }
    nvme_data_copy(command, page, sizeof page, true);
    return STATUS_OK;
}

/* --- queues: 5.3 to 5.6 ------------------------------------------------------------------------------------------------ */

static bool size_wrong(const struct nvme_command *command)
{
    uint32_t last = command->word[0] >> 16;

    return last == 0 || last >= NVME_ENTRIES_MAX;
}

static void queue_check(const struct nvme_device *nvme, const struct nvme_command *command)
{
    if ((command->word[1] & 1) == 0 || command->prp1 % NVME_PAGE != 0) {
        sim_die("nvme: a queue that is not contiguous, or begins within a page (CAP.CQR, 5.3)");
    }
    if ((nvme->cc & CC_ENTRIES) != (CC_IOSQES | CC_IOCQES)) {
        sim_die("nvme: a queue before CC says how large its entries are (3.1.5)");
    }
}

static uint16_t create_cq(struct nvme_device *nvme, const struct nvme_command *command)
{
    uint32_t number = command->word[0] & 0xffff;
    uint32_t vector = command->word[1] >> 16;

    queue_check(nvme, command);
    if (number == 0 || number > nvme->queue_count || nvme->cq[number].size != 0) {
        return STATUS_QUEUE_ID;
    }
    if (size_wrong(command)) {
        return STATUS_QUEUE_SIZE;
    }
    if (vector >= (sim_pci_msix_on(&nvme->function) ? nvme->function.vectors : 1)) {
        return STATUS_VECTOR;
    }
    struct nvme_cq *cq = &nvme->cq[number];
    cq->address = command->prp1;
    cq->size = (command->word[0] >> 16) + 1;
    cq->vector = (uint16_t)vector;
    cq->interrupts = (command->word[1] & 2) != 0;
    cq->head = cq->tail = 0;
    cq->held_count = 0;
    cq->phase = true;
    cq->told = false;
    return STATUS_OK;
}

static uint16_t create_sq(struct nvme_device *nvme, const struct nvme_command *command)
{
    uint32_t number = command->word[0] & 0xffff;
    uint32_t cq = command->word[1] >> 16;

    queue_check(nvme, command);
    if (number == 0 || number > nvme->queue_count || nvme->sq[number].size != 0) {
        return STATUS_QUEUE_ID;
    }
    if (cq == 0 || cq > nvme->queue_count || nvme->cq[cq].size == 0) {
        return STATUS_CQ_INVALID;
    }
    if (size_wrong(command)) {
        return STATUS_QUEUE_SIZE;
    }
    nvme->sq[number] =
        (struct nvme_sq){.address = command->prp1, .size = (command->word[0] >> 16) + 1, .cq = (uint16_t)cq};
    return STATUS_OK;
}

/* What the queue's commands would still say is not said: 5.6. */
static uint16_t delete_sq(struct nvme_device *nvme, uint32_t number)
{
    if (number == 0 || number > NVME_IO_QUEUES || nvme->sq[number].size == 0) {
        return STATUS_QUEUE_ID;
    }
    nvme->sq[number] = (struct nvme_sq){0};
    for (unsigned i = 0; i < NVME_WORKS; i++) {
        nvme->work[i].epoch -= nvme->work[i].used && nvme->work[i].sq == number;
    }
    return STATUS_OK;
}

static uint16_t delete_cq(struct nvme_device *nvme, uint32_t number)
{
    if (number == 0 || number > NVME_IO_QUEUES || nvme->cq[number].size == 0) {
        return STATUS_QUEUE_ID;
    }
    for (unsigned i = 1; i <= NVME_IO_QUEUES; i++) {
        if (nvme->sq[i].size != 0 && nvme->sq[i].cq == number) {
            return STATUS_QUEUE_DELETION;
        }
    }
    nvme->cq[number] = (struct nvme_cq){0};
    return STATUS_OK;
}

/* --- the rest ----------------------------------------------------------------------------------------------------------- */

static bool any_queue(const struct nvme_device *nvme)
{
    for (unsigned i = 1; i <= NVME_IO_QUEUES; i++) {
        if (nvme->cq[i].size != 0) {
            return true;
        }
    }
    return false;
}

static uint32_t queues_result(const struct nvme_device *nvme)
{
    uint32_t last = nvme->queue_count - 1;

    return last << 16 | last;
}

static uint16_t set_features(struct nvme_device *nvme, const struct nvme_command *command, uint32_t *result)
{
    uint32_t sqs = (command->word[1] & 0xffff) + 1;
    uint32_t cqs = (command->word[1] >> 16) + 1;
    uint32_t asked = sqs > cqs ? sqs : cqs;

    if ((command->word[0] & 0xff) != FEATURE_QUEUES || sqs == 0x10000 || cqs == 0x10000) {
        return STATUS_INVALID_FIELD;
    }
    if (any_queue(nvme)) {
        return STATUS_SEQUENCE; /* 5.21.1.7 */
    }
    nvme->queue_count = asked < NVME_IO_QUEUES ? asked : NVME_IO_QUEUES;
    *result = queues_result(nvme);
    return STATUS_OK;
}

/* All zeros: nothing ever happened to it. */
static uint16_t get_log(const struct nvme_command *command)
{
    static uint8_t log[LOG_BYTES_MAX];
    uint32_t bytes = ((command->word[0] >> 16) + 1) * 4;
    uint32_t page = command->word[0] & 0xff;

    if (page < 1 || page > 3 || bytes > sizeof log || (command->word[1] & 0xffff) != 0) {
        return STATUS_INVALID_FIELD;
    }
    nvme_data_copy(command, log, bytes, true);
    return STATUS_OK;
}

static uint16_t execute(struct nvme_device *nvme, const struct nvme_command *command, uint32_t *result)
{
    switch (command->opcode) {
    case OP_DELETE_SQ:
        return delete_sq(nvme, command->word[0] & 0xffff);
    case OP_CREATE_SQ:
        return create_sq(nvme, command);
    case OP_GET_LOG:
        return get_log(command);
    case OP_DELETE_CQ:
        return delete_cq(nvme, command->word[0] & 0xffff);
    case OP_CREATE_CQ:
        return create_cq(nvme, command);
    case OP_IDENTIFY:
        return identify(nvme, command);
    case OP_ABORT:
        *result = 1; /* it was not aborted: 5.1. What the medium has cannot be called back */
        return STATUS_OK;
    case OP_SET_FEATURES:
        return set_features(nvme, command, result);
    case OP_GET_FEATURES:
        *result = nvme->queue_count != 0 ? queues_result(nvme) : 0;
        return (command->word[0] & 0xff) == FEATURE_QUEUES ? STATUS_OK : STATUS_INVALID_FIELD;
    default:
        return STATUS_INVALID_OPCODE;
    }
}

void nvme_admin(struct nvme_device *nvme, const struct nvme_command *command)
{
    uint32_t result = 0;

    if (command->opcode == OP_EVENT && nvme->events < NVME_EVENTS_MAX) {
        nvme->events++; /* answered when something happens (5.2), which it does not */
        return;
    }
    uint16_t status = command->opcode == OP_EVENT ? STATUS_EVENTS_LIMIT : execute(nvme, command, &result);
    nvme_complete(nvme, 0, command->id, status, result);
}

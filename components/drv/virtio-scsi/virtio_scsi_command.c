/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio_scsi_command.c: command blocks (SBC-3, 5), and what an answer means (SPC-4, 4.5). No state.
 *
 *  (1) What the device wrote is read once, byte by byte, and checked before it is used: virtio_scsi_verdict().
 *  (2) Commands of ten bytes are used where the place fits: disks below 2 TiB may know no others. UNMAP and WRITE SAME(16) are
 *      for disks that say that they have them.
 */
#include <string.h>
#include "core/assert.h"
#include "virtio_scsi.h"

enum {
    READ_10 = 0x28,
    WRITE_10 = 0x2a,
    SYNCHRONIZE_CACHE_10 = 0x35,
    UNMAP = 0x42,
    READ_16 = 0x88,
    WRITE_16 = 0x8a,
    WRITE_SAME_16 = 0x93,
};
#define WRITE_FUA (1u << 3)
#define WRITE_SAME_UNMAP (1u << 3)
#define LUN_FLAT 0x40u /* 5.6.6.1: single level, flat space */

void virtio_scsi_lun(uint8_t lun[8], unsigned target, unsigned unit)
{
    memset(lun, 0, 8);
    lun[0] = 1;
    lun[1] = (uint8_t)target;
    lun[2] = (uint8_t)(LUN_FLAT | unit >> 8);
    lun[3] = (uint8_t)unit;
}

uint64_t virtio_scsi_get(const uint8_t *bytes, unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++) {
        value = value << 8 | __atomic_load_n(&bytes[i], __ATOMIC_RELAXED);
    }
    return value;
}

void virtio_scsi_put(uint8_t *bytes, unsigned size, uint64_t value)
{
    for (unsigned i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(value >> 8 * (size - 1 - i));
    }
}

/* READ and WRITE: (2) */
static void transfer_fill(uint8_t *cdb, bool writes, uint8_t flags, uint64_t block, uint32_t count)
{
    bool narrow = block + count <= UINT32_MAX && count <= UINT16_MAX;

    cdb[1] = flags;
    if (narrow) {
        cdb[0] = writes ? WRITE_10 : READ_10;
        virtio_scsi_put(cdb + 2, 4, block);
        virtio_scsi_put(cdb + 7, 2, count);
    } else {
        cdb[0] = writes ? WRITE_16 : READ_16;
        virtio_scsi_put(cdb + 2, 8, block);
        virtio_scsi_put(cdb + 10, 4, count);
    }
}

/* One range: SBC-3, 5.28. */
static void unmap_fill(struct scsi_wrap *wrap, uint64_t block, uint32_t count)
{
    memset(wrap->list, 0, sizeof wrap->list);
    virtio_scsi_put(wrap->list, 2, sizeof wrap->list - 2);
    virtio_scsi_put(wrap->list + 2, 2, sizeof wrap->list - 8);
    virtio_scsi_put(wrap->list + 8, 8, block);
    virtio_scsi_put(wrap->list + 16, 4, count);
    wrap->request.cdb[0] = UNMAP;
    virtio_scsi_put(wrap->request.cdb + 7, 2, sizeof wrap->list);
}

void virtio_scsi_fill(const struct scsi_limits *limits, struct scsi_wrap *wrap, const struct blk_request *request)
{
    uint8_t *cdb = wrap->request.cdb;
    uint64_t block = request->sector >> (limits->shift - 9);

    memset(cdb, 0, sizeof wrap->request.cdb);
    switch (request->op) {
    case BLK_READ:
        transfer_fill(cdb, false, 0, block, blkdev_bytes(request) >> limits->shift);
        return;
    case BLK_WRITE:
        transfer_fill(cdb, true, request->durable ? WRITE_FUA : 0, block, blkdev_bytes(request) >> limits->shift);
        return;
    case BLK_FLUSH:
        cdb[0] = SYNCHRONIZE_CACHE_10; /* of no blocks: of all */
        return;
    case BLK_DISCARD:
        unmap_fill(wrap, block, (uint32_t)(request->sector_count >> (limits->shift - 9)));
        return;
    case BLK_WRITE_ZEROES:
        cdb[0] = WRITE_SAME_16;
        cdb[1] = limits->unmap ? WRITE_SAME_UNMAP : 0;
        virtio_scsi_put(cdb + 2, 8, block);
        virtio_scsi_put(cdb + 10, 4, request->sector_count >> (limits->shift - 9));
        return;
    }
    UNREACHABLE();
}

/* --- answers ------------------------------------------------------------------------------------------------------------- */

/* Fixed or descriptor format: SPC-4, 4.5.2 and 4.5.3. False: neither, or not enough of it. */
static bool sense_read(const struct scsi_response *response, struct scsi_answer *answer)
{
    uint32_t size = __atomic_load_n(&response->sense_size, __ATOMIC_RELAXED);
    unsigned format = (unsigned)virtio_scsi_get(response->sense, 1) & 0x7f;

    if (size > SENSE_BYTES || size < 4) {
        return false;
    }
    if (format == 0x72 || format == 0x73) {
        answer->key = (uint8_t)(virtio_scsi_get(response->sense + 1, 1) & 15);
        answer->asc = (uint8_t)virtio_scsi_get(response->sense + 2, 1);
        answer->ascq = (uint8_t)virtio_scsi_get(response->sense + 3, 1);
        return true;
    }
    answer->key = (uint8_t)(virtio_scsi_get(response->sense + 2, 1) & 15);
    if (size >= 14) {
        answer->asc = (uint8_t)virtio_scsi_get(response->sense + 12, 1);
        answer->ascq = (uint8_t)virtio_scsi_get(response->sense + 13, 1);
    }
    return format == 0x70 || format == 0x71;
}

static enum scsi_verdict sense_verdict(const struct scsi_answer *answer)
{
    switch (answer->key) {
    case SENSE_NONE:
    case SENSE_RECOVERED:
        return VERDICT_OK;
    case SENSE_UNIT_ATTENTION:
        return answer->asc == ASC_RESET ? VERDICT_RESET : VERDICT_RETRY;
    case SENSE_NOT_READY:
        return answer->asc == ASC_NO_MEDIUM ? VERDICT_FAILED : VERDICT_RETRY;
    case SENSE_ILLEGAL_REQUEST:
        return answer->asc == ASC_INVALID_OPCODE || answer->asc == ASC_INVALID_FIELD ? VERDICT_UNSUPPORTED
                                                                                     : VERDICT_FAILED;
    default:
        return VERDICT_FAILED; /* medium error, hardware error, data protect and those that are rarer */
    }
}

static enum scsi_verdict status_verdict(const struct scsi_response *response, uint8_t status,
                                        struct scsi_answer *answer)
{
    switch (status) {
    case STATUS_GOOD:
        return VERDICT_OK;
    case STATUS_CHECK_CONDITION:
        return sense_read(response, answer) ? sense_verdict(answer) : VERDICT_FAILED;
    case STATUS_BUSY:
    case STATUS_TASK_SET_FULL:
    case STATUS_TASK_ABORTED:
        return VERDICT_RETRY;
    default:
        return VERDICT_FAILED;
    }
}

enum scsi_verdict virtio_scsi_verdict(const struct scsi_response *response, const struct scsi_slot *slot,
                                      uint32_t written, struct scsi_answer *answer)
{
    uint8_t code = __atomic_load_n(&response->response, __ATOMIC_RELAXED);
    uint8_t status = __atomic_load_n(&response->status, __ATOMIC_RELAXED);

    *answer = (struct scsi_answer){.missing = __atomic_load_n(&response->residual, __ATOMIC_RELAXED)};
    switch (code) {
    case RESPONSE_OK:
        break;
    case RESPONSE_BUSY:
    case RESPONSE_ABORTED:
        return VERDICT_RETRY;
    case RESPONSE_RESET:
        return VERDICT_RESET;
    case RESPONSE_BAD_TARGET:
        return VERDICT_GONE;
    default:
        return code <= RESPONSE_LAST ? VERDICT_FAILED : VERDICT_LIE;
    }
    enum scsi_verdict verdict = status_verdict(response, status, answer);
    if (verdict != VERDICT_OK) {
        return verdict;
    }
    uint32_t least = sizeof *response + (slot->reads ? slot->data_bytes - answer->missing : 0);
    return answer->missing > slot->data_bytes || written < least ? VERDICT_LIE : VERDICT_OK;
}

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * scsi_target.c: a SCSI disk of blocks of 512 bytes with a cache, thin, 4 KiB physical: its command blocks (SPC-4, 6; SBC-3, 5).
 *
 *  (1) What is unmapped reads as zeroes; zeroes are written to the medium.
 *  (2) After a reset the first command that asks for more than INQUIRY or REPORT LUNS is told: unit attention, 29h.
 */
#include "models/virtio-scsi/scsi_target.h"
#include <string.h>
#include "sim_device.h"

enum {
    TEST_UNIT_READY = 0x00,
    INQUIRY = 0x12,
    MODE_SENSE_6 = 0x1a,
    READ_CAPACITY_10 = 0x25,
    READ_10 = 0x28,
    WRITE_10 = 0x2a,
    SYNCHRONIZE_CACHE_10 = 0x35,
    UNMAP = 0x42,
    READ_16 = 0x88,
    WRITE_16 = 0x8a,
    WRITE_SAME_16 = 0x93,
    SERVICE_IN_16 = 0x9e,
    REPORT_LUNS = 0xa0,
};
enum { KEY_ILLEGAL_REQUEST = 5, KEY_UNIT_ATTENTION = 6, KEY_DATA_PROTECT = 7 };
enum { ASC_OPCODE = 0x20, ASC_RANGE = 0x21, ASC_FIELD = 0x24, ASC_PROTECTED = 0x27, ASC_RESET = 0x29 };

static uint64_t get(const uint8_t *bytes, unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++) {
        value = value << 8 | bytes[i];
    }
    return value;
}

static void put(uint8_t *bytes, unsigned size, uint64_t value)
{
    for (unsigned i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(value >> 8 * (size - 1 - i));
    }
}

static void check_condition(struct scsi_outcome *outcome, uint8_t key, uint8_t asc)
{
    *outcome = (struct scsi_outcome){.status = SCSI_CHECK_CONDITION, .key = key, .asc = asc};
}

/* --- answered at once ------------------------------------------------------------------------------------------------------ */

static void data_is(struct scsi_outcome *outcome, uint32_t size, uint64_t room)
{
    outcome->data_size = size < room ? size : (uint32_t)room;
}

static void page_limits(uint8_t *page) /* SBC-3, 6.6.4 */
{
    put(page + 2, 2, 0x3c);
    put(page + 8, 4, SCSI_TRANSFER_SECTORS_MAX);
    put(page + 20, 4, SCSI_RANGE_SECTORS_MAX);
    put(page + 24, 4, 1);
    put(page + 28, 4, 8);
    put(page + 36, 8, SCSI_RANGE_SECTORS_MAX);
}

static void inquiry_page(const struct scsi_target *target, const uint8_t *cdb, struct scsi_outcome *outcome)
{
    uint8_t *page = outcome->data;
    uint32_t size = 0;

    page[1] = cdb[2];
    switch (cdb[2]) {
    case 0x00:
        memcpy(page + 4, "\x00\x80\xb0\xb2", 4);
        put(page + 2, 2, 4);
        size = 8;
        break;
    case 0x80:
        size = 4 + (uint32_t)strlen(target->serial);
        memcpy(page + 4, target->serial, size - 4);
        put(page + 2, 2, size - 4);
        break;
    case 0xb0:
        page_limits(page);
        size = 64;
        break;
    case 0xb2: /* UNMAP, WRITE SAME(16) with UNMAP, what is unmapped reads as zeroes */
        put(page + 2, 2, 4);
        page[5] = 0xc4;
        size = 8;
        break;
    default:
        check_condition(outcome, KEY_ILLEGAL_REQUEST, ASC_FIELD);
        return;
    }
    data_is(outcome, size, get(cdb + 3, 2));
}

static void inquiry(const struct scsi_target *target, const uint8_t *cdb, struct scsi_outcome *outcome)
{
    if ((cdb[1] & 1) != 0) {
        inquiry_page(target, cdb, outcome);
        return;
    }
    outcome->data[2] = 6; /* SPC-4 */
    outcome->data[3] = 2;
    outcome->data[4] = 31;
    memcpy(outcome->data + 8, "capos   simulated disk  1   ", 28);
    data_is(outcome, 36, get(cdb + 3, 2));
}

/* Without block descriptors: header, and the caching page with a cache that is on. */
static void mode_sense(const struct scsi_target *target, const uint8_t *cdb, struct scsi_outcome *outcome)
{
    if ((cdb[2] & 0x3f) != 8 && (cdb[2] & 0x3f) != 0x3f) {
        check_condition(outcome, KEY_ILLEGAL_REQUEST, ASC_FIELD);
        return;
    }
    outcome->data[0] = 3 + 20;
    outcome->data[2] = (uint8_t)(0x10 | (target->medium->read_only ? 0x80 : 0)); /* FUA is known */
    outcome->data[4] = 8;
    outcome->data[5] = 18;
    outcome->data[6] = 4;
    data_is(outcome, 24, cdb[4]);
}

static void capacity_10(const struct scsi_target *target, struct scsi_outcome *outcome)
{
    uint64_t last = target->medium->sectors - 1;

    put(outcome->data, 4, last < UINT32_MAX ? last : UINT32_MAX);
    put(outcome->data + 4, 4, DISK_SECTOR);
    data_is(outcome, 8, 8);
}

static void service_in(const struct scsi_target *target, const uint8_t *cdb, struct scsi_outcome *outcome)
{
    if ((cdb[1] & 0x1f) != 0x10) {
        check_condition(outcome, KEY_ILLEGAL_REQUEST, ASC_FIELD);
        return;
    }
    put(outcome->data, 8, target->medium->sectors - 1);
    put(outcome->data + 8, 4, DISK_SECTOR);
    outcome->data[13] = 3; /* 8 logical blocks a physical one */
    outcome->data[14] = 0xc0;
    data_is(outcome, 32, get(cdb + 10, 4));
}

/* --- for the medium ---------------------------------------------------------------------------------------------------------- */

/* False: the outcome says why not. */
static bool place_take(const struct scsi_target *target, enum disk_work work, uint64_t block, uint64_t count,
                       struct scsi_outcome *outcome)
{
    if (block > target->medium->sectors || count > target->medium->sectors - block) {
        check_condition(outcome, KEY_ILLEGAL_REQUEST, ASC_RANGE);
        return false;
    }
    if (work == DISK_WRITE && target->medium->read_only) {
        check_condition(outcome, KEY_DATA_PROTECT, ASC_PROTECTED);
        return false;
    }
    outcome->medium = true;
    outcome->work = work;
    outcome->sector = block;
    outcome->bytes = (uint32_t)count * DISK_SECTOR;
    return true;
}

static void transfer(const struct scsi_target *target, const uint8_t *cdb, struct scsi_outcome *outcome)
{
    bool wide = cdb[0] == READ_16 || cdb[0] == WRITE_16;
    bool writes = cdb[0] == WRITE_10 || cdb[0] == WRITE_16;
    uint64_t block = get(cdb + 2, wide ? 8 : 4);
    uint64_t count = wide ? get(cdb + 10, 4) : get(cdb + 7, 2);

    if (count > SCSI_TRANSFER_SECTORS_MAX) {
        check_condition(outcome, KEY_ILLEGAL_REQUEST, ASC_FIELD);
    } else if (place_take(target, writes ? DISK_WRITE : DISK_READ, block, count, outcome)) {
        outcome->flushes = writes && (cdb[1] & 8) != 0;
    }
}

/* UNMAP of one range and WRITE SAME of a block of zeroes: (1) */
static void clear(const struct scsi_target *target, uint64_t block, uint64_t count, struct scsi_outcome *outcome)
{
    if (count > SCSI_RANGE_SECTORS_MAX) {
        check_condition(outcome, KEY_ILLEGAL_REQUEST, ASC_FIELD);
    } else if (place_take(target, DISK_WRITE, block, count, outcome)) {
        outcome->zeroes = true;
    }
}

static void unmap(const struct scsi_target *target, const uint8_t *cdb, const uint8_t *out, uint32_t out_size,
                  struct scsi_outcome *outcome)
{
    if (get(cdb + 7, 2) != out_size || out_size != 24 || get(out, 2) != 22 || get(out + 2, 2) != 16) {
        sim_die("virtio-scsi: UNMAP with %u bytes of list; one range is what it takes (SBC-3, 5.28)", out_size);
    }
    clear(target, get(out + 8, 8), get(out + 16, 4), outcome);
}

static void write_same(const struct scsi_target *target, const uint8_t *cdb, const uint8_t *out, uint32_t out_size,
                       struct scsi_outcome *outcome)
{
    static const uint8_t zeroes[DISK_SECTOR];

    if (out_size != DISK_SECTOR || memcmp(out, zeroes, DISK_SECTOR) != 0) {
        sim_die("virtio-scsi: WRITE SAME of %u bytes; a block of zeroes is what it takes (SBC-3, 5.43)", out_size);
    }
    clear(target, get(cdb + 2, 8), get(cdb + 10, 4), outcome);
}

void scsi_command(struct scsi_target *target, const uint8_t *cdb, const uint8_t *out, uint32_t out_size,
                  struct scsi_outcome *outcome)
{
    *outcome = (struct scsi_outcome){.status = SCSI_GOOD};
    if (target->attention && cdb[0] != INQUIRY && cdb[0] != REPORT_LUNS) { /* (2) */
        target->attention = false;
        check_condition(outcome, KEY_UNIT_ATTENTION, ASC_RESET);
        return;
    }
    switch (cdb[0]) {
    case TEST_UNIT_READY:
        return;
    case INQUIRY:
        inquiry(target, cdb, outcome);
        return;
    case MODE_SENSE_6:
        mode_sense(target, cdb, outcome);
        return;
    case READ_CAPACITY_10:
        capacity_10(target, outcome);
        return;
    case SERVICE_IN_16:
        service_in(target, cdb, outcome);
        return;
    case REPORT_LUNS: /* unit 0 */
        put(outcome->data, 4, 8);
        data_is(outcome, 16, get(cdb + 6, 4));
        return;
    case READ_10:
    case WRITE_10:
    case READ_16:
    case WRITE_16:
        transfer(target, cdb, outcome);
        return;
    case SYNCHRONIZE_CACHE_10:
        outcome->medium = true;
        outcome->work = DISK_FLUSH;
        return;
    case UNMAP:
        unmap(target, cdb, out, out_size, outcome);
        return;
    case WRITE_SAME_16:
        write_same(target, cdb, out, out_size, outcome);
        return;
    default:
        check_condition(outcome, KEY_ILLEGAL_REQUEST, ASC_OPCODE);
        return;
    }
}

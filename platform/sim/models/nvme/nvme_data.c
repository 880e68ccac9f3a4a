/* SPDX-License-Identifier: MIT OR Apache-2.0
 * nvme_data.c: the NVM command set of the NVMe model (6) on its medium, and the memory that PRP entries name (4.3).
 *
 *  (1) Data is copied between the driver's memory and the medium's when a command begins (a write) or ends (a read); commands
 *      end in the order that the medium likes, each once. What ends after a reset is dropped, and the reset waits for it.
 *  (2) A write with FUA flushes the medium before it ends: more than it needs.
 *      Zeroes are written as such, at most as many as data would be: others are an invalid field.
 *  (3) Deallocated blocks keep what they held, which is one of the things that they may do (6.7).
 */
#include <stdlib.h>
#include <string.h>
#include "models/nvme/nvme_device.h"

enum { OP_FLUSH = 0x00, OP_WRITE = 0x01, OP_READ = 0x02, OP_WRITE_ZEROES = 0x08, OP_DATASET = 0x09 };
#define WRITE_FUA (1u << 30)
#define EVERY_NAMESPACE UINT32_MAX

/* --- PRP lists ----------------------------------------------------------------------------------------------------------- */

/* Where the pages behind the first come from. */
struct pages {
    const struct nvme_command *command;
    uint64_t list; /* 0: PRP 2 is the page itself */
};

static uint64_t list_entry(uint64_t at)
{
    uint64_t value;
    const void *entry = at % 8 == 0 ? sim_dma(at, 8) : NULL;

    if (entry == NULL) {
        sim_die("nvme: a PRP list entry at 0x%llx (4.3)", (unsigned long long)at);
    }
    memcpy(&value, entry, sizeof value);
    return value;
}

/* The next page; `left` bytes are still to come, with it. */
static uint64_t page_next(struct pages *pages, uint32_t left)
{
    uint64_t page = pages->command->prp2;

    if (pages->list != 0) {
        bool last = pages->list % NVME_PAGE == NVME_PAGE - 8;
        if (last && left > NVME_PAGE) {
            pages->list = list_entry(pages->list); /* of the list that goes on */
        }
        page = list_entry(pages->list);
        pages->list += 8;
    }
    if (page % NVME_PAGE != 0) {
        sim_die("nvme: PRP 0x%llx does not begin a page (4.3)", (unsigned long long)page);
    }
    return page;
}

static void run_copy(uint64_t address, uint8_t *bytes, uint32_t size, bool to_guest)
{
    void *at = sim_dma(address, size);

    if (at == NULL) {
        sim_die("nvme: %u bytes at 0x%llx are not the guest's memory", size, (unsigned long long)address);
    }
    memcpy(to_guest ? at : bytes, to_guest ? bytes : at, size);
}

void nvme_data_copy(const struct nvme_command *command, void *bytes, uint32_t size, bool to_guest)
{
    uint32_t first = NVME_PAGE - (uint32_t)(command->prp1 % NVME_PAGE);
    uint32_t done = size < first ? size : first;
    struct pages pages = {.command = command, .list = size - done > NVME_PAGE ? command->prp2 : 0};

    if (command->prp1 % 4 != 0) {
        sim_die("nvme: PRP 1 is 0x%llx (4.3: dwords)", (unsigned long long)command->prp1);
    }
    run_copy(command->prp1, bytes, done, to_guest);
    while (done < size) {
        uint32_t n = size - done < NVME_PAGE ? size - done : NVME_PAGE;
        run_copy(page_next(&pages, size - done), (uint8_t *)bytes + done, n, to_guest);
        done += n;
    }
}

/* --- the medium ---------------------------------------------------------------------------------------------------------- */

static void work_end(struct nvme_device *nvme, struct nvme_work *work, uint16_t status)
{
    struct nvme_work ended = *work;

    free(work->request.bytes);
    *work = (struct nvme_work){0};
    nvme->works_out--;
    if (ended.epoch == nvme->epoch) { /* (1) */
        nvme_complete(nvme, ended.sq, ended.command.id, status, 0);
        nvme_settle(nvme);
    }
}

void nvme_medium_done(struct disk_medium *medium, struct disk_request *request, bool ok)
{
    struct nvme_device *nvme = medium->model;
    struct nvme_work *work = &nvme->work[request->tag];
    bool read = work->command.opcode == OP_READ;

    if (!ok || work->epoch != nvme->epoch) {
        work_end(nvme, work, read ? STATUS_READ_ERROR : STATUS_WRITE_FAULT);
        return;
    }
    if (read) {
        nvme_data_copy(&work->command, request->bytes, request->size, true);
    }
    if (!read && (work->command.word[2] & WRITE_FUA) != 0 && !work->flushes) {
        free(request->bytes);
        work->flushes = true; /* (2) */
        *request = (struct disk_request){.tag = request->tag, .work = DISK_FLUSH};
        medium->begin(medium, request);
        return;
    }
    work_end(nvme, work, STATUS_OK);
}

/* NULL never: who fetched the command saw that one is free. */
static struct nvme_work *work_new(struct nvme_device *nvme, uint16_t sq, const struct nvme_command *command)
{
    uint32_t tag = 0;

    while (nvme->work[tag].used) {
        tag++;
    }
    nvme->works_out++;
    nvme->work[tag] = (struct nvme_work){.used = true, .epoch = nvme->epoch, .sq = sq, .command = *command};
    nvme->work[tag].request.tag = tag;
    return &nvme->work[tag];
}

static void transfer_begin(struct nvme_device *nvme, uint16_t sq, const struct nvme_command *command)
{
    struct nvme_work *work = work_new(nvme, sq, command);
    struct disk_request *request = &work->request;

    request->work = command->opcode == OP_READ ? DISK_READ : DISK_WRITE;
    request->sector = (uint64_t)command->word[1] << 32 | command->word[0];
    request->size = ((command->word[2] & 0xffff) + 1) * DISK_SECTOR;
    request->bytes = calloc(1, request->size);
    if (request->bytes == NULL) {
        sim_die("nvme: no memory for %u bytes", request->size);
    }
    if (command->opcode == OP_WRITE) {
        nvme_data_copy(command, request->bytes, request->size, false);
    }
    nvme->medium->begin(nvme->medium, request);
}

static bool moves_blocks(const struct nvme_command *command)
{
    return command->opcode == OP_READ || command->opcode == OP_WRITE || command->opcode == OP_WRITE_ZEROES;
}

/* STATUS_OK: it may begin. */
static uint16_t transfer_check(const struct nvme_device *nvme, const struct nvme_command *command)
{
    uint64_t block = (uint64_t)command->word[1] << 32 | command->word[0];
    uint64_t count = (command->word[2] & 0xffff) + 1;

    if (count * DISK_SECTOR > NVME_TRANSFER_MAX && command->opcode == OP_WRITE_ZEROES) {
        return STATUS_INVALID_FIELD; /* (2) */
    }
    if (count * DISK_SECTOR > NVME_TRANSFER_MAX) {
        sim_die("nvme: a command of %llu blocks; MDTS is %u KiB (5.15.2.2)", (unsigned long long)count,
                NVME_TRANSFER_MAX / 1024);
    }
    if (block > nvme->medium->sectors || count > nvme->medium->sectors - block) {
        return STATUS_LBA_RANGE;
    }
    return command->opcode != OP_READ && nvme->medium->read_only ? STATUS_READ_ONLY : STATUS_OK;
}

/* Ranges of 16 bytes: attributes, blocks, first block (6.7.1). */
static uint16_t dataset(const struct nvme_device *nvme, const struct nvme_command *command)
{
    struct {
        uint32_t attributes, blocks;
        uint64_t first;
    } range[256];
    uint32_t count = (command->word[0] & 0xff) + 1;

    nvme_data_copy(command, range, count * (uint32_t)sizeof range[0], false);
    for (uint32_t i = 0; i < count; i++) {
        if (range[i].first > nvme->medium->sectors || range[i].blocks > nvme->medium->sectors - range[i].first) {
            return STATUS_LBA_RANGE;
        }
    }
    return (command->word[1] & 4) != 0 && nvme->medium->read_only ? STATUS_READ_ONLY : STATUS_OK; /* (3) */
}

static void flush_begin(struct nvme_device *nvme, uint16_t sq, const struct nvme_command *command)
{
    struct nvme_work *work = work_new(nvme, sq, command);

    work->request.work = DISK_FLUSH;
    nvme->medium->begin(nvme->medium, &work->request);
}

void nvme_io(struct nvme_device *nvme, uint16_t sq, const struct nvme_command *command)
{
    bool flush = command->opcode == OP_FLUSH;
    uint16_t status =
        command->nsid == 1 || (flush && command->nsid == EVERY_NAMESPACE) ? STATUS_OK : STATUS_INVALID_NAMESPACE;

    if (status == STATUS_OK && moves_blocks(command)) {
        status = transfer_check(nvme, command);
        if (status == STATUS_OK) {
            transfer_begin(nvme, sq, command);
            return;
        }
    } else if (status == STATUS_OK && flush) {
        flush_begin(nvme, sq, command);
        return;
    } else if (status == STATUS_OK) {
        status = command->opcode == OP_DATASET ? dataset(nvme, command) : STATUS_INVALID_OPCODE;
    }
    nvme_complete(nvme, sq, command->id, status, 0);
}

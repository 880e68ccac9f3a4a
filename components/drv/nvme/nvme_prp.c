/* SPDX-License-Identifier: MIT OR Apache-2.0
 * nvme_prp.c: memory as PRP entries (NVMe 1.4, 4.3): the first may begin anywhere in a page, all others begin one.
 *
 * A request is cut where its segments do not meet on page borders, and where a command is full: a part that one command can
 * carry is what one entry after another describes. Nothing is copied.
 *
 *  (1) A part is a whole number of blocks: segments are, and so is the most that a command carries.
 *  (2) A list never reaches the end of a page, whose last entry would be a pointer to more: it is aligned to its own size.
 */
#include "core/assert.h"
#include "nvme.h"

_Static_assert(NVME_COMMAND_MAX / NVME_PAGE * sizeof(uint64_t) <= NVME_PAGE, "(2)");

struct part {
    uint64_t *list;
    uint64_t first;   /* PRP 1 */
    uint32_t entries; /* of the list */
    uint32_t bytes;
};

static uint64_t page_after(uint64_t address)
{
    return (address | (NVME_PAGE - 1)) + 1;
}

/* Adds [address, address + bytes), which begins a page unless it is the first. */
static void run_add(struct part *part, uint64_t address, uint32_t bytes)
{
    uint64_t end = address + bytes;

    if (part->bytes == 0) {
        part->first = address;
        address = page_after(address);
    }
    for (; address < end; address += NVME_PAGE) {
        part->list[part->entries++] = address;
    }
    part->bytes += bytes;
}

/* What of the job's next segment goes into this part. False: nothing more does. */
static bool segment_take(const struct device_grant *grant, struct nvme_job *job, struct part *part, uint32_t most)
{
    const struct blk_segment *segment = &job->request->segment[job->segment];
    uint64_t address = dma_lend(grant, (const char *)segment->data + job->segment_bytes).value;
    uint32_t bytes = segment->size - job->segment_bytes;

    if (part->bytes != 0 && (address & (NVME_PAGE - 1)) != 0) {
        return false;
    }
    bytes = bytes < most - part->bytes ? bytes : most - part->bytes;
    run_add(part, address, bytes);
    job->segment_bytes += bytes;
    if (job->segment_bytes == segment->size) {
        job->segment_bytes = 0;
        job->segment++;
    }
    /* The next can only follow on a page border. */
    return part->bytes < most && job->segment < job->request->segment_count &&
           ((address + bytes) & (NVME_PAGE - 1)) == 0;
}

uint32_t nvme_prp_fill(const struct device_grant *grant, struct nvme_job *job, const struct nvme_slot *slot,
                       struct nvme_command *command, uint32_t most)
{
    struct part part = {.list = slot->list};

    ASSERT(most <= NVME_COMMAND_MAX && job->segment < job->request->segment_count);
    while (segment_take(grant, job, &part, most)) {
    }
    ASSERT(part.entries <= NVME_COMMAND_MAX / NVME_PAGE);
    command->prp1 = part.first;
    command->prp2 = part.entries == 0 ? 0 : part.entries == 1 ? part.list[0] : slot->list_dma.value; /* 4.3 */
    return part.bytes;
}

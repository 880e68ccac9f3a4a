/* SPDX-License-Identifier: MIT OR Apache-2.0
 * nvme_queue_test.c: one pair of rings, and everything that a controller can say in it that is not true.
 */
#include "test.h"
#include "../nvme_queue.c"
#include "../nvme_prp.c"

#define SIZE 8u

static struct nvme_command sq[SIZE];
static struct nvme_completion cq[SIZE];
static struct nvme_slot slots[SIZE];
static uint64_t lists[SIZE * 64] __attribute__((aligned(4096)));
static struct nvme_queue queue;
static unsigned rung;
static uint32_t bell[2]; /* what was last written: tail, head */
static int owner;

static const struct device_grant *const grant = NULL;

dma_t dma_lend(const struct device_grant *unused, const void *p)
{
    (void)unused;
    return (dma_t){.value = (uint64_t)(uintptr_t)p};
}

static struct dma_memory memory_of(void *p)
{
    return (struct dma_memory){.cpu = p, .dev = dma_lend(grant, p)};
}

void mmio_write32(const struct mmio *window, size_t offset, uint32_t value)
{
    (void)window;
    rung++;
    bell[offset / 4] = value;
}

static void begin(void)
{
    const struct nvme_memory memory = {
        .sq = memory_of(sq), .cq = memory_of(cq), .slot = slots, .lists = memory_of(lists), .list_bytes = 512};

    memset(slots, 0, sizeof slots);
    memset(cq, 0xff, sizeof cq);
    nvme_queue_init(&queue, 3, SIZE, &memory);
    queue.cq_bell = 4;
    rung = 0;
}

static uint16_t send(void)
{
    struct nvme_slot *slot = NULL;
    struct nvme_command *command = nvme_queue_add(&queue, &owner, &slot);

    REQUIRE(command != NULL && command->id == slot->id && slot->owner == &owner);
    return command->id;
}

/* The controller writes its next completion; `at` counts from the start. */
static void complete(unsigned at, uint16_t id, uint16_t head, uint16_t status)
{
    cq[at % SIZE] = (struct nvme_completion){.result = 0x1234 + at, .heads = 3u << 16 | head};
    cq[at % SIZE].status = (uint32_t)status << 17 | (at / SIZE % 2 == 0 ? 1u << 16 : 0) | id;
}

static status_t reap(struct nvme_answer *answer)
{
    status_t s = nvme_queue_reap(&queue, answer);

    if (s == ST_OK) {
        nvme_slot_put(&queue, answer->slot);
    }
    return s;
}

static void test_around_the_ring(void)
{
    struct nvme_answer answer;

    begin();
    CHECK(reap(&answer) == ST_AGAIN);
    for (unsigned i = 0; i < 5 * SIZE; i++) {
        uint16_t id = send();
        nvme_queue_ring(&queue);
        CHECK_EQ(bell[0], (i + 1) % SIZE);
        CHECK(reap(&answer) == ST_AGAIN);
        complete(i, id, (uint16_t)((i + 1) % SIZE), 0x281);
        REQUIRE(reap(&answer) == ST_OK);
        CHECK(answer.result == 0x1234 + i && answer.status == 0x281);
        nvme_queue_reaped(&queue);
        CHECK_EQ(bell[1], (i + 1) % SIZE);
    }
}

/* One doorbell for many, none for none; a full ring has one empty entry. */
static void test_batch_and_full(void)
{
    struct nvme_answer answer;
    struct nvme_slot *slot = NULL;
    uint16_t id[SIZE];

    begin();
    for (unsigned i = 0; i < SIZE - 1; i++) {
        id[i] = send();
    }
    CHECK(nvme_queue_add(&queue, &owner, &slot) == NULL);
    nvme_queue_ring(&queue);
    nvme_queue_ring(&queue);
    CHECK(rung == 1 && bell[0] == SIZE - 1);
    complete(0, id[6], 7, 0); /* in another order */
    complete(1, id[2], 7, 0);
    CHECK(reap(&answer) == ST_OK && reap(&answer) == ST_OK && reap(&answer) == ST_AGAIN);
    nvme_queue_reaped(&queue);
    nvme_queue_reaped(&queue);
    CHECK(rung == 2 && bell[1] == 2);
    send();
    send();
    CHECK(nvme_queue_add(&queue, &owner, &slot) == NULL);
}

static void lie(unsigned at, uint16_t id, uint32_t heads)
{
    struct nvme_answer answer = {.slot = NULL};

    complete(at, id, 0, 0);
    cq[at].heads = heads;
    CHECK(nvme_queue_reap(&queue, &answer) == ST_PROTO && answer.slot == NULL);
}

static void test_lies(void)
{
    struct nvme_answer answer;

    begin();
    uint16_t first = send();
    nvme_queue_ring(&queue);
    uint16_t second = send();                    /* not rung */
    lie(0, (uint16_t)(first + 2), 3u << 16 | 1); /* no such command is out */
    lie(0, 7, 3u << 16 | 1);                     /* nor has it such a place */
    lie(0, 0x3ff, 3u << 16 | 1);
    lie(0, (uint16_t)(first + (1u << PLACE_BITS)), 3u << 16 | 1); /* of another use of the place */
    lie(0, first, 2u << 16 | 1);                                  /* another queue's */
    lie(0, first, 3u << 16 | 2);                                  /* it fetched what it was not told of */
    lie(0, first, 3u << 16 | 8);                                  /* beyond the ring */
    complete(0, first, 1, 0);
    CHECK(reap(&answer) == ST_OK);
    nvme_queue_ring(&queue);
    lie(1, first, 3u << 16 | 2);  /* repeated */
    lie(1, second, 3u << 16 | 0); /* it goes back */
    complete(1, second, 2, 0);
    CHECK(reap(&answer) == ST_OK);
}

static void test_restart(void)
{
    struct nvme_answer answer;

    begin();
    uint16_t id = send();
    nvme_queue_ring(&queue);
    CHECK_PANICS(nvme_queue_restart(&queue)); /* a command is out */
    complete(0, id, 1, 0);
    CHECK(reap(&answer) == ST_OK);
    nvme_queue_restart(&queue);
    CHECK(reap(&answer) == ST_AGAIN);
    CHECK(send() != id); /* what comes for the one of before is known to be that */
}

/* --- PRP lists --------------------------------------------------------------------------------------------------------- */

static uint8_t data[64 * 4096] __attribute__((aligned(4096)));
static struct blk_segment segment[4];
static struct blk_request request;
static struct nvme_job job;
static struct nvme_command command;

static uint32_t fill(uint32_t most)
{
    memset(lists, 0xee, sizeof lists);
    command = (struct nvme_command){0};
    return nvme_prp_fill(grant, &job, &slots[0], &command, most);
}

static void ask(unsigned count)
{
    begin();
    request = (struct blk_request){.segment = segment, .segment_count = (uint16_t)count};
    job = (struct nvme_job){.request = &request};
}

static uint64_t at(size_t offset)
{
    return dma_lend(grant, data + offset).value;
}

static void test_prp_of_one_segment(void)
{
    segment[0] = (struct blk_segment){data + 512, 512};
    ask(1);
    CHECK(fill(65536) == 512 && command.prp1 == at(512) && command.prp2 == 0 && job.segment == 1);
    segment[0] = (struct blk_segment){data + 4092, 512}; /* over a page's border */
    ask(1);
    CHECK(fill(65536) == 512 && command.prp1 == at(4092) && command.prp2 == at(4096));
    segment[0] = (struct blk_segment){data + 4096, 8192};
    ask(1);
    CHECK(fill(65536) == 8192 && command.prp1 == at(4096) && command.prp2 == at(8192));
    segment[0] = (struct blk_segment){data + 4, 12288};
    ask(1);
    CHECK(fill(65536) == 12288 && command.prp1 == at(4) && command.prp2 == dma_lend(grant, lists).value);
    CHECK(lists[0] == at(4096) && lists[1] == at(8192) && lists[2] == at(12288) && lists[3] == 0xeeeeeeeeeeeeeeee);
}

static void test_prp_of_a_full_command(void)
{
    segment[0] = (struct blk_segment){data + 8, 40 * 4096};
    ask(1);
    CHECK_EQ(fill(16 * 4096), 16 * 4096);
    CHECK(lists[15] == at(16 * 4096) && lists[16] == 0xeeeeeeeeeeeeeeee && job.segment == 0);
    CHECK_EQ(fill(16 * 4096), 16 * 4096);
    CHECK(command.prp1 == at(16 * 4096 + 8) && lists[0] == at(17 * 4096));
    CHECK_EQ(fill(16 * 4096), 8 * 4096);
    CHECK(command.prp1 == at(32 * 4096 + 8) && lists[7] == at(40 * 4096) && job.segment == 1);
}

/* Segments share a command only where one ends on a page's border and the next begins on one. */
static void test_prp_of_segments(void)
{
    segment[0] = (struct blk_segment){data + 3584, 512};
    segment[1] = (struct blk_segment){data + 20480, 4096};
    segment[2] = (struct blk_segment){data + 40960, 512};
    segment[3] = (struct blk_segment){data + 45056, 512};
    ask(4);
    CHECK_EQ(fill(65536), 512 + 4096 + 512);
    CHECK(command.prp1 == at(3584) && lists[0] == at(20480) && lists[1] == at(40960) && lists[2] == 0xeeeeeeeeeeeeeeee);
    CHECK_EQ(fill(65536), 512);
    CHECK(command.prp1 == at(45056) && command.prp2 == 0 && job.segment == 4);
    segment[1].data = data + 20484;
    ask(2);
    CHECK(fill(65536) == 512 && fill(65536) == 4096 && command.prp1 == at(20484));
    ask(2);
    segment[1].data = data + 20480;
    CHECK(fill(512) == 512 && fill(512) == 512 && job.segment == 1 && job.segment_bytes == 512);
}

int main(void)
{
    RUN(test_around_the_ring);
    RUN(test_batch_and_full);
    RUN(test_lies);
    RUN(test_restart);
    RUN(test_prp_of_one_segment);
    RUN(test_prp_of_a_full_command);
    RUN(test_prp_of_segments);
    return test_end();
}

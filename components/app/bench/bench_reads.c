/* SPDX-License-Identifier: MIT OR Apache-2.0
 * bench_reads.c: reads of the disk from a thread, through the capability BlockDevice: a fixed number in flight, into lent memory.
 */
#include <string.h>
#include "bench.h"
#include "config.h"
#include "core/assert.h"
#include "core/loop.h"
#include "core/region.h"
#include "core/thread.h"
#include "lib/disk/disk.capnp.h"

#define BLOCK 4096u
#define DEPTH BENCH_THREAD_DEPTH
#define SLOT 128u /* bytes of the message area of each read: params, the capability that goes along, and results */
#define CAP_AT 48u
#define RESULTS_AT 64u
#define PARAMS_WORDS 5u
#define METHOD_READ 1u
_Static_assert(DEPTH *SLOT <= BENCH_THREAD_AREA, "a part of the area for each");

struct slot {
    struct message message;
    struct message_segment segment;
    struct block_device_read_params_builder params;
};

static struct {
    cap_t disk, region; /* [I] */
    uint64_t random;    /* the rest: the thread's */
    uint64_t blocks;
    struct slot slot[DEPTH];
} self;

/* Builds the params once: a read changes the sector in them only. */
static void slot_init(const struct ring_shared *ring, uint32_t i)
{
    struct slot *slot = &self.slot[i];
    unsigned char *at = (unsigned char *)ring->area + BENCH_THREAD_READS_AT + i * SLOT;

    capnp_message_build(&slot->message, &slot->segment, (uint64_t *)(void *)at, PARAMS_WORDS, NULL, 0);
    slot->params = block_device_read_params_init(capnp_root(&slot->message));
    capnp_set_cap_index(capnp_slot(slot->params.s, 0), 0);
    memcpy(at + CAP_AT, &self.region, sizeof self.region);
    block_device_read_params_set_bytes(slot->params, BLOCK);
    block_device_read_params_set_offset(slot->params, (uint64_t)i * BLOCK);
}

static void begin(struct ring_shared *ring, uint32_t i) REQUIRES(THREAD)
{
    uint32_t at = BENCH_THREAD_READS_AT + i * SLOT;

    block_device_read_params_set_sector(self.slot[i].params,
                                        bench_random(&self.random) % self.blocks * (BLOCK / BLKDEV_SECTOR_BYTES));
    bool taken = ring_submit(ring, &(struct ring_sqe){.op = RING_CALL,
                                                      .cap = self.disk,
                                                      .interface_id = BLOCK_DEVICE_ID,
                                                      .method_id = METHOD_READ,
                                                      .params_offset = at,
                                                      .params_words = PARAMS_WORDS,
                                                      .results_offset = at + RESULTS_AT,
                                                      .results_words_max = (SLOT - RESULTS_AT) / 8,
                                                      .caps_count = 1,
                                                      .caps_offset = at + CAP_AT,
                                                      .user_data = i});
    ASSERT(taken);
}

static void section(struct ring_shared *ring, const char *name, uint32_t depth) REQUIRES(THREAD)
{
    uint32_t begun = 0;
    struct ring_cqe cqe;

    MARK_BEGIN();
    while (begun < depth) {
        begin(ring, begun++);
    }
    for (uint32_t ended = 0; ended < BENCH_READS;) {
        status_t s = cap_enter(1, UINT64_MAX); /* as lib/disk does; who runs this has a limit */
        ASSERT(s == ST_OK);
        while (ring_take(ring, &cqe)) {
            ASSERT(cqe.status == ST_OK);
            ended++;
            if (begun < BENCH_READS) {
                begin(ring, (uint32_t)cqe.user_data);
                begun++;
            }
        }
    }
    MARK_END();
    bench_section_done(name, BENCH_READS);
}

void bench_reads_run(struct ring_shared *ring)
{
    for (uint32_t i = 0; i < DEPTH; i++) {
        slot_init(ring, i);
    }
    for (uint32_t round = 0; round < BENCH_ROUNDS; round++) {
        section(ring, "thread-read-4k-1", 1);
        section(ring, "thread-read-4k-32", DEPTH);
    }
}

status_t bench_reads_init(struct cap_table *caps, struct object *disk, uint64_t blocks)
{
    struct region *memory = region_new("bench reads", DEPTH * BLOCK, REGION_READ | REGION_WRITE);
    status_t s = domain_give(caps, disk, CAP_ALL, &self.disk);

    self.blocks = blocks;
    self.random = 88172645463325252ull;
    return s == ST_OK ? domain_give(caps, &memory->object, CAP_ALL, &self.region) : s;
}

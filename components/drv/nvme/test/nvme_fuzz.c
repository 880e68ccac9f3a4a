/* SPDX-License-Identifier: MIT OR Apache-2.0
 * nvme_fuzz.c: the whole driver before a controller that does anything: what it writes into completion queues, identify pages and
 * registers, when it interrupts, and how long it takes, is the input.
 *
 * Each request must be answered exactly once, at the latest when the controller behaves again or is given up. An assertion that
 * fires is a controller stopping the machine: a bug.
 */
#include "test.h"
#include "../nvme.c"
#include "../nvme_queue.c"
#include "../nvme_prp.c"
#include "../nvme_bringup.c"
#undef LOG_TAG
#include "../nvme_control.c"
#undef LOG_TAG
#include "../nvme_start.c"
#include "fake_nvme.h"

#define REQUESTS 16u

static struct blk_request requests[REQUESTS];
static struct blk_segment segments[2];
static bool out[REQUESTS];
static uint8_t data[16 * 4096] __attribute__((aligned(4096)));
static const uint8_t *bytes;
static size_t left;

/* Memory of one boot; the next input has it again. */
static struct {
    bool taken;
    struct fake fake;
    struct nvme nvme;
} fresh;

static uint8_t take(void)
{
    left -= left > 0;
    return left > 0 ? *bytes++ : 0;
}

static void on_done(struct blk_request *request, status_t status)
{
    bool *mine = &out[request - requests];

    REQUIRE(*mine && (status == ST_OK || status == ST_IO || status == ST_UNSUPPORTED));
    *mine = false;
}

static void begin(void)
{
    if (!fresh.taken) {
        fake_begin();
        nvme_wire_bus(&fake.bus);
        REQUIRE(nvme_start() == ST_OK);
        fresh.nvme = nvme_self;
        fresh.fake = fake;
        fresh.taken = true;
    }
    fake_loop_begin();
    test_room = ROOM_LOOP;
    fake = fresh.fake;
    nvme_self = fresh.nvme;
    for (unsigned i = 0; i <= NVME_QUEUES; i++) {
        for (unsigned place = 0; place + 1 < nvme_self.queue[i].size; place++) {
            nvme_self.queue[i].slot[place].owner = NULL; /* an abort of the last input */
        }
        nvme_queue_restart(&nvme_self.queue[i]);
        fake.rings[i].cq_tail = fake.rings[i].cq_head = fake.rings[i].sq_head = fake.rings[i].sq_tail = 0;
    }
    list_init(&nvme_self.job_free);
    list_init(&nvme_self.waiting);
    list_init(&nvme_self.instant);
    for (unsigned i = 0; i < NVME_DEPTH; i++) {
        list_push_back(&nvme_self.job_free, &nvme_self.job[i].node);
    }
    nvme_control_init(&nvme_self);
    work_init(&nvme_self.instant_work, on_instant);
    work_init(&nvme_self.bell, on_bell);
    work_init(&nvme_self.again, on_again);
    fake.wild = true;
}

/* --- what happens ------------------------------------------------------------------------------------------------------- */

static void submit(void)
{
    unsigned i = take() % REQUESTS;

    if (out[i]) {
        return;
    }
    segments[0] = (struct blk_segment){data, 512u << take() % 5};
    segments[1] = (struct blk_segment){data + 8192 + 4 * take(), 512};
    requests[i] =
        (struct blk_request){.op = (enum blk_op)(take() % 5), .sector = take(), .segment = segments, .done = on_done};
    requests[i].segment_count = (uint16_t)(1 + take() % 2);
    requests[i].sector_count = take();
    out[i] = true;
    if (blkdev_submit(&nvme_self.blkdev, &requests[i]) != ST_OK) {
        out[i] = false;
    }
}

static void answer(unsigned spoil)
{
    struct nvme_command command;
    uint16_t status = (uint16_t)(take() % 4 == 0 ? take() : 0);

    if (fake_pop(1, &command)) {
        unsigned at = fake.rings[1].cq_tail;
        fake_complete(1, command.id, status, take());
        ((uint8_t *)&fake.rings[1].cq[at])[8 + spoil % 8] ^= (uint8_t)(spoil >> 3);
    }
}

static void write_anything(void)
{
    const struct fake_rings *r = &fake.rings[take() % FAKE_QUEUES];
    uint8_t at = take();

    if (r->cq != NULL) {
        ((uint8_t *)r->cq)[at % (r->size * sizeof *r->cq)] = take();
    }
}

static void pages_change(void)
{
    uint8_t *const pages[] = {fake.controller, fake.names, fake.space};

    pages[take() % 3][(take() | take() << 8) % 1024] = take();
}

static void pass(uint64_t ns)
{
    test_clock_ns += ns;
    fake_turn();
    fake_turn();
}

static void act(void)
{
    switch (take() % 11) {
    case 0:
    case 1:
        submit();
        return;
    case 2:
        pass(0);
        return;
    case 3:
        answer(0);
        return;
    case 4:
        answer(take());
        return;
    case 5:
        write_anything();
        return;
    case 6:
        fake_interrupt(take() % 2);
        return;
    case 7:
        pass(take() * 50 * NS_PER_MS);
        return;
    case 8:
        fake.csts = take() & 3;
        return;
    case 9:
        pages_change();
        return;
    default:
        fake.admin_silent = take() % 8 == 0;
        fake.gone = take() % 32 == 1;
        fake.never_ready = take() % 8 == 1;
        return;
    }
}

/* From here on it behaves, if it is still used. */
static void calm(void)
{
    fake.admin_silent = fake.never_ready = fake.never_stops = false;
    fake.looks = 1;
    for (unsigned i = 0; i < 2000 && nvme_self.taken != 0; i++) {
        pass(100 * NS_PER_MS);
        answer(0);
        fake_interrupt(1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    bytes = input;
    left = size;
    begin();
    while (left > 0) {
        act();
    }
    calm();
    REQUIRE(nvme_self.taken == 0);
    for (unsigned i = 0; i < REQUESTS; i++) {
        REQUIRE(!out[i]);
    }
    return 0;
}

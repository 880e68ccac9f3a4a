/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio_test.c: the life of a device: negotiation, configuration that changes under one's hands, failing, stopping.
 */
#include "test.h"
#include "../virtio.c"
#include "fake_device.h"

/* While boot waits, time passes with each look at the clock. */
uint64_t clock_ns(void)
{
    return test_clock_ns += test_room == ROOM_BOOT ? NS_PER_MS : 0;
}

static unsigned interrupts_seen, configs_seen, stopped_seen;

static void on_interrupt(struct virtio_device *device, uint32_t queues)
{
    interrupts_seen += queues == 1 && device == &fake.device;
}

static void on_config(struct virtio_device *device)
{
    configs_seen += device == &fake.device;
}

static void on_stopped(struct virtio_device *device)
{
    CHECK_EQ(device->state, VIRTIO_STOPPED);
    stopped_seen++;
}

static const struct virtio_driver driver = {
    .name = "test", .interrupt = on_interrupt, .config = on_config, .stopped = on_stopped};

static void begin(uint64_t offered)
{
    fake_begin(VIRTIO_BLK, offered);
    interrupts_seen = configs_seen = stopped_seen = 0;
    CHECK(virtio_bus_take(&fake.bus, VIRTIO_NET) == NULL);
    CHECK(virtio_bus_take(&fake.bus, VIRTIO_BLK) == &fake.device);
    CHECK(virtio_bus_take(&fake.bus, VIRTIO_BLK) == NULL); /* taken */
}

static void run_up(struct virtq *q)
{
    begin(0);
    CHECK(virtio_open(&fake.device, &driver, 0, 0) == ST_OK);
    CHECK(virtio_interrupts(&fake.device, 1) == ST_OK);
    CHECK(virtio_queue_open(&fake.device, 0, 8, q) == ST_OK);
    virtio_go(&fake.device);
}

static void test_negotiates(void)
{
    begin(0xf0 | VIRTIO_F_ACCESS_PLATFORM);
    CHECK(virtio_open(&fake.device, &driver, 0x33, 0x40) == ST_OK);
    CHECK_EQ(fake.agreed, 0x70 | VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | VIRTIO_F_ACCESS_PLATFORM);
    CHECK_EQ(fake.device.features, fake.agreed);
    CHECK_EQ(fake.resets, 1);
    CHECK_EQ(fake.status, 1 | 2 | 8);
    CHECK(virtio_has(&fake.device, 0x30) && !virtio_has(&fake.device, 0x31));
}

static void test_refuses(void)
{
    begin(0);
    CHECK(virtio_open(&fake.device, &driver, 0, 4) == ST_UNSUPPORTED);
    CHECK_EQ(fake.status, 1 | 2 | VIRTIO_STATUS_FAILED); /* no bit is ever cleared: 2.1.1 */
    begin(0);
    fake.offered &= ~VIRTIO_F_VERSION_1; /* a legacy device */
    CHECK(virtio_open(&fake.device, &driver, 0, 0) == ST_UNSUPPORTED);
    begin(0);
    fake.refuses_features = true;
    CHECK(virtio_open(&fake.device, &driver, 0, 0) == ST_UNSUPPORTED);
    CHECK_EQ(fake.status & (1 | 2 | VIRTIO_STATUS_FAILED), 1 | 2 | VIRTIO_STATUS_FAILED);
}

static void test_waits_for_queue_sizes(void)
{
    struct virtq q;

    begin(0);
    CHECK(virtio_open(&fake.device, &driver, 0, 0) == ST_OK);
    fake.queue_size = 100; /* no power of two: a lie, but a size below it is in its range */
    CHECK(virtio_queue_open(&fake.device, 0, 256, &q) == ST_OK);
    CHECK_EQ(q.size, 64);
    fake.queue_size = 0;
    CHECK(virtio_queue_open(&fake.device, 1, 256, &q) == ST_UNSUPPORTED);
}

static void test_configuration(void)
{
    static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8};
    uint64_t value = 99;
    uint8_t mac[6];

    begin(0);
    CHECK(virtio_open(&fake.device, &driver, 0, 0) == ST_OK);
    memcpy(fake.config, bytes, sizeof bytes);
    CHECK(virtio_config_read(&fake.device, 0, 8, &value) == ST_OK);
    CHECK_EQ(value, 0x0807060504030201);
    CHECK(virtio_config_read(&fake.device, 2, 2, &value) == ST_OK);
    CHECK_EQ(value, 0x0403);
    fake.generation_moves = 5; /* changes while it is read: read again until it stands still */
    CHECK(virtio_config_read(&fake.device, 4, 4, &value) == ST_OK);
    CHECK_EQ(value, 0x08070605);
    fake.generation_moves = 3;
    CHECK(virtio_config_bytes(&fake.device, 1, mac, sizeof mac) == ST_OK);
    CHECK_BYTES(mac, bytes + 1, sizeof mac);
    fake.generation_moves = UINT32_MAX; /* never stands still */
    CHECK(virtio_config_read(&fake.device, 0, 4, &value) == ST_PROTO);
    CHECK_EQ(value, 0x08070605);
    fake.generation_moves = 0;
    fake.device.config_bytes = 8;
    CHECK(virtio_config_read(&fake.device, 8, 1, &value) == ST_PROTO);
    CHECK(virtio_config_bytes(&fake.device, 3, mac, sizeof mac) == ST_PROTO);
}

static void test_notifies_when_running_only(void)
{
    struct virtq q;
    struct virtq_segment segment = {.size = 1};

    begin(0);
    CHECK(virtio_open(&fake.device, &driver, 0, 0) == ST_OK);
    CHECK(virtio_queue_open(&fake.device, 0, 8, &q) == ST_OK);
    CHECK(virtq_submit(&q, &segment, 1, 0, &q) == ST_OK);
    virtio_notify(&fake.device, 0, &q);
    CHECK_EQ(fake.notified[0], 0);
    virtio_go(&fake.device);
    virtio_notify(&fake.device, 0, &q); /* what was submitted before is told now */
    CHECK_EQ(fake.notified[0], 1);
}

static void test_interrupts_reach_running_only(void)
{
    struct virtq q;

    run_up(&q);
    test_room = ROOM_LOOP;
    virtio_interrupt(&fake.device, 1, true);
    CHECK(interrupts_seen == 1 && configs_seen == 1);
    virtio_fail(&fake.device, "why not");
    virtio_interrupt(&fake.device, 1, true);
    CHECK(interrupts_seen == 1 && configs_seen == 1);
}

static void test_failing_waits_for_the_reset(void)
{
    struct virtq q;

    run_up(&q);
    test_room = ROOM_LOOP;
    fake.never_resets = true;
    virtio_fail(&fake.device, "it lied");
    virtio_fail(&fake.device, "and again"); /* harmless */
    CHECK_EQ(fake.device.state, VIRTIO_STOPPING);
    for (unsigned i = 0; i < 5; i++) {
        fake_turn();
        test_clock_ns += STOP_RETRY_NS;
        CHECK_EQ(stopped_seen, 0); /* it may still write what it was lent */
    }
    fake.status = 0;
    fake_turn();
    CHECK_EQ(stopped_seen, 1);
    test_clock_ns += STOP_RETRY_NS * 10;
    fake_turn();
    CHECK_EQ(stopped_seen, 1);
}

static unsigned restarted_seen;

static void on_restarted(struct virtio_device *device)
{
    CHECK_EQ(device->state, VIRTIO_RUNNING);
    restarted_seen++;
}

static const struct virtio_driver persistent = {
    .name = "test", .interrupt = on_interrupt, .stopped = on_stopped, .restarted = on_restarted};

static void run_persistent(struct virtq *q)
{
    begin(0x10);
    restarted_seen = 0;
    CHECK(virtio_open(&fake.device, &persistent, 0x10, 0) == ST_OK);
    CHECK(virtio_interrupts(&fake.device, 1) == ST_OK);
    CHECK(virtio_queue_open(&fake.device, 0, 8, q) == ST_OK);
    CHECK(virtio_queue_open(&fake.device, 2, 8, q + 1) == ST_OK);
    virtio_go(&fake.device);
    test_room = ROOM_LOOP;
}

/* And as many turns as it takes to start again. */
static void after_ns(uint64_t ns)
{
    test_clock_ns += ns;
    for (unsigned i = 0; i < VIRTIO_QUEUES_MAX + 3; i++) {
        fake_turn();
    }
}

/* The whole way: what was lent comes back, then the device, with the same features and empty queues of its own. */
static void test_starts_again(void)
{
    struct virtq q[2];
    struct virtq_segment segment = {.size = 1};
    struct fake_chain chain;

    run_persistent(q);
    CHECK(virtq_submit(&q[0], &segment, 1, 0, q) == ST_OK);
    REQUIRE(fake_pop(0, &chain));
    virtio_fail(&fake.device, "it lied");
    fake_turn();
    CHECK(stopped_seen == 1 && restarted_seen == 0);
    CHECK(virtq_reclaim(&q[0]) == q && virtq_reclaim(&q[0]) == NULL && virtq_reclaim(&q[1]) == NULL);
    after_ns(RESTART_FIRST_NS - 1);
    CHECK_EQ(restarted_seen, 0);
    CHECK(virtq_submit(&q[0], &segment, 1, 0, q) == ST_CLOSED); /* not yet */
    test_clock_ns++;
    fake_turn();
    fake_turn();
    CHECK(fake.queue[0] == NULL && fake.status != 0); /* a step a turn: all at once is too many exits for one */
    after_ns(0);
    CHECK(restarted_seen == 1 && fake.rewired == 1);
    CHECK_EQ(fake.agreed, 0x10 | VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX);
    CHECK_EQ(fake.status, 1 | 2 | 4 | 8);
    CHECK(fake.queue[0] == &q[0] && fake.queue[2] == &q[1] && fake.queue[1] == NULL);
    CHECK(virtq_submit(&q[0], &segment, 1, 0, q) == ST_OK);
    CHECK(fake_pop(0, &chain) && chain.out == 1 && !fake_pop(2, &chain));
    virtio_interrupt(&fake.device, 1, false);
    CHECK_EQ(interrupts_seen, 1);
}

/* One that is away, or is another, is asked after more and more time, and nothing can be lent to it meanwhile. */
static void test_starts_again_when_it_is_back(void)
{
    struct virtq q[2];
    struct virtq_segment segment = {.size = 1};

    run_persistent(q);
    fake.gone = true;
    virtio_fail(&fake.device, "no answer");
    fake_turn();
    CHECK_EQ(stopped_seen, 1); /* it reaches no memory */
    CHECK(virtq_reclaim(&q[0]) == NULL && virtq_reclaim(&q[1]) == NULL);
    after_ns(RESTART_FIRST_NS);
    fake.gone = false;
    fake.status = 0;
    fake.offered &= ~(uint64_t)0x10; /* another one in its place */
    after_ns(RESTART_FIRST_NS);
    CHECK(restarted_seen == 0 && fake.status == 0); /* the second time it waits longer */
    after_ns(RESTART_FIRST_NS);
    CHECK(restarted_seen == 0 && fake.status != 0);
    CHECK(virtq_submit(&q[0], &segment, 1, 0, q) == ST_CLOSED);
    fake.refuses_features = true;
    fake.offered |= 0x10;
    after_ns(RESTART_LAST_NS);
    CHECK(restarted_seen == 0 && stopped_seen == 1);
    fake.refuses_features = false;
    after_ns(RESTART_LAST_NS);
    CHECK_EQ(restarted_seen, 1);
}

/* One that fails again at once is tried less and less often; one that has run well, as at first. */
static void test_restart_waits(void)
{
    struct virtq q[2];
    uint64_t waited[12];

    run_persistent(q);
    for (unsigned i = 0; i < 12; i++) {
        after_ns(i == 11 ? RESTART_WELL_NS : 1);
        virtio_fail(&fake.device, "again");
        fake_turn();
        CHECK(virtq_reclaim(&q[0]) == NULL && virtq_reclaim(&q[1]) == NULL);
        for (waited[i] = 0; fake.device.state == VIRTIO_STOPPED; waited[i] += 10 * NS_PER_MS) {
            after_ns(10 * NS_PER_MS);
        }
    }
    CHECK(waited[0] == RESTART_FIRST_NS && waited[1] == 2 * RESTART_FIRST_NS && waited[10] == RESTART_LAST_NS);
    CHECK_EQ(waited[11], RESTART_FIRST_NS);
}

static void test_asks_to_be_reset(void)
{
    struct virtq q;

    run_up(&q);
    test_room = ROOM_LOOP;
    fake.status |= VIRTIO_STATUS_NEEDS_RESET;
    virtio_interrupt(&fake.device, 0, true);
    CHECK_EQ(configs_seen, 0);
    CHECK_EQ(stopped_seen, 0); /* never from inside */
    fake_turn();
    CHECK_EQ(stopped_seen, 1);
}

enum moment { OPENED, RUNS, STOPS, WAITS, RESTARTS, MOMENTS };

static void bring_to(enum moment moment, struct virtq *q)
{
    restarted_seen = 0;
    if (moment == OPENED) {
        begin(0x10);
        CHECK(virtio_open(&fake.device, &persistent, 0x10, 0) == ST_OK);
        test_room = ROOM_LOOP;
        return;
    }
    run_persistent(q);
    fake.never_resets = moment == STOPS;
    if (moment >= STOPS) {
        virtio_fail(&fake.device, "it lied");
        fake_turn();
    }
    if (moment == RESTARTS) {
        test_clock_ns += RESTART_FIRST_NS;
        for (unsigned i = 0; i < 3; i++) {
            fake_turn();
        }
        REQUIRE(fake.queue[0] != NULL && restarted_seen == 0); /* it has a ring again */
    }
}

/* Whatever its driver would like, it does not come back: reset, told once, silenced, given back. */
static void test_revoked_wherever_it_is(void)
{
    for (enum moment moment = OPENED; moment < MOMENTS; moment++) {
        struct virtq q[2];
        bring_to(moment, q);
        CHECK(fake_silenced == 0 && device_held(&fake_grant));
        device_revoke(&fake_grant);
        CHECK(fake.device.state == VIRTIO_STOPPING && fake_grant.state == DEVICE_REVOKING);
        fake.never_resets = false;
        fake.status = moment == STOPS ? 0 : fake.status;
        after_ns(STOP_RETRY_NS);
        CHECK(stopped_seen == 1 && fake.device.state == VIRTIO_STOPPED);
        CHECK(fake_scrubbed(&fake_grant) && fake_silenced > 0 && fake.status == 0);
        after_ns(RESTART_LAST_NS);
        after_ns(RESTART_LAST_NS);
        CHECK(restarted_seen == 0 && stopped_seen == 1 && fake.status == 0 && fake.device.state == VIRTIO_STOPPED);
        CHECK(moment == OPENED || test_all_zero(q[0].memory.cpu, q[0].memory.size));
    }
}

/* It does not confirm its reset: it is cut off, and keeps what it was lent until it does. */
static void test_revoked_and_silent(void)
{
    struct virtq q[2];

    run_persistent(q);
    fake.never_resets = true;
    device_revoke(&fake_grant);
    for (unsigned i = 0; i < STOP_TRIES_LOGGED - 2; i++) {
        after_ns(STOP_RETRY_NS);
    }
    CHECK_EQ(fake_silenced, 0);
    after_ns(STOP_RETRY_NS);
    after_ns(STOP_RETRY_NS);
    CHECK(fake_silenced > 0 && fake_grant.state == DEVICE_REVOKING && stopped_seen == 0 && fake_grant.dma_bytes != 0);
    fake.status = 0;
    after_ns(STOP_RETRY_NS);
    CHECK(fake_scrubbed(&fake_grant) && stopped_seen == 1);
}

static bool busy;

static bool is_busy(const struct virtio_device *device)
{
    CHECK(device == &fake.device);
    return busy;
}

static void test_revoked_and_busy(void)
{
    static const struct virtio_driver lender = {
        .name = "test", .interrupt = on_interrupt, .stopped = on_stopped, .restarted = on_restarted, .busy = is_busy};
    struct virtq q;

    begin(0);
    CHECK(virtio_open(&fake.device, &lender, 0, 0) == ST_OK);
    CHECK(virtio_queue_open(&fake.device, 0, 8, &q) == ST_OK);
    virtio_go(&fake.device);
    test_room = ROOM_LOOP;
    busy = true;
    virtio_idle(&fake.device); /* it is in use */
    device_revoke(&fake_grant);
    after_ns(1);
    CHECK(stopped_seen == 1 && fake_silenced > 0 && fake_grant.state == DEVICE_REVOKING);
    virtio_idle(&fake.device);
    CHECK(device_held(&fake_grant));
    busy = false;
    virtio_idle(&fake.device);
    CHECK(fake_scrubbed(&fake_grant));
    virtio_idle(&fake.device); /* harmless */
}

/* In BOOT, too; and a disk that failed by itself is not kept either. */
static void test_given_up_is_given_back(void)
{
    struct virtq q;

    begin(0);
    CHECK(virtio_open(&fake.device, &driver, 0, 1) == ST_UNSUPPORTED);
    CHECK(fake_scrubbed(&fake_grant));
    run_up(&q);
    virtio_give_up(&fake.device, "as it is");
    CHECK(fake_scrubbed(&fake_grant) && test_all_zero(q.memory.cpu, q.memory.size));
    begin(0);
    fake.never_resets = true;
    CHECK(virtio_open(&fake.device, &driver, 0, 0) == ST_TIMEOUT);
    CHECK(device_held(&fake_grant) && fake_silenced == 1);
    run_up(&q);
    test_room = ROOM_LOOP;
    virtio_fail(&fake.device, "it lied");
    fake_turn();
    CHECK(fake_scrubbed(&fake_grant) && stopped_seen == 1);
    begin(0);
    fake_ledger.dma_bytes = 4095;
    CHECK(virtio_open(&fake.device, &driver, 0, 0) == ST_OK);
    CHECK(virtio_queue_open(&fake.device, 0, 8, &q) == ST_FULL && fake.queue[0] == NULL);
    CHECK(strstr(test_log_last, "`dma` line") != NULL);
}

int main(void)
{
    RUN(test_negotiates);
    RUN(test_refuses);
    RUN(test_waits_for_queue_sizes);
    RUN(test_configuration);
    RUN(test_notifies_when_running_only);
    RUN(test_interrupts_reach_running_only);
    RUN(test_failing_waits_for_the_reset);
    RUN(test_asks_to_be_reset);
    RUN(test_starts_again);
    RUN(test_starts_again_when_it_is_back);
    RUN(test_restart_waits);
    RUN(test_revoked_wherever_it_is);
    RUN(test_revoked_and_silent);
    RUN(test_revoked_and_busy);
    RUN(test_given_up_is_given_back);
    return test_end();
}

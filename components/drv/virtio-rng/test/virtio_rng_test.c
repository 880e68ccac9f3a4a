/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio_rng_test.c: an entropy device played by the test: quick, slow, short of bytes, lying, missing.
 */
#include "test.h"
#include "../virtio_rng.c"
#include "lib/virtio/test/fake_device.h"

static unsigned boot_gives; /* bytes of each answer while boot polls; 0: the device is silent */
static uint8_t next_byte;

static void device_answers(uint32_t size)
{
    struct fake_chain chain;

    REQUIRE(fake_pop(0, &chain) && chain.out == 0 && chain.in == 1);
    size = size < chain.segment[0].size ? size : chain.segment[0].size;
    for (uint32_t i = 0; i < size; i++) {
        chain.segment[0].bytes[i] = ++next_byte;
    }
    fake_push(0, chain.head, size);
}

/* Boot asks the clock while it waits: the device works meanwhile. */
uint64_t clock_ns(void)
{
    if (test_room == ROOM_BOOT && fake.queue[0] != NULL && fake.queue[0]->avail[1] != fake.seen[0] && boot_gives != 0) {
        device_answers(boot_gives);
    }
    return test_clock_ns += NS_PER_MS;
}

static struct entropy *begin(unsigned gives)
{
    fake_begin(VIRTIO_RNG, 0);
    memset(&self, 0, sizeof self);
    boot_gives = gives;
    next_byte = 0;
    virtio_rng_wire_bus(&fake.bus);
    REQUIRE(virtio_rng_start() == ST_OK);
    return virtio_rng_provide_source();
}

static bool counts_up(const uint8_t *bytes, size_t size, uint8_t first)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != (uint8_t)(first + i)) {
            return false;
        }
    }
    return true;
}

static void test_boot_waits(void)
{
    static const unsigned gives[] = {64, 48, 7, 1};

    for (unsigned i = 0; i < 4; i++) {
        uint8_t bytes[48] = {0};
        struct entropy *source = begin(gives[i]);
        CHECK(entropy_fill(source, bytes, sizeof bytes) == ST_OK);
        CHECK(counts_up(bytes, sizeof bytes, 1));
        for (size_t at = 0; at < sizeof bytes; at++) {
            CHECK_EQ(((uint8_t *)self.memory.cpu)[at], 0); /* wiped */
        }
    }
}

static void test_boot_gives_up(void)
{
    uint8_t bytes[48];
    struct entropy *source = begin(0);

    CHECK(entropy_fill(source, bytes, sizeof bytes) == ST_AGAIN);
    CHECK(test_clock_ns < 3 * NS_PER_S);
    CHECK(strstr(test_log_last, "less than 48 bytes") != NULL);
}

/* In the loop nothing waits: what is not there comes with a later interrupt. Nothing is given twice. */
static void test_loop(void)
{
    uint8_t bytes[48];
    struct entropy *source = begin(64);
    uint8_t first = 1;

    CHECK(entropy_fill(source, bytes, sizeof bytes) == ST_OK);
    first = (uint8_t)(first + 48);
    test_room = ROOM_LOOP;
    for (unsigned round = 0; round < 20; round++) {
        status_t s = entropy_fill(source, bytes, sizeof bytes);
        CHECK(s == ST_AGAIN);
        device_answers(64);
        CHECK_EQ(fake.queue[0]->avail[2 + 4], (uint16_t)(fake.queue[0]->used[1] - 1)); /* an interrupt is due */
        fake_interrupt(0);
        CHECK(entropy_fill(source, bytes, sizeof bytes) == ST_OK);
        CHECK(memcmp(bytes, bytes + 1, sizeof bytes - 1) != 0);
        for (size_t i = 1; i < sizeof bytes; i++) {
            CHECK_EQ(bytes[i], (uint8_t)(bytes[i - 1] + 1));
        }
        CHECK((uint8_t)(bytes[0] - first) < 128); /* never from before */
        first = (uint8_t)(bytes[0] + 48);
        if (round % 2 == 0) {
            fake_interrupt(0); /* a spurious one */
        }
    }
}

static void test_lies(void)
{
    uint8_t bytes[16] = {0};
    struct entropy *source = begin(16);
    struct fake_chain chain;

    CHECK(entropy_fill(source, bytes, sizeof bytes) == ST_OK);
    test_room = ROOM_LOOP;
    REQUIRE(fake_pop(0, &chain));
    fake_push(0, chain.head, chain.segment[0].size + 1);
    fake_interrupt(0);
    CHECK(entropy_fill(source, bytes, sizeof bytes) == ST_CLOSED);
    fake_turn();
    CHECK_EQ(fake.device.state, VIRTIO_STOPPED);
    CHECK(entropy_fill(source, bytes, sizeof bytes) == ST_CLOSED);
}

static void test_missing(void)
{
    uint8_t bytes[16];

    fake_begin(VIRTIO_BLK, 0);
    memset(&self, 0, sizeof self);
    virtio_rng_wire_bus(&fake.bus);
    CHECK(virtio_rng_start() == ST_OK); /* the CPU may have a source: who needs one decides */
    CHECK(entropy_fill(virtio_rng_provide_source(), bytes, sizeof bytes) == ST_UNSUPPORTED);
}

static void test_revoked(void)
{
    uint8_t bytes[16] = {0};
    struct entropy *source = begin(64);

    CHECK(entropy_fill(source, bytes, sizeof bytes) == ST_OK);
    CHECK(!test_all_zero(self.memory.cpu, self.memory.size)); /* 48 bytes that nobody had */
    test_room = ROOM_LOOP;
    fake.never_resets = true;
    entropy_revoke(source);
    fake_turn();
    CHECK(entropy_fill(source, bytes, sizeof bytes) == ST_CLOSED && fake_grant.state == DEVICE_REVOKING);
    fake.status = 0;
    test_clock_ns += NS_PER_S;
    fake_turn();
    CHECK(fake_scrubbed(&fake_grant) && test_all_zero(self.memory.cpu, self.memory.size));
    CHECK(entropy_fill(source, bytes, sizeof bytes) == ST_CLOSED);
    entropy_revoke(source); /* harmless */
    fake_begin(VIRTIO_BLK, 0);
    memset(&self, 0, sizeof self);
    virtio_rng_wire_bus(&fake.bus);
    CHECK(virtio_rng_start() == ST_OK);
    test_room = ROOM_LOOP;
    entropy_revoke(virtio_rng_provide_source()); /* of nothing */
}

int main(void)
{
    RUN(test_boot_waits);
    RUN(test_boot_gives_up);
    RUN(test_loop);
    RUN(test_lies);
    RUN(test_missing);
    RUN(test_revoked);
    return test_end();
}

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * crypto_entropy_test.c: sources that are there, missing, silent and stuck; what comes out against an HMAC-DRBG written
 * from SP 800-90A in another language, with the same seed.
 */
#include "test.h"
#include "../crypto_entropy.c"

enum how { GIVES, SILENT, MISSING, STUCK, REPEATS };

static enum how cpu_how, device_how;
static unsigned cpu_asked, device_asked;

static status_t fake_fill(enum how how, uint8_t first, uint8_t step, unsigned asked, uint8_t *bytes, size_t size)
{
    switch (how) {
    case SILENT:
        return ST_AGAIN;
    case MISSING:
        return ST_UNSUPPORTED;
    case STUCK:
        memset(bytes, 0xff, size);
        return ST_OK;
    case GIVES:
    case REPEATS:
        for (size_t i = 0; i < size; i++) {
            bytes[i] = (uint8_t)(first + i * step + (how == GIVES ? (asked - 1) * 77 : 0));
        }
        return ST_OK;
    }
    abort();
}

status_t entropy_cpu(void *bytes, size_t size)
{
    cpu_asked++;
    return fake_fill(cpu_how, 200, 5, cpu_asked, bytes, size);
}

static status_t device_fill(struct entropy *source, void *bytes, size_t size)
{
    (void)source;
    device_asked++;
    return fake_fill(device_how, 1, 1, device_asked, bytes, size);
}

uint64_t clock_wall_ns(void)
{
    return 0;
}

static char heap[4096] __attribute__((aligned(16)));
static size_t heap_used;

void *boot_alloc(size_t size, size_t align)
{
    void *p = heap + heap_used;

    heap_used += (size + align - 1) & ~(align - 1);
    REQUIRE(heap_used <= sizeof heap);
    return p;
}

static const struct entropy_ops device_ops = {.fill = device_fill};
static struct entropy device = {.ops = &device_ops, .name = "fake"};

static status_t begin(enum how cpu, enum how dev)
{
    memset(&self, 0, sizeof self);
    memset(heap, 0, sizeof heap);
    heap_used = 0;
    cpu_asked = device_asked = 0;
    cpu_how = cpu;
    device_how = dev;
    test_clock_ns = 0;
    test_room = ROOM_BOOT;
    crypto_entropy_wire_device(&device);
    status_t s = crypto_entropy_start();
    test_room = ROOM_LOOP;
    return s;
}

static void expect(const char *first, const char *second)
{
    uint8_t bytes[40];
    char text[81];

    CHECK(random_fill(crypto_entropy_provide_random(), bytes, 20) == ST_OK);
    for (unsigned i = 0; i < 20; i++) {
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    }
    CHECK_STR(text, first);
    CHECK(random_fill(crypto_entropy_provide_random(), bytes, 40) == ST_OK);
    for (unsigned i = 0; i < 40; i++) {
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    }
    CHECK_STR(text, second);
}

static void test_known_answers(void)
{
    CHECK(begin(GIVES, GIVES) == ST_OK);
    expect("9132f8bc973e8e0984d7b0f510cd8e5259eebee9",
           "6b5ee6d5f354b8b1c9a835ce01dedbf106995302e692d725bfdd1f75b72e24b516f6d0af2e40157f");
    CHECK(begin(MISSING, GIVES) == ST_OK);
    expect("9705808dc60dc9cba76ebcbf640c6e4590c55810",
           "e879811fba897f5a49b5518e701a7ebd69b148af0dbeb30766ed887c9d8635a6811054b537436c52");
    CHECK(begin(GIVES, MISSING) == ST_OK);
    expect("f372e46d005de2c77c143254558d4a2e77d7e608",
           "647d2c3156f8c51295cd0399bad421c835ceafdcb7cec14d0a15127dfe732ad1b8325568a06bd8aa");
}

static void test_no_source_is_refused(void)
{
    static const enum how bad[] = {SILENT, MISSING, STUCK};

    for (unsigned i = 0; i < 3; i++) {
        for (unsigned j = 0; j < 3; j++) {
            uint8_t bytes[16];
            memset(bytes, 0x55, sizeof bytes);
            CHECK(begin(bad[i], bad[j]) == ST_UNSUPPORTED);
            CHECK(strstr(test_log_last, "virtio-rng") != NULL);
            CHECK(random_fill(crypto_entropy_provide_random(), bytes, sizeof bytes) == ST_UNSUPPORTED);
            CHECK(bytes[0] == 0 && memcmp(bytes, bytes + 1, sizeof bytes - 1) == 0);
        }
    }
}

/* What a stuck source gives is as if it were not there: the answers are those of the other alone. */
static void test_stuck_source_is_not_used(void)
{
    CHECK(begin(STUCK, GIVES) == ST_OK);
    expect("9705808dc60dc9cba76ebcbf640c6e4590c55810",
           "e879811fba897f5a49b5518e701a7ebd69b148af0dbeb30766ed887c9d8635a6811054b537436c52");
}

static void test_reseeds_by_volume(void)
{
    static uint8_t bytes[5000];

    CHECK(begin(GIVES, GIVES) == ST_OK);
    CHECK(random_fill(&self.random, bytes, sizeof bytes) == ST_OK);
    CHECK_EQ(self.given_bytes, sizeof bytes);
    self.given_bytes = CRYPTO_ENTROPY_RESEED_BYTES - sizeof bytes;
    CHECK(random_fill(&self.random, bytes, sizeof bytes) == ST_OK);
    CHECK_EQ(self.seeds, 1);
    CHECK_EQ(device_asked, 1);
    CHECK(random_fill(&self.random, bytes, 1) == ST_OK);
    CHECK_EQ(self.seeds, 2);
    CHECK_EQ(cpu_asked, 2);
}

static void test_reseeds_by_time(void)
{
    uint8_t before[32];
    uint8_t after[32];

    CHECK(begin(GIVES, MISSING) == ST_OK);
    test_clock_ns = CRYPTO_ENTROPY_RESEED_SECONDS * NS_PER_S;
    CHECK(random_fill(&self.random, before, sizeof before) == ST_OK);
    CHECK_EQ(self.seeds, 1);
    test_clock_ns++;
    CHECK(random_fill(&self.random, after, sizeof after) == ST_OK);
    CHECK_EQ(self.seeds, 2);
    CHECK(memcmp(before, after, sizeof after) != 0);
}

/* Sources that fall silent stop nobody at once, but not for ever; when they speak again all is well. */
static void test_silent_sources(void)
{
    uint8_t bytes[16];

    CHECK(begin(GIVES, MISSING) == ST_OK);
    cpu_how = SILENT;
    unsigned logged = test_log_count;
    self.given_bytes = CRYPTO_ENTROPY_RESEED_BYTES;
    CHECK(random_fill(&self.random, bytes, sizeof bytes) == ST_OK);
    self.given_bytes = (uint64_t)CRYPTO_ENTROPY_RESEED_BYTES * LATE_TIMES - sizeof bytes;
    CHECK(random_fill(&self.random, bytes, sizeof bytes) == ST_OK);
    CHECK_EQ(test_log_count - logged, 1);
    memset(bytes, 1, 16);
    CHECK(random_fill(&self.random, bytes, 16) == ST_AGAIN);
    CHECK(bytes[0] == 0 && bytes[15] == 0);
    cpu_how = REPEATS;
    CHECK(random_fill(&self.random, bytes, 16) == ST_AGAIN); /* the very bytes that it gave at boot */
    cpu_how = GIVES;
    CHECK(random_fill(&self.random, bytes, 16) == ST_OK);
}

int main(void)
{
    RUN(test_known_answers);
    RUN(test_no_source_is_refused);
    RUN(test_stuck_source_is_not_used);
    RUN(test_reseeds_by_volume);
    RUN(test_reseeds_by_time);
    RUN(test_silent_sources);
    return test_end();
}

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * random_test.c: what a CPU's generators may do, and what is made of it.
 */
#include "../bootinfo.h"
#include "../random.c"
#include "test.h"

struct boot_info boot_info;
static struct {
    bool rdrand, rdseed;             /* CPUID */
    unsigned rand_fails, seed_fails; /* so often in a row */
    bool stuck;                      /* the same number again and again, with success */
    unsigned rand_drawn, seed_drawn, pauses;
    uint64_t next, tsc;
} cpu;

struct hw_cpuid hw_cpuid(uint32_t leaf, uint32_t subleaf)
{
    (void)subleaf;
    return (struct hw_cpuid){.eax = 7, .ebx = leaf == 7 && cpu.rdseed ? 1u << 18 : 0, .ecx = cpu.rdrand ? 1u << 30 : 0};
}

static bool draw_from(unsigned *fails, unsigned *drawn, uint64_t *value)
{
    if (*fails > 0) {
        (*fails)--;
        *value = 0; /* as the instructions do */
        return false;
    }
    (*drawn)++;
    cpu.next += cpu.stuck ? 0 : 0x0101010101010101;
    *value = cpu.stuck ? UINT64_MAX : cpu.next;
    return true;
}

bool hw_rdrand(uint64_t *value)
{
    CHECK(cpu.rdrand); /* else the instruction does not exist */
    return draw_from(&cpu.rand_fails, &cpu.rand_drawn, value);
}

bool hw_rdseed(uint64_t *value)
{
    CHECK(cpu.rdseed);
    return draw_from(&cpu.seed_fails, &cpu.seed_drawn, value);
}

uint64_t hw_rdtsc(void)
{
    return cpu.tsc++;
}

void hw_pause(void)
{
    cpu.pauses++;
}

static void fresh(bool rdrand, bool rdseed)
{
    memset(&cpu, 0, sizeof cpu);
    cpu.rdrand = rdrand;
    cpu.rdseed = rdseed;
    last = 0;
}

static void test_none(void)
{
    unsigned char bytes[4] = {1, 2, 3, 4};

    fresh(false, false);
    CHECK_EQ(plat_entropy(bytes, sizeof bytes), ST_UNSUPPORTED);
    CHECK_BYTES(bytes, "\1\2\3\4", 4); /* (1): not the boot mix either */
}

static void test_fills(void)
{
    unsigned char bytes[21];

    fresh(true, false);
    memset(bytes, 0xee, sizeof bytes);
    CHECK_EQ(plat_entropy(bytes, 20), ST_OK);
    CHECK_BYTES(bytes, "\1\1\1\1\1\1\1\1\2\2\2\2\2\2\2\2\3\3\3\3\xee", 21);
    CHECK_EQ(cpu.rand_drawn, 3);
    CHECK_EQ(plat_entropy(bytes, 0), ST_OK);
}

static void test_seed_first(void)
{
    unsigned char bytes[8];

    fresh(true, true);
    CHECK_EQ(plat_entropy(bytes, 8), ST_OK);
    CHECK(cpu.seed_drawn == 1 && cpu.rand_drawn == 0);
    cpu.seed_fails = RDSEED_TRIES; /* it is slow, and others draw too */
    CHECK_EQ(plat_entropy(bytes, 8), ST_OK);
    CHECK(cpu.seed_drawn == 1 && cpu.rand_drawn == 1);
    fresh(false, true);
    CHECK_EQ(plat_entropy(bytes, 8), ST_OK);
    cpu.seed_fails = 1000;
    CHECK_EQ(plat_entropy(bytes, 8), ST_AGAIN); /* RDRAND is not there to be asked */
}

static void test_fails(void)
{
    unsigned char bytes[8];

    fresh(true, false);
    cpu.rand_fails = RDRAND_TRIES - 1;
    CHECK_EQ(plat_entropy(bytes, 8), ST_OK);
    cpu.rand_fails = 1000;
    CHECK_EQ(plat_entropy(bytes, 8), ST_AGAIN);
    CHECK_EQ(cpu.rand_fails, 1000 - RDRAND_TRIES); /* bounded */
}

/* (2) */
static void test_stuck(void)
{
    unsigned char bytes[16];

    fresh(true, true);
    cpu.stuck = true;
    CHECK_EQ(plat_entropy(bytes, 16), ST_AGAIN);
    cpu.stuck = false;
    CHECK_EQ(plat_entropy(bytes, 16), ST_OK);
}

static void test_boot_mix(void)
{
    uint64_t seen[64];

    fresh(false, false);
    x86_random_init();
    for (unsigned i = 0; i < 64; i++) {
        seen[i] = x86_random_early();
        for (unsigned j = 0; j < i; j++) {
            CHECK(seen[i] != seen[j]);
        }
    }
    fresh(false, false);
    boot_info.entry_tsc = 1; /* another boot */
    x86_random_init();
    CHECK(x86_random_early() != seen[0]);
    fresh(true, false);
    cpu.stuck = true;
    CHECK(x86_random_early() != x86_random_early()); /* goes on without */
}

int main(void)
{
    RUN(test_none);
    RUN(test_fills);
    RUN(test_seed_first);
    RUN(test_fails);
    RUN(test_stuck);
    RUN(test_boot_mix);
    return test_end();
}

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * random.c: RDSEED, RDRAND, and the mix that chooses addresses at boot.
 *
 *  (1) plat_entropy() gives the CPU's own random numbers or nothing. The boot mix never passes for entropy.
 *  (2) A generator that says the same twice running is broken: some CPUs answer all ones, with success, once they have
 *      slept. A good one does so once in 2^64 times and is only asked again.
 */
#include "random.h"
#include "bootinfo.h"
#include "hw.h"
#include "plat/plat.h"
#include <stddef.h>

#define RDRAND_TRIES 10u /* Intel SDM volume 1, section 7.3.17.1 */
#define RDSEED_TRIES 64u

static uint64_t state;
static uint64_t
    last; /* [a] what the generator gave before; a race between a thread and the loop costs a retry at most */

static bool has_rdrand(void)
{
    return (hw_cpuid(1, 0).ecx & (1u << 30)) != 0;
}

static bool has_rdseed(void)
{
    return hw_cpuid(0, 0).eax >= 7 && (hw_cpuid(7, 0).ebx & (1u << 18)) != 0;
}

static bool draw(bool (*instruction)(uint64_t *), unsigned tries, uint64_t *value)
{
    for (unsigned i = 0; i < tries; i++) {
        if (instruction(value) && *value != last) { /* (2) */
            last = *value;
            return true;
        }
        hw_pause();
    }
    return false;
}

/* splitmix64: every bit of the state reaches every bit of the result. */
static uint64_t mix(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9ull;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebull;
    return x ^ x >> 31;
}

void x86_random_init(void)
{
    state = mix(boot_info.entry_tsc + 0x9e3779b97f4a7c15ull);
    state = mix(state ^ hw_rdtsc());
}

uint64_t x86_random_early(void)
{
    uint64_t value = 0;

    if (has_rdrand() && draw(hw_rdrand, RDRAND_TRIES, &value)) {
        state ^= value;
    }
    state += 0x9e3779b97f4a7c15ull;
    return mix(state ^ hw_rdtsc());
}

static bool draw_best(uint64_t *value)
{
    if (has_rdseed() && draw(hw_rdseed, RDSEED_TRIES, value)) {
        return true;
    }
    return has_rdrand() && draw(hw_rdrand, RDRAND_TRIES, value);
}

status_t plat_entropy(void *bytes, size_t size)
{
    unsigned char *to = bytes;
    uint64_t value;

    if (!has_rdrand() && !has_rdseed()) {
        return ST_UNSUPPORTED;
    }
    for (size_t i = 0; i < size; i++) {
        if (i % sizeof value == 0 && !draw_best(&value)) {
            return ST_AGAIN;
        }
        to[i] = (unsigned char)(value >> 8 * (i % sizeof value));
    }
    return ST_OK;
}

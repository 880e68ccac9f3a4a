/* SPDX-License-Identifier: MIT OR Apache-2.0
 * cap_load.c: the threads, and the numbers that they share.
 */
#include "cap_load.h"
#include "core/entropy.h"
#include "core/point.h"

#define STACK (24u * 1024u)
#define AREA 4096u
#define GENERATION (1ull << 32) /* what a number grows by with the generation of its slot */

static struct runner runners[CAP_LOAD_THREADS];
struct known cap_load_known[DOMAINS];

/* --- numbers ------------------------------------------------------------------------------------------------------------- */

/* Relaxed, all of them: a number is no more than an allegation, and says nothing of other memory. */
cap_t cap_load_know(unsigned domain, cap_t cap, uint64_t random)
{
    cap_t *entry = cap_load_known[domain].cap;

    for (unsigned i = 0; i < KNOWN; i++) {
        cap_t none = CAP_NONE;
        if (__atomic_compare_exchange_n(&entry[i], &none, cap, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
            return CAP_NONE;
        }
    }
    return __atomic_exchange_n(&entry[random % KNOWN], cap, __ATOMIC_RELAXED);
}

/* A neighbour by generation: one that was, or one that will not be for long. The next one may come at any moment, and then it
 * would be used before anybody has said that it is there. */
static cap_t forged(cap_t cap, uint64_t random)
{
    return random % 2 == 0 && cap >= GENERATION ? cap - GENERATION : cap + 1000 * GENERATION;
}

cap_t cap_load_pick(unsigned domain, uint64_t random)
{
    cap_t cap = __atomic_load_n(&cap_load_known[domain].cap[random % KNOWN], __ATOMIC_RELAXED);

    random /= KNOWN;
    return random % 16 == 0 && cap != CAP_NONE ? forged(cap, random / 16) : cap;
}

void cap_load_forget(unsigned domain, cap_t cap)
{
    for (unsigned i = 0; i < KNOWN; i++) {
        cap_t old = cap;
        (void)__atomic_compare_exchange_n(&cap_load_known[domain].cap[i], &old, CAP_NONE, false, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED);
    }
}

/* --- the careless counter ------------------------------------------------------------------------------------------------ */

static struct {
    uint32_t all; /* [a] */
    uint32_t odd; /* [a] only so that there is a branch */
} careless;

void cap_load_count_carelessly(uint64_t number)
{
    uint32_t was = __atomic_load_n(&careless.all, __ATOMIC_RELAXED);

    if (number % 2 != 0) {
        __atomic_store_n(&careless.odd, was, __ATOMIC_RELAXED);
    }
    __atomic_store_n(&careless.all, was + 1, __ATOMIC_RELAXED);
}

uint32_t cap_load_careless(void)
{
    return __atomic_load_n(&careless.all, __ATOMIC_RELAXED);
}

/* --- start --------------------------------------------------------------------------------------------------------------- */

/* A machine without random numbers does the same each time. */
static uint64_t seed(void)
{
    uint64_t word = 1;

    status_ignore(entropy_cpu(&word, sizeof word), "any seed will do");
    return word;
}

static status_t runner_start(struct runner *r, unsigned number, uint64_t random) REQUIRES(BOOT)
{
    static const char *const names[] = {"one", "two", "three", "four", "five", "six", "seven", "eight"};

    *r = (struct runner){.number = number, .domain = number / 2, .random = random + number, .left = CAP_LOAD_OPS};
    status_t s = cap_load_endow(r);
    if (s != ST_OK) {
        return s;
    }
    (void)thread_new(&(struct thread_config){.name = names[number],
                                             .entry = cap_load_run,
                                             .context = r,
                                             .stack_bytes = STACK,
                                             .sq_size = 8,
                                             .cq_size = 8,
                                             .area_bytes = AREA,
                                             .caps = cap_load_table(r->domain)});
    return ST_OK;
}

status_t cap_load_start(void)
{
    uint64_t random = seed();
    status_t s = cap_load_objects_start();

    for (unsigned i = 0; i < CAP_LOAD_THREADS && s == ST_OK; i++) {
        s = runner_start(&runners[i], i, random);
    }
    return s;
}

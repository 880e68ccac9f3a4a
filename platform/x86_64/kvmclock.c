/* SPDX-License-Identifier: MIT OR Apache-2.0
 * kvmclock.c: time as KVM tells it (Linux Documentation/virt/kvm/x86/msr.rst, MSR_KVM_SYSTEM_TIME_NEW).
 *
 *  (1) The host writes the page; `version` is odd while it does. A page that stays odd, or a shift beyond what the format
 *      means, ends in the last good time, never in a loop.
 *  (2) Time never goes back, whatever the page says.
 */
#include "kvmclock.h"
#include "bootinfo.h"
#include "hw.h"
#include "plat/plat.h"

#define MSR_KVM_SYSTEM_TIME 0x4b564d01u
#define FEATURE_CLOCK (1u << 3)
#define ENABLE 1u
#define TRIES 1000u
#define SHIFT_MAX 31

/* [D] written by the host */
struct page {
    uint32_t version;
    uint32_t pad;
    uint64_t tsc;
    uint64_t ns;
    uint32_t mult; /* ns << 32 a tick after the shift */
    int8_t shift;
    uint8_t flags;
    uint8_t pad2[2];
};
_Static_assert(sizeof(struct page) == 32, "msr.rst");

static struct page page __attribute__((aligned(32)));
static struct {
    bool on;           /* [I] */
    uint64_t start_ns; /* [I] what the page said at entry */
    uint64_t last_ns;  /* [a] */
} self;

static uint64_t scaled(uint64_t ticks, int shift, uint32_t mult)
{
    ticks = shift < 0 ? ticks >> -shift : ticks << shift;
    return (uint64_t)(((unsigned __int128)ticks * mult) >> 32);
}

/* The page's time at a TSC value. 0: (1). */
static uint64_t read_page(uint64_t tsc)
{
    for (unsigned i = 0; i < TRIES; i++) {
        uint32_t version = __atomic_load_n(&page.version, __ATOMIC_ACQUIRE);
        uint64_t page_tsc = __atomic_load_n(&page.tsc, __ATOMIC_RELAXED);
        uint64_t ns = __atomic_load_n(&page.ns, __ATOMIC_RELAXED);
        uint32_t mult = __atomic_load_n(&page.mult, __ATOMIC_RELAXED);
        int shift = __atomic_load_n(&page.shift, __ATOMIC_RELAXED);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if ((version & 1) != 0 || version != __atomic_load_n(&page.version, __ATOMIC_RELAXED)) {
            continue;
        }
        if (shift < -SHIFT_MAX || shift > SHIFT_MAX || mult == 0) {
            return 0;
        }
        if (tsc < page_tsc) {
            return ns - scaled(page_tsc - tsc, shift, mult); /* the page is younger than the question */
        }
        return ns + scaled(tsc - page_tsc, shift, mult);
    }
    return 0;
}

bool kvmclock_init(void)
{
    if ((hw_cpuid(0x40000001, 0).eax & FEATURE_CLOCK) == 0) {
        return false;
    }
    hw_wrmsr(MSR_KVM_SYSTEM_TIME, plat_dma_of(&page) | ENABLE);
    self.start_ns = read_page(boot_info.entry_tsc);
    if (read_page(hw_rdtsc()) == 0) {
        hw_wrmsr(MSR_KVM_SYSTEM_TIME, 0);
        return false;
    }
    self.on = true;
    return true;
}

bool kvmclock_on(void)
{
    return self.on;
}

uint64_t kvmclock_ns(void)
{
    uint64_t ns = read_page(hw_rdtsc()) - self.start_ns;
    uint64_t last = __atomic_load_n(&self.last_ns, __ATOMIC_RELAXED);

    while ((int64_t)(ns - last) > 0) {
        if (__atomic_compare_exchange_n(&self.last_ns, &last, ns, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
            return ns;
        }
    }
    return last; /* (2) */
}

uint64_t kvmclock_mult(void)
{
    uint64_t mult = page.mult;
    int shift = page.shift;

    return shift < 0 ? mult >> (-shift & 31) : mult << (shift & 31);
}

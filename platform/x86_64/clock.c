/* SPDX-License-Identifier: MIT OR Apache-2.0
 * clock.c: monotonic time without a delay at boot.
 *
 * The TSC counts; what is asked is its rate. In order: the hypervisor's clock page (kvmclock), CPUID, or a reference that
 * runs beside it: the ACPI PM timer, else the local APIC's count where its rate is known. With a reference, time is read
 * from it directly at first; when enough has passed, or the timer is first armed, the rate is the quotient so far and the
 * TSC takes over. Each later arm of the timer adds one more measured interval, and the rate is set anew at growing spans.
 *
 *  (1) Time never goes back: a new rate starts from the time that the old one shows at that moment.
 *  (2) `now`, `mult` and `from_tsc` change with interrupts off and `turn` odd; readers look again when it changed.
 *  (3) A reference is 24 or 32 bits wide: an interval that could have wrapped is left out.
 */
#include "clock.h"
#include "apic.h"
#include "bootinfo.h"
#include "core/assert.h"
#include "hw.h"
#include "kvmclock.h"
#include "plat/plat.h"

#define NS_PER_S 1000000000ull
#define NS_PER_MS 1000000ull
#define PM_TIMER_HZ 3579545ull
#define QEMU_APIC_HZ 1000000000ull /* hw/intc/apic.c: one count a nanosecond of virtual time, as in KVM */
#define SETTLE_NS (10 * NS_PER_MS)
#define MEASURE_END_NS (100 * NS_PER_S)
#define MSR_TSC_DEADLINE 0x6e0u
#define MULT_BITS 32u
#define MEASURE_BITS 26u /* MEASURE_END_NS << MEASURE_BITS < 2^64 */
_Static_assert(MEASURE_END_NS < 1ull << (64 - MEASURE_BITS), "sums fit");

enum reference { REFERENCE_NONE, REFERENCE_PM, REFERENCE_APIC };

/* Keys: [I] after x86_clock_init  [L] this CPU, interrupts off  [s] read under `turn` (2) */
static struct {
    const char *source;       /* [I] */
    uint32_t turn;            /* [a] */
    uint64_t from_tsc;        /* [s] */
    uint64_t from_ns;         /* [s] */
    uint64_t mult;            /* [s] ns << MULT_BITS a TSC tick; 0: no rate yet, `from_ns` follows the reference */
    enum reference reference; /* [I] */
    uint16_t pm_port;         /* [I] */
    uint32_t pm_mask;         /* [I] */
    uint32_t last_count;      /* [L] of the reference, at last_tsc */
    uint64_t last_tsc;        /* [L] */
    uint64_t sum_ns;          /* [L] measured so far by the reference... */
    uint64_t sum_tsc;         /* [L] ...and by the TSC in the same intervals */
    uint64_t refine_at_ns;    /* [L] sum_ns at which the rate is set next */
    uint64_t apic_hz;         /* [L] after the divider; 0: to be measured at the first arm */
    uint64_t apic_from_tsc;   /* [I] when its count began at UINT32_MAX */
    bool deadline_mode;       /* [I] TSC deadline instead of a count */
    bool apic_counting;       /* [L] the APIC's count goes down from last_count since last_tsc */
    uint64_t deadline_ns;     /* [L] UINT64_MAX: nothing armed */
    uint64_t wall_at_boot_ns; /* [I] 0: unknown */
} self;

/* ns that `ticks` are at `mult`, for any span: 64 x 64 to 128 bits. */
static uint64_t scale(uint64_t ticks, uint64_t mult, unsigned bits)
{
    return (uint64_t)(((unsigned __int128)ticks * mult) >> bits);
}

/* --- CPUID ------------------------------------------------------------------------------------------------------------ */

static bool hypervisor_is(const char *name)
{
    if ((hw_cpuid(1, 0).ecx & (1u << 31)) == 0) {
        return false;
    }
    struct hw_cpuid id = hw_cpuid(0x40000000, 0);
    uint32_t word[3] = {id.ebx, id.ecx, id.edx};
    for (unsigned i = 0; i < 12; i++) {
        if ((uint8_t)(word[i / 4] >> (8 * (i % 4))) != (uint8_t)name[i]) {
            return false;
        }
    }
    return true;
}

static bool hypervisor_is_kvm(void)
{
    return hypervisor_is("KVMKVMKVM\0\0\0");
}

/* The leaf at which VMware, and QEMU for others' sake, tell the TSC's and the APIC's rates in kHz. */
static struct hw_cpuid frequency_leaf(void)
{
    bool there = (hw_cpuid(1, 0).ecx & (1u << 31)) != 0 && hw_cpuid(0x40000000, 0).eax >= 0x40000010;

    return there ? hw_cpuid(0x40000010, 0) : (struct hw_cpuid){0};
}

/* Intel SDM volume 2, CPUID leaves 15H and 16H. */
static uint64_t tsc_hz_by_cpuid(void)
{
    uint64_t khz = frequency_leaf().eax;
    uint32_t most = hw_cpuid(0, 0).eax;

    if (khz != 0) {
        return khz * 1000;
    }
    if (most < 0x15) {
        return 0;
    }
    struct hw_cpuid crystal = hw_cpuid(0x15, 0);
    if (crystal.eax == 0 || crystal.ebx == 0) {
        return 0;
    }
    if (crystal.ecx != 0) {
        return (uint64_t)crystal.ecx * crystal.ebx / crystal.eax;
    }
    return most >= 0x16 ? (uint64_t)(hw_cpuid(0x16, 0).eax & 0xffff) * 1000000 : 0;
}

static uint64_t apic_hz_known(void)
{
    uint64_t khz = frequency_leaf().ebx;

    if (khz != 0) {
        return khz * 1000;
    }
    return hypervisor_is("TCGTCGTCGTCG") || hypervisor_is_kvm() ? QEMU_APIC_HZ : 0;
}

/* --- the rate --------------------------------------------------------------------------------------------------------- */

/* (2). Interrupts are off. */
static void set_rate(uint64_t tsc, uint64_t ns, uint64_t mult)
{
    __atomic_store_n(&self.turn, self.turn + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    self.from_tsc = tsc;
    self.from_ns = ns;
    self.mult = mult;
    __atomic_store_n(&self.turn, self.turn + 1, __ATOMIC_RELEASE);
}

static uint32_t reference_count(void)
{
    return self.reference == REFERENCE_PM ? hw_in32(self.pm_port) & self.pm_mask : apic_timer_count();
}

static uint64_t reference_ns(uint64_t ticks)
{
    uint64_t hz = self.reference == REFERENCE_PM ? PM_TIMER_HZ : self.apic_hz;

    return ticks * NS_PER_S / hz; /* 2^32 * 10^9 fits */
}

/* The TSC went on by so much since the last sample that the reference may have wrapped (3). */
static bool too_long(uint64_t tsc_ticks)
{
    return self.mult != 0 && scale(tsc_ticks, self.mult, MULT_BITS) > 4 * NS_PER_S;
}

/* Adds the interval since the last sample, if the reference can tell it. Interrupts are off. */
static void sample(void)
{
    uint64_t tsc = hw_rdtsc();
    uint32_t count = reference_count();
    uint32_t ticks = (count - self.last_count) & self.pm_mask;
    bool usable = true;

    if (self.reference == REFERENCE_APIC) {
        ticks = self.last_count - count;
        usable = self.apic_counting && count != 0; /* at 0 it stopped, nobody knows when */
    }
    if (usable && !too_long(tsc - self.last_tsc) && self.sum_ns < MEASURE_END_NS) {
        uint64_t ns = reference_ns(ticks);
        self.sum_ns += ns;
        self.sum_tsc += tsc - self.last_tsc;
        self.from_ns += self.mult == 0 ? ns : 0;
    }
    self.last_count = count;
    self.last_tsc = tsc;
}

static uint64_t measured_mult(void)
{
    return self.sum_tsc != 0 ? (self.sum_ns << MEASURE_BITS) / self.sum_tsc << (MULT_BITS - MEASURE_BITS) : 0;
}

/* The rate by all that was measured. */
static void settle(void)
{
    uint64_t mult = measured_mult();
    uint64_t now = self.from_ns;

    if (mult == 0) {
        return; /* no interval yet, or a TSC that runs wild */
    }
    if (self.mult != 0) {
        now += scale(self.last_tsc - self.from_tsc, self.mult, MULT_BITS);
    }
    set_rate(self.last_tsc, now, mult); /* (1) */
    self.refine_at_ns = self.sum_ns < SETTLE_NS ? SETTLE_NS : self.sum_ns * 4;
}

/* At every arm: one more interval, and now and then a better rate. Interrupts are off. */
static void measure(void)
{
    if (self.reference == REFERENCE_NONE || self.sum_ns >= MEASURE_END_NS) {
        return;
    }
    sample();
    if (self.sum_ns >= self.refine_at_ns) {
        settle();
    }
}

static uint64_t ns_by_reference(void)
{
    bool on = hw_irq_enabled();

    hw_irq_disable();
    if (self.mult == 0) {
        sample();
        if (self.sum_ns >= SETTLE_NS) {
            settle();
        }
    }
    uint64_t ns = self.from_ns;
    if (on) {
        hw_irq_enable();
    }
    return ns;
}

uint64_t plat_clock_ns(void)
{
    uint64_t ns;
    uint32_t turn;

    if (kvmclock_on()) {
        return kvmclock_ns();
    }
    if (self.mult == 0) {
        return ns_by_reference();
    }
    do {
        turn = __atomic_load_n(&self.turn, __ATOMIC_ACQUIRE);
        ns = self.from_ns + scale(hw_rdtsc() - self.from_tsc, self.mult, MULT_BITS);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
    } while ((turn & 1) != 0 || turn != __atomic_load_n(&self.turn, __ATOMIC_RELAXED));
    return ns;
}

static uint64_t rate_now(void)
{
    return kvmclock_on() ? kvmclock_mult() : self.mult;
}

uint64_t x86_clock_tsc_hz(void)
{
    uint64_t mult = rate_now();

    return mult != 0 ? (NS_PER_S << MULT_BITS) / mult : 0;
}

uint64_t plat_wall_ns(void)
{
    return self.wall_at_boot_ns != 0 ? self.wall_at_boot_ns + plat_clock_ns() : 0;
}

const char *plat_clock_source(void)
{
    return self.source;
}

/* --- the timer -------------------------------------------------------------------------------------------------------- */

const char *x86_clock_timer_name(void)
{
    return self.deadline_mode ? "TSC deadline" : "local APIC";
}

/* The APIC's rate by its count since x86_clock_init(), where nobody told it. */
static void apic_measure(void)
{
    uint64_t ns = scale(hw_rdtsc() - self.apic_from_tsc, rate_now(), MULT_BITS);
    uint64_t ticks = UINT32_MAX - apic_timer_count();

    self.apic_hz = ns != 0 ? ticks * NS_PER_S / ns : 0;
    if (self.apic_hz == 0) {
        self.apic_hz = QEMU_APIC_HZ / APIC_TIMER_DIVIDER;
    }
}

static void arm_count(uint64_t delta_ns)
{
    uint64_t most_ns = (uint64_t)UINT32_MAX * NS_PER_S / self.apic_hz;
    uint64_t count = UINT32_MAX;

    if (delta_ns < most_ns) {
        count = delta_ns * (self.apic_hz / 1000) / (NS_PER_S / 1000) + 1;
    }
    apic_timer_start((uint32_t)(count < UINT32_MAX ? count : UINT32_MAX));
    self.last_count = self.reference == REFERENCE_APIC ? (uint32_t)count : self.last_count;
    self.last_tsc = self.reference == REFERENCE_APIC ? hw_rdtsc() : self.last_tsc;
    self.apic_counting = true;
}

static void arm_deadline(uint64_t delta_ns)
{
    uint64_t ticks_per_us = x86_clock_tsc_hz() / 1000000;
    uint64_t most_ns = UINT64_MAX / 2 / (ticks_per_us + 1);

    if (delta_ns > most_ns) {
        delta_ns = most_ns;
    }
    hw_wrmsr(MSR_TSC_DEADLINE, hw_rdtsc() + delta_ns * ticks_per_us / 1000 + 1);
}

static void arm(uint64_t deadline_ns)
{
    uint64_t now = plat_clock_ns();
    uint64_t delta = deadline_ns > now ? deadline_ns - now : 0;

    if (self.deadline_mode) {
        arm_deadline(delta);
    } else {
        arm_count(delta);
    }
}

static void disarm(void)
{
    if (self.deadline_mode) {
        hw_wrmsr(MSR_TSC_DEADLINE, 0);
    } else {
        apic_timer_start(0);
        self.apic_counting = false;
    }
}

/* Interrupts are off. Before the first arm the APIC's count may be the clock itself: give it a rate now. */
static void before_arm(void)
{
    measure();
    if (self.mult == 0 && (self.reference == REFERENCE_APIC || self.deadline_mode || self.apic_hz == 0)) {
        settle();
    }
    if (self.apic_hz == 0) {
        apic_measure();
    }
}

void plat_timer_arm(uint64_t deadline_ns)
{
    bool on = hw_irq_enabled();

    hw_irq_disable();
    if (deadline_ns != self.deadline_ns) {
        before_arm();
        self.deadline_ns = deadline_ns;
        if (deadline_ns == UINT64_MAX) {
            disarm();
        } else {
            arm(deadline_ns);
        }
    }
    if (on) {
        hw_irq_enable();
    }
}

bool x86_clock_timer_fired(void)
{
    uint64_t deadline = self.deadline_ns;

    if (deadline == UINT64_MAX) {
        return false; /* disarmed while the interrupt was on its way */
    }
    if (plat_clock_ns() < deadline) {
        measure();
        arm(deadline); /* further off than one count reaches, or the rate was rough */
        return false;
    }
    self.deadline_ns = UINT64_MAX;
    return true;
}

/* --- init ------------------------------------------------------------------------------------------------------------- */

static void choose_reference(const struct acpi_facts *facts)
{
    self.pm_mask = UINT32_MAX;
    if (facts->pm_timer.space == ACPI_PORT) {
        self.reference = REFERENCE_PM;
        self.source = "tsc (pm timer)";
        self.pm_port = (uint16_t)facts->pm_timer.address;
        self.pm_mask = facts->pm_timer_32 ? UINT32_MAX : 0xffffff;
    } else if (self.apic_hz != 0 && !self.deadline_mode) {
        self.reference = REFERENCE_APIC;
        self.source = "tsc (local apic)";
    } else {
        self.source = "tsc (guessed)"; /* nothing on this machine tells; 1 GHz is at least an order of magnitude */
        set_rate(boot_info.entry_tsc, 0, 1ull << MULT_BITS);
    }
}

static void choose_source(const struct acpi_facts *facts)
{
    uint64_t hz = tsc_hz_by_cpuid();

    if (hypervisor_is_kvm() && kvmclock_init()) {
        self.source = "kvmclock";
    } else if (hz != 0) {
        self.source = "tsc (cpuid)";
        set_rate(boot_info.entry_tsc, 0, (NS_PER_S << MULT_BITS) / hz);
    } else {
        choose_reference(facts);
    }
}

void x86_clock_init(const struct acpi_facts *facts)
{
    self.deadline_ns = UINT64_MAX;
    self.apic_hz = apic_hz_known() / APIC_TIMER_DIVIDER;
    self.deadline_mode = (hw_cpuid(1, 0).ecx & (1u << 24)) != 0;
    apic_timer_mode(self.deadline_mode, false);
    if (!self.deadline_mode) {
        /* Runs from here on, as a reference or to be measured; 68 s from 0 at 1 GHz, and then it is a timer that nobody set. */
        apic_timer_start(UINT32_MAX);
        self.apic_from_tsc = hw_rdtsc();
        self.apic_counting = true;
    }
    choose_source(facts);
    if (self.reference != REFERENCE_NONE) {
        self.last_tsc = hw_rdtsc();
        self.last_count = reference_count();
        self.from_tsc = self.last_tsc;
        self.refine_at_ns = SETTLE_NS;
    }
    uint64_t wall = x86_rtc_seconds() * NS_PER_S;
    if (self.reference != REFERENCE_NONE) {
        /* The RTC's ports took a while: enough to tell, roughly, how long ago the entry was. */
        sample();
        self.from_ns += scale(self.from_tsc - boot_info.entry_tsc, measured_mult(), MULT_BITS);
    }
    self.wall_at_boot_ns = wall != 0 ? wall - plat_clock_ns() : 0;
}

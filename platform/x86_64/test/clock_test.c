/* SPDX-License-Identifier: MIT OR Apache-2.0
 * clock_test.c: time, timer and interrupt controllers on a CPU made of C: what TCG has not (x2APIC, TSC deadline, kvmclock)
 * runs here. `now` is the true time; every look at the hardware takes a little of it.
 */
#include "../acpi.h"
#include "../bootinfo.h"
#include "test.h"
#include <string.h>

/* The files of one folder, each with its own `self`. */
#define self clock_self
#include "../clock.c"
#undef self
#define self apic_self
#include "../apic.c"
#undef self
#define self kvm_self
#include "../kvmclock.c"
#undef self
#undef TRIES
#include "../rtc.c"

#define LAPIC_AT 0x1000u
#define IOAPIC_AT 0x3000u
#define LOOK_NS 300u
#define MSRS 0x900u

struct boot_info boot_info;

/* --- the CPU ------------------------------------------------------------------------------------------------------------ */

static struct {
    uint64_t ns; /* true time */
    uint64_t tsc_hz;
    struct hw_cpuid one; /* leaf 1 */
    struct hw_cpuid leaf15, leaf16, frequency, kvm;
    uint32_t most;          /* highest leaf */
    const char *hypervisor; /* 12 bytes, or NULL */
    uint32_t highest_hypervisor;
    uint64_t msr[MSRS]; /* low ones and x2APIC */
    uint64_t msr_deadline, msr_kvm;
    unsigned base_writes[8], base_count; /* what the APIC base MSR was set to: bits 10 and 11 */
    bool no_x2_yet;
    uint64_t apic_hz; /* after the divider */
    uint32_t apic_initial;
    uint64_t apic_started;
    unsigned mmio; /* accesses to the local APIC's page */
    uint32_t ioapic[64], ioapic_select;
    bool irq_on;
    uint8_t cmos[128], cmos_select;
} cpu;

static uint64_t tsc(void)
{
    return (uint64_t)((unsigned __int128)cpu.ns * cpu.tsc_hz / 1000000000u);
}

uint64_t hw_rdtsc(void)
{
    cpu.ns += LOOK_NS;
    return tsc();
}

struct hw_cpuid hw_cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct hw_cpuid r = {0};

    (void)subleaf;
    switch (leaf) {
    case 0:
        r.eax = cpu.most;
        break;
    case 1:
        r = cpu.one;
        break;
    case 0x15:
        r = cpu.leaf15;
        break;
    case 0x16:
        r = cpu.leaf16;
        break;
    case 0x40000000:
        r.eax = cpu.highest_hypervisor;
        memcpy(&r.ebx, cpu.hypervisor, 4);
        memcpy(&r.ecx, cpu.hypervisor + 4, 4);
        memcpy(&r.edx, cpu.hypervisor + 8, 4);
        break;
    case 0x40000001:
        r = cpu.kvm;
        break;
    case 0x40000010:
        r = cpu.frequency;
        break;
    default:
        break;
    }
    return r;
}

static uint32_t apic_count_now(void)
{
    uint64_t gone = (cpu.ns - cpu.apic_started) * (cpu.apic_hz / 1000) / 1000000;

    return gone < cpu.apic_initial ? cpu.apic_initial - (uint32_t)gone : 0;
}

static void apic_store(unsigned reg, uint32_t value)
{
    cpu.msr[0x800 + reg / 16] = value;
    if (reg == REG_TIMER_INITIAL) {
        cpu.apic_initial = value;
        cpu.apic_started = cpu.ns;
    }
}

uint64_t hw_rdmsr(uint32_t msr)
{
    cpu.ns += LOOK_NS;
    if (msr >= 0x800) {
        REQUIRE(msr < MSRS && (cpu.msr[MSR_APIC_BASE] & APIC_BASE_X2) != 0); /* else #GP */
        return msr == 0x800 + REG_TIMER_COUNT / 16 ? apic_count_now() : cpu.msr[msr];
    }
    return cpu.msr[msr];
}

void hw_wrmsr(uint32_t msr, uint64_t value)
{
    cpu.ns += LOOK_NS;
    if (msr == MSR_TSC_DEADLINE) {
        cpu.msr_deadline = value;
    } else if (msr == MSR_KVM_SYSTEM_TIME) {
        cpu.msr_kvm = value;
    } else if (msr == MSR_APIC_BASE) {
        cpu.base_writes[cpu.base_count++ % 8] = (unsigned)(value >> 10 & 3);
        cpu.msr[msr] = value;
    } else {
        REQUIRE(msr >= 0x800 && msr < MSRS && (cpu.msr[MSR_APIC_BASE] & APIC_BASE_X2) != 0);
        apic_store((msr - 0x800) * 16, (uint32_t)value);
    }
}

uint32_t hw_read32(uintptr_t address)
{
    cpu.ns += LOOK_NS;
    if (address >= IOAPIC_AT) {
        return cpu.ioapic_select == IOAPIC_VERSION ? 23u << 16 : cpu.ioapic[cpu.ioapic_select];
    }
    cpu.mmio++;
    return address - LAPIC_AT == REG_TIMER_COUNT ? apic_count_now()
                                                 : (uint32_t)cpu.msr[0x800 + (address - LAPIC_AT) / 16];
}

void hw_write32(uintptr_t address, uint32_t value)
{
    cpu.ns += LOOK_NS;
    if (address == IOAPIC_AT + IOAPIC_SELECT) {
        REQUIRE(value < 64);
        cpu.ioapic_select = value;
    } else if (address == IOAPIC_AT + IOAPIC_WINDOW) {
        cpu.ioapic[cpu.ioapic_select] = value;
    } else {
        cpu.mmio++;
        apic_store((unsigned)(address - LAPIC_AT), value);
    }
}

uint32_t hw_in32(uint16_t port)
{
    cpu.ns += LOOK_NS;
    CHECK_EQ(port, 0x608);
    return (uint32_t)((unsigned __int128)cpu.ns * PM_TIMER_HZ / 1000000000u) & 0xffffff;
}

uint8_t hw_in8(uint16_t port)
{
    cpu.ns += LOOK_NS;
    return port == CMOS_DATA ? cpu.cmos[cpu.cmos_select] : 0xff;
}

void hw_out8(uint16_t port, uint8_t value)
{
    cpu.ns += LOOK_NS;
    if (port == CMOS_SELECT) {
        cpu.cmos_select = value & 127;
    }
}

bool hw_irq_enabled(void)
{
    return cpu.irq_on;
}
void hw_irq_disable(void)
{
    cpu.irq_on = false;
}
void hw_irq_enable(void)
{
    cpu.irq_on = true;
}
uintptr_t x86_memory_device(uint64_t physical, uint64_t size)
{
    (void)size;
    return physical == LAPIC_DEFAULT ? LAPIC_AT : IOAPIC_AT;
}
uint64_t plat_dma_of(const void *p)
{
    return (uint64_t)(uintptr_t)p;
}

/* --- setting up ----------------------------------------------------------------------------------------------------------- */

static struct acpi_facts facts;

static void begin(void)
{
    memset(&cpu, 0, sizeof cpu);
    memset(&clock_self, 0, sizeof clock_self);
    memset(&apic_self, 0, sizeof apic_self);
    memset(&kvm_self, 0, sizeof kvm_self);
    memset(&page, 0, sizeof page);
    memset(cpu.cmos, 0xff, sizeof cpu.cmos);
    cpu.tsc_hz = 2345678901;
    cpu.ns = 50000000;
    cpu.apic_hz = QEMU_APIC_HZ / APIC_TIMER_DIVIDER;
    cpu.most = 1;
    boot_info.entry_tsc = tsc();
    cpu.ns += 3 * NS_PER_MS;
    facts = (struct acpi_facts){.pm_timer.space = ACPI_NONE};
}

static void hypervisor(const char *name, uint32_t highest)
{
    cpu.one.ecx |= 1u << 31;
    cpu.hypervisor = name;
    cpu.highest_hypervisor = highest;
}

static void start(void)
{
    apic_init(&facts);
    x86_clock_init(&facts);
}

static uint64_t true_ns(void)
{
    return cpu.ns - 50000000;
}

/* |clock - truth| within ppm of the truth, or `slack`. */
static void check_time(uint64_t ppm, uint64_t slack)
{
    uint64_t clock = plat_clock_ns();
    uint64_t truth = true_ns();
    uint64_t off = clock > truth ? clock - truth : truth - clock;

    CHECK(off <= slack + truth / 1000000 * ppm);
    if (off > slack + truth / 1000000 * ppm) {
        fprintf(stderr, "clock %" PRIu64 " truth %" PRIu64 "\n", clock, truth);
    }
}

/* Arms, sleeps and wakes for `rounds`; time must not go back, and no timer may be early. */
static void live(unsigned rounds, uint64_t step_ns)
{
    uint64_t last = plat_clock_ns();

    for (unsigned i = 0; i < rounds; i++) {
        uint64_t deadline = plat_clock_ns() + 1000 + test_random() % step_ns;
        plat_timer_arm(deadline);
        for (unsigned wakes = 0;; wakes++) {
            REQUIRE(wakes < 1000);
            cpu.ns += apic_self.x2 && clock_self.deadline_mode
                          ? (cpu.msr_deadline > tsc() ? (cpu.msr_deadline - tsc()) * 1000000000u / cpu.tsc_hz + 1 : 0)
                          : (uint64_t)apic_count_now() * 1000000 / (cpu.apic_hz / 1000) + 1;
            uint64_t now = plat_clock_ns();
            CHECK(now >= last);
            last = now;
            if (x86_clock_timer_fired()) {
                break;
            }
        }
        CHECK(plat_clock_ns() >= deadline);
        CHECK(plat_clock_ns() < deadline + deadline / 20 + 1000000);
    }
}

/* --- tests ---------------------------------------------------------------------------------------------------------------- */

static void test_cpuid_crystal(void)
{
    begin();
    cpu.most = 0x16;
    cpu.leaf15 = (struct hw_cpuid){.eax = 2, .ebx = 188, .ecx = 24000000};
    cpu.tsc_hz = 24000000ull * 188 / 2;
    boot_info.entry_tsc = (uint64_t)((unsigned __int128)50000000 * cpu.tsc_hz / 1000000000u);
    start();
    CHECK_STR(plat_clock_source(), "tsc (cpuid)");
    cpu.ns += 3600 * NS_PER_S;
    check_time(1, 10000);
    CHECK_EQ(x86_clock_tsc_hz() / 1000, cpu.tsc_hz / 1000);
}

static void test_cpuid_without_crystal(void)
{
    begin();
    cpu.most = 0x16;
    cpu.leaf15 = (struct hw_cpuid){.eax = 2, .ebx = 200};
    cpu.leaf16 = (struct hw_cpuid){.eax = 2400};
    start();
    CHECK_EQ((x86_clock_tsc_hz() + 500) / 1000, 2400000);
}

static void test_hypervisor_leaf(void)
{
    begin();
    hypervisor("VMwareVMware", 0x40000010);
    cpu.frequency = (struct hw_cpuid){.eax = 2345679, .ebx = 66000};
    cpu.apic_hz = 66000000 / 16;
    start();
    CHECK_STR(plat_clock_source(), "tsc (cpuid)");
    CHECK_EQ((x86_clock_tsc_hz() + 500) / 1000, 2345679);
    live(200, 20 * NS_PER_MS);
    CHECK_EQ(clock_self.apic_hz, 66000000 / 16);
}

static void test_pm_timer(void)
{
    begin();
    facts.pm_timer = (struct acpi_register){ACPI_PORT, 0x608};
    hypervisor("TCGTCGTCGTCG", 0x40000001);
    start();
    CHECK_STR(plat_clock_source(), "tsc (pm timer)");
    check_time(50000, 200000);
    live(2000, 10 * NS_PER_MS);
    live(200, 6 * NS_PER_S); /* longer than the PM timer's 4.7 s: such an interval must be left out */
    uint64_t before = plat_clock_ns();
    uint64_t truth = true_ns();
    cpu.ns += 1000 * NS_PER_S;
    uint64_t off = plat_clock_ns() - before - (true_ns() - truth);
    CHECK((int64_t)off < 20000000 && (int64_t)off > -20000000); /* 20 ppm of 1000 s */
}

static void test_apic_reference(void)
{
    begin();
    hypervisor("TCGTCGTCGTCG", 0x40000001);
    start();
    CHECK_STR(plat_clock_source(), "tsc (local apic)");
    check_time(50000, 200000);
    live(2000, 10 * NS_PER_MS);
    live(50, 100 * NS_PER_S); /* longer than one count reaches */
    CHECK((int64_t)(x86_clock_tsc_hz() - cpu.tsc_hz) < 200000 && (int64_t)(x86_clock_tsc_hz() - cpu.tsc_hz) > -200000);
}

static void test_unknown_apic_rate(void)
{
    begin();
    facts.pm_timer = (struct acpi_register){ACPI_PORT, 0x608};
    cpu.apic_hz = 100000000 / 16;
    start();
    cpu.ns += 20 * NS_PER_MS;
    live(100, 20 * NS_PER_MS);
    CHECK(clock_self.apic_hz > 6000000 && clock_self.apic_hz < 6500000);
}

static void test_disarm(void)
{
    begin();
    hypervisor("TCGTCGTCGTCG", 0x40000001);
    start();
    plat_timer_arm(plat_clock_ns() + NS_PER_MS);
    plat_timer_arm(UINT64_MAX);
    CHECK_EQ(apic_count_now(), 0);
    CHECK(!x86_clock_timer_fired()); /* it was on its way */
    cpu.irq_on = true;
    plat_timer_arm(0); /* the past: at once */
    CHECK(cpu.irq_on);
    cpu.ns += 1000;
    CHECK(x86_clock_timer_fired());
}

static void make_x2(void)
{
    cpu.one.ecx |= 1u << 21 | 1u << 24;
    cpu.msr[MSR_APIC_BASE] = LAPIC_DEFAULT | APIC_BASE_ON | 1u << 8;
    cpu.msr[0x802] = 300;
}

static void test_x2apic(void)
{
    begin();
    make_x2();
    start();
    CHECK(apic_is_x2());
    CHECK_EQ(cpu.mmio, 0);
    CHECK_EQ(cpu.base_writes[0], 2); /* on, then on and x2 */
    CHECK_EQ(cpu.base_writes[1], 3);
    CHECK_EQ(apic_id(), 300);
    cpu.msr[0x80b] = 7;
    apic_eoi();
    CHECK_EQ(cpu.msr[0x80b], 0);
    CHECK_EQ(cpu.msr[0x80f], SPURIOUS_ON | TRAP_SPURIOUS);
    CHECK_EQ(cpu.msr[0x835] & LVT_MASKED, LVT_MASKED);
    begin();
    make_x2();
    cpu.msr[MSR_APIC_BASE] |= APIC_BASE_X2; /* firmware was there: never back to xAPIC, that is a #GP */
    start();
    CHECK_EQ(cpu.base_writes[0], 3);
}

static void test_deadline(void)
{
    begin();
    make_x2();
    cpu.most = 0x16;
    cpu.leaf15 = (struct hw_cpuid){.eax = 1, .ebx = 100, .ecx = 23456789};
    start();
    CHECK_STR(x86_clock_timer_name(), "TSC deadline");
    CHECK_EQ(cpu.msr[0x832], TRAP_TIMER | LVT_DEADLINE);
    uint64_t before = tsc();
    plat_timer_arm(plat_clock_ns() + NS_PER_S);
    uint64_t ticks = cpu.msr_deadline - before;
    CHECK(ticks > cpu.tsc_hz / 100 * 99 && ticks < cpu.tsc_hz / 100 * 101);
    /* Further off than the arithmetic reaches: far, and not soon because it wrapped. */
    plat_timer_arm(plat_clock_ns() + UINT64_MAX / (x86_clock_tsc_hz() / 1000000) + NS_PER_MS);
    CHECK(cpu.msr_deadline > tsc() + cpu.tsc_hz * 1000);
    plat_timer_arm(UINT64_MAX);
    CHECK_EQ(cpu.msr_deadline, 0);
    live(500, 50 * NS_PER_MS);
}

/* As KVM fills it: 32.32 fixed point of ns a tick, after a shift. */
static void fill_page(uint64_t host_ns)
{
    page.version = 2;
    page.tsc = tsc();
    page.ns = host_ns;
    page.shift = -1;
    page.mult = (uint32_t)(((unsigned __int128)2000000000u << 32) / cpu.tsc_hz);
}

static void make_kvm(void)
{
    begin();
    hypervisor("KVMKVMKVM\0\0\0", 0x40000001);
    cpu.kvm.eax = FEATURE_CLOCK;
    fill_page(77 * NS_PER_S);
}

static void test_kvmclock(void)
{
    make_kvm();
    start();
    CHECK_STR(plat_clock_source(), "kvmclock");
    CHECK_EQ(cpu.msr_kvm, (uint64_t)(uintptr_t)&page | 1);
    check_time(1, 2000);
    cpu.ns += 5 * NS_PER_S;
    check_time(1, 2000);
    CHECK((x86_clock_tsc_hz() + 500000) / 1000000 == (cpu.tsc_hz + 500000) / 1000000);
    live(200, 20 * NS_PER_MS);
}

static void test_kvmclock_liar(void)
{
    make_kvm();
    start();
    cpu.ns += NS_PER_S;
    uint64_t good = plat_clock_ns();
    page.ns -= 900 * NS_PER_MS; /* back */
    CHECK_EQ(plat_clock_ns(), good);
    page.version = 3; /* for ever being written */
    CHECK_EQ(plat_clock_ns(), good);
    page.version = 4;
    page.shift = 127;
    CHECK_EQ(plat_clock_ns(), good);
    make_kvm();
    page.mult = 0; /* offered, never filled: another source is taken */
    facts.pm_timer = (struct acpi_register){ACPI_PORT, 0x608};
    start();
    CHECK_STR(plat_clock_source(), "tsc (pm timer)");
    CHECK_EQ(cpu.msr_kvm, 0);
}

static void test_xapic_and_pins(void)
{
    begin();
    start();
    CHECK(!apic_is_x2() && cpu.mmio > 0);
    CHECK_EQ(ioapic_count(), 1);
    CHECK_EQ(cpu.ioapic[IOAPIC_REDIRECT + 2 * 23], REDIRECT_MASKED);
    CHECK(ioapic_route(5, 0x41, true, true));
    CHECK_EQ(cpu.ioapic[IOAPIC_REDIRECT + 10], 0x41 | REDIRECT_LEVEL | REDIRECT_ACTIVE_LOW | REDIRECT_MASKED);
    ioapic_mask(5, false);
    CHECK_EQ(cpu.ioapic[IOAPIC_REDIRECT + 10], 0x41 | REDIRECT_LEVEL | REDIRECT_ACTIVE_LOW);
    CHECK(!ioapic_route(24, 0x42, false, false));
    CHECK_PANICS(ioapic_mask(24, true));
}

static void set_cmos(uint8_t status, const uint8_t date[7])
{
    static const uint8_t reg[] = {REG_CENTURY, REG_YEAR, REG_MONTH, REG_DAY, REG_HOUR, REG_MINUTE, REG_SECOND};

    for (unsigned i = 0; i < 7; i++) {
        cpu.cmos[reg[i]] = date[i];
    }
    cpu.cmos[REG_STATUS_A] = 0x26;
    cpu.cmos[REG_STATUS_B] = status;
}

static void test_rtc(void)
{
    begin();
    CHECK_EQ(x86_rtc_seconds(), 0); /* no RTC: all ones */
    set_cmos(HOURS_24, (const uint8_t[7]){0x20, 0x24, 0x02, 0x29, 0x23, 0x59, 0x58});
    CHECK_EQ(x86_rtc_seconds(), 1709251198);
    set_cmos(HOURS_24 | BINARY, (const uint8_t[7]){20, 38, 1, 19, 3, 14, 8});
    CHECK_EQ(x86_rtc_seconds(), 2147483648);
    set_cmos(0, (const uint8_t[7]){0x21, 0x00, 0x03, 0x01, 0x92, 0x00, 0x00}); /* 12 PM, and 2100 has no leap day */
    CHECK_EQ(x86_rtc_seconds(), 4107585600);
    set_cmos(0, (const uint8_t[7]){0x20, 0x26, 0x11, 0x21, 0x12, 0x00, 0x00}); /* 12 AM */
    CHECK_EQ(x86_rtc_seconds(), 1795219200);
    set_cmos(HOURS_24, (const uint8_t[7]){0x20, 0x26, 0x13, 0x21, 0x12, 0x00, 0x00});
    CHECK_EQ(x86_rtc_seconds(), 0);
    cpu.cmos[REG_STATUS_A] = UPDATING; /* for ever */
    CHECK_EQ(x86_rtc_seconds(), 0);
}

int main(void)
{
    RUN(test_cpuid_crystal);
    RUN(test_cpuid_without_crystal);
    RUN(test_hypervisor_leaf);
    RUN(test_pm_timer);
    RUN(test_apic_reference);
    RUN(test_unknown_apic_rate);
    RUN(test_disarm);
    RUN(test_x2apic);
    RUN(test_deadline);
    RUN(test_kvmclock);
    RUN(test_kvmclock_liar);
    RUN(test_xapic_and_pins);
    RUN(test_rtc);
    return test_end();
}

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * apic.c: interrupt controllers (Intel SDM volume 3, chapter 11; I/O APIC: 82093AA data sheet).
 *
 *  (1) Registers go by their xAPIC offset; x2APIC has the same ones at MSR 0x800 + offset / 16.
 *  (2) Physical destination mode, one CPU, its 8-bit id: what x2APIC ids beyond 254 would need is not here.
 */
#include "apic.h"
#include "core/assert.h"
#include "hw.h"
#include "memory.h"
#include "plat/plat.h"
#include "trap.h"

#define MSR_APIC_BASE 0x1bu
#define APIC_BASE_X2 (1ull << 10)
#define APIC_BASE_ON (1ull << 11)
#define MSR_X2APIC 0x800u
#define REG_ID 0x20u
#define REG_TPR 0x80u
#define REG_EOI 0xb0u
#define REG_SPURIOUS 0xf0u
#define REG_LVT_TIMER 0x320u
#define REG_LVT_LINT0 0x350u
#define REG_LVT_LINT1 0x360u
#define REG_LVT_ERROR 0x370u
#define REG_TIMER_INITIAL 0x380u
#define REG_TIMER_COUNT 0x390u
#define REG_TIMER_DIVIDE 0x3e0u
#define SPURIOUS_ON 0x100u
#define LVT_MASKED (1u << 16)
#define LVT_DEADLINE (2u << 17)
#define LVT_NMI (4u << 8)
#define DIVIDE_BY_16 3u
#define LAPIC_DEFAULT 0xfee00000ull
#define IOAPIC_DEFAULT 0xfec00000ull
#define IOAPIC_SELECT 0x00u
#define IOAPIC_WINDOW 0x10u
#define IOAPIC_VERSION 1u
#define IOAPIC_REDIRECT 0x10u
#define REDIRECT_ACTIVE_LOW (1u << 13)
#define REDIRECT_LEVEL (1u << 15)
#define REDIRECT_MASKED (1u << 16)

struct ioapic {
    uintptr_t base; /* [I] */
    uint32_t gsi;   /* [I] of pin 0 */
    uint32_t pins;  /* [I] */
};
static struct {
    bool x2;                                /* [I] */
    uintptr_t base;                         /* [I] */
    unsigned count;                         /* [I] */
    struct ioapic ioapic[ACPI_IOAPICS_MAX]; /* [I] */
} self;

static uint32_t reg_read(unsigned reg)
{
    return self.x2 ? (uint32_t)hw_rdmsr(MSR_X2APIC + reg / 16) : hw_read32(self.base + reg);
}

static void reg_write(unsigned reg, uint32_t value)
{
    if (self.x2) {
        hw_wrmsr(MSR_X2APIC + reg / 16, value);
    } else {
        hw_write32(self.base + reg, value);
    }
}

static uint32_t pin_read(const struct ioapic *io, uint32_t reg)
{
    hw_write32(io->base + IOAPIC_SELECT, reg);
    return hw_read32(io->base + IOAPIC_WINDOW);
}

static void pin_write(const struct ioapic *io, uint32_t reg, uint32_t value)
{
    hw_write32(io->base + IOAPIC_SELECT, reg);
    hw_write32(io->base + IOAPIC_WINDOW, value);
}

static void lapic_init(uint64_t address)
{
    uint64_t base = hw_rdmsr(MSR_APIC_BASE) | APIC_BASE_ON;

    self.x2 = (hw_cpuid(1, 0).ecx & (1u << 21)) != 0;
    if (self.x2) {
        /* By way of xAPIC: from off straight to x2APIC is not a transition that exists. */
        hw_wrmsr(MSR_APIC_BASE, base & ~((base & APIC_BASE_X2) != 0 ? 0 : APIC_BASE_X2));
        hw_wrmsr(MSR_APIC_BASE, base | APIC_BASE_X2);
    } else {
        hw_wrmsr(MSR_APIC_BASE, base);
        self.base = x86_memory_device(address, PAGE_SIZE);
    }
    reg_write(REG_LVT_TIMER, LVT_MASKED);
    reg_write(REG_LVT_LINT0, LVT_MASKED);
    reg_write(REG_LVT_LINT1,
              LVT_NMI); /* the button of whoever wants to know why a machine hangs: it panics, and says where */
    reg_write(REG_LVT_ERROR, LVT_MASKED);
    reg_write(REG_TPR, 0);
    reg_write(REG_TIMER_DIVIDE, DIVIDE_BY_16);
    reg_write(REG_SPURIOUS, SPURIOUS_ON | TRAP_SPURIOUS);
}

static void ioapic_add(uint64_t address, uint32_t gsi)
{
    struct ioapic *io = &self.ioapic[self.count];

    ASSERT(self.count < ACPI_IOAPICS_MAX);
    io->base = x86_memory_device(address, PAGE_SIZE);
    io->gsi = gsi;
    io->pins = (pin_read(io, IOAPIC_VERSION) >> 16 & 0xff) + 1;
    if (io->pins > 240) {
        return; /* nothing answers there: all ones */
    }
    self.count++;
    for (uint32_t pin = 0; pin < io->pins; pin++) {
        pin_write(io, IOAPIC_REDIRECT + 2 * pin, REDIRECT_MASKED);
    }
}

void apic_init(const struct acpi_facts *facts)
{
    hw_out8(0x21, 0xff); /* both 8259s */
    hw_out8(0xa1, 0xff);
    lapic_init(facts->madt && facts->lapic != 0 ? facts->lapic : LAPIC_DEFAULT);
    for (unsigned i = 0; i < facts->ioapics; i++) {
        ioapic_add(facts->ioapic[i].address, facts->ioapic[i].gsi);
    }
    if (!facts->madt) {
        ioapic_add(IOAPIC_DEFAULT, 0); /* microvm with acpi=off has it there */
    }
}

bool apic_is_x2(void)
{
    return self.x2;
}

uint32_t apic_id(void)
{
    return self.x2 ? reg_read(REG_ID) : reg_read(REG_ID) >> 24;
}

void apic_eoi(void)
{
    reg_write(REG_EOI, 0);
}

void apic_timer_mode(bool deadline, bool masked)
{
    reg_write(REG_LVT_TIMER, TRAP_TIMER | (deadline ? LVT_DEADLINE : 0) | (masked ? LVT_MASKED : 0));
}

void apic_timer_start(uint32_t count)
{
    reg_write(REG_TIMER_INITIAL, count);
}

uint32_t apic_timer_count(void)
{
    return reg_read(REG_TIMER_COUNT);
}

unsigned ioapic_count(void)
{
    return self.count;
}

static const struct ioapic *ioapic_of(uint32_t gsi)
{
    for (unsigned i = 0; i < self.count; i++) {
        const struct ioapic *io = &self.ioapic[i];
        if (gsi >= io->gsi && gsi - io->gsi < io->pins) {
            return io;
        }
    }
    return NULL;
}

bool ioapic_route(uint32_t gsi, uint8_t vector, bool level, bool active_low)
{
    const struct ioapic *io = ioapic_of(gsi);

    if (io == NULL) {
        return false;
    }
    uint32_t reg = IOAPIC_REDIRECT + 2 * (gsi - io->gsi);
    uint32_t low = vector | REDIRECT_MASKED | (level ? REDIRECT_LEVEL : 0) | (active_low ? REDIRECT_ACTIVE_LOW : 0);
    pin_write(io, reg, low);
    pin_write(io, reg + 1, apic_id() << 24);
    return true;
}

void ioapic_mask(uint32_t gsi, bool masked)
{
    const struct ioapic *io = ioapic_of(gsi);

    ASSERT(io != NULL);
    uint32_t reg = IOAPIC_REDIRECT + 2 * (gsi - io->gsi);
    uint32_t low = pin_read(io, reg);
    pin_write(io, reg, masked ? low | REDIRECT_MASKED : low & ~REDIRECT_MASKED);
}

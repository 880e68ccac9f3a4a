/* SPDX-License-Identifier: MIT OR Apache-2.0
 * machine.c: memory, registers, clock, randomness and identity of the simulated machine.
 *
 *  (1) A device address is the process's address: every bit of it is significant, so a driver that loses one is found out.
 *      Only the machine's RAM and the image's own sections count as memory of the guest.
 */
#include <errno.h>
#include <execinfo.h>
#include <link.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>
#include "core/assert.h"
#include "core/diag.h"
#include "core/point.h"
#include "lockstep.h"
#include "sim_private.h"
#include "sim_protocol.h"

#define PAGE_BYTES 4096u
#define MMIO_BASE 0xd0000000u
#define MMIO_STRIDE 0x1000u
#define WINDOWS_MAX (SIM_DEVICES_MAX * 3) /* the windows of a PCI function are up to three here */
#define RAM_BASE 0x200000000000u          /* the same in every run: what hangs on an address repeats */
#define COST_MMIO_NS 400u                 /* an exit to the host */
#define COST_CLOCK_NS 15u
#define COST_LENT_SHIFT 4 /* 16 bytes a nanosecond */

extern char __executable_start[], _end[]; /* the linker's: the image's first byte and the one behind its last */

static struct {
    char *ram;
    struct sim_window *window[WINDOWS_MAX];
    unsigned window_count;
    struct mmio_device {
        const struct sim_window *window;
        uint32_t gsi;
    } device[SIM_DEVICES_MAX];
    unsigned device_count;
    void *cpu_local;
} self;

void sim_die(const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (lockstep_on()) {
        lockstep_end(SIM_BROKEN, PLAT_EXIT_PANIC, text);
    }
    fflush(stdout);
    fprintf(stderr, "sim: %s\n", text);
    _exit(PLAT_EXIT_PANIC);
}

/* --- memory ---------------------------------------------------------------------------------------------------------- */

void sim_memory_init(void)
{
    self.ram = mmap((void *)RAM_BASE, sim_options.memory_bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (self.ram == MAP_FAILED) {
        sim_die("%zu bytes of memory: %s", sim_options.memory_bytes, strerror(errno));
    }
}

unsigned plat_ram(struct plat_ram ram[PLAT_RAM_MAX])
{
    ram[0] = (struct plat_ram){self.ram, sim_options.memory_bytes};
    return 1;
}

size_t plat_ram_total(void)
{
    return sim_options.memory_bytes;
}

size_t plat_image_bytes(void)
{
    return 0; /* the host's */
}

void plat_guard_page(void *page)
{
    if (mprotect(page, PAGE_BYTES, PROT_NONE) != 0) {
        sim_die("guard page: %s", strerror(errno));
    }
}

static bool inside(uintptr_t address, size_t size, uintptr_t base, size_t bytes)
{
    return address >= base && address - base <= bytes && size <= bytes - (address - base);
}

static bool guest_memory(uintptr_t address, size_t size)
{
    return inside(address, size, (uintptr_t)self.ram, sim_options.memory_bytes) ||
           inside(address, size, (uintptr_t)__executable_start, (size_t)(_end - __executable_start));
}

uint64_t plat_dma_of(const void *p)
{
    ASSERT(guest_memory((uintptr_t)p, 1));
    return (uintptr_t)p; /* (1) */
}

void *sim_dma(uint64_t address, size_t size)
{
    sim_cost(size >> COST_LENT_SHIFT);
    return guest_memory(address, size) ? (void *)address : NULL;
}

/* --- register windows ------------------------------------------------------------------------------------------------ */

void sim_window_add(struct sim_window *window)
{
    if (self.window_count == WINDOWS_MAX) {
        sim_die("no place for another device");
    }
    self.window[self.window_count++] = window;
}

uint32_t sim_mmio_add(struct sim_window *window)
{
    if (self.device_count == SIM_DEVICES_MAX || window->size > MMIO_STRIDE) {
        sim_die("no place for another device");
    }
    window->address = MMIO_BASE + self.device_count * MMIO_STRIDE;
    sim_window_add(window);
    self.device[self.device_count] = (struct mmio_device){window, sim_line_new(false)};
    return self.device[self.device_count++].gsi;
}

bool plat_mmio_device(unsigned i, uint64_t *address, size_t *size, uint32_t *gsi, bool *edge)
{
    if (i >= self.device_count) {
        return false;
    }
    *address = self.device[i].window->address;
    *size = self.device[i].window->size;
    *gsi = self.device[i].gsi;
    *edge = true;
    return true;
}

static struct sim_window *window_of(uint64_t address, size_t size)
{
    for (unsigned i = 0; i < self.window_count; i++) {
        if (inside(address, size, self.window[i]->address, self.window[i]->size)) {
            return self.window[i];
        }
    }
    return NULL;
}

status_t plat_mmio_map(uint64_t address, size_t size, uintptr_t *base)
{
    if (window_of(address, size) == NULL) {
        return ST_RANGE;
    }
    *base = address;
    return ST_OK;
}

static uint32_t mmio_read(uintptr_t address, unsigned size)
{
    struct sim_window *window = window_of(address, size);

    ASSERT(window != NULL);
    POINT();
    sim_cost(COST_MMIO_NS);
    return window->off ? UINT32_MAX : window->read(window->device, address - window->address, size);
}

static void mmio_write(uintptr_t address, unsigned size, uint32_t value)
{
    struct sim_window *window = window_of(address, size);

    ASSERT(window != NULL);
    POINT();
    sim_cost(COST_MMIO_NS);
    if (!window->off) {
        window->write(window->device, address - window->address, size, value);
    }
}

uint8_t plat_mmio_read8(uintptr_t address)
{
    return (uint8_t)mmio_read(address, 1);
}

uint16_t plat_mmio_read16(uintptr_t address)
{
    return (uint16_t)mmio_read(address, 2);
}

uint32_t plat_mmio_read32(uintptr_t address)
{
    return mmio_read(address, 4);
}

void plat_mmio_write8(uintptr_t address, uint8_t value)
{
    mmio_write(address, 1, value);
}

void plat_mmio_write16(uintptr_t address, uint16_t value)
{
    mmio_write(address, 2, value);
}

void plat_mmio_write32(uintptr_t address, uint32_t value)
{
    mmio_write(address, 4, value);
}

/* --- clock, CPU ------------------------------------------------------------------------------------------------------ */

static uint64_t host_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

uint64_t sim_clock_ns(void)
{
    static uint64_t start;

    if (lockstep_on()) {
        return lockstep_clock_ns();
    }
    if (start == 0) {
        start = host_ns(CLOCK_MONOTONIC);
    }
    return host_ns(CLOCK_MONOTONIC) - start;
}

uint64_t plat_clock_ns(void)
{
    POINT();
    sim_cost(COST_CLOCK_NS);
    sim_chance();
    return sim_clock_ns();
}

uint64_t plat_wall_ns(void)
{
    POINT();
    return lockstep_on() ? lockstep_wall_ns() : host_ns(CLOCK_REALTIME);
}

const char *plat_clock_source(void)
{
    return "sim";
}

unsigned plat_cpu_count(void)
{
    return 1;
}

unsigned plat_cpu_index(void)
{
    return 0;
}

void *plat_cpu_local(void)
{
    POINT();
    return self.cpu_local;
}

void plat_cpu_local_set(void *p)
{
    self.cpu_local = p;
}

/* --- randomness, identity, end --------------------------------------------------------------------------------------- */

static void host_random(void *bytes, size_t size)
{
    char *p = bytes;

    while (size > 0) {
        ssize_t got = getrandom(p, size, 0);
        if (got < 0 && errno != EINTR) {
            sim_die("getrandom: %s", strerror(errno));
        }
        p += got > 0 ? got : 0;
        size -= got > 0 ? (size_t)got : 0;
    }
}

void sim_random(void *bytes, size_t size)
{
    if (lockstep_on()) {
        lockstep_random(bytes, size);
    } else {
        host_random(bytes, size);
    }
}

status_t plat_entropy(void *bytes, size_t size)
{
    POINT();
    if (lockstep_on() ? !lockstep_entropy() : !sim_options.entropy) {
        return ST_UNSUPPORTED;
    }
    sim_random(bytes, size);
    return ST_OK;
}

const char *plat_cmdline(void)
{
    return sim_options.cmdline;
}

const char *plat_name(void)
{
    return "sim";
}

struct found {
    uintptr_t base;
    const unsigned char *id;
    size_t size;
};

/* The note section is a sequence of { name size, description size, type, name, description }, each padded to 4. */
static void look_for_id(const char *notes, size_t size, struct found *found)
{
    while (size >= sizeof(ElfW(Nhdr))) {
        ElfW(Nhdr) head;
        memcpy(&head, notes, sizeof head);
        size_t name = ((size_t)head.n_namesz + 3) & ~(size_t)3;
        size_t whole = sizeof head + name + (((size_t)head.n_descsz + 3) & ~(size_t)3);
        if (whole > size) {
            return;
        }
        if (head.n_type == NT_GNU_BUILD_ID && head.n_namesz == 4 && memcmp(notes + sizeof head, "GNU", 4) == 0) {
            found->id = (const unsigned char *)notes + sizeof head + name;
            found->size = head.n_descsz;
        }
        notes += whole;
        size -= whole;
    }
}

static int look_at_program(struct dl_phdr_info *info, size_t size, void *context)
{
    struct found *found = context;

    (void)size;
    found->base = info->dlpi_addr;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type == PT_NOTE) {
            look_for_id((const char *)info->dlpi_addr + info->dlpi_phdr[i].p_vaddr, info->dlpi_phdr[i].p_memsz, found);
        }
    }
    return 1; /* the first is the program itself */
}

const unsigned char *plat_build_id(size_t *size)
{
    struct found found = {0};

    dl_iterate_phdr(look_at_program, &found);
    *size = found.size;
    return found.id;
}

uintptr_t plat_image_base(void)
{
    struct found found = {0};

    dl_iterate_phdr(look_at_program, &found);
    return found.base;
}

unsigned plat_backtrace(uintptr_t frame, uintptr_t *pcs, unsigned most)
{
    (void)frame; /* the unwinder begins here; what is above is seen too */
    int count = backtrace((void **)pcs, (int)most);
    return count > 0 ? (unsigned)count : 0;
}

void plat_exit(enum plat_exit code)
{
    if (lockstep_on()) {
        lockstep_end(SIM_EXIT, code, "");
    }
    exit((int)code);
}

void plat_reboot(void)
{
    if (lockstep_on()) {
        lockstep_end(SIM_REBOOT, PLAT_EXIT_CLEAN, "");
    }
    fflush(stdout);
    execv("/proc/self/exe", sim_options.argv);
    sim_die("reboot: %s", strerror(errno));
}

/* --- console commands ------------------------------------------------------------------------------------------------ */

void plat_show_cpu(void)
{
    diag_print("a process of the host, %ld\n", (long)getpid());
}

void plat_show_mem(void)
{
    diag_print("memory at %p\n", (void *)self.ram);
}

void plat_show_irq(void)
{
    for (unsigned i = 0; i < self.device_count; i++) {
        diag_print("  line %u is the device at 0x%lx\n", self.device[i].gsi, self.device[i].window->address);
    }
    sim_pci_show();
}

void plat_show_acpi(void)
{
    diag_print("a simulated machine has no firmware\n");
}

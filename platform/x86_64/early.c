/* SPDX-License-Identifier: MIT OR Apache-2.0
 * early.c: chooses where the image lives, builds its tables, relocates it, and goes there.
 *
 * Runs at the load address on the loader's memory, identity-mapped by entry.S. Nothing here is called again.
 *
 *  (1) Until relocate() every pointer in the image's data is a load address and valid; after it, every one is a final
 *      address and valid too, since by then the CPU is on the new tables, which show both places.
 *  (2) Pointers made here (of the address of a variable, of a string) are load addresses: none may stay behind in data
 *      that is used later.
 *  (3) Interrupts are off and no IDT is loaded: a fault here is a triple fault. So the code is plain and short.
 */
#include "early.h"
#include "bootinfo.h"
#include "hw.h"
#include "paging.h"
#include "random.h"
#include "serial.h"
#include <stddef.h>

#define GIB (1ull << 30)
#define EARLY_END GIB /* what entry.S maps */
#define TABLES_MIN (64 * PAGE_SIZE)
/* Where things go: each has a region of its own in the upper half, and a random place in it. */
#define IMAGE_REGION 0xffffe00000000000ull
#define DIRECT_REGION 0xffff800000000000ull
#define DEVICE_REGION 0xffffc00000000000ull
#define IMAGE_RANDOM_BITS 32u  /* pages: 16 TiB */
#define REGION_RANDOM_BITS 13u /* GiB: 8 TiB */
/* Table pages kept for guard pages and device windows: each may split or open one 2 MiB. */
#define KEEP_MIN 8u
#define KEEP_MAX 40u
#define TWO_MIB (2ull << 20)

struct layout layout;

/* The canary of -mstack-protector-guard=global. Read-only once the image is relocated. */
__attribute__((section(".data.rel.ro.canary"))) uintptr_t __stack_chk_guard;

struct elf_rela {
    uint64_t offset;
    uint64_t info;
    int64_t addend;
};
#define R_X86_64_RELATIVE 8u

/* Hidden: else a compiler may fetch these addresses from a table of final ones, which relocate() changes on the way. */
#pragma GCC visibility push(hidden)
/* image.lds */
extern char image_start[], image_rodata_end[], image_text[], image_text_end[], image_relro[], image_relro_end[];
extern char image_data[], image_end[];
extern const struct elf_rela image_rela[], image_rela_end[];
extern const uint64_t image_relr[], image_relr_end[];
/* entry.S */
extern char boot_stack_top[], early_level4[], early_level3[], early_level2[];
_Noreturn void x86_enter_high(uint64_t cr3, uintptr_t entry, uintptr_t stack_top);
#pragma GCC visibility pop

static _Noreturn void stop(const char *why)
{
    size_t size = 0;

    while (why[size] != '\0') {
        size++;
    }
    x86_serial_write("capos: ", 7);
    x86_serial_write(why, size);
    x86_serial_write("\n", 1);
    hw_out8(0xf4, 2); /* PLAT_EXIT_PANIC to isa-debug-exit; nothing where there is none */
    hw_halt();
}

static uint64_t address_of(const void *p)
{
    return (uint64_t)(uintptr_t)p;
}

static void choose_places(void)
{
    bool fixed = bootinfo_option_is("base", "fixed");
    uint64_t image = fixed ? 0 : x86_random_early() >> (64 - IMAGE_RANDOM_BITS);
    uint64_t direct = fixed ? 0 : x86_random_early() >> (64 - REGION_RANDOM_BITS);
    uint64_t device = fixed ? 0 : x86_random_early() >> (64 - REGION_RANDOM_BITS);

    layout.slide = IMAGE_REGION + image * PAGE_SIZE;
    layout.direct = DIRECT_REGION + direct * GIB;
    layout.device = DEVICE_REGION + device * GIB;
    layout.fixed = fixed;
}

static void map(uint64_t virtual_base, uint64_t physical_base, uint64_t size, unsigned access)
{
    if (!paging_map(virtual_base, physical_base, size, access)) {
        stop("not enough memory for page tables below 1 GiB; give the machine more memory");
    }
}

static void map_image_part(const char *start, const char *end, unsigned access)
{
    uint64_t from = address_of(start);
    uint64_t to = (address_of(end) + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);

    map(from + layout.slide, from, to - from, access);
}

static void map_image(void)
{
    map_image_part(image_start, image_rodata_end, PAGE_READ);
    map_image_part(image_text, image_text_end, PAGE_EXECUTE);
    map_image_part(image_relro, image_relro_end, PAGE_READ);
    map_image_part(image_data, image_end, PAGE_WRITE);
    /* The first tables lie below the stacks, as their guards. The CPU walks them by physical address a little longer. */
    const char *const guard[] = {early_level4, early_level3, early_level2};
    for (unsigned i = 0; i < sizeof guard / sizeof guard[0]; i++) {
        if (!paging_unmap(address_of(guard[i]) + layout.slide)) {
            stop("no memory to guard a stack");
        }
    }
}

/* Where tables are made: from the first RAM after the image on, as far as the first tables reach. */
static void pool_init(void)
{
    struct hw_cpuid extended = hw_cpuid(0x80000001, 0);
    const struct memmap *ram = &boot_info.ram;

    for (unsigned i = 0; i < ram->count; i++) {
        uint64_t end = ram->span[i].end < EARLY_END ? ram->span[i].end : EARLY_END;
        if (ram->span[i].base >= address_of(image_end) && ram->span[i].base + TABLES_MIN <= end) {
            paging_init(ram->span[i].base, end, (extended.edx & (1u << 26)) != 0);
            layout.tables = ram->span[i].base;
            return;
        }
    }
    stop("not enough memory after the image; give the machine more memory");
}

static unsigned pages_to_keep(void)
{
    uint64_t regions = memmap_total(&boot_info.ram) / TWO_MIB;

    return KEEP_MIN + (unsigned)(regions < KEEP_MAX - KEEP_MIN ? regions : KEEP_MAX - KEEP_MIN);
}

/* RAM without the image: text must not be writable under another address. */
static void map_ram(void)
{
    for (unsigned i = 0; i < boot_info.ram.count; i++) {
        struct span s = boot_info.ram.span[i];
        map(layout.direct + s.base, s.base, s.end - s.base, PAGE_WRITE);
    }
}

static void relocate(void)
{
    uint64_t *where = NULL;

    for (const struct elf_rela *r = image_rela; r < image_rela_end; r++) {
        if ((uint32_t)r->info != R_X86_64_RELATIVE) {
            stop("the image has a relocation that it cannot apply: a link error");
        }
        *(uint64_t *)(uintptr_t)r->offset = (uint64_t)r->addend + layout.slide;
    }
    /* RELR: an even word is an address; an odd one a bitmap of the 63 words that follow (generic ABI, "Relative"). */
    for (const uint64_t *r = image_relr; r < image_relr_end; r++) {
        if ((*r & 1) == 0) {
            where = (uint64_t *)(uintptr_t)*r;
            *where++ += layout.slide;
            continue;
        }
        for (unsigned bit = 1; bit < 64; bit++) {
            where[bit - 1] += (*r >> bit & 1) != 0 ? layout.slide : 0;
        }
        where += 63;
    }
}

/* No canary in this frame: it is set here, and the function never returns to miss the old one. */
__attribute__((no_stack_protector)) _Noreturn void early_main(uint32_t info, uint32_t eax)
{
    boot_info.entry_tsc = hw_rdtsc();
    x86_serial_init();
    if (!bootinfo_read(info, eax)) {
        stop("no memory map from the loader: this image boots by PVH (QEMU -kernel) or mboot.c32");
    }
    memmap_remove(&boot_info.ram, address_of(image_start), address_of(image_end) - address_of(image_start));
    x86_random_init();
    choose_places();
    pool_init();
    map_image();
    map_ram();
    uint64_t kept_end = paging_keep(pages_to_keep());
    memmap_remove(&boot_info.ram, layout.tables, kept_end - layout.tables);

    paging_borrow_low(address_of(early_level3) | 3);
    hw_write_cr3(paging_root());
    uintptr_t entry = (uintptr_t)x86_main + layout.slide;
    uintptr_t stack = (uintptr_t)boot_stack_top + layout.slide;
    __stack_chk_guard = x86_random_early() & ~0xffull; /* a NUL byte first: no string copy writes past it unseen */
    relocate();
    x86_enter_high(paging_root(), entry, stack);
}

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * bootinfo.c: reads PVH start_info and multiboot information. Runs before relocation, on the identity map.
 *
 *  (1) Addresses and counts are the loader's word: everything read lies below 1 GiB, and every count is bounded.
 *  (2) The magic number of start_info decides, not eax: qboot enters PVH images with multiboot's 0x2badb002 in eax.
 *
 * PVH: xen/include/public/arch-x86/hvm/start_info.h. Multiboot 0.6.96, section 3.3.
 */
#include "bootinfo.h"
#include <stddef.h>

#define READABLE_END 0x40000000ull
#define ENTRIES_MAX 128u
#define PVH_MAGIC 0x336ec578u
#define MULTIBOOT_EAX 0x2badb002u
#define MULTIBOOT_FLAG_CMDLINE (1u << 2)
#define MULTIBOOT_FLAG_MODULES (1u << 3)
#define MULTIBOOT_FLAG_MMAP (1u << 6)
#define TYPE_RAM 1u /* E820 and multiboot alike */

struct pvh_start_info {
    uint32_t magic;
    uint32_t version;
    uint32_t flags;
    uint32_t module_count;
    uint64_t modules;
    uint64_t cmdline;
    uint64_t rsdp;
    uint64_t memmap; /* from version 1 on */
    uint32_t memmap_entries;
    uint32_t reserved;
};
_Static_assert(sizeof(struct pvh_start_info) == 56, "start_info.h");
struct pvh_memmap {
    uint64_t base;
    uint64_t size;
    uint32_t type;
    uint32_t reserved;
};
struct pvh_module {
    uint64_t base;
    uint64_t size;
    uint64_t cmdline;
    uint64_t reserved;
};
struct multiboot_info {
    uint32_t flags;
    uint32_t memory[2];
    uint32_t boot_device;
    uint32_t cmdline;
    uint32_t module_count;
    uint32_t modules;
    uint32_t symbols[4];
    uint32_t mmap_bytes;
    uint32_t mmap;
};
struct __attribute__((packed)) multiboot_mmap {
    uint32_t size; /* of what follows */
    uint64_t base;
    uint64_t bytes;
    uint32_t type;
};
struct multiboot_module {
    uint32_t start;
    uint32_t end;
    uint32_t string;
    uint32_t reserved;
};

struct boot_info boot_info;

static const void *readable(uint64_t address, uint64_t size)
{
    bool inside = address != 0 && address < READABLE_END && size <= READABLE_END - address;
    const void *p = (const void *)(uintptr_t)address;

    return inside ? p : NULL;
}

static void read_cmdline(uint64_t address, bool skip_first_word)
{
    const char *text = readable(address, BOOT_CMDLINE_MAX);
    size_t from = 0;
    size_t i = 0;

    if (text == NULL) {
        return;
    }
    while (skip_first_word && from < BOOT_CMDLINE_MAX && text[from] != '\0' && text[from] != ' ') {
        from++;
    }
    for (; from < BOOT_CMDLINE_MAX - 1 && text[from] != '\0'; from++) {
        char c = text[from];
        boot_info.cmdline[i++] = c >= ' ' && c <= '~' ? c : '?';
    }
    boot_info.cmdline[i] = '\0';
}

/* Called twice for each entry, so that what is reserved wins wherever the two overlap. */
static void take_entry(unsigned pass, uint64_t base, uint64_t size, uint32_t type)
{
    if (size == 0) {
        return; /* microvm's count includes an empty last entry */
    }
    if (pass == 0 && type == TYPE_RAM) {
        memmap_add(&boot_info.firmware, base, size);
    }
    if (pass == 1 && type != TYPE_RAM) {
        memmap_remove(&boot_info.firmware, base, size);
    }
}

static bool read_pvh(const struct pvh_start_info *info)
{
    uint32_t count = info->memmap_entries < ENTRIES_MAX ? info->memmap_entries : ENTRIES_MAX;
    const struct pvh_memmap *entry = readable(info->memmap, count * sizeof *entry);

    boot_info.rsdp = info->rsdp;
    if (info->version < 1 || entry == NULL) {
        return false;
    }
    for (unsigned pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < count; i++) {
            take_entry(pass, entry[i].base, entry[i].size, entry[i].type);
        }
    }
    boot_info.ram = boot_info.firmware;
    uint32_t modules = info->module_count < ENTRIES_MAX ? info->module_count : ENTRIES_MAX;
    const struct pvh_module *module = readable(info->modules, modules * sizeof *module);
    for (uint32_t i = 0; module != NULL && i < modules; i++) {
        memmap_remove(&boot_info.ram, module[i].base, module[i].size);
    }
    read_cmdline(info->cmdline, false);
    return true;
}

static bool read_multiboot_map(const struct multiboot_info *info)
{
    const char *map = readable(info->mmap, info->mmap_bytes);
    uint32_t at;

    if ((info->flags & MULTIBOOT_FLAG_MMAP) == 0 || map == NULL) {
        return false;
    }
    for (unsigned pass = 0; pass < 2; pass++) {
        at = 0;
        for (unsigned i = 0; i < ENTRIES_MAX && at + sizeof(struct multiboot_mmap) <= info->mmap_bytes; i++) {
            const struct multiboot_mmap *entry = (const void *)(map + at);
            take_entry(pass, entry->base, entry->bytes, entry->type);
            /* A size that wraps leads to another place inside the map, or the same one: both are bounded by the loop. */
            at += entry->size + (uint32_t)sizeof entry->size;
        }
    }
    return true;
}

static bool read_multiboot(const struct multiboot_info *info)
{
    boot_info.multiboot = true;
    if (!read_multiboot_map(info)) {
        return false;
    }
    boot_info.ram = boot_info.firmware;
    if ((info->flags & MULTIBOOT_FLAG_MODULES) != 0) {
        uint32_t count = info->module_count < ENTRIES_MAX ? info->module_count : ENTRIES_MAX;
        const struct multiboot_module *module = readable(info->modules, count * sizeof *module);
        for (uint32_t i = 0; module != NULL && i < count; i++) {
            memmap_remove(&boot_info.ram, module[i].start, module[i].end - module[i].start);
        }
    }
    if ((info->flags & MULTIBOOT_FLAG_CMDLINE) != 0) {
        read_cmdline(info->cmdline, true); /* mboot.c32 puts the file's name first; PVH does not */
    }
    return true;
}

bool bootinfo_read(uint32_t address, uint32_t eax)
{
    const struct pvh_start_info *pvh = readable(address, sizeof *pvh);
    const struct multiboot_info *multiboot = readable(address, sizeof *multiboot);

    if (pvh != NULL && pvh->magic == PVH_MAGIC) {
        return read_pvh(pvh); /* (2) */
    }
    return multiboot != NULL && eax == MULTIBOOT_EAX && read_multiboot(multiboot);
}

/* The text after `prefix` where `text` begins with it, else NULL. */
static const char *after(const char *text, const char *prefix)
{
    while (*prefix != '\0') {
        if (*text++ != *prefix++) {
            return NULL;
        }
    }
    return text;
}

bool bootinfo_option_is(const char *key, const char *value)
{
    const char *word = boot_info.cmdline;

    while (*word != '\0') {
        const char *at = after(word, key);
        at = at != NULL ? after(at, "=") : NULL;
        at = at != NULL ? after(at, value) : NULL;
        if (at != NULL && (*at == ' ' || *at == '\0')) {
            return true;
        }
        while (*word != '\0' && *word != ' ') {
            word++;
        }
        while (*word == ' ') {
            word++;
        }
    }
    return false;
}

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * bootinfo.h: what the loader said, copied before its memory is given away.
 */
#pragma once
#include "memmap.h"
#include <stdbool.h>
#include <stdint.h>

#define BOOT_CMDLINE_MAX 1024u

struct boot_info {
    bool multiboot;         /* loaded by a multiboot loader, not by PVH */
    struct memmap firmware; /* RAM that the loader called usable */
    struct memmap ram;      /* the same without the image, modules and page tables */
    uint64_t rsdp;          /* physical, 0: unknown */
    uint64_t entry_tsc;     /* at entry: where boot time begins */
    char cmdline[BOOT_CMDLINE_MAX];
};
extern struct boot_info boot_info;

/* Fills boot_info from what ebx pointed to. False: neither a PVH start_info nor multiboot information, or no memory in it.
 * Memory below 1 GiB must be readable at its physical address. */
bool bootinfo_read(uint32_t address, uint32_t eax);
/* The command line has the word `key=value`. */
bool bootinfo_option_is(const char *key, const char *value);

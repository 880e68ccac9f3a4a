/* SPDX-License-Identifier: MIT OR Apache-2.0
 * memory.h: RAM, device windows and read-only views of physical memory, in the final address space.
 */
#pragma once
#include "memmap.h"
#include <stdbool.h>
#include <stdint.h>

/* A device window that the platform itself wants. Panics when it cannot be. */
uintptr_t x86_memory_device(uint64_t physical, uint64_t size);
/* Firmware's memory, read-only; see acpi_view. BOOT. */
const uint8_t *x86_memory_view(uint64_t physical, uint64_t size);

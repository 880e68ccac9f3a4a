/* SPDX-License-Identifier: MIT OR Apache-2.0
 * boot_memory.h: boot_alloc for tests: zeroed host memory that lives as long as the test.
 */
#pragma once
#include "core/mem.h"
#include "test.h"

static void *boot_memory[4096]; /* so that the leak checker knows it */
static unsigned boot_memory_count;

void *boot_alloc(size_t size, size_t align)
{
    size_t unit = align < 16 ? 16 : align;
    void *p = aligned_alloc(unit, (size + unit - 1) / unit * unit);
    REQUIRE(p != NULL && boot_memory_count < 4096);
    memset(p, 0, size);
    boot_memory[boot_memory_count++] = p;
    return p;
}

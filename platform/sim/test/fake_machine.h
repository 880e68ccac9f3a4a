/* SPDX-License-Identifier: MIT OR Apache-2.0
 * fake_machine.h: a machine made of arrays, under device models that are tried at their registers: windows, lines, messages, and
 * memory that all reads as zero until a test writes it. Included once, by a test.
 *
 *  (1) sim_die() is a panic that CHECK_PANICS expects: a driver did what none may.
 */
#pragma once
#include <stdarg.h>
#include "core/assert.h"
#include "core/diag.h"
#include "plat/plat.h"
#include "sim_device.h"
#include "sim_private.h"
#include "test.h"

#define FAKE_MEMORY_BASE 0x300000000000ull
#define FAKE_MEMORY_BYTES 65536u

static struct {
    struct sim_window *window[64];
    unsigned window_count;
    uint32_t line_count;
    unsigned raised[64]; /* of an edge line */
    int pulls[64];       /* on a level line */
    unsigned messages;
    struct sim_hazard *hazard; /* the last that was added */
    unsigned struck[8];        /* by enum sim_fault */
    uint64_t message_address;
    uint32_t message_data;
    uint8_t memory[FAKE_MEMORY_BYTES] __attribute__((aligned(4096)));
} fake;

struct sim_transport sim_transport;

void sim_die(const char *format, ...)
{
    char text[200];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    panic("%s", text); /* (1) */
}

void sim_hazard_add(struct sim_hazard *hazard)
{
    fake.hazard = hazard;
}

void sim_hazard_struck(const struct sim_hazard *hazard, uint32_t fault)
{
    fake.struck[fault] += hazard == fake.hazard;
}

void sim_cost(uint64_t ns)
{
    (void)ns;
}

void sim_random(void *bytes, size_t size)
{
    memset(bytes, 0x5a, size);
}

void diag_print(const char *format, ...)
{
    (void)format;
}

void *sim_dma(uint64_t address, size_t size)
{
    uint64_t offset = address - FAKE_MEMORY_BASE;

    return address >= FAKE_MEMORY_BASE && offset <= FAKE_MEMORY_BYTES && size <= FAKE_MEMORY_BYTES - offset
               ? fake.memory + offset
               : NULL;
}

/* --- windows --------------------------------------------------------------------------------------------------------- */

void sim_window_add(struct sim_window *window)
{
    REQUIRE(fake.window_count < sizeof fake.window / sizeof fake.window[0]);
    fake.window[fake.window_count++] = window;
}

uint32_t sim_mmio_add(struct sim_window *window)
{
    window->address = 0xd0000000u + 0x1000u * fake.window_count;
    sim_window_add(window);
    return sim_line_new(false);
}

static inline struct sim_window *fake_window(uint64_t address)
{
    struct sim_window *window = NULL;

    for (unsigned i = 0; i < fake.window_count && window == NULL; i++) {
        struct sim_window *at = fake.window[i];
        window = address >= at->address && address - at->address < at->size ? at : NULL;
    }
    REQUIRE(window != NULL);
    return window;
}

static inline uint32_t fake_read(uint64_t address, unsigned size)
{
    const struct sim_window *window = fake_window(address);

    return window->off ? UINT32_MAX >> (32 - 8 * size) : window->read(window->device, address - window->address, size);
}

static inline void fake_write(uint64_t address, unsigned size, uint32_t value)
{
    const struct sim_window *window = fake_window(address);

    if (!window->off) {
        window->write(window->device, address - window->address, size, value);
    }
}

/* --- interrupts ------------------------------------------------------------------------------------------------------ */

uint32_t sim_line_new(bool level)
{
    (void)level;
    REQUIRE(fake.line_count < 64);
    return fake.line_count++;
}

void sim_line_raise(uint32_t gsi)
{
    fake.raised[gsi]++;
}

void sim_line_pull(uint32_t gsi, bool pulls)
{
    fake.pulls[gsi] += pulls ? 1 : -1;
}

void sim_message(uint64_t address, uint32_t data)
{
    fake.messages++;
    fake.message_address = address;
    fake.message_data = data;
}

/* --- configuration space of the function in a slot ------------------------------------------------------------------- */

static inline uint32_t fake_config(uint8_t slot, unsigned offset, unsigned size)
{
    uint32_t value = 0;

    CHECK_EQ(plat_pci_read(0, slot, 0, (uint16_t)offset, size, &value), ST_OK);
    return value;
}

static inline void fake_config_set(uint8_t slot, unsigned offset, unsigned size, uint32_t value)
{
    CHECK_EQ(plat_pci_write(0, slot, 0, (uint16_t)offset, size, value), ST_OK);
}

/* The next capability of this id behind `after` (0: the first); 0: none. */
static inline unsigned fake_capability(uint8_t slot, uint8_t id, unsigned after)
{
    unsigned at = after == 0 ? fake_config(slot, 0x34, 1) : fake_config(slot, after + 1, 1);

    for (unsigned i = 0; at != 0 && i < 48; i++) {
        CHECK(at >= 0x40 && at % 4 == 0);
        if (fake_config(slot, at, 1) == id) {
            return at;
        }
        at = fake_config(slot, at + 1, 1);
    }
    return 0;
}

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * sim_private.h: what the simulator's files know of each other.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "plat/plat.h"
#include "sim_device.h"

#define SIM_DEVICES_MAX 16u

/* What the command line said. */
struct sim_options {
    size_t memory_bytes;
    bool entropy;
    const char *console; /* "stdio" or "unix:PATH" */
    const char *cmdline;
    char **argv; /* for reboot */
};
extern struct sim_options sim_options;

void sim_memory_init(void);
void sim_console_init(void);
/* What was typed, by a coordinator. */
void sim_console_input(const char *text, size_t size);
void sim_signals_init(void);

/* A line of the interrupt controller: gives its number. */
uint32_t sim_line_new(bool level);
/* One more device, or one less, holds a level line. */
void sim_line_pull(uint32_t gsi, bool pulls);
/* A device wrote `data` to an address that is no memory's: an interrupt message, if it is one. */
void sim_message(uint64_t address, uint32_t data);
/* Waits until a watched descriptor is ready or `deadline_ns` (UINT64_MAX: for ever) has come, and lets their owners look. */
void sim_poll(uint64_t deadline_ns);
/* Interrupts are on and the image asked the machine for something: a chance to deliver what has come meanwhile. */
void sim_chance(void);
/* The image begins a new context: interrupts are on there. */
void sim_irq_set_on(void);
/* The context that runs is one that plat_context_init made: a THREAD's, not the loop's. */
bool sim_context_is_thread(void);
/* The running code computes until `deadline_ns`, with whatever comes meanwhile; then, at the latest, the timer fires. Interrupts
 * are on. */
void sim_timer_early(uint64_t deadline_ns);
/* For the `irq` command. */
void sim_pci_show(void);
/* Asks for an orderly end: the next poll leaves with exit code 0. Async-signal-safe. */
void sim_stop_wanted(void);

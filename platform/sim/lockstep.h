/* SPDX-License-Identifier: MIT OR Apache-2.0
 * lockstep.h: the machine as seen by its own files when a coordinator has it (lockstep.c).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* This socket leads to a coordinator: from here on the machine is in lock-step. */
void lockstep_open(int fd);
bool lockstep_on(void);
/* Waits until the machine is switched on. It may be forked meanwhile. */
void lockstep_begin(void);
uint64_t lockstep_clock_ns(void);
uint64_t lockstep_wall_ns(void);
bool lockstep_entropy(void);
void lockstep_random(void *bytes, size_t size);
/* The CPU is given to a THREAD, or back to the loop: what a thread takes is no turn's. */
void lockstep_thread(bool thread);
/* As sim_poll. */
void lockstep_poll(uint64_t deadline_ns);
/* Memory was refused. */
void lockstep_refused(void);
void lockstep_text(const char *text, size_t size);
/* Says so and ends the process. `kind` is SIM_EXIT, SIM_REBOOT or SIM_BROKEN. */
_Noreturn void lockstep_end(uint16_t kind, uint64_t code, const char *text);

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * diag_private.h: what the rest of core knows of core/diag beyond core/diag.h, core/log.h and core/assert.h.
 */
#pragma once
#include <stddef.h>
#include "core/diag.h"
#include "core/status.h"

/* Says that the boot stops here, after the reason has been logged, and leaves with "test failed". */
_Noreturn void boot_stop(void);

/* Adds core's commands and opens the console's interrupt. */
void console_init(void) REQUIRES(BOOT);
void commands_init(void) REQUIRES(BOOT);
/* Shows the prompt from now on. */
void console_start(void) REQUIRES(LOOP);
/* Writes a finished line and sees to the prompt. Any room but TRAP; interrupts off or nobody else writing. */
void console_line(const char *text, size_t size);
/* A whole line, as it is, to console and log ring: what scripts look for has no time and no tag. BOOT, LOOP or THREAD. */
void log_plain(const char *line);
extern struct diag_command diag_help_command;

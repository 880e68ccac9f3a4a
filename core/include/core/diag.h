/* SPDX-License-Identifier: MIT OR Apache-2.0
 * diag.h: the diagnostics console: a line editor and a table of commands, in every image.
 */
#pragma once
#include "core/list.h"
#include "core/room.h"

struct diag_command {
    const char *name;                   /* [I] one word */
    const char *help;                   /* [I] one line */
    void (*run)(int argc, char **argv); /* [I] LOOP */
    struct list node;                   /* [L] */
};
void diag_command_add(struct diag_command *command) REQUIRES(BOOT);
/* To the console only, not into the log. */
void diag_print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * x.c: a component for the refusal tests.
 */
#include "core/room.h"
#include "core/status.h"
status_t x_start(void) REQUIRES(BOOT);
#include <unistd.h>
status_t x_start(void)
{
    return ST_OK;
}

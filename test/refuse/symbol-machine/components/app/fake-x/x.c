/* SPDX-License-Identifier: MIT OR Apache-2.0
 * x.c: a component for the refusal tests.
 */
#include "core/room.h"
#include "core/status.h"
status_t x_start(void) REQUIRES(BOOT);
void plat_reboot(void);
void x_reach(void);
void x_reach(void)
{
    plat_reboot();
}
status_t x_start(void)
{
    return ST_OK;
}

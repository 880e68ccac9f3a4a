/* SPDX-License-Identifier: MIT OR Apache-2.0
 * x.c: a component for the refusal tests.
 */
#include "core/room.h"
#include "core/status.h"
status_t x_start(void) REQUIRES(BOOT);
#include "lib/fake-port/fake_port.h"
status_t x_start(void)
{
    return ST_OK;
}

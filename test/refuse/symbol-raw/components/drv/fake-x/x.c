/* SPDX-License-Identifier: MIT OR Apache-2.0
 * x.c: a driver for the refusal tests that helps itself, with a prototype of its own.
 */
#include "core/room.h"
#include "core/status.h"
status_t x_start(void) REQUIRES(BOOT);
unsigned raw_pci_buses(void);
status_t x_start(void)
{
    return raw_pci_buses() == 0 ? ST_UNSUPPORTED : ST_OK;
}

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * fake_net.c: a component for the refusal tests.
 */
#include "core/room.h"
#include "core/status.h"
#include "lib/fake-port/fake_port.h"

struct fakeport *fake_net_provide_port(void) REQUIRES(BOOT);
status_t fake_net_start(void) REQUIRES(BOOT);

struct fakeport *fake_net_provide_port(void)
{
    static struct fakeport port;

    return &port;
}

status_t fake_net_start(void)
{
    return ST_OK;
}

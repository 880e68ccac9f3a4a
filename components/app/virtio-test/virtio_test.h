/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio_test.h: what the parts of this test share. Each part runs on its own and reports once.
 */
#pragma once
#include "config.h"
#include "core/loop.h"
#include "core/room.h"
#include "lib/blkdev/blkdev.h"
#include "lib/entropy/entropy.h"
#include "lib/entropy/random.h"
#include "lib/netdev/netdev.h"

/* A part is through. The last one halts the machine. */
void virtio_test_done(const char *part, bool good) REQUIRES(LOOP);

void virtio_test_disk_init(struct blkdev *disk) REQUIRES(BOOT);
void virtio_test_disk_begin(void) REQUIRES(LOOP);
void virtio_test_net_init(struct netdev *port) REQUIRES(BOOT);
void virtio_test_net_begin(void) REQUIRES(LOOP);

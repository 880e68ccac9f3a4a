/* SPDX-License-Identifier: MIT OR Apache-2.0
 * devices.h: an honest disk, and an honest card on a network that gives addresses and asks for them all the time.
 */
#pragma once
#include "vhost.h"

#define DISK_BYTES (24u << 20)

extern const struct device_kind disk_kind, card_kind;

/* A blank disk; its bytes are `vhost->own`, to be freed. */
void disk_init(struct vhost *vhost);
/* The network asks once more: the image receives, and answers. */
void card_tick(struct vhost *vhost);

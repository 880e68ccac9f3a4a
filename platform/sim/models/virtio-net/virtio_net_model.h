/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio_net_model.h: for models.c, and what the two files of this model share: a wire that carries whole frames.
 */
#pragma once
#include "sim_device.h"

extern const struct sim_model virtio_net_model;

/* Opens "dgram:LOCAL,REMOTE", "udp:PORT,PORT" or "tap:NAME". -1: `why` says what is wrong. */
int net_wire_open(const char *argument, char *why, size_t why_size);
enum net_wire_result { NET_WIRE_DONE, NET_WIRE_LATER };
/* One frame. DONE: sent, or lost because nobody is there. LATER: wait for POLLOUT. */
enum net_wire_result net_wire_send(int fd, const void *frame, size_t size);

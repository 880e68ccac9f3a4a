/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio_net_model.h: for models.c, and what the files of this model share: a wire that carries whole frames. It is the
 * host's (net_wire.c) or the coordinator's (net_port.c).
 */
#pragma once
#include <sys/types.h>
#include "sim_device.h"

extern const struct sim_model virtio_net_model;

enum net_wire_result { NET_WIRE_DONE, NET_WIRE_LATER };

struct net_wire {
    /* One frame. DONE: sent, or lost because nobody is there. LATER: net_model_ready() comes when there is room. */
    enum net_wire_result (*send)(const void *frame, size_t size);
    /* The next frame that came; <= 0: none now. */
    ssize_t (*receive)(void *frame, size_t size);
    /* From here on net_model_ready() is wanted when a frame came, when there is room to send. */
    void (*want)(bool frame, bool room);
};

/* Opens "dgram:LOCAL,REMOTE", "udp:PORT,PORT" or "tap:NAME". NULL: `why` says what is wrong. */
const struct net_wire *net_wire_open(const char *argument, char *why, size_t why_size);
/* Opens "sim". NULL: this is no lock-step run. */
const struct net_wire *net_port_open(void);

/* The wire says that a frame came, or that there is room. */
void net_model_ready(bool frame, bool room);
/* The wire says whether it is plugged in and, if not all zero, which address the card has. */
void net_model_state(bool up, const uint8_t mac[6]);

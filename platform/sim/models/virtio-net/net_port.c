/* SPDX-License-Identifier: MIT OR Apache-2.0
 * net_port.c: the wire of a lock-step run: frames go to the coordinator and come from it.
 *
 *  (1) What comes faster than the image takes it waits here, as in a switch's port: so many frames, then it is lost.
 */
#include <stdlib.h>
#include <string.h>
#include "models/virtio-net/virtio_net_model.h"
#include "sim_protocol.h"

#define WAITING_MAX 256u /* of which the model takes as many at a time */

struct waiting {
    char *frame;
    size_t size;
};

static struct {
    struct sim_port port;
    struct waiting waiting[WAITING_MAX];
    uint32_t in, out; /* free-running */
} self;

static enum net_wire_result port_send(const void *frame, size_t size)
{
    sim_port_send(&self.port, (struct sim_message){.kind = SIM_FRAME, .size = (uint32_t)size}, frame);
    return NET_WIRE_DONE;
}

static ssize_t port_receive(void *frame, size_t size)
{
    if (self.in == self.out) {
        return 0;
    }
    struct waiting *first = &self.waiting[self.out++ % WAITING_MAX];
    size_t n = first->size < size ? first->size : size;
    memcpy(frame, first->frame, n);
    free(first->frame);
    return (ssize_t)n;
}

static void port_want(bool frame, bool room)
{
    (void)frame; /* whoever takes a frame looks for the next: nothing has to be told */
    (void)room;
}

static void frame_keep(const char *body, size_t size)
{
    char *copy = self.in - self.out < WAITING_MAX ? malloc(size) : NULL; /* (1) */

    if (copy == NULL) {
        return;
    }
    memcpy(copy, body, size);
    self.waiting[self.in++ % WAITING_MAX] = (struct waiting){copy, size};
    net_model_ready(true, false);
}

static void arrived(struct sim_port *port, const struct sim_message *message, const char *body)
{
    (void)port;
    if (message->kind == SIM_FRAME && message->size > 0) {
        frame_keep(body, message->size);
    } else if (message->kind == SIM_STATE) {
        uint8_t mac[8];
        memcpy(mac, &message->b, sizeof mac);
        net_model_state(message->a == 1, mac);
    }
}

const struct net_wire *net_port_open(void)
{
    static const struct net_wire wire = {port_send, port_receive, port_want};

    self.port.arrived = arrived;
    return sim_port_add(&self.port) ? &wire : NULL;
}

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * disk_port.c: the disk of a lock-step run: every request goes to the coordinator, which answers when and how it likes.
 */
#include <stdlib.h>
#include <string.h>
#include "models/disk/disk_medium.h"
#include "sim_device.h"
#include "sim_protocol.h"

#define REQUESTS_MAX 256u

struct disk_port {
    struct disk_medium medium;
    struct sim_port port;
    struct disk_request *out[REQUESTS_MAX]; /* by tag */
};

static void begin(struct disk_medium *medium, struct disk_request *request)
{
    static const uint32_t kinds[] = {
        [DISK_READ] = SIM_DISK_READ, [DISK_WRITE] = SIM_DISK_WRITE, [DISK_FLUSH] = SIM_DISK_FLUSH};
    struct disk_port *disk = (struct disk_port *)medium; /* the first member */
    struct sim_message message = {
        .kind = SIM_DISK, .flags = kinds[request->work], .a = request->tag, .b = request->sector};
    uint32_t wanted = request->size;

    if (request->tag >= REQUESTS_MAX || disk->out[request->tag] != NULL) {
        sim_die("disk: request tag %u twice", request->tag);
    }
    disk->out[request->tag] = request;
    if (request->work == DISK_WRITE) {
        message.size = request->size;
        sim_port_send(&disk->port, message, request->bytes);
    } else {
        message.size = sizeof wanted;
        sim_port_send(&disk->port, message, &wanted);
    }
}

static void request_ended(struct disk_port *disk, const struct sim_message *message, const char *body)
{
    struct disk_request *request = message->a < REQUESTS_MAX ? disk->out[message->a] : NULL;

    if (request == NULL) {
        sim_die("disk: the coordinator ends request %lu, which is not out", (unsigned long)message->a);
    }
    disk->out[message->a] = NULL;
    if (request->work == DISK_READ && message->size == request->size) {
        memcpy(request->bytes, body, request->size);
    }
    disk->medium.done(&disk->medium, request, message->flags == SIM_DISK_OK);
}

static void arrived(struct sim_port *port, const struct sim_message *message, const char *body)
{
    struct disk_port *disk = (struct disk_port *)((char *)port - offsetof(struct disk_port, port));

    if (message->kind == SIM_DISK) {
        request_ended(disk, message, body);
    } else if (message->kind == SIM_STATE) {
        disk->medium.sectors = message->a;
        disk->medium.read_only = message->b == 1;
        disk->medium.changed(&disk->medium);
    }
}

struct disk_medium *disk_port_open(void)
{
    struct disk_port *disk = calloc(1, sizeof *disk);

    if (disk == NULL) {
        sim_die("disk: no memory");
    }
    disk->medium.begin = begin;
    disk->port.arrived = arrived;
    return sim_port_add(&disk->port) ? &disk->medium : NULL;
}

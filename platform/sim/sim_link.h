/* SPDX-License-Identifier: MIT OR Apache-2.0
 * sim_link.h: one end of the socket between an image and its coordinator: batches of messages out, single messages in.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "sim_protocol.h"

struct sim_bytes {
    char *data;
    size_t used; /* that stand there */
    size_t size; /* that there is room for */
};

struct sim_link {
    int fd;
    size_t at;            /* how much of `in` was looked at */
    struct sim_bytes out; /* the batch that will be sent */
    struct sim_bytes in;  /* read */
};

/* Puts a message, with `message.size` bytes of body, behind the batch. False: no memory. */
bool sim_link_say(struct sim_link *link, const struct sim_message *message, const void *body);
/* Sends the batch, with descriptor `pass` (-1: none). False: the other end is gone. */
bool sim_link_send(struct sim_link *link, int pass);
/* Waits for the next message. `body` is borrowed until the next call. *passed becomes a descriptor that came along, or
 * stays as it was. False: the other end is gone, or says what is no message. */
bool sim_link_next(struct sim_link *link, struct sim_message *message, const char **body, int *passed);
/* Closes it and gives its memory back. */
void sim_link_end(struct sim_link *link);

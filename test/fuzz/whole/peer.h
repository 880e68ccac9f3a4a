/* SPDX-License-Identifier: MIT OR Apache-2.0
 * peer.h: a host on the other end of the image's cable: it gives it an address, answers ARP, and speaks TCP to its port 7000,
 * well, or as badly as the input says; checksums are right always, so that what it says is heard.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The image sent this. */
void peer_heard(const uint8_t *frame, size_t size);
/* Bytes on the connection, which is opened when there is none. They leave as the image's window lets them. */
void peer_say(const uint8_t *bytes, size_t size);
/* One segment that is as wrong as the input says. */
void peer_segment(void);
/* Any frame, its checksums mended. */
void peer_any_frame(void);
/* Ends the connection, properly or with a RST. */
void peer_close(bool reset);
/* Asks for the image's address by ARP; peer_knows() says whether it ever answered since. */
void peer_ask(void);
bool peer_knows(void);
/* The image has an address. */
bool peer_leased(void);

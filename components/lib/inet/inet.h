/* SPDX-License-Identifier: MIT OR Apache-2.0
 * inet.h: Internet endpoints, as text and as numbers. No state, no failure but "that is none". Any room.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INET_TEXT_MAX 22u /* "255.255.255.255:65535", NUL included */

/* An endpoint; or a scope, where 0 stands for any address or any port. */
struct inet_endpoint {
    uint32_t address; /* IPv4, the first byte in the highest place */
    uint16_t port;
};

/* "7000", 1 to 65535 and nothing behind it. False: the output is untouched, here and below. */
bool inet_port_parse(const char *text, uint16_t *port);
/* "192.0.2.7:80"; neither part may be 0. */
bool inet_endpoint_parse(const char *text, struct inet_endpoint *endpoint);
/* The same, or with `*` for either part, or "any" for both. */
bool inet_scope_parse(const char *text, struct inet_endpoint *scope);
/* The text of an endpoint or of a scope, INET_TEXT_MAX bytes at most. */
void inet_text(struct inet_endpoint endpoint, char *text);
/* "192.0.2.7", 16 bytes at most, NUL included. */
void inet_address_text(uint32_t address, char *text);
/* All that `inner` (an endpoint or a scope) allows, `outer` allows too. */
static inline bool inet_covers(struct inet_endpoint outer, struct inet_endpoint inner)
{
    return (outer.address == 0 || outer.address == inner.address) && (outer.port == 0 || outer.port == inner.port);
}

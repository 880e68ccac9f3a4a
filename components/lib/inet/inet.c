/* SPDX-License-Identifier: MIT OR Apache-2.0
 * inet.c: endpoints from text and to text.
 */
#include "lib/inet/inet.h"
#include <string.h>
#include "core/fmt.h"

/* A decimal number up to `most` at *text, which moves behind it. False: none, or too large. */
static bool parse_number(const char **text, uint32_t most, uint32_t *value)
{
    uint32_t v = 0;
    const char *p = *text;

    if (*p < '0' || *p > '9') {
        return false;
    }
    for (; *p >= '0' && *p <= '9'; p++) {
        v = v * 10 + (uint32_t)(*p - '0');
        if (v > most) {
            return false;
        }
    }
    *text = p;
    *value = v;
    return true;
}

static bool parse_char(const char **text, char c)
{
    bool there = **text == c;

    *text += there;
    return there;
}

/* Not 0.0.0.0. */
static bool parse_address(const char **text, uint32_t *address)
{
    uint32_t a = 0;
    uint32_t byte;

    for (unsigned i = 0; i < 4; i++) {
        if ((i > 0 && !parse_char(text, '.')) || !parse_number(text, 255, &byte)) {
            return false;
        }
        a = a << 8 | byte;
    }
    *address = a;
    return a != 0;
}

bool inet_port_parse(const char *text, uint16_t *port)
{
    uint32_t v;

    if (!parse_number(&text, UINT16_MAX, &v) || v == 0 || *text != '\0') {
        return false;
    }
    *port = (uint16_t)v;
    return true;
}

bool inet_endpoint_parse(const char *text, struct inet_endpoint *endpoint)
{
    struct inet_endpoint e;

    if (!parse_address(&text, &e.address) || !parse_char(&text, ':') || !inet_port_parse(text, &e.port)) {
        return false;
    }
    *endpoint = e;
    return true;
}

bool inet_scope_parse(const char *text, struct inet_endpoint *scope)
{
    struct inet_endpoint s = {0, 0};

    if (strcmp(text, "any") == 0) {
        *scope = s;
        return true;
    }
    if ((!parse_char(&text, '*') && !parse_address(&text, &s.address)) || !parse_char(&text, ':')) {
        return false;
    }
    if (strcmp(text, "*") != 0 && !inet_port_parse(text, &s.port)) {
        return false;
    }
    *scope = s;
    return true;
}

void inet_address_text(uint32_t a, char *text)
{
    (void)fmt_text(text, 16, "%u.%u.%u.%u", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255);
}

void inet_text(struct inet_endpoint e, char *text)
{
    char address[16] = "*";
    char port[6] = "*";

    if (e.address != 0) {
        inet_address_text(e.address, address);
    }
    if (e.port != 0) {
        (void)fmt_text(port, sizeof port, "%u", e.port);
    }
    (void)fmt_text(text, INET_TEXT_MAX, "%s:%s", address, port);
}

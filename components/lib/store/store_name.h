/* SPDX-License-Identifier: MIT OR Apache-2.0
 * store_name.h: rule (5) of store.capnp: what is a name, and what is a path.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define STORE_NAME_MAX 255u
#define STORE_PATH_MAX 4095u

/* Bytes of the well-formed character (RFC 3629) at `text`; 0: none, or a control character. */
static inline uint32_t store_name_character(const unsigned char *text, uint32_t size)
{
    uint32_t length = text[0] < 0x80 ? 1 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;
    uint32_t value = length == 1 ? text[0] : text[0] & (0x7fu >> length);

    if (length > size || (length > 1 && (text[0] < 0xc2 || text[0] > 0xf4))) {
        return 0;
    }
    for (uint32_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
        value = value << 6 | (text[i] & 0x3f);
    }
    bool shortest = length < 3 || value >= (length == 3 ? 0x800u : 0x10000u);
    bool surrogate = value >= 0xd800 && value < 0xe000;
    bool control = value < 0x20 || (value >= 0x7f && value < 0xa0);
    return shortest && !surrogate && !control && value <= 0x10ffff ? length : 0;
}

/* Of one name within a path. */
static inline bool store_name_fits(const char *name, uint32_t size)
{
    uint32_t length;

    if (size == 0 || size > STORE_NAME_MAX || (name[0] == '.' && (size == 1 || (size == 2 && name[1] == '.')))) {
        return false;
    }
    for (uint32_t i = 0; i < size; i += length) {
        length = store_name_character((const unsigned char *)name + i, size - i);
        if (length == 0 || name[i] == '/') {
            return false;
        }
    }
    return true;
}

/* How much of a path its first name is. */
static inline uint32_t store_name_first(const char *path, uint32_t size)
{
    uint32_t length = 0;

    while (length < size && path[length] != '/') {
        length++;
    }
    return length;
}

/* The empty path is one. */
static inline bool store_name_is_path(const char *path, uint32_t size)
{
    if (size > STORE_PATH_MAX || (size > 0 && path[size - 1] == '/')) {
        return false;
    }
    while (size > 0) {
        uint32_t length = store_name_first(path, size);
        if (!store_name_fits(path, length)) {
            return false;
        }
        length += length < size ? 1 : 0;
        path += length;
        size -= length;
    }
    return true;
}

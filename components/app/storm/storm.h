/* SPDX-License-Identifier: MIT OR Apache-2.0
 * storm.h: what a visit says.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* Cap'n Proto RPC: a Bootstrap, then calls on what it will return, each with a question of its own, and no Finish ever. Built
 * once, lent to every stream. */
struct storm_words {
    const uint8_t *bytes;
    size_t size;
};
struct storm_words storm_words_make(void);

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * net_lwip_checksum.h: the Internet checksum.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* The folded one's-complement sum, not inverted, in the buffer's byte order. Any room. */
uint16_t net_lwip_checksum(const void *data, int len);

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * crc32c.h: CRC-32C (RFC 3720 B.4). Pure after crc32c_init(); any room.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* Fills the tables. Calling it again changes nothing. */
void crc32c_init(void);

/* The CRC of `size` more bytes after those that gave `crc`; start with 0. */
uint32_t crc32c_update(uint32_t crc, const void *bytes, size_t size);

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * cc.h: what lwIP asks of a compiler and of a machine. Included by lwIP alone.
 */
#pragma once
#include "core/assert.h"
#include <stddef.h>
#include <stdint.h>

/* Without these lwIP includes headers that a freestanding build does not have. */
#define LWIP_NO_CTYPE_H 1
#define LWIP_NO_INTTYPES_H 1
#define LWIP_NO_UNISTD_H 1
#define LWIP_NO_LIMITS_H 1
#ifndef SSIZE_MAX
#define SSIZE_MAX 0x7fffffffffffffffL
#define _SSIZE_T_DECLARED
#define __ssize_t_defined
typedef long ssize_t;
#endif
#define X8_F "02x"
#define U16_F "u"
#define S16_F "d"
#define X16_F "x"
#define U32_F "u"
#define S32_F "d"
#define X32_F "x"
#define SZT_F "zu"

#define BYTE_ORDER LITTLE_ENDIAN

/* lwIP's diagnostics go nowhere; a broken invariant of its own stops the machine like one of ours. */
#define LWIP_PLATFORM_DIAG(x)
#define LWIP_PLATFORM_ASSERT(text) panic("lwIP: %s (%s:%d)", text, __FILE_NAME__, __LINE__)

uint32_t net_lwip_random(void);
#define LWIP_RAND() net_lwip_random()

uint16_t net_lwip_checksum(const void *data, int len);
#define LWIP_CHKSUM(data, len) net_lwip_checksum(data, len)

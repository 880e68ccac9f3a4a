/* SPDX-License-Identifier: MIT OR Apache-2.0
 * dhcp.h: addresses for a closed network, one for each place on it. RFC 2131, as much of it as a client needs.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define DHCP_REPLY_MAX 346u
#define DHCP_FIRST 0x0a09000au /* 10.9.0.10: the first place's address; the server calls itself 10.9.0.1 */

/* The server's answer to the frame of somebody who is to have `address`; 0: the frame asks for none. */
size_t dhcp_answer(const char *frame, size_t size, uint32_t address, char *reply);

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * dhcp.h: the addresses of a simulated fleet: node N is 10.9.0.(10 + N). RFC 2131, as much of it as a client needs.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct run;
struct node;

/* Answers the frame if it is for a DHCP server. */
void dhcp_frame(struct run *run, struct node *from, uint64_t time_ns, const char *frame, size_t size);

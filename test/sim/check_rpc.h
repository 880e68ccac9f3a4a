/* SPDX-License-Identifier: MIT OR Apache-2.0
 * check_rpc.h: what must hold of remote calls, whoever is cut, cancelled or disconnected meanwhile. The lines that it reads
 * are described in components/app/rpc-load/rpc_load.h.
 *
 *  (1) A call reaches its object once at most, and only if somebody sent it.
 *  (2) The calls of a line reach their object in the order in which they were sent: what its reference has become on the
 *      way, here, at home, or a promise of either, changes nothing (E-order; Miller, "Robust Composition", 2006).
 *  (3) A call has exactly one end, unless its sender lost power. One that returned had reached its object.
 *  (4) One that was not cancelled fails because the peer is gone, if anything has happened that may end a connection, or because a
 *      pool refused, if one was made to, or, where a promise of the line was broken, so; and in an audit for none of these.
 */
#pragma once
#include <stdint.h>

struct run;
struct node;
struct rpc;

/* What follows "@ rpc " in a line of a node's console. */
void rpc_line(struct run *run, const struct node *node, const char *said);
/* The run is over. Gives back what was kept. */
void rpc_end(struct run *run);

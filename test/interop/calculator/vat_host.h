/* SPDX-License-Identifier: MIT OR Apache-2.0
 * vat_host.h: a vat in a process of the host, for the interop programs.
 */
#pragma once
#include "app/calculator/calculator.capnp.h"
#include "rpc/vat/vat.h"
#include "socket_stream.h"

struct object *app_calculator_provide_calculator(void);

static inline struct vat *vat_host(void)
{
    static const struct vat_options options = {
        .connections = 4,
        .answers = 256,
        .live = 64,
        .live_all = 128,
        .questions = 64,
        .exports = 128,
        .imports = 64,
        .promises = 128,
        .small = 256,
        .medium = 8,
        .large = 2,
        .window_bytes = 320 * 1024,
        .stall_seconds = 30,
    };
    return vat_new(&options);
}
/* Prints what is left, which must be nothing. */
static inline int vat_host_left(struct vat *vat)
{
    struct vat_usage u;
    vat_usage(vat, &u);
    unsigned left =
        u.connections + u.live + u.questions + u.exports + u.imports + u.promises + u.small + u.medium + u.large;
    printf("%llu calls served, %llu aborts, %u entries left\n", (unsigned long long)u.calls,
           (unsigned long long)u.aborted, left);
    return left == 0 && u.aborted == 0 ? 0 : 1;
}

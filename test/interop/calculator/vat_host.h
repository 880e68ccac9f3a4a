/* SPDX-License-Identifier: MIT OR Apache-2.0
 * vat_host.h: a vat in a process of the host, for the interop programs.
 */
#pragma once
#include "rpc/vat/vat.h"
#include "socket_stream.h"

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
/* One connection, from its beginning to its end, and what is left then: see vat_host_left. Prints the port. */
static inline void vat_host_serve(struct vat *vat, struct object *bootstrap)
{
    static struct socket_stream s;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(a);

    vat_serve(vat, bootstrap);
    test_room = ROOM_LOOP;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    REQUIRE(bind(listener, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(listener, 1) == 0);
    REQUIRE(getsockname(listener, (struct sockaddr *)&a, &size) == 0);
    printf("%u\n", ntohs(a.sin_port));
    fflush(stdout);
    int fd = accept(listener, NULL, NULL);
    REQUIRE(fd >= 0);
    struct vat_connection *c = vat_open(vat);
    socket_open(&s, fd, vat_client(c));
    vat_attach(c, &s.stream);
    while (!s.done) {
        socket_turn(&s, 1000);
    }
    vat_close(c);
    while (!list_empty(&posted)) {
        run_posted();
    }
}
/* Prints what is left, which must be nothing. 0: so it is, and as many connections ended in an Abort as should have. */
static inline int vat_host_left(struct vat *vat, unsigned aborts)
{
    struct vat_usage u;
    vat_usage(vat, &u);
    unsigned left =
        u.connections + u.live + u.questions + u.exports + u.imports + u.promises + u.small + u.medium + u.large;
    printf("%llu calls served, %llu aborts, %u entries left\n", (unsigned long long)u.calls,
           (unsigned long long)u.aborted, left);
    return left == 0 && u.aborted == aborts ? 0 : 1;
}

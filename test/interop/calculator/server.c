/* SPDX-License-Identifier: MIT OR Apache-2.0
 * server.c: app/calculator over our vat, for a client of the reference implementation. Prints its port; serves one
 * connection; exit 0 when that ended cleanly and nothing is left.
 */
#include "vat_host.h"

int main(void)
{
    static struct socket_stream s;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(a);
    struct vat *vat = vat_host();

    vat_serve(vat, app_calculator_provide_calculator());
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
    for (unsigned i = 0; i < 100000 && !s.done; i++) {
        socket_turn(&s, 1000);
    }
    for (unsigned i = 0; i < 100; i++) {
        run_posted();
    }
    return vat_host_left(vat);
}

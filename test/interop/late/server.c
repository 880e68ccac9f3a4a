/* SPDX-License-Identifier: MIT OR Apache-2.0
 * server.c: Late over our vat, for a client of the reference implementation. Prints its port; serves one connection; exit
 * 0 when nothing is left. usage: server [huge]: the client sends too much, and its connection is to end with an Abort
 */
#include "late.h"

int main(int argc, char **argv)
{
    late_vat = vat_host();
    struct object *late = late_new();

    vat_host_serve(late_vat, late);
    return lates_alive == 1 ? vat_host_left(late_vat, argc > 1) : 1;
}

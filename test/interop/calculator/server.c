/* SPDX-License-Identifier: MIT OR Apache-2.0
 * server.c: app/calculator over our vat, for a client of the reference implementation. Prints its port; serves one
 * connection; exit 0 when that ended cleanly and nothing is left.
 */
#include "app/calculator/calculator.capnp.h"
#include "vat_host.h"

struct object *app_calculator_provide_calculator(void);

int main(void)
{
    struct vat *vat = vat_host();

    vat_host_serve(vat, app_calculator_provide_calculator());
    return vat_host_left(vat, 0);
}

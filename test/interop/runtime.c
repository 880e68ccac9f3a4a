/* SPDX-License-Identifier: MIT OR Apache-2.0
 * runtime.c: the runtime without its calls, which would want a core.
 */
#include "lib/capnp/capnp_build.c"
#include "lib/capnp/capnp_pack.c"
#include "lib/capnp/capnp_read.c"
#include "lib/capnp/capnp_walk.c"

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * debugger.h: gdb on a node.
 */
#pragma once

#include "machine.h"

namespace capos
{

/* Makes the image wait for gdb at a free port, at the address that gdb will expect it. */
void prepare_debug(Launch &launch);

/* Runs gdb on this terminal until it ends. */
void run_debugger(const Launch &launch);

} // namespace capos

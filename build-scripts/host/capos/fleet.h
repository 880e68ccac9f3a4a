/* SPDX-License-Identifier: MIT OR Apache-2.0
 * fleet.h: what the fleet verbs share.
 */
#pragma once

#include "args.h"
#include "state.h"

#include <string>
#include <vector>

namespace capos
{

/* The named nodes as `fleet status` shows them, in text or JSON. */
void print_nodes(const Args &args, const State &state, const std::vector<std::string> &names);

} // namespace capos

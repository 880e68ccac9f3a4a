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

/* The console's log of one node, from its beginning; with -f until the node ends. */
void follow_console(const Args &args, Node_record record);

} // namespace capos

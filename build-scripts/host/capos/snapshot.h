/* SPDX-License-Identifier: MIT OR Apache-2.0
 * snapshot.h: a volume as it is at one moment, taken and dropped.
 */
#pragma once

#include "lib/store/store.capnp.h"
#include "session.h"

namespace capos
{

/* Its generation, for root_at(). */
uint64_t take_snapshot(Session &session, const std::string &label);
void drop_snapshot(Session &session, uint64_t generation);

} // namespace capos

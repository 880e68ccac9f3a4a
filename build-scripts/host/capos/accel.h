/* SPDX-License-Identifier: MIT OR Apache-2.0
 * accel.h: KVM or emulation.
 */
#pragma once

#include "args.h"
#include "state.h"

#include <string>

namespace capos
{

/* "kvm" or "tcg", by --accel, else $CAPOS_ACCEL. auto: what a probe found, remembered until this machine boots again.
 */
std::string choose_accel(const Args &args, const State &state);

} // namespace capos

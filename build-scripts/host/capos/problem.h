/* SPDX-License-Identifier: MIT OR Apache-2.0
 * problem.h: a failure as the user or a script reads it.
 */
#pragma once

#include "fail.h"

#include <string>

namespace capos
{

/* Prints it on standard error; with `json` as a Problem on one line. */
void say_failure(const Failure &failure, bool json);

} // namespace capos

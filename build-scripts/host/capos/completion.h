/* SPDX-License-Identifier: MIT OR Apache-2.0
 * completion.h: the shell's part of help.
 */
#pragma once

namespace capos
{

/* Shell functions for completion.bash, which needs them. */
void print_completion();

} // namespace capos

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * points.c: preempt.c of platform/sim, but for a name that is libFuzzer's in this program. Nothing here passes its points.
 */
#define CONFIG_POINTS 1
#define __sanitizer_cov_trace_pc points_edge
#include "preempt.c"

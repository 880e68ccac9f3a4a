/* SPDX-License-Identifier: MIT OR Apache-2.0
 * point.h: places in the source where a THREAD may be stopped. A machine stops it anywhere, so there this is nothing; the
 * simulator stops it at these, and where it calls the machine, as a seed says (platform/sim/preempt.c). A place that is
 * worth naming is one between two steps that somebody else may look between.
 */
#pragma once

#ifdef CONFIG_POINTS
void point_reached(void);
#define POINT() point_reached()
#else
#define POINT() ((void)0)
#endif

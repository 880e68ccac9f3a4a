/* SPDX-License-Identifier: MIT OR Apache-2.0
 * time.h: types only, for third-party code that names them. Time itself is core/loop.h's.
 */
#pragma once
typedef long time_t;

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * rows.h: what a node knows of a file, for a person and for a script.
 */
#pragma once

#include "capos.capnp.h"
#include "lib/store/store.capnp.h"

#include <string>

namespace capos
{

void fill_when(Time::Reader time, When::Builder when);
void fill_file(const std::string &name, Stat::Reader stat, FileRow::Builder row);

/* "2026-01-31 23:59:59 (rtc)", "- (unknown)" */
std::string when_text(When::Reader when);

} // namespace capos

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * port.h: TCP ports of 127.0.0.1.
 */
#pragma once

#include <string>

namespace capos
{

/* One that nobody holds at this moment. */
unsigned free_port();

/* Refuses, naming who holds it if that can be known, and the flag that chooses another. */
void require_free_port(unsigned port, const std::string &flag);

} // namespace capos

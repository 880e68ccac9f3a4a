/* SPDX-License-Identifier: MIT OR Apache-2.0
 * part.h: a file that comes into being whole.
 *
 *  (1) Its bytes go to its part, which gets the file's name by rename when all are there. One capos at a time has a part.
 *  (2) Standard output, "-", and what is no regular file (a device, a FIFO) has no part and gets the bytes as they come: a rename
 *      would replace it.
 */
#pragma once

#include "file.h"

#include <string>

namespace capos
{

/* "FILE.part" */
std::string part_of(const std::string &name);

/* (2) */
bool is_stream(const std::string &name);

/* The part, with what an earlier try has left in it, or the stream itself. Refused while somebody else has it. */
File open_part(const std::string &name, const std::string &part);

void empty_part(File &file);

/* With `durable` the bytes are on the disk before the name is, and the name is there when this returns. */
void put_in_place(File &file, const std::string &name, bool durable);

/* Where `name` stands. */
std::string folder_of(const std::string &name);

} // namespace capos

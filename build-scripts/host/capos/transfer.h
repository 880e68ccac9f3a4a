/* SPDX-License-Identifier: MIT OR Apache-2.0
 * transfer.h: what put and get share.
 *
 *  (1) Chunks are 64 KiB and at most WINDOW of them are outstanding, of all files together: the node's memory and ours
 *      stay bounded whatever there is to move.
 */
#pragma once

#include "args.h"
#include "capos.capnp.h"

#include <capnp/message.h>
#include <string>

namespace capos
{

static constexpr size_t CHUNK = 64 * 1024;
static constexpr size_t WINDOW = 16;

std::string bytes_of(capnp::Data::Reader data);
capnp::Data::Reader data_of(const std::string &bytes);

/* The last line of a put or get, or its JSON. */
void report(const Args &args, const char *verb, Transfer::Builder transfer);
void report_tree(const Args &args, const char *verb, TreeTransfer::Builder tree);

/* Ctrl-C and SIGTERM end us as always, but say first, in this sentence, what that leaves behind. */
void say_when_interrupted(const char *sentence);

} // namespace capos

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * receive.h: the bytes of a file of a node, in order.
 */
#pragma once

#include "lib/store/store.capnp.h"
#include "progress.h"
#include "session.h"

#include <deque>
#include <string>

namespace capos
{

/* A file that does not change while it is read. */
struct Blob {
    ByteSource::Client bytes;
    uint64_t size;
    std::string digest; /* empty: the node knows none */
};
Blob open_file(Session &session, Directory::Client root, const std::string &path);

/* Reads in flight, oldest first. A node may answer with fewer bytes than asked: what was asked behind the gap is
 * thrown away and asked again, which is rare and keeps the order. */
class Reads
{
  public:
    Reads(Session &s, Blob &blob, uint64_t from)
        : session(s), bytes(blob.bytes), asked(from), got(from), size(blob.size)
    {
    }
    bool ended() const
    {
        return got == size;
    }
    capnp::Response<ByteSource::ReadResults> next();

  private:
    void fill();
    capnp::Response<ByteSource::ReadResults> take();
    void begin_again();

    Session &session;
    ByteSource::Client bytes;
    uint64_t asked;
    uint64_t got;
    const uint64_t size;
    size_t window = SIZE_MAX;
    std::deque<kj::Promise<capnp::Response<ByteSource::ReadResults>>> outstanding;
};

} // namespace capos

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * sink.h: where the bytes of a get go.
 *
 *  (1) FILE comes into being by rename, whole, checked and on the disk. What an interrupted get leaves is FILE.part, with
 *      the digest of the blob in FILE.part.sha256; the next get of the same blob goes on from there and checks everything.
 *  (2) Standard output, and what is no regular file (a device, a FIFO), gets the bytes as they come.
 */
#pragma once

#include "digest.h"
#include "file.h"

#include <capnp/blob.h>
#include <string>

namespace capos
{

class Sink
{
  public:
    Sink(const std::string &to, const std::string &blob_digest, uint64_t blob_size);
    void write(capnp::Data::Reader chunk);
    void finish();
    uint64_t reached() const
    {
        return at;
    }

  private:
    void begin_part(uint64_t blob_size);
    void resume(uint64_t blob_size);
    void put_in_place();

    const std::string name;
    const std::string wanted;
    const bool streams; /* (2) */
    File file;
    Digest digest;
    uint64_t at = 0;
};

} // namespace capos

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * sink.h: where the bytes of a get go.
 *
 *  (1) FILE comes into being by rename (part.h), whole and checked. What an interrupted get leaves is its part, with
 *      the digest of the blob in PART.sha256; the next get of the same blob goes on from there and checks everything.
 *      Content of which the node knows no digest cannot be recognised: its part is begun anew.
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
    /* `on_disk`: finish() returns when it is there; else whoever has many of them sees to that. */
    Sink(const std::string &to, const std::string &part, const std::string &blob_digest, uint64_t blob_size,
         bool on_disk);
    void write(capnp::Data::Reader chunk);

    /* The digest of what is there now. */
    std::string finish();
    uint64_t reached() const
    {
        return at;
    }

  private:
    void begin_part(uint64_t blob_size);
    void resume(uint64_t blob_size);

    const std::string name;
    const std::string part;
    const std::string wanted; /* empty: any */
    const bool streams;
    const bool durable;
    File file;
    Digest digest;
    uint64_t at = 0;
};

} // namespace capos

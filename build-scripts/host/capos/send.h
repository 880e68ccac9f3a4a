/* SPDX-License-Identifier: MIT OR Apache-2.0
 * send.h: bytes on their way to a name of a node.
 *
 *  (1) The node is told the digest that we computed, and names the bytes only if they have it. So a name never leads to what
 *      was damaged on the way, and a put that is interrupted leaves the name as it was.
 *  (2) A write that was refused as overloaded may be followed by others that were not: the whole upload is begun anew.
 *      What cannot be read again is sent one chunk at a time, so that each can be sent again.
 */
#pragma once

#include "digest.h"
#include "file.h"
#include "lib/store/store.capnp.h"
#include "progress.h"
#include "session.h"

#include <functional>
#include <optional>
#include <string>

namespace capos
{

class Source
{
  public:
    Source(const std::string &n, uint64_t s, bool a) : name(n), size(s), again(a)
    {
    }
    virtual ~Source() = default;

    /* As many bytes as there are, up to `size`. */
    virtual size_t read(void *bytes, size_t size) = 0;
    virtual void rewind() = 0;

    const std::string name;
    const uint64_t size;
    const bool again; /* rewind() works */
};

class File_source final : public Source
{
  public:
    explicit File_source(File &&f) : Source(f.path, f.size(), true), file(std::move(f))
    {
    }
    size_t read(void *bytes, size_t size) override
    {
        return file.read(bytes, size);
    }
    void rewind() override;

  private:
    File file;
};

/* Of all that it has. */
std::string digest_of(Session &session, Source &source);

/* How an upload of so many bytes is begun. */
using Open_upload = std::function<Upload::Client(uint64_t size)>;

/* The digest of what was sent. */
std::string send(Session &session, const Open_upload &open, Source &source, Progress &progress);

/* The directory of a node, for putting. */
struct Place {
    Session &session;
    Directory::Client root;
    std::optional<Store::Client> store; /* that is asked whether it has the bytes already */
};
Place place_of(Session &session);

struct Sent {
    std::string digest;
    bool known; /* the node had the bytes */
};

/* The file at `path` is what `source` has, directories before it made if they are missing. */
Sent put_at(Place &place, const std::string &path, Source &source, Progress &progress);

} // namespace capos

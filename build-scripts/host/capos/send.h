/* SPDX-License-Identifier: MIT OR Apache-2.0
 * send.h: bytes on their way to a name of a node.
 *
 *  (1) The node is told the digest that we computed, and names the bytes only if they have it. So a name never leads to what
 *      was damaged on the way, and a put that is interrupted leaves the name as it was.
 *  (2) What is not small and can be read again is announced with its digest: an upload that broke, or of which a write was
 *      refused as overloaded, is gone on with where the node says. If the bytes are not right in the end, all are sent, once.
 *  (3) What cannot be read again is sent one chunk at a time, so that each can be sent again.
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
    virtual void seek(uint64_t offset) = 0;

    const std::string name;
    const uint64_t size;
    const bool again; /* seek() works */

    /* What putting it has come to, over all connections. */
    std::string digest;            /* empty: it was not computed */
    std::optional<uint64_t> found; /* bytes that the node had when the first upload was begun */
    uint64_t given = 0;            /* the most that it had when one was begun */
    uint64_t taken = 0;            /* the most that it acknowledged */
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
    void seek(uint64_t offset) override;

  private:
    File file;
};

/* Of all that it has. */
std::string digest_of(Session &session, Source &source);

struct Begun {
    Upload::Client upload;
    uint64_t received; /* bytes of the beginning that the node has */
};
/* How an upload of the source is begun, or gone on with. */
using Open_upload = std::function<Begun()>;

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

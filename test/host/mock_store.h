/* SPDX-License-Identifier: MIT OR Apache-2.0
 * mock_store.h: the mock node's store and namespace, in memory.
 */
#pragma once

#include "lib/store/store.capnp.h"
#include "mock_world.h"

#include <algorithm>

class Mock_upload final : public Upload::Server
{
  public:
    /* `named` gives the bytes a name when they are whole. With a key it begins with what was kept under that. */
    Mock_upload(World &w, uint64_t announced, kj::Function<void(const std::string &)> n, const std::string &key = "")
        : world(w), size(announced), named(kj::mv(n)), kept_as(key)
    {
        world.uploads++;
        if (!kept_as.empty()) {
            bytes.swap(world.kept[kept_as]);
        }
    }
    ~Mock_upload() noexcept(false)
    {
        world.uploads--;
        if (!kept_as.empty()) {
            if (world.fault("flip-kept") != 0 && !bytes.empty()) {
                bytes[0] = static_cast<char>(bytes[0] ^ 1);
            }
            world.kept[kept_as] = bytes;
        }
    }
    uint64_t received() const
    {
        return bytes.size();
    }

  protected:
    kj::Promise<void> write(WriteContext context) override
    {
        if (world.busy("write")) {
            return too_busy();
        }
        if (world.fault("stall-writes") != 0) {
            return kj::NEVER_DONE;
        }
        uint64_t offset = context.getParams().getOffset();
        if (offset != UINT64_MAX && offset != bytes.size()) {
            return error(kj::Exception::Type::FAILED, "conflict: another byte is next");
        }
        bytes += bytes_of(context.getParams().getChunk());
        size_t flip = static_cast<size_t>(world.fault("flip-write"));
        if (flip != 0 && flip < bytes.size() && flip + context.getParams().getChunk().size() >= bytes.size()) {
            bytes[flip] = static_cast<char>(bytes[flip] ^ 1);
        }
        world.move(context.getParams().getChunk().size());
        world.writing++;
        if (world.fault("window") != 0 && world.writing > world.fault("window")) {
            _exit(9);
        }
        return world.pace().then([this]() { world.writing--; });
    }
    kj::Promise<void> done(DoneContext) override
    {
        return kj::READY_NOW;
    }
    kj::Promise<void> finish(FinishContext context) override
    {
        if (world.busy("finish")) {
            return too_busy();
        }
        if (bytes.size() != size) {
            return error(kj::Exception::Type::FAILED, "another size than announced");
        }
        kept_as.clear();
        std::string digest = sha256(bytes);
        std::string expected = bytes_of(context.getParams().getExpected());
        if (world.fault("no-expected") == 0 && !expected.empty() && expected != digest) {
            return error(kj::Exception::Type::FAILED, "corrupt: the upload has another digest than expected");
        }
        world.blobs[digest] = bytes;
        named(digest);
        if (world.fault("wrong-digest") != 0) {
            digest[0] = static_cast<char>(digest[0] ^ 1);
        }
        context.getResults().setDigest(data_of(digest));
        return kj::READY_NOW;
    }

  private:
    World &world;
    uint64_t size;
    kj::Function<void(const std::string &)> named;
    std::string kept_as; /* empty: its bytes go with it */
    std::string bytes;
};

class Mock_source final : public ByteSource::Server
{
  public:
    Mock_source(World &w, const std::string &content) : world(w), bytes(content)
    {
    }

  protected:
    kj::Promise<void> read(ReadContext context) override
    {
        if (world.busy("read")) {
            return too_busy();
        }
        return world.pace().then([this, context]() mutable { answer(context); });
    }
    kj::Promise<void> size(SizeContext context) override
    {
        context.getResults().setBytes(bytes.size());
        return kj::READY_NOW;
    }

  private:
    void answer(ReadContext context)
    {
        uint64_t offset = std::min<uint64_t>(context.getParams().getOffset(), bytes.size());
        uint64_t limit = std::min<uint64_t>(context.getParams().getLimit(), 65536);
        limit = world.fault("short-reads") != 0 ? std::min<uint64_t>(limit, 1000) : limit;
        std::string chunk = bytes.substr(offset, limit);
        uint64_t flip = static_cast<uint64_t>(world.fault("flip-byte"));
        if (flip >= offset + (flip == 0) && flip < offset + chunk.size()) {
            chunk[flip - offset] = static_cast<char>(chunk[flip - offset] ^ 1);
        }
        world.move(chunk.size());
        context.getResults().setChunk(data_of(chunk));
    }

    World &world;
    std::string bytes;
};

class Mock_store final : public Store::Server
{
  public:
    explicit Mock_store(World &w) : world(w)
    {
    }

  protected:
    kj::Promise<void> put(PutContext context) override
    {
        if (world.busy("put")) {
            return too_busy();
        }
        if (world.fault("full") != 0) {
            return error(kj::Exception::Type::FAILED, "full: no room for the blob");
        }
        context.getResults().setUpload(
            kj::heap<Mock_upload>(world, context.getParams().getSize(), [](const std::string &) {}));
        return kj::READY_NOW;
    }
    kj::Promise<void> get(GetContext context) override
    {
        if (world.busy("get")) {
            return too_busy();
        }
        auto found = world.blobs.find(bytes_of(context.getParams().getDigest()));
        if (found == world.blobs.end()) {
            return error(kj::Exception::Type::FAILED, "not-found: no such blob");
        }
        context.getResults().setBlob(kj::heap<Mock_source>(world, found->second));
        context.getResults().setSize(found->second.size() + static_cast<uint64_t>(world.fault("larger")));
        return kj::READY_NOW;
    }
    kj::Promise<void> stat(StatContext context) override
    {
        auto found = world.blobs.find(bytes_of(context.getParams().getDigest()));
        context.getResults().setPresent(found != world.blobs.end());
        return kj::READY_NOW;
    }
    kj::Promise<void> info(InfoContext context) override
    {
        context.getResults().setTotalBytes(1 << 30);
        context.getResults().setFreeBytes(world.fault("room") != 0 ? static_cast<uint64_t>(world.fault("room"))
                                                                   : 1 << 30);
        context.getResults().setBlobs(world.blobs.size());
        return kj::READY_NOW;
    }

  private:
    World &world;
};

class Mock_names final : public Namespace::Server
{
  public:
    explicit Mock_names(World &w) : world(w)
    {
    }

  protected:
    kj::Promise<void> bind(BindContext context) override
    {
        if (world.busy("bind")) {
            return too_busy();
        }
        auto params = context.getParams();
        context.getResults().setPrevious(data_of(world.names[params.getName().cStr()]));
        world.names[params.getName().cStr()] = bytes_of(params.getDigest());
        return kj::READY_NOW;
    }
    kj::Promise<void> lookup(LookupContext context) override
    {
        if (world.busy("lookup")) {
            return too_busy();
        }
        if (context.getParams().getName().size() == 0) {
            return error(kj::Exception::Type::FAILED, "bad-argument: a name is 1 to 255 bytes");
        }
        auto found = world.names.find(context.getParams().getName().cStr());
        if (found != world.names.end()) {
            context.getResults().setDigest(data_of(found->second));
            context.getResults().setSize(world.blobs[found->second].size() +
                                         static_cast<uint64_t>(world.fault("larger")));
            context.getResults().setPresent(true);
        }
        return kj::READY_NOW;
    }
    kj::Promise<void> list(ListContext context) override
    {
        auto entries = context.getResults().initEntries(static_cast<unsigned>(world.names.size()));
        unsigned i = 0;
        for (auto &name : world.names) {
            entries[i].setName(name.first.c_str());
            entries[i].setDigest(data_of(name.second));
            entries[i++].setSize(world.blobs[name.second].size());
        }
        return kj::READY_NOW;
    }

  private:
    World &world;
};

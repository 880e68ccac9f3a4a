/* SPDX-License-Identifier: MIT OR Apache-2.0
 * mock_node.c++: a storage node in a process, by the reference implementation, that misbehaves on demand.
 *
 * The tests of the host command run against it: what capos does when a node lies, stalls or dies must not depend on
 * bringing a real image into that state. It keeps everything in memory and prints "port N" when it listens.
 *
 *   mock_node --schema FILE [--fault NAME[=NUMBER]]...
 *     wrong-digest       finish() answers another digest
 *     flip-byte=AT       a read that covers offset AT returns that byte changed
 *     short-reads        a read returns at most 1,000 bytes
 *     die-after=BYTES    the process ends once so many bytes were written or read
 *     silent             connections are accepted and never answered
 *     slow=MS            each write and read takes so long
 *     stall-writes       a write is never answered
 *     deny               every Node.get is refused
 *     full               Store.put is refused as overloaded
 *     bad-schema         the schema is cut in the middle
 *     window=N           more than N writes outstanding at once ends the process with status 9
 */
#include "lib/store/store.capnp.h"
#include "svc/echo/echo.capnp.h"
#include "svc/node/node.capnp.h"

#include <algorithm>
#include <capnp/rpc-twoparty.h>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <kj/async-io.h>
#include <map>
#include <openssl/sha.h>
#include <sstream>
#include <string>
#include <unistd.h>

namespace
{

struct World {
    std::map<std::string, long> faults;
    std::map<std::string, std::string> blobs;
    std::map<std::string, std::string> names;
    std::string schema;
    kj::Timer *timer = nullptr;
    long moved = 0;
    long writing = 0;

    long fault(const char *name) const
    {
        auto found = faults.find(name);
        return found == faults.end() ? 0 : found->second;
    }
    void move(size_t bytes)
    {
        moved += static_cast<long>(bytes);
        if (fault("die-after") != 0 && moved >= fault("die-after")) {
            _exit(0);
        }
    }
    kj::Promise<void> pace() const
    {
        if (fault("slow") == 0) {
            return kj::READY_NOW;
        }
        return timer->afterDelay(fault("slow") * kj::MILLISECONDS);
    }
};

kj::Exception error(kj::Exception::Type type, const std::string &reason)
{
    return kj::Exception(type, __FILE__, __LINE__, kj::heapString(reason.c_str()));
}

std::string bytes_of(capnp::Data::Reader data)
{
    return std::string(reinterpret_cast<const char *>(data.begin()), data.size());
}

capnp::Data::Reader data_of(const std::string &bytes)
{
    return capnp::Data::Reader(reinterpret_cast<const kj::byte *>(bytes.data()), bytes.size());
}

std::string sha256(const std::string &bytes)
{
    unsigned char out[SHA256_DIGEST_LENGTH];
    SHA256(reinterpret_cast<const unsigned char *>(bytes.data()), bytes.size(), out);
    return std::string(reinterpret_cast<char *>(out), sizeof out);
}

class Mock_upload final : public Upload::Server
{
  public:
    Mock_upload(World &w, uint64_t announced) : world(w), size(announced)
    {
    }

  protected:
    kj::Promise<void> write(WriteContext context) override
    {
        if (world.fault("stall-writes") != 0) {
            return kj::NEVER_DONE;
        }
        bytes += bytes_of(context.getParams().getChunk());
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
        if (bytes.size() != size) {
            return error(kj::Exception::Type::FAILED, "another size than announced");
        }
        std::string digest = sha256(bytes);
        world.blobs[digest] = bytes;
        if (world.fault("wrong-digest") != 0) {
            digest[0] = static_cast<char>(digest[0] ^ 1);
        }
        context.getResults().setDigest(data_of(digest));
        return kj::READY_NOW;
    }

  private:
    World &world;
    uint64_t size;
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
        if (world.fault("full") != 0) {
            return error(kj::Exception::Type::OVERLOADED, "no room for the blob");
        }
        context.getResults().setUpload(kj::heap<Mock_upload>(world, context.getParams().getSize()));
        return kj::READY_NOW;
    }
    kj::Promise<void> get(GetContext context) override
    {
        auto found = world.blobs.find(bytes_of(context.getParams().getDigest()));
        if (found == world.blobs.end()) {
            return error(kj::Exception::Type::FAILED, "not-found: no such blob");
        }
        context.getResults().setBlob(kj::heap<Mock_source>(world, found->second));
        context.getResults().setSize(found->second.size());
        return kj::READY_NOW;
    }
    kj::Promise<void> info(InfoContext context) override
    {
        context.getResults().setTotalBytes(1 << 30);
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
        auto params = context.getParams();
        context.getResults().setPrevious(data_of(world.names[params.getName().cStr()]));
        world.names[params.getName().cStr()] = bytes_of(params.getDigest());
        return kj::READY_NOW;
    }
    kj::Promise<void> lookup(LookupContext context) override
    {
        auto found = world.names.find(context.getParams().getName().cStr());
        if (found != world.names.end()) {
            context.getResults().setDigest(data_of(found->second));
            context.getResults().setSize(world.blobs[found->second].size());
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

class Mock_echo final : public Echo::Server
{
  protected:
    kj::Promise<void> echo(EchoContext context) override
    {
        context.getResults().setText(context.getParams().getText());
        return kj::READY_NOW;
    }
    kj::Promise<void> bytes(BytesContext context) override
    {
        context.getResults().setData(context.getParams().getData());
        return kj::READY_NOW;
    }
    kj::Promise<void> self(SelfContext context) override
    {
        context.getResults().setEcho(thisCap());
        return kj::READY_NOW;
    }
    kj::Promise<void> fail(FailContext context) override
    {
        return error(kj::Exception::Type::FAILED, context.getParams().getReason().cStr());
    }
};

class Mock_node final : public Node::Server
{
  public:
    explicit Mock_node(World &w) : world(w)
    {
    }

  protected:
    kj::Promise<void> info(InfoContext context) override
    {
        if (world.fault("silent") != 0) {
            return kj::NEVER_DONE;
        }
        auto out = context.getResults();
        out.setProfile("mock");
        out.setVersion("0.0.1");
        out.setBuildId("0123456789abcdef0123");
        out.setPlatform("host");
        out.setUptimeNs(1500000000);
        out.setMemoryBytes(16 << 20);
        out.setHealthy(true);
        return kj::READY_NOW;
    }
    kj::Promise<void> list(ListContext context) override
    {
        auto caps = context.getResults().initCaps(3);
        caps[0].setName("store");
        caps[0].setInterfaceId(capnp::typeId<Store>());
        caps[0].setInterface("Store");
        caps[1].setName("names");
        caps[1].setInterfaceId(capnp::typeId<Namespace>());
        caps[1].setInterface("Namespace");
        caps[2].setName("echo");
        caps[2].setInterfaceId(capnp::typeId<Echo>());
        caps[2].setInterface("Echo");
        return kj::READY_NOW;
    }
    kj::Promise<void> get(GetContext context) override
    {
        std::string name = context.getParams().getName().cStr();
        if (world.fault("deny") != 0 || (name != "store" && name != "names" && name != "echo")) {
            return error(kj::Exception::Type::FAILED, "denied: this session has no '" + name + "'");
        }
        if (name == "store") {
            context.getResults().setCap(kj::heap<Mock_store>(world));
        } else if (name == "names") {
            context.getResults().setCap(kj::heap<Mock_names>(world));
        } else {
            context.getResults().setCap(kj::heap<Mock_echo>());
        }
        return kj::READY_NOW;
    }
    kj::Promise<void> schema(SchemaContext context) override
    {
        size_t total = world.fault("bad-schema") != 0 ? world.schema.size() / 2 / 8 * 8 : world.schema.size();
        size_t offset = std::min<size_t>(context.getParams().getOffset(), total);
        size_t limit = std::min<size_t>(context.getParams().getLimit(), 4096);
        context.getResults().setData(data_of(world.schema.substr(offset, std::min(limit, total - offset))));
        context.getResults().setTotal(static_cast<uint32_t>(total));
        return kj::READY_NOW;
    }
    kj::Promise<void> logs(LogsContext context) override
    {
        if (context.getParams().getSince() == 0) {
            context.getResults().initLines(1).set(0, "a line");
        }
        context.getResults().setNext(1);
        return kj::READY_NOW;
    }

  private:
    World &world;
};

void parse(World &world, int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        std::string flag = argv[i];
        std::string value = argv[i + 1];
        if (flag == "--schema") {
            std::ifstream in(value, std::ios::binary);
            std::ostringstream text;
            text << in.rdbuf();
            world.schema = text.str();
        } else {
            size_t equals = value.find('=');
            world.faults[value.substr(0, equals)] =
                equals == std::string::npos ? 1 : strtol(value.c_str() + equals + 1, nullptr, 10);
        }
    }
}

} // namespace

int main(int argc, char **argv)
{
    World world;
    parse(world, argc, argv);
    auto io = kj::setupAsyncIo();
    world.timer = &io.provider->getTimer();
    auto address = io.provider->getNetwork().parseAddress("127.0.0.1", 0).wait(io.waitScope);
    auto listener = address->listen();
    capnp::TwoPartyServer server(kj::heap<Mock_node>(world));
    printf("port %u\n", listener->getPort());
    fflush(stdout);
    server.listen(*listener).wait(io.waitScope);
    return 0;
}

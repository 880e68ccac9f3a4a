/* SPDX-License-Identifier: MIT OR Apache-2.0
 * mock_node.c++: a storage node in a process, by the reference implementation, that misbehaves on demand.
 *
 * The tests of the host command run against it: what capos does when a node lies, stalls or dies must not depend on
 * bringing a real image into that state. It keeps everything in memory and prints "port N" when it listens.
 *
 *   mock_node --schema FILE [--fault NAME[=NUMBER]]...
 *     wrong-digest       finish() answers another digest
 *     flip-byte=AT       a read that covers offset AT returns that byte changed
 *     flip-write=AT      the byte at offset AT of an upload is changed when it comes
 *     short-reads        a read returns at most 1,000 bytes
 *     die-after=BYTES    the process ends once so many bytes were written or read
 *     break-every=BYTES  the connection breaks whenever so many bytes were written or read
 *     once               that happens once
 *     no-keep            nothing is kept of an upload that breaks
 *     flip-kept          what is kept is damaged
 *     boast=N            of an upload N bytes more are said to be there
 *     silent             connections are accepted and never answered
 *     silent-after=N     the first N questions who it is are answered, and none after
 *     tell-asked=N       "asked" is printed once it has answered so many
 *     slow=MS            each write and read takes so long
 *     stall-writes       a write is never answered
 *     deny               every Node.get is refused
 *     full               Store.put is refused as full
 *     bad-schema         the schema is cut in the middle
 *     overloaded-WHAT=N  the first N of these requests are refused: put write finish bind lookup get read node-get list
 *                        schema echo stat dir-list mkdir; remove, but it is done
 *     larger=N           a file is said to have N bytes more
 *     room=BYTES         what the store has free
 *     tell=BYTES         "moved" is printed once so many bytes were written or read
 *     stall              Echo.delay is never answered
 *     rude               names, reasons and log lines hold escape sequences
 *     many-caps=N        so many capabilities are listed besides
 *     endless-log        there is always one more line
 *     crumbs             the schema is said to have 16 MiB and comes byte by byte
 *     lie-WHAT           the first name of a listing is none: slash up dot empty escape order absolute
 *     endless-WHAT       a listing goes on for ever: empty (with nothing), same (with the same), depth (directories)
 *     page=N             a page of a listing has so many entries (100)
 *     no-digest          a file's Stat has no digest; no-clock: no time
 *     no-expected        finish() takes any bytes, whatever was expected
 *     no-bind            Directory.bind knows no blob
 *     uploads=N          at most so many uploads at once, else overloaded
 *     lost               a watch is told that it lost changes
 *                        A path with "keep" in it is not removed, one with "rotten" not read.
 *     window=N           more than N writes outstanding at once ends the process with status 9
 */
#include "mock_root.h"
#include "svc/echo/echo.capnp.h"
#include "svc/node/node.capnp.h"

#include <algorithm>
#include <capnp/rpc-twoparty.h>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace
{

class Mock_echo final : public Echo::Server
{
  public:
    explicit Mock_echo(World &w) : world(w)
    {
    }

  protected:
    kj::Promise<void> echo(EchoContext context) override
    {
        if (world.busy("echo")) {
            return too_busy();
        }
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
    kj::Promise<void> delay(DelayContext context) override
    {
        return world.fault("stall") != 0 ? kj::Promise<void>(kj::NEVER_DONE) : Echo::Server::delay(context);
    }

  private:
    World &world;
};

const char RUDE[] = "a\x1b[2J\x1b]0;title\x07\x7f\xc2\x9b"
                    "31m\xff\xe2\x80\xae\nb";

void fill_cap(CapInfo::Builder cap, const char *name, uint64_t id, const char *interface)
{
    cap.setName(name);
    cap.setInterfaceId(id);
    cap.setInterface(interface);
}

class Mock_node final : public Node::Server
{
  public:
    explicit Mock_node(World &w) : world(w)
    {
    }

  protected:
    kj::Promise<void> info(InfoContext context) override;
    kj::Promise<void> list(ListContext context) override;
    kj::Promise<void> get(GetContext context) override;
    kj::Promise<void> schema(SchemaContext context) override;
    kj::Promise<void> logs(LogsContext context) override;

  private:
    kj::Maybe<capnp::Capability::Client> find(const std::string &name);

    World &world;
};

kj::Promise<void> Mock_node::info(InfoContext context)
{
    world.asked++;
    if (world.fault("silent") != 0 || (world.fault("silent-after") != 0 && world.asked > world.fault("silent-after"))) {
        return kj::NEVER_DONE;
    }
    if (world.asked == world.fault("tell-asked")) {
        printf("asked\n");
        fflush(stdout);
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

kj::Promise<void> Mock_node::list(ListContext context)
{
    if (world.busy("list")) {
        return too_busy();
    }
    unsigned extra = static_cast<unsigned>(world.fault("many-caps"));
    auto caps = context.getResults().initCaps(5 + extra);
    fill_cap(caps[0], "store", capnp::typeId<Store>(), world.fault("rude") != 0 ? RUDE : "Store");
    fill_cap(caps[1], "names", capnp::typeId<Namespace>(), "Namespace");
    fill_cap(caps[2], "echo", capnp::typeId<Echo>(), "Echo");
    fill_cap(caps[3], "root", capnp::typeId<Directory>(), "Directory");
    fill_cap(caps[4], "volume", capnp::typeId<Volume>(), "Volume");
    return kj::READY_NOW;
}

kj::Promise<void> Mock_node::get(GetContext context)
{
    if (world.busy("node-get")) {
        return too_busy();
    }
    std::string name = context.getParams().getName().cStr();
    KJ_IF_MAYBE (cap, world.fault("deny") != 0 ? kj::Maybe<capnp::Capability::Client>() : find(name)) {
        context.getResults().setCap(kj::mv(*cap));
        return kj::READY_NOW;
    }
    return error(kj::Exception::Type::FAILED,
                 "denied: this session has no '" + name + "'" + (world.fault("rude") != 0 ? RUDE : ""));
}

kj::Promise<void> Mock_node::schema(SchemaContext context)
{
    if (world.busy("schema")) {
        return too_busy();
    }
    if (world.fault("crumbs") != 0) {
        context.getResults().setData(data_of("x"));
        context.getResults().setTotal(16 << 20);
        return kj::READY_NOW;
    }
    size_t total = world.fault("bad-schema") != 0 ? world.schema.size() / 2 / 8 * 8 : world.schema.size();
    size_t offset = std::min<size_t>(context.getParams().getOffset(), total);
    size_t limit = std::min<size_t>(context.getParams().getLimit(), 4096);
    context.getResults().setData(data_of(world.schema.substr(offset, std::min(limit, total - offset))));
    context.getResults().setTotal(static_cast<uint32_t>(total));
    return kj::READY_NOW;
}

kj::Promise<void> Mock_node::logs(LogsContext context)
{
    uint64_t since = context.getParams().getSince();
    if (since == 0 || world.fault("endless-log") != 0) {
        context.getResults().initLines(1).set(0, world.fault("rude") != 0 ? RUDE : "a line");
    }
    context.getResults().setNext(world.fault("endless-log") != 0 ? since + 1 : 1);
    return kj::READY_NOW;
}

kj::Maybe<capnp::Capability::Client> Mock_node::find(const std::string &name)
{
    if (name == "store") {
        return capnp::Capability::Client(kj::heap<Mock_store>(world));
    }
    if (name == "names") {
        return capnp::Capability::Client(kj::heap<Mock_names>(world));
    }
    if (name == "echo") {
        return capnp::Capability::Client(kj::heap<Mock_echo>(world));
    }
    if (name == "root") {
        return capnp::Capability::Client(kj::heap<Mock_directory>(world, world.files, false));
    }
    if (name == "volume") {
        return capnp::Capability::Client(kj::heap<Mock_volume>(world));
    }
    return nullptr;
}

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

kj::Promise<void> serve(kj::ConnectionReceiver &listener, capnp::TwoPartyServer &server, World &world)
{
    return listener.accept().then([&](kj::Own<kj::AsyncIoStream> &&connection) {
        KJ_IF_MAYBE (fd, connection->getFd()) {
            world.connection = *fd;
        }
        server.accept(kj::mv(connection));
        return serve(listener, server, world);
    });
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
    serve(*listener, server, world).wait(io.waitScope);
    return 0;
}

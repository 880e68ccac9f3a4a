/* SPDX-License-Identifier: MIT OR Apache-2.0
 * session.c++: connecting to a node and learning what it speaks.
 *
 * QEMU's user network accepts a TCP connection before the guest has seen a packet, and repeats a lost SYN only after
 * seven seconds. So an open port proves nothing: an attempt is a connection, a bootstrap and an answered info(), all
 * within a short deadline, and the next attempt is a new connection.
 */
#include "session.h"

#include "fail.h"

#include <capnp/schema.capnp.h>
#include <capnp/serialize.h>
#include <netdb.h>

namespace capos
{

static constexpr uint32_t SCHEMA_PIECE = 64 * 1024;
static constexpr uint32_t SCHEMA_MAX = 16 * 1024 * 1024;
static constexpr unsigned SCHEMA_PIECES_MAX =
    4096; /* a node may answer with less than it was asked for, not with crumbs */
static constexpr unsigned CAPS_MAX = 4096;
static constexpr int TRY_SECONDS = 2;
static constexpr unsigned TRIES_MAX = 6; /* 1.55 s of pauses in all */
static constexpr unsigned FIRST_PAUSE_MS = 50;
static constexpr size_t LANE_STACK = 256 * 1024;

kj::Duration Backoff::next(const kj::Exception &e)
{
    tries++;
    if (e.getType() != kj::Exception::Type::OVERLOADED) {
        throw e;
    }
    if (tries == TRIES_MAX) {
        Failure failure = failure_of(e);
        failure.reason += " (asked " + std::to_string(tries) + " times)";
        throw Overload{failure};
    }
    return (FIRST_PAUSE_MS << (tries - 1)) * kj::MILLISECONDS;
}

Session::Session(const Target &to, const Args &args)
    : target(to), io(kj::setupAsyncIo()), scope(&io.waitScope),
      patience(args.number("--timeout", 1, 86400, 30) * kj::SECONDS)
{
    open(args.number("--connect-timeout", 1, 3600, 10) * kj::SECONDS);
}

kj::Exception Session::late() const
{
    kj::String reason = kj::str("no answer for ", patience / kj::SECONDS, " s (--timeout changes that)");
    return kj::Exception(kj::Exception::Type::DISCONNECTED, __FILE__, __LINE__, kj::mv(reason));
}

void Session::run_lanes(unsigned count, const std::function<void()> &lane)
{
    auto all = kj::heapArrayBuilder<kj::Promise<void>>(count);
    lanes = count;
    for (unsigned i = 0; i < count; i++) {
        all.add(kj::startFiber(LANE_STACK, [this, &lane](kj::WaitScope &own) {
            scope = &own;
            lane();
            lanes--;
        }));
    }
    await_long(kj::joinPromises(all.finish()));
    lanes = 1;
}

static kj::Exception attempt_late()
{
    return KJ_EXCEPTION(OVERLOADED, "attempt timed out");
}

static std::string connect_trouble(const kj::Exception &e)
{
    if (e.getType() == kj::Exception::Type::OVERLOADED) { /* attempt_late() */
        return "it accepts the connection but says nothing";
    }
    return without_expression(failure_of(e).reason);
}

bool Session::try_open(kj::Duration deadline)
{
    auto &timer = io.provider->getTimer();
    auto attempt = io.provider->getNetwork()
                       .parseAddress(target.host.c_str(), target.port)
                       .then([](kj::Own<kj::NetworkAddress> &&address) {
                           auto connection = address->connect();
                           return connection.attach(kj::mv(address));
                       })
                       .then([this](kj::Own<kj::AsyncIoStream> &&connected) {
                           stream = kj::mv(connected);
                           client = kj::heap<capnp::TwoPartyClient>(*stream);
                           return kj::Promise<capnp::Response<Node::InfoResults>>(node().infoRequest().send());
                       })
                       .then([this](capnp::Response<Node::InfoResults> &&answer) { greeting = kj::mv(answer); });
    auto limit = timer.afterDelay(deadline).then([]() -> kj::Promise<void> { return attempt_late(); });
    KJ_IF_MAYBE (problem,
                 kj::runCatchingExceptions([&]() { attempt.exclusiveJoin(kj::mv(limit)).wait(io.waitScope); })) {
        trouble = connect_trouble(*problem);
        client = nullptr;
        stream = nullptr;
        return false;
    }
    return true;
}

/* libkj would ask again and again, and print what its thread throws. */
static void require_address(const Target &target)
{
    struct addrinfo wanted = {};
    struct addrinfo *found = nullptr;
    wanted.ai_socktype = SOCK_STREAM;
    int problem = getaddrinfo(target.host.c_str(), nullptr, &wanted, &found);
    if (problem != 0) {
        unreachable("unreachable", "no address for '" + target.host + "': " + gai_strerror(problem));
    }
    freeaddrinfo(found);
}

void Session::open(kj::Duration total)
{
    require_address(target);
    auto &timer = io.provider->getTimer();
    kj::TimePoint end = timer.now() + total;
    kj::Duration deadline = TRY_SECONDS * kj::SECONDS;
    while (!try_open(kj::min(deadline, end - timer.now()))) {
        /* Nobody holds the port: unlike a guest that is still booting, that does not mend itself. */
        bool refused = trouble.find("onnection refused") != std::string::npos;
        if (refused || timer.now() + 200 * kj::MILLISECONDS >= end) {
            unreachable("unreachable", target.name + " at " + target.host + ":" + std::to_string(target.port) +
                                           " does not answer: " + trouble);
        }
        timer.afterDelay(200 * kj::MILLISECONDS).wait(io.waitScope);
        deadline = deadline * 2;
    }
}

Node::Client Session::node()
{
    return client->bootstrap().castAs<Node>();
}

Node::InfoResults::Reader Session::info() const
{
    return KJ_ASSERT_NONNULL(greeting);
}

capnp::Capability::Client Session::cap(const std::string &name)
{
    if (name == "node") {
        return node();
    }
    /* Waiting here, instead of pipelining, puts "no such capability" before any other complaint. */
    return ask([&]() {
               auto request = node().getRequest();
               request.setName(name.c_str());
               return request.send();
           })
        .getCap();
}

capnp::Response<Node::ListResults> Session::list()
{
    auto answer = ask([&]() { return node().listRequest().send(); });
    if (answer.getCaps().size() > CAPS_MAX) {
        refuse("failed",
               "the node lists " + std::to_string(answer.getCaps().size()) + " capabilities; no image has that many");
    }
    return answer;
}

kj::Array<capnp::word> Session::fetch_schema()
{
    kj::Vector<kj::byte> bytes;
    uint32_t total = 0;
    unsigned pieces = 0;
    do {
        auto answer = ask([&]() {
            auto request = node().schemaRequest();
            request.setOffset(static_cast<uint32_t>(bytes.size()));
            request.setLimit(SCHEMA_PIECE);
            return request.send();
        });
        total = answer.getTotal();
        bytes.addAll(answer.getData());
        bool ends = answer.getData().size() != 0 && ++pieces <= SCHEMA_PIECES_MAX;
        if (total > SCHEMA_MAX || bytes.size() > total || (!ends && bytes.size() < total)) {
            refuse("failed", "the image's schema is cut short, or larger than it says, or of " + std::to_string(total) +
                                 " bytes");
        }
    } while (bytes.size() < total);
    auto words = kj::heapArray<capnp::word>(bytes.size() / sizeof(capnp::word));
    memcpy(words.begin(), bytes.begin(), words.size() * sizeof(capnp::word));
    return words;
}

capnp::SchemaLoader &Session::schemas()
{
    if (loader) {
        return *loader;
    }
    auto words = fetch_schema();
    auto fresh = std::make_unique<capnp::SchemaLoader>();
    auto problem = kj::runCatchingExceptions([&]() {
        capnp::FlatArrayMessageReader message(words);
        for (auto schema_node : message.getRoot<capnp::schema::CodeGeneratorRequest>().getNodes()) {
            fresh->load(schema_node);
        }
    });
    KJ_IF_MAYBE (e, problem) {
        refuse("failed", "the image's schema makes no sense: " + failure_of(*e).reason);
    }
    loader = kj::mv(fresh);
    return *loader;
}

static uint64_t find_interface_id(Session &session, const std::string &name)
{
    if (name == "node") {
        return capnp::typeId<Node>();
    }
    auto answer = session.list();
    std::string there = "node";
    for (auto cap : answer.getCaps()) {
        if (name == cap.getName().cStr()) {
            return cap.getInterfaceId();
        }
        there += std::string(" ") + cap.getName().cStr();
    }
    refuse("denied", session.target.name + " has no '" + name + "' for you; there are: " + there);
}

capnp::InterfaceSchema Session::interface_of(const std::string &name)
{
    uint64_t id = find_interface_id(*this, name);
    KJ_IF_MAYBE (schema, schemas().tryGet(id)) {
        if (schema->getProto().isInterface()) {
            return schema->asInterface();
        }
    }
    refuse("failed", "the image's schema does not know the interface of '" + name + "'");
}

} // namespace capos

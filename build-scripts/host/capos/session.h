/* SPDX-License-Identifier: MIT OR Apache-2.0
 * session.h: one conversation with one node.
 */
#pragma once

#include "state.h"
#include "svc/node/node.capnp.h"

#include <capnp/rpc-twoparty.h>
#include <capnp/schema-loader.h>
#include <exception>
#include <functional>
#include <kj/async-io.h>
#include <memory>
#include <string>

namespace capos
{

/* How long to wait before the next try. */
class Backoff
{
  public:
    /* Throws `e` on when it is no overload, or has been one too often. */
    kj::Duration next(const kj::Exception &e);

  private:
    unsigned tries = 0;
};

class Session
{
  public:
    /* Connects and asks the node who it is. The whole attempt is bounded by --connect-timeout; every later answer
     * by --timeout. Throws a Failure with Exit::UNREACHABLE. */
    Session(const Target &target, const Args &args);

    /* Waits for an answer, at most as long as the user has patience. */
    template <typename T> T await(kj::Promise<T> promise)
    {
        return await_long(promise.exclusiveJoin(
            io.provider->getTimer().afterDelay(patience).then([this]() -> kj::Promise<T> { return late(); })));
    }

    /* Waits as long as it takes, or until the connection breaks. In a lane others run meanwhile. Never where an exception is
     * caught: the C++ library has one stack of those that are being handled, and the lanes would take them from each other. */
    template <typename T> T await_long(kj::Promise<T> promise)
    {
        KJ_REQUIRE(std::current_exception() == nullptr, "waits while an exception is handled");
        kj::WaitScope *mine = scope;
        KJ_DEFER(scope = mine);
        return promise.wait(*mine);
    }

    template <typename T> capnp::Response<T> await(capnp::RemotePromise<T> promise)
    {
        return await(kj::Promise<capnp::Response<T>>(kj::mv(promise)));
    }

    /* Does `work` again, after a growing pause and a bounded number of times, as long as the node refuses as overloaded. Only for
     * what may be done twice. */
    template <typename Work> auto patiently(Work work) -> decltype(work())
    {
        for (Backoff backoff;;) {
            kj::Duration rest = 0 * kj::SECONDS;
            try {
                return work();
            } catch (const kj::Exception &e) {
                rest = backoff.next(e);
            }
            pause(rest);
        }
    }

    /* patiently(): sends a request and waits for the answer. */
    template <typename Send> auto ask(Send send) -> decltype(await(send()))
    {
        return patiently([&]() { return await(send()); });
    }

    /* What this session may reach. */
    capnp::Response<Node::ListResults> list();

    /* What the profile exposes as `name`; "node" is the bootstrap capability itself. */
    capnp::Capability::Client cap(const std::string &name);

    Node::Client node();

    /* The interface of the capability `name`. Fails with the names that there are. */
    capnp::InterfaceSchema interface_of(const std::string &name);

    /* Every schema node of the image, fetched at the first use. */
    capnp::SchemaLoader &schemas();

    /* Passes when a silent node should be asked something: when the user is out of patience, and at least each minute. */
    kj::Promise<void> quiet_while()
    {
        return io.provider->getTimer().afterDelay(kj::min(patience, 60 * kj::SECONDS));
    }

    /* Lets time pass while the connection is served. */
    void pause(kj::Duration duration)
    {
        await_long(io.provider->getTimer().afterDelay(duration));
    }

    /* Runs `lane` `count` times at once, each on a stack of its own: what waits in one lets the others run, and between
     * two waits nothing else does. Returns when all have; they may not throw. */
    void run_lanes(unsigned count, const std::function<void()> &lane);

    /* How many requests one transfer may have outstanding, so that all lanes together keep to `window`. */
    size_t share_of(size_t window) const
    {
        return lanes > window ? 1 : window / lanes;
    }

    /* Resolves when the connection is no more. */
    kj::Promise<void> on_disconnect()
    {
        return client->onDisconnect();
    }

    const Target target;
    Node::InfoResults::Reader info() const;

  private:
    bool try_open(kj::Duration deadline);
    void open(kj::Duration total);
    kj::Array<capnp::word> fetch_schema();
    kj::Exception late() const;

    /* Order matters: what uses the event loop goes first, so it is declared last. */
    kj::AsyncIoContext io;
    kj::WaitScope *scope; /* of whoever runs: each wait puts it back */
    unsigned lanes = 1;
    kj::Duration patience;
    std::string trouble; /* why the last attempt did not work */
    kj::Own<kj::AsyncIoStream> stream;
    kj::Own<capnp::TwoPartyClient> client;
    kj::Maybe<capnp::Response<Node::InfoResults>> greeting;
    std::unique_ptr<capnp::SchemaLoader> loader;
};

} // namespace capos

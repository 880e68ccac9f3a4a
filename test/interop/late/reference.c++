// SPDX-License-Identifier: MIT OR Apache-2.0
// reference.c++: Late (late.capnp), client and server, on the reference implementation, libcapnp.
// usage: reference client PORT [huge]: exit 0 when every answer was right
//        reference server: prints its port, serves until stdin ends
#include "late.capnp.h"
#include <capnp/ez-rpc.h>
#include <iostream>
#include <kj/debug.h>
#include <thread>
#include <unistd.h>

namespace
{

unsigned alive;

class LateImpl final : public Late::Server
{
  public:
    LateImpl()
    {
        alive++;
    }
    ~LateImpl() noexcept(false)
    {
        alive--;
    }
    kj::Promise<void> next(NextContext context) override
    {
        context.getResults().setNumber(number++);
        return kj::READY_NOW;
    }
    kj::Promise<void> promise(PromiseContext context) override
    {
        auto later = kj::newPromiseAndFulfiller<Late::Client>();
        fulfiller = kj::mv(later.fulfiller);
        context.getResults().setLate(kj::mv(later.promise));
        return kj::READY_NOW;
    }
    kj::Promise<void> give(GiveContext context) override
    {
        context.getResults().setLate(context.getParams().getLate());
        return kj::READY_NOW;
    }
    kj::Promise<void> giveLater(GiveLaterContext context) override
    {
        auto later = kj::newPromiseAndFulfiller<void>();
        giving.add(kj::mv(later.fulfiller));
        return later.promise.then([context]() mutable { context.getResults().setLate(context.getParams().getLate()); });
    }
    kj::Promise<void> fulfill(FulfillContext context) override
    {
        KJ_IF_MAYBE (f, fulfiller) {
            (*f)->fulfill(context.getParams().getLate());
            fulfiller = nullptr;
        }
        for (auto &one : giving) {
            one->fulfill();
        }
        giving.clear();
        return kj::READY_NOW;
    }
    kj::Promise<void> refuse(RefuseContext context) override
    {
        KJ_IF_MAYBE (f, fulfiller) {
            (*f)->reject(kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__,
                                       kj::str(context.getParams().getReason())));
            fulfiller = nullptr;
        }
        return kj::READY_NOW;
    }
    kj::Promise<void> ask(AskContext context) override
    {
        return context.getParams().getLate().nextRequest().send().then(
            [context](capnp::Response<Late::NextResults> &&r) mutable {
                context.getResults().setNumber(r.getNumber());
            });
    }
    kj::Promise<void> hold(HoldContext context) override
    {
        context.allowCancellation();
        return kj::Promise<void>(kj::NEVER_DONE).attach(kj::defer([this]() { cancellations++; }), thisCap());
    }
    kj::Promise<void> cancelled(CancelledContext context) override
    {
        context.getResults().setCount(cancellations);
        return kj::READY_NOW;
    }
    kj::Promise<void> fail(FailContext context) override
    {
        auto params = context.getParams();
        kj::throwFatalException(kj::Exception(static_cast<kj::Exception::Type>(params.getType()), __FILE__, __LINE__,
                                              kj::str(params.getReason())));
    }
    kj::Promise<void> swallow(SwallowContext context) override
    {
        context.getResults().setSize(context.getParams().getData().size());
        return kj::READY_NOW;
    }
    kj::Promise<void> flood(FloodContext context) override
    {
        context.getResults().initData(context.getParams().getSize());
        return kj::READY_NOW;
    }
    kj::Promise<void> make(MakeContext context) override
    {
        context.getResults().setLate(kj::heap<LateImpl>());
        return kj::READY_NOW;
    }
    kj::Promise<void> left(LeftContext context) override
    {
        context.getResults().setEntries(alive - 1);
        return kj::READY_NOW;
    }

  private:
    uint32_t number = 0, cancellations = 0;
    kj::Maybe<kj::Own<kj::PromiseFulfiller<Late::Client>>> fulfiller;
    kj::Vector<kj::Own<kj::PromiseFulfiller<void>>> giving;
};

class Tests
{
  public:
    Tests(Late::Client server, kj::WaitScope &wait) : server(kj::mv(server)), wait(wait)
    {
    }

    void all()
    {
        order("a promise of theirs becomes ours", promise(), mine());
        order("a promise of theirs becomes theirs", promise(), made());
        auto imported = server.promiseRequest().send().wait(wait).getLate();
        order("a promise that was imported becomes ours", imported, mine());
        order("a late answer holds ours", giveLater(mine()), nullptr);
        echo("a promise of ours comes back and becomes ours", mine());
        echo("a promise of ours comes back and becomes theirs", made());
        promiseOfAPromise("a promise of theirs becomes a promise of ours becomes ours", mine());
        promiseOfAPromise("a promise of theirs becomes a promise of ours becomes theirs", made());
        asked("the server calls a promise of ours that becomes its own");
        broken("a promise of theirs is broken");
        exceptions("exceptions keep type and reason");
        cancel("cancelled half way");
        limits("results that are too large");
    }
    void nothingIsLeft()
    {
        while (server.leftRequest().send().wait(wait).getEntries() > 0 || alive > 0) {
        }
        std::cout << "ok   nothing is left" << std::endl;
    }
    // More than a message may have: the connection ends, and nothing else does.
    void huge()
    {
        auto request = server.swallowRequest();
        request.initData(4 << 20);
        KJ_REQUIRE(failure(request.send().ignoreResult()).getType() == kj::Exception::Type::DISCONNECTED);
    }

  private:
    Late::Client server;
    kj::WaitScope &wait;
    kj::Vector<kj::Promise<capnp::Response<Late::NextResults>>> asks;

    Late::Client mine()
    {
        return kj::heap<LateImpl>();
    }
    Late::Client promise()
    {
        return server.promiseRequest().send().getLate();
    }
    Late::Client made()
    {
        return server.makeRequest().send().getLate();
    }
    Late::Client give(Late::Client what)
    {
        auto request = server.giveRequest();
        request.setLate(what);
        return request.send().getLate();
    }
    Late::Client giveLater(Late::Client what)
    {
        auto request = server.giveLaterRequest();
        request.setLate(what);
        return request.send().getLate();
    }
    void nextOn(Late::Client target, unsigned calls)
    {
        for (; calls > 0; calls--) {
            asks.add(target.nextRequest().send());
        }
    }
    void inOrder(const char *name)
    {
        uint32_t number = 0;
        for (auto &ask : asks) {
            auto got = ask.wait(wait).getNumber();
            KJ_REQUIRE(got == number, name, got, number);
            number++;
        }
        asks.clear();
        std::cout << "ok   " << name << std::endl;
    }
    // Calls on `target` before, behind, from the answer to, and after what makes it known: `with`.
    void order(const char *name, Late::Client target, kj::Maybe<Late::Client> with)
    {
        nextOn(target, 2);
        auto request = server.fulfillRequest();
        KJ_IF_MAYBE (w, with) {
            request.setLate(*w);
        }
        auto known = request.send().then([&](auto &&) { nextOn(target, 2); });
        nextOn(target, 2);
        known.wait(wait);
        nextOn(target, 2);
        target.whenResolved().wait(wait);
        nextOn(target, 2);
        inOrder(name);
    }
    void echo(const char *name, Late::Client becomes)
    {
        auto later = kj::newPromiseAndFulfiller<Late::Client>();
        auto target = give(kj::mv(later.promise));
        nextOn(target, 2);
        server.cancelledRequest().send().wait(wait); // a round trip: the echo has come back
        nextOn(target, 2);
        later.fulfiller->fulfill(kj::mv(becomes));
        nextOn(target, 2);
        target.whenResolved().wait(wait);
        nextOn(target, 2);
        inOrder(name);
    }
    void promiseOfAPromise(const char *name, Late::Client becomes)
    {
        auto later = kj::newPromiseAndFulfiller<Late::Client>();
        auto target = promise();
        nextOn(target, 2);
        auto request = server.fulfillRequest();
        request.setLate(kj::mv(later.promise));
        auto known = request.send();
        nextOn(target, 2);
        known.wait(wait);
        later.fulfiller->fulfill(kj::mv(becomes));
        nextOn(target, 2);
        target.whenResolved().wait(wait);
        nextOn(target, 2);
        inOrder(name);
    }
    void asked(const char *name)
    {
        auto later = kj::newPromiseAndFulfiller<Late::Client>();
        Late::Client given = kj::mv(later.promise);
        kj::Vector<kj::Promise<capnp::Response<Late::AskResults>>> all;
        for (uint32_t i = 0; i < 6; i++) {
            auto request = server.askRequest();
            request.setLate(given);
            all.add(request.send());
            if (i == 2) {
                server.cancelledRequest().send().wait(wait); // they are under way there
                later.fulfiller->fulfill(made());
            }
        }
        for (uint32_t i = 0; i < 6; i++) {
            auto got = all[i].wait(wait).getNumber();
            KJ_REQUIRE(got == i, name, got, i);
        }
        std::cout << "ok   " << name << std::endl;
    }

    kj::Exception failure(kj::Promise<void> promise)
    {
        KJ_IF_MAYBE (e, kj::runCatchingExceptions([&]() { promise.wait(wait); })) {
            return kj::mv(*e);
        }
        KJ_FAIL_REQUIRE("this should have failed");
    }
    void broken(const char *name)
    {
        auto target = promise();
        auto early = target.nextRequest().send();
        auto request = server.refuseRequest();
        request.setReason("it will never be");
        request.send().wait(wait);
        auto e = failure(early.ignoreResult());
        KJ_REQUIRE(strstr(e.getDescription().cStr(), "it will never be") != nullptr, e);
        auto e2 = failure(target.nextRequest().send().ignoreResult());
        KJ_REQUIRE(strstr(e2.getDescription().cStr(), "it will never be") != nullptr, e2);
        std::cout << "ok   " << name << std::endl;
    }
    void exceptions(const char *name)
    {
        for (uint16_t type = 0; type < 4; type++) {
            auto request = server.failRequest();
            request.setType(type);
            request.setReason("as you wish");
            auto e = failure(request.send().ignoreResult());
            KJ_REQUIRE(static_cast<uint16_t>(e.getType()) == type, e);
            KJ_REQUIRE(e.getDescription() == "remote exception: as you wish", e);
        }
        std::cout << "ok   " << name << std::endl;
    }
    void cancel(const char *name)
    {
        {
            auto held = server.holdRequest().send();
            server.leftRequest().send().wait(wait); // it is under way
        }
        while (server.cancelledRequest().send().wait(wait).getCount() != 1) {
        }
        std::cout << "ok   " << name << std::endl;
    }
    void limits(const char *name)
    {
        auto request = server.floodRequest();
        request.setSize(4 << 20);
        auto e = failure(request.send().ignoreResult());
        KJ_REQUIRE(e.getType() == kj::Exception::Type::OVERLOADED, e);
        std::cout << "ok   " << name << std::endl;
    }
};

int client(const char *port, bool huge)
{
    capnp::EzRpcClient client(kj::str("127.0.0.1:", port));
    Tests tests(client.getMain<Late>(), client.getWaitScope());

    if (huge) {
        tests.huge();
    } else {
        tests.all();
        tests.nothingIsLeft();
    }
    std::cout << "all answers were right" << std::endl;
    return 0;
}

int server()
{
    capnp::EzRpcServer server(kj::heap<LateImpl>(), "127.0.0.1", 0);
    auto &wait = server.getWaitScope();
    std::cout << server.getPort().wait(wait) << std::endl;
    std::thread([]() {
        char byte;
        while (read(0, &byte, 1) > 0) {
        }
        _exit(0);
    }).detach();
    kj::NEVER_DONE.wait(wait);
}

} // namespace

int main(int argc, char **argv)
{
    if (argc >= 3 && kj::StringPtr(argv[1]) == "client") {
        return client(argv[2], argc == 4);
    }
    if (argc == 2 && kj::StringPtr(argv[1]) == "server") {
        return server();
    }
    std::cerr << "usage: reference client PORT [huge] | reference server" << std::endl;
    return 2;
}

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * network_client.c++: uses svc/network of an image from outside, as a program on the reference implementation would.
 * usage: network_client RPC-ADDRESS LISTEN-ADDRESS    (where the image's ports 7000 and 7100 can be reached from here)
 */
#include <capnp/ez-rpc.h>
#include <kj/async-io.h>
#include <kj/debug.h>
#include <cstdio>
#include <cstring>
#include <string>
#include "svc/network/network.capnp.h"
#include "svc/node/node.capnp.h"

static constexpr size_t BULK = 8 * 1024 * 1024;
static constexpr size_t CHUNK = 32 * 1024;

struct World {
    capnp::EzRpcClient rpc;
    kj::WaitScope &scope;
    kj::Network &network;
    NetworkManager::Client manager;
    const char *listen_address;

    World(const char *address, const char *listen_at)
        : rpc(address), scope(rpc.getWaitScope()), network(rpc.getIoProvider().getNetwork()), manager(get()),
          listen_address(listen_at)
    {
    }
    NetworkManager::Client get()
    {
        auto request = rpc.getMain<Node>().getRequest();
        request.setName("network");
        return request.send().getCap().castAs<NetworkManager>();
    }
};

/* The call fails, with these words in its reason. */
template <typename Promise> static void fails(World &world, Promise promise, const char *words)
{
    kj::Maybe<kj::Exception> exception = kj::runCatchingExceptions([&] { promise.wait(world.scope); });
    KJ_IF_MAYBE (e, exception) {
        KJ_REQUIRE(strstr(e->getDescription().cStr(), words) != nullptr, "another reason", e->getDescription(), words);
        return;
    }
    KJ_FAIL_REQUIRE("it did not fail", words);
}

static TcpListenAuthority::Client listen_authority(World &world)
{
    auto request = world.manager.listenAuthorityRequest();
    request.setPort(7100);
    return request.send().getAuthority();
}

static TcpConnectAuthority::Client connect_authority(World &world, const char *scope)
{
    auto request = world.manager.connectAuthorityRequest();
    request.setScope(scope);
    return request.send().wait(world.scope).getAuthority();
}

static uint8_t pattern(size_t i)
{
    return static_cast<uint8_t>(i * 7 + (i >> 12));
}

static void write_all(World &world, TcpSocket::Client &socket, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += CHUNK) {
        auto request = socket.writeRequest();
        auto data = request.initData(static_cast<unsigned>(CHUNK));
        for (size_t i = 0; i < CHUNK; i++) {
            data[i] = pattern(at + i);
        }
        request.send().wait(world.scope);
    }
}

static void read_all(World &world, TcpSocket::Client &socket, size_t bytes)
{
    size_t at = 0;
    for (;;) {
        auto request = socket.readRequest();
        request.setLimit(CHUNK);
        auto reply = request.send().wait(world.scope);
        for (uint8_t byte : reply.getData()) {
            KJ_REQUIRE(byte == pattern(at), "another byte", at);
            at++;
        }
        if (reply.getEnd()) {
            break;
        }
        KJ_REQUIRE(reply.getData().size() > 0 && at <= bytes);
    }
    KJ_REQUIRE(at == bytes, "the end came at another place", at);
}

static void test_info_and_denials(World &world)
{
    auto response = world.manager.infoRequest().send().wait(world.scope);
    auto info = response.getInterface();
    KJ_REQUIRE(info.getLinkUp() && info.getMac().size() == 6 && info.getMtu() == 1500);
    KJ_REQUIRE(info.getLease() == LeaseState::BOUND, info.getAddress());
    auto port = world.manager.listenAuthorityRequest();
    port.setPort(7101);
    fails(world, port.send(), "denied");
    auto udp = world.manager.bindUdpRequest();
    udp.setPort(53);
    fails(world, udp.send(), "denied");
    auto scope = world.manager.connectAuthorityRequest();
    scope.setScope("nonsense");
    fails(world, scope.send(), "no scope");
}

static void test_authority_never_widens(World &world)
{
    auto one = connect_authority(world, "10.0.2.2:*");
    auto wider = one.narrowRequest();
    wider.setScope("*:*");
    fails(world, wider.send(), "denied");
    auto other = one.connectRequest();
    other.setTo("10.0.2.3:80");
    fails(world, other.send(), "denied");
    auto narrow = one.narrowRequest();
    narrow.setScope("10.0.2.2:9");
    auto nine = narrow.send().wait(world.scope).getAuthority();
    auto ten = nine.connectRequest();
    ten.setTo("10.0.2.2:10");
    fails(world, ten.send(), "denied");
}

/* A host's client comes in; bytes go both ways; the ends are seen. */
static void test_listen(World &world)
{
    auto authority = listen_authority(world);
    auto listener = authority.listenRequest().send().wait(world.scope).getListener();
    fails(world, authority.listenRequest().send(), "listened on already");
    auto accepted = listener.acceptRequest().send();
    auto outside = world.network.parseAddress(world.listen_address).wait(world.scope)->connect().wait(world.scope);
    auto socket = accepted.wait(world.scope).getSocket();
    KJ_REQUIRE(socket.infoRequest().send().wait(world.scope).getPeer().size() > 0);

    auto bytes = kj::heapArray<kj::byte>(BULK);
    for (size_t i = 0; i < BULK; i++) {
        bytes[i] = pattern(i);
    }
    auto writing = outside->write(bytes.begin(), BULK).then([&] { outside->shutdownWrite(); }).eagerlyEvaluate(nullptr);
    read_all(world, socket, BULK);
    writing.wait(world.scope);

    auto back = kj::heapArray<kj::byte>(BULK);
    auto reading = outside->read(back.begin(), BULK).eagerlyEvaluate(nullptr);
    write_all(world, socket, BULK);
    auto closing = socket.closeRequest().send();
    reading.wait(world.scope);
    KJ_REQUIRE(memcmp(back.begin(), bytes.begin(), BULK) == 0);
    closing.wait(world.scope);
    fails(world, socket.writeRequest().send(), "shut down");
}

static void test_accept_times_out_and_is_cancelled(World &world)
{
    auto listener = listen_authority(world).listenRequest().send().wait(world.scope).getListener();
    auto request = listener.acceptRequest();
    request.setTimeoutMs(100);
    fails(world, request.send(), "timed out");
    {
        auto dropped = listener.acceptRequest().send(); /* and its promise goes */
    }
    auto accepted = listener.acceptRequest().send();
    /* Both accepts and the Finish of the first have come when this is answered: else the first might get the connection. */
    KJ_REQUIRE(world.manager.usageRequest().send().wait(world.scope).getWaiting() == 1);
    auto outside = world.network.parseAddress(world.listen_address).wait(world.scope)->connect().wait(world.scope);
    accepted.wait(world.scope);
}

static void echo_of(World &world, TcpSocket::Client socket)
{
    static const char text[] = "there and back";
    auto write = socket.writeRequest();
    write.setData(kj::arrayPtr(reinterpret_cast<const kj::byte *>(text), sizeof text));
    write.send().wait(world.scope);
    std::string back;
    while (back.size() < sizeof text) {
        auto reply = socket.readRequest().send().wait(world.scope);
        back.append(reinterpret_cast<const char *>(reply.getData().begin()), reply.getData().size());
        KJ_REQUIRE(!reply.getEnd());
    }
    KJ_REQUIRE(back == std::string(text, sizeof text));
}

/* The image connects to a server of the host's loopback, which is 10.0.2.2 from there. */
static void test_connect(World &world)
{
    auto receiver = world.network.parseAddress("127.0.0.1:0").wait(world.scope)->listen();
    kj::Own<kj::AsyncIoStream> inside;
    auto serving = receiver->accept()
                       .then([&](kj::Own<kj::AsyncIoStream> stream) {
                           inside = kj::mv(stream);
                           return inside->pumpTo(*inside).ignoreResult();
                       })
                       .eagerlyEvaluate(nullptr);
    auto authority = connect_authority(world, "10.0.2.2:*");
    auto request = authority.connectRequest();
    request.setTo(kj::str("10.0.2.2:", receiver->getPort()));
    request.setTimeoutMs(10000);
    echo_of(world, request.send().wait(world.scope).getSocket());

    auto gone = authority.connectRequest();
    gone.setTo("10.0.2.2:1"); /* nobody is there */
    fails(world, gone.send(), "");
    auto far = connect_authority(world, "10.0.2.77:*").connectRequest();
    far.setTo("10.0.2.77:80"); /* no neighbour of that address answers */
    far.setTimeoutMs(300);
    fails(world, far.send(), "timed out");
}

static kj::Promise<void> answer_for_ever(kj::DatagramPort &port, kj::DatagramReceiver &from)
{
    return from.receive()
        .then([&] {
            KJ_REQUIRE(from.getContent().value == kj::StringPtr("ping").asBytes());
            return port.send("pong", 4, from.getSource()).ignoreResult();
        })
        .then([&] { return answer_for_ever(port, from); });
}

/* Datagrams may be lost: asks until it is answered. */
static void ping(World &world, UdpSocket::Client &socket, kj::StringPtr to)
{
    for (unsigned i = 0; i < 50; i++) {
        auto send = socket.sendRequest();
        send.setTo(to);
        send.setData(kj::StringPtr("ping").asBytes());
        send.send().wait(world.scope);
        auto receive = socket.receiveRequest();
        receive.setTimeoutMs(200);
        bool answered = false;
        kj::runCatchingExceptions([&] {
            auto reply = receive.send().wait(world.scope);
            KJ_REQUIRE(reply.getFrom() == to);
            answered = reply.getData() == kj::StringPtr("pong").asBytes();
        });
        if (answered) {
            return;
        }
    }
    KJ_FAIL_REQUIRE("no datagram is answered");
}

/* Datagrams of the image come from its port; the host's answer finds the way back. */
static void test_udp(World &world)
{
    auto host = world.network.parseAddress("127.0.0.1:0").wait(world.scope)->bindDatagramPort();
    auto bind = world.manager.bindUdpRequest();
    bind.setPort(7200);
    bind.setPeer("10.0.2.2:*");
    auto socket = bind.send().wait(world.scope).getSocket();
    auto again = world.manager.bindUdpRequest();
    again.setPort(7200);
    fails(world, again.send(), "socket already");
    auto from = host->makeReceiver();
    auto answering = answer_for_ever(*host, *from).eagerlyEvaluate(nullptr);
    ping(world, socket, kj::str("10.0.2.2:", host->getPort()));
    auto denied = socket.sendRequest();
    denied.setTo("10.0.2.3:53");
    fails(world, denied.send(), "denied");
}

/* What everybody dropped is given back. */
static void nothing_is_left(World &world)
{
    for (;;) {
        auto usage = world.manager.usageRequest().send().wait(world.scope);
        if (usage.getSockets() + usage.getListeners() + usage.getUdpSockets() + usage.getAuthorities() +
                usage.getWaiting() ==
            0) {
            return;
        }
        world.rpc.getIoProvider().getTimer().afterDelay(20 * kj::MILLISECONDS).wait(world.scope);
    }
}

/* Holds a listener and a waiting accept until it is killed. */
static void hold(World &world)
{
    auto listener = listen_authority(world).listenRequest().send().wait(world.scope).getListener();
    auto accepted = listener.acceptRequest().send();
    auto usage = world.manager.usageRequest().send().wait(world.scope);
    KJ_REQUIRE(usage.getListeners() == 1 && usage.getWaiting() == 1);
    printf("holding\n");
    fflush(stdout);
    accepted.wait(world.scope);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: network_client RPC-ADDRESS LISTEN-ADDRESS [hold|left]\n");
        return 2;
    }
    World world(argv[1], argv[2]);
    if (argc == 4 && strcmp(argv[3], "hold") == 0) {
        hold(world);
        return 0;
    }
    if (argc == 4) {
        nothing_is_left(world);
        return 0;
    }
    static const struct {
        const char *name;
        void (*run)(World &world);
    } tests[] = {{"info and denials", test_info_and_denials},
                 {"authority never widens", test_authority_never_widens},
                 {"listen, 8 MiB each way", test_listen},
                 {"accept times out, is cancelled", test_accept_times_out_and_is_cancelled},
                 {"connect, refused, black hole", test_connect},
                 {"udp", test_udp}};
    for (auto &test : tests) {
        test.run(world);
        nothing_is_left(world);
        printf("ok   %s\n", test.name);
        fflush(stdout);
    }
    return 0;
}

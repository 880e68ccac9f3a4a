// SPDX-License-Identifier: MIT OR Apache-2.0
// client.c++: calls an image, or the Linux guest that does the same, and says what it cost there.
// usage: client PORT echo|put CONNECTIONS IN_FLIGHT OPERATIONS ROUNDS COUNTER SEED
//
// Prints a line `instructions strings nanoseconds` for each round, of all operations together. COUNTER is the file that the plug-in
// writes (../plugin/insncount.c). IN_FLIGHT is of each connection. SEED makes what is put differ from run to run, so that a
// store does not know it already.
#include <capnp/ez-rpc.h>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <kj/vector.h>
#include <string>
#include <sys/mman.h>
#include <unistd.h>
#include "lib/store/store.capnp.h"
#include "svc/echo/echo.capnp.h"
#include "svc/node/node.capnp.h"

namespace
{

constexpr size_t ECHO_BYTES = 64;
constexpr size_t PUT_BYTES = 4096;
enum { COUNT_ALL = 1, COUNT_STRINGS = 2, COUNT_WORDS = 8 }; // of struct counts

[[noreturn]] void die(const char *what)
{
    fprintf(stderr, "client: %s\n", what);
    exit(1);
}

const volatile uint64_t *counter_open(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    void *at = fd < 0 ? MAP_FAILED : mmap(nullptr, COUNT_WORDS * 8, PROT_READ, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) {
        die("no counter");
    }
    return static_cast<const volatile uint64_t *>(at);
}

class Connection
{
  public:
    Connection(unsigned port, const char *what)
        : client_("127.0.0.1", port), echo_(nullptr), store_(nullptr), puts_(strcmp(what, "put") == 0)
    {
        auto request = client_.getMain<Node>().getRequest();
        request.setName(puts_ ? "store" : "echo");
        auto cap = request.send().getCap();
        echo_ = cap.castAs<Echo>();
        store_ = cap.castAs<Store>();
    }
    // `count` operations one after another.
    kj::Promise<void> lane(unsigned count)
    {
        if (count == 0) {
            return kj::READY_NOW;
        }
        return (puts_ ? put() : echo()).then([this, count]() { return lane(count - 1); });
    }
    kj::WaitScope &scope()
    {
        return client_.getWaitScope();
    }

    static inline uint64_t serial = 0;

  private:
    kj::Promise<void> echo()
    {
        static const kj::byte payload[ECHO_BYTES] = {1, 2, 3};
        auto request = echo_.bytesRequest();
        request.setData(kj::arrayPtr(payload, sizeof payload));
        return request.send().then([](auto response) {
            if (response.getData().size() != ECHO_BYTES) {
                die("the echo is no echo");
            }
        });
    }
    // Three calls in one go: each on the answer of the first.
    kj::Promise<void> put()
    {
        kj::byte payload[PUT_BYTES] = {};
        serial++;
        memcpy(payload, &serial, sizeof serial);
        auto request = store_.putRequest();
        request.setSize(PUT_BYTES);
        auto upload = request.send().getUpload();
        auto write = upload.writeRequest();
        write.setChunk(kj::arrayPtr(payload, sizeof payload));
        auto written = write.send().ignoreResult();
        return upload.finishRequest().send().ignoreResult().attach(kj::mv(written), kj::mv(upload));
    }

    capnp::EzRpcClient client_;
    Echo::Client echo_;
    Store::Client store_;
    bool puts_;
};

void run(kj::Vector<kj::Own<Connection>> &connections, unsigned in_flight, unsigned operations)
{
    kj::Vector<kj::Promise<void>> lanes;
    for (auto &connection : connections) {
        for (unsigned i = 0; i < in_flight; i++) {
            lanes.add(connection->lane(operations));
        }
    }
    kj::joinPromises(lanes.releaseAsArray()).wait(connections[0]->scope());
}

} // namespace

int main(int argc, char **argv)
{
    if (argc != 9) {
        die("usage: client PORT echo|put CONNECTIONS IN_FLIGHT OPERATIONS ROUNDS COUNTER SEED");
    }
    auto number = [argv](int i) { return static_cast<unsigned>(strtoul(argv[i], nullptr, 10)); };
    unsigned in_flight = number(4);
    unsigned each = number(5) / (number(3) * in_flight);
    const volatile uint64_t *counter = counter_open(argv[7]);
    kj::Vector<kj::Own<Connection>> connections;

    Connection::serial = strtoull(argv[8], nullptr, 10);
    for (unsigned i = 0; i < number(3); i++) {
        connections.add(kj::heap<Connection>(number(1), argv[2]));
        // One by one: QEMU's user network resets some of many that come together.
        connections[i]->lane(1).wait(connections[i]->scope());
    }
    run(connections, in_flight, 2);
    for (unsigned round = 0; round < number(6); round++) {
        uint64_t all = counter[COUNT_ALL];
        uint64_t strings = counter[COUNT_STRINGS];
        auto begin = std::chrono::steady_clock::now();
        run(connections, in_flight, each);
        auto took = std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - begin);
        printf("%llu %llu %lld\n", static_cast<unsigned long long>(counter[COUNT_ALL] - all),
               static_cast<unsigned long long>(counter[COUNT_STRINGS] - strings), static_cast<long long>(took.count()));
        fflush(stdout);
    }
}

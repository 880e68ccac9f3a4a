// SPDX-License-Identifier: MIT OR Apache-2.0
// client.c++: calls an image, or the Linux guest that does the same, and says what it cost there.
// usage: client PORT WHAT CONNECTIONS IN_FLIGHT OPERATIONS COUNTER SEED
//
//   echo   an operation is a call with 64 bytes; IN_FLIGHT of each connection
//   put    a durable put of 4 KiB
//   write  a MiB of one blob that is put: OPERATIONS MiB, IN_FLIGHT chunks of 64 KiB under way, and the finish()
//   read   a MiB of such a blob, which is put before
//   list   a name of /d000000, which has OPERATIONS of them; a page after the other
//
// Says `ready` when all is prepared, begins when a line comes, and says `instructions strings nanoseconds`, of all operations
// together. COUNTER is the file that the plug-in writes (../plugin/insncount.c). SEED makes what is put differ from run to run, so
// that a store does not know it already.
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
constexpr size_t CHUNK_BYTES = 64 << 10;
constexpr size_t CHUNKS_PER_MIB = 16;
enum { COUNT_ALL = 1, COUNT_STRINGS = 2, COUNT_WORDS = 8 }; // of struct counts

uint64_t serial;

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
    Connection(unsigned port, const char *name) : client_("127.0.0.1", port), cap_(nullptr)
    {
        auto request = client_.getMain<Node>().getRequest();
        request.setName(name);
        cap_ = request.send().getCap();
        cap_.whenResolved().wait(scope()); // one by one: QEMU's user network resets some of many that come together
    }
    template <typename Interface> typename Interface::Client as()
    {
        return cap_.castAs<Interface>();
    }
    kj::WaitScope &scope()
    {
        return client_.getWaitScope();
    }

  private:
    capnp::EzRpcClient client_;
    capnp::Capability::Client cap_;
};

// What is done: prepare() once, then run() `operations` in all, over all connections.
class Work
{
  public:
    Work(kj::Vector<kj::Own<Connection>> &connections, unsigned in_flight, unsigned operations)
        : connections_(connections), in_flight_(in_flight), operations_(operations)
    {
    }
    virtual ~Work() = default;
    virtual void prepare() = 0;
    virtual void run() = 0;

  protected:
    // So many at once, on each connection; `lane` makes one of them.
    template <typename Lane> void together(unsigned lanes, Lane lane)
    {
        kj::Vector<kj::Promise<void>> all;
        for (auto &connection : connections_) {
            for (unsigned i = 0; i < lanes; i++) {
                all.add(lane(*connection));
            }
        }
        kj::joinPromises(all.releaseAsArray()).wait(scope());
    }
    kj::WaitScope &scope()
    {
        return connections_[0]->scope();
    }

    kj::Vector<kj::Own<Connection>> &connections_;
    unsigned in_flight_;
    unsigned operations_;
};

// Small calls, each on the answer of the one before.
class Calls : public Work
{
  public:
    using Work::Work;
    void prepare() override
    {
        together(in_flight_, [this](Connection &c) { return lane(c, 2); });
    }
    void run() override
    {
        unsigned each = operations_ / static_cast<unsigned>(connections_.size() * in_flight_);
        together(in_flight_, [this, each](Connection &c) { return lane(c, each); });
    }

  protected:
    virtual kj::Promise<void> call(Connection &c) = 0;

  private:
    kj::Promise<void> lane(Connection &c, unsigned count)
    {
        if (count == 0) {
            return kj::READY_NOW;
        }
        return call(c).then([this, &c, count]() { return lane(c, count - 1); });
    }
};

class Echoes final : public Calls
{
    using Calls::Calls;
    kj::Promise<void> call(Connection &c) override
    {
        static const kj::byte payload[ECHO_BYTES] = {1, 2, 3};
        auto request = c.as<Echo>().bytesRequest();
        request.setData(kj::arrayPtr(payload, sizeof payload));
        return request.send().then([](auto response) {
            if (response.getData().size() != ECHO_BYTES) {
                die("the echo is no echo");
            }
        });
    }
};

class Puts final : public Calls
{
    using Calls::Calls;
    // Three calls in one go: each on the answer of the first.
    kj::Promise<void> call(Connection &c) override
    {
        kj::byte payload[PUT_BYTES] = {};
        serial++;
        memcpy(payload, &serial, sizeof serial);
        auto request = c.as<Store>().putRequest();
        request.setSize(PUT_BYTES);
        auto upload = request.send().getUpload();
        auto write = upload.writeRequest();
        write.setChunk(kj::arrayPtr(payload, sizeof payload));
        auto written = write.send().ignoreResult();
        return upload.finishRequest().send().ignoreResult().attach(kj::mv(written), kj::mv(upload));
    }
};

class Writes : public Work
{
  public:
    using Work::Work;
    void prepare() override
    {
        put(CHUNKS_PER_MIB);
    }
    void run() override
    {
        put(operations_ * CHUNKS_PER_MIB);
    }

  protected:
    kj::Array<kj::byte> put(unsigned chunks)
    {
        auto request = connections_[0]->as<Store>().putRequest();
        request.setSize(chunks * CHUNK_BYTES);
        auto upload = request.send().getUpload();
        left_ = chunks;
        together(in_flight_, [&](Connection &) { return lane(upload); });
        auto finished = upload.finishRequest().send().wait(scope());
        return kj::heapArray<kj::byte>(finished.getDigest().begin(), finished.getDigest().size());
    }

  private:
    kj::Promise<void> lane(Upload::Client &upload)
    {
        static kj::byte chunk[CHUNK_BYTES];
        if (left_ == 0) {
            return kj::READY_NOW;
        }
        left_--;
        serial++;
        memcpy(chunk, &serial, sizeof serial);
        auto write = upload.writeRequest();
        write.setChunk(kj::arrayPtr(chunk, sizeof chunk));
        return write.send().ignoreResult().then([this, &upload]() { return lane(upload); });
    }

    unsigned left_ = 0;
};

class Reads final : public Writes
{
  public:
    using Writes::Writes;
    void prepare() override
    {
        digest_ = put(operations_ * CHUNKS_PER_MIB);
    }
    void run() override
    {
        auto request = connections_[0]->as<Store>().getRequest();
        request.setDigest(digest_);
        auto blob = request.send().getBlob();
        together(in_flight_, [&](Connection &) { return lane(blob); });
    }

  private:
    kj::Promise<void> lane(ByteSource::Client &blob)
    {
        if (offset_ == operations_ * CHUNKS_PER_MIB * CHUNK_BYTES) {
            return kj::READY_NOW;
        }
        auto read = blob.readRequest();
        read.setOffset(offset_);
        read.setLimit(CHUNK_BYTES);
        offset_ += CHUNK_BYTES;
        return read.send().then([this, &blob](auto response) {
            if (response.getChunk().size() != CHUNK_BYTES) {
                die("a read came short");
            }
            return lane(blob);
        });
    }

    kj::Array<kj::byte> digest_;
    uint64_t offset_ = 0;
};

class Lists final : public Work
{
  public:
    using Work::Work;
    void prepare() override
    {
    }
    void run() override
    {
        std::string after;
        unsigned count = 0;
        for (bool more = true; more;) {
            auto request = connections_[0]->as<Directory>().listRequest();
            request.setPath("d000000");
            request.setAfter(after);
            auto page = request.send().wait(scope());
            for (auto entry : page.getEntries()) {
                if (strcmp(entry.getName().cStr(), after.c_str()) <= 0) {
                    die("the names are not in order");
                }
                after = entry.getName().cStr();
                count++;
            }
            more = page.getMore();
        }
        if (count != operations_) {
            die("there are not so many names");
        }
    }
};

kj::Own<Work> work_of(const std::string &what, kj::Vector<kj::Own<Connection>> &connections, unsigned in_flight,
                      unsigned operations)
{
    if (what == "echo") {
        return kj::heap<Echoes>(connections, in_flight, operations);
    }
    if (what == "put") {
        return kj::heap<Puts>(connections, in_flight, operations);
    }
    if (what == "write") {
        return kj::heap<Writes>(connections, in_flight, operations);
    }
    if (what == "read") {
        return kj::heap<Reads>(connections, in_flight, operations);
    }
    if (what == "list") {
        return kj::heap<Lists>(connections, in_flight, operations);
    }
    die("it does echo, put, write, read and list");
}

} // namespace

int main(int argc, char **argv)
{
    if (argc != 8) {
        die("usage: client PORT WHAT CONNECTIONS IN_FLIGHT OPERATIONS COUNTER SEED");
    }
    auto number = [argv](int i) { return static_cast<unsigned>(strtoul(argv[i], nullptr, 10)); };
    std::string what = argv[2];
    const volatile uint64_t *counter = counter_open(argv[6]);
    kj::Vector<kj::Own<Connection>> connections;

    serial = strtoull(argv[7], nullptr, 10);
    for (unsigned i = 0; i < number(3); i++) {
        connections.add(kj::heap<Connection>(number(1), what == "echo" ? "echo" : what == "list" ? "root" : "store"));
    }
    auto work = work_of(what, connections, number(4), number(5));
    work->prepare();
    printf("ready\n");
    fflush(stdout);
    (void)getchar();
    uint64_t all = counter[COUNT_ALL];
    uint64_t strings = counter[COUNT_STRINGS];
    auto begin = std::chrono::steady_clock::now();
    work->run();
    auto took = std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - begin);
    printf("%llu %llu %lld\n", static_cast<unsigned long long>(counter[COUNT_ALL] - all),
           static_cast<unsigned long long>(counter[COUNT_STRINGS] - strings), static_cast<long long>(took.count()));
}

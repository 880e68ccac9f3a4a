// SPDX-License-Identifier: MIT OR Apache-2.0
// store.c++: Store.put and Store.get as the image store serves them, by Linux, ext4 and libcapnp; argument: the disk.
//
// A blob is a file named by its digest, and is acknowledged when it would survive a power cut: a temporary file, fsync, rename,
// fsync of the folder. Threads of their own wait for that, so that ext4 commits for several clients at once. A blob that is
// opened is read from the disk, with the kernel's read-ahead, not from memory.
#include <condition_variable>
#include <deque>
#include <fcntl.h>
#include <functional>
#include <kj/async.h>
#include <kj/debug.h>
#include <mutex>
#include <openssl/evp.h>
#include <string>
#include <sys/mount.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include "lib/store/store.capnp.h"
#include "node.h"

namespace
{

constexpr unsigned DIGEST_BYTES = 32;
constexpr unsigned THREADS = 16; // as many as the bench has clients
constexpr unsigned READ_MAX = 64 << 10;
int folder = -1;

std::string hex(const unsigned char *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    std::string text;
    for (size_t i = 0; i < size; i++) {
        text += {digits[bytes[i] >> 4], digits[bytes[i] & 15]};
    }
    return text;
}

// What may wait for the disk.
class Threads
{
  public:
    Threads()
    {
        for (unsigned i = 0; i < THREADS; i++) {
            std::thread([this]() { work(); }).detach();
        }
    }
    kj::Promise<void> run(std::function<bool()> job)
    {
        auto pair = kj::newPromiseAndCrossThreadFulfiller<void>();
        {
            std::lock_guard<std::mutex> hold(lock_);
            jobs_.push_back({kj::mv(job), kj::mv(pair.fulfiller)});
        }
        any_.notify_one();
        return kj::mv(pair.promise);
    }

  private:
    struct Job {
        std::function<bool()> run;
        kj::Own<kj::CrossThreadPromiseFulfiller<void>> done;
    };
    [[noreturn]] void work()
    {
        for (;;) {
            std::unique_lock<std::mutex> hold(lock_);
            any_.wait(hold, [this]() { return !jobs_.empty(); });
            Job job = kj::mv(jobs_.front());
            jobs_.pop_front();
            hold.unlock();
            if (job.run()) {
                job.done->fulfill();
            } else {
                job.done->reject(KJ_EXCEPTION(FAILED, "not durable"));
            }
        }
    }

    std::mutex lock_;
    std::condition_variable any_;
    std::deque<Job> jobs_;
};

Threads *threads;

class Upload_server final : public Upload::Server
{
  public:
    Upload_server() : name_("tmp." + std::to_string(++count_)), hash_(EVP_MD_CTX_new())
    {
        file_ = openat(folder, name_.c_str(), O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
        KJ_REQUIRE(file_ >= 0 && EVP_DigestInit_ex(hash_, EVP_sha256(), nullptr) == 1);
    }
    ~Upload_server()
    {
        close(file_);
        EVP_MD_CTX_free(hash_);
        if (!finished_) {
            unlinkat(folder, name_.c_str(), 0);
        }
    }

  private:
    kj::Promise<void> write(WriteContext context) override
    {
        auto chunk = context.getParams().getChunk();
        KJ_REQUIRE(EVP_DigestUpdate(hash_, chunk.begin(), chunk.size()) == 1);
        KJ_REQUIRE(::write(file_, chunk.begin(), chunk.size()) == static_cast<ssize_t>(chunk.size()));
        return kj::READY_NOW;
    }
    kj::Promise<void> finish(FinishContext context) override
    {
        unsigned char digest[DIGEST_BYTES];
        KJ_REQUIRE(EVP_DigestFinal_ex(hash_, digest, nullptr) == 1);
        context.getResults().setDigest(kj::arrayPtr(digest, sizeof digest));
        return threads
            ->run([file = file_, from = name_, to = hex(digest, sizeof digest)]() {
                return fsync(file) == 0 && renameat(folder, from.c_str(), folder, to.c_str()) == 0 &&
                       fsync(folder) == 0;
            })
            .then([this]() { finished_ = true; });
    }

    static inline unsigned count_ = 0;
    std::string name_;
    EVP_MD_CTX *hash_;
    int file_ = -1;
    bool finished_ = false;
};

class Blob_server final : public ByteSource::Server
{
  public:
    explicit Blob_server(int file) : file_(file)
    {
        posix_fadvise(file_, 0, 0, POSIX_FADV_DONTNEED);
    }
    ~Blob_server()
    {
        close(file_);
    }

  private:
    kj::Promise<void> read(ReadContext context) override
    {
        auto params = context.getParams();
        uint32_t limit = params.getLimit() < READ_MAX ? params.getLimit() : READ_MAX;
        auto results = context.getResults(capnp::MessageSize{limit / 8 + 16, 0});
        auto chunk = results.initChunk(limit);
        KJ_REQUIRE(pread(file_, chunk.begin(), limit, static_cast<off_t>(params.getOffset())) == limit);
        return kj::READY_NOW;
    }

    int file_;
};

class Store_server final : public Store::Server
{
    kj::Promise<void> put(PutContext context) override
    {
        context.getResults().setUpload(kj::heap<Upload_server>());
        return kj::READY_NOW;
    }
    kj::Promise<void> get(GetContext context) override
    {
        auto digest = context.getParams().getDigest();
        int file = openat(folder, hex(digest.begin(), digest.size()).c_str(), O_RDONLY | O_CLOEXEC);
        KJ_REQUIRE(file >= 0);
        context.getResults().setBlob(kj::heap<Blob_server>(file));
        return kj::READY_NOW;
    }
};

} // namespace

int main(int argc, char **argv)
{
    if (argc < 2 || mount(argv[1], "/mnt", "ext4", 0, "") != 0) {
        printf("failed: mount of the disk\n");
        return 1;
    }
    folder = open("/mnt", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    threads = new Threads;
    serve(kj::heap<Store_server>());
}

// SPDX-License-Identifier: MIT OR Apache-2.0
// store.c++: Store.put as the image store serves it, by Linux, ext4 and libcapnp; argument: the disk. A blob is a file named by its
// digest, and is acknowledged when it would survive a power cut: a temporary file, fsync, rename, fsync of the folder.
#include <fcntl.h>
#include <kj/debug.h>
#include <openssl/evp.h>
#include <string>
#include <sys/mount.h>
#include <unistd.h>
#include "lib/store/store.capnp.h"
#include "node.h"

namespace
{

constexpr unsigned DIGEST_BYTES = 32;
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
        KJ_REQUIRE(EVP_DigestFinal_ex(hash_, digest, nullptr) == 1 && fsync(file_) == 0);
        KJ_REQUIRE(renameat(folder, name_.c_str(), folder, hex(digest, sizeof digest).c_str()) == 0 &&
                   fsync(folder) == 0);
        finished_ = true;
        context.getResults().setDigest(kj::arrayPtr(digest, sizeof digest));
        return kj::READY_NOW;
    }

    static inline unsigned count_ = 0;
    std::string name_;
    EVP_MD_CTX *hash_;
    int file_ = -1;
    bool finished_ = false;
};

class Store_server final : public Store::Server
{
    kj::Promise<void> put(PutContext context) override
    {
        context.getResults().setUpload(kj::heap<Upload_server>());
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
    serve(kj::heap<Store_server>());
}

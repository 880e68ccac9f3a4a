/* SPDX-License-Identifier: MIT OR Apache-2.0
 * tar.h: a tar that is written (libarchive; docs/decisions/0008): POSIX, with pax headers where ustar has no room.
 */
#pragma once

#include "file.h"

#include <cstdint>
#include <string>

struct archive;

namespace capos
{

/* libarchive converts names by the C library's locale; a node's are UTF-8 whatever the user's is. */
void use_utf8_names();

/* PATH comes into being by finish() (part.h); without that there is none, and a stream gets no end mark. */
class Tar_writer
{
  public:
    explicit Tar_writer(const std::string &path);
    ~Tar_writer();
    Tar_writer(const Tar_writer &) = delete;
    Tar_writer &operator=(const Tar_writer &) = delete;

    void directory(const std::string &path, int64_t changed_ns);
    /* Then exactly `size` bytes. */
    void file(const std::string &path, uint64_t size, int64_t changed_ns);
    void bytes(const void *bytes, size_t size);
    void finish();

  private:
    void header(const std::string &path, unsigned type, uint64_t size, int64_t changed_ns);
    void require(long result);

    const std::string path;
    const bool streams;
    File out;
    struct archive *tar;
    bool finished = false;
};

} // namespace capos

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * file.h: an open file that closes itself and whose reads and writes are whole.
 */
#pragma once

#include <cstdint>
#include <string>
#include <sys/types.h>

namespace capos
{

class File
{
  public:
    File(const std::string &path, int flags, mode_t mode = 0666);
    File(int open_fd, const std::string &what);
    ~File();
    File(File &&other);
    File(const File &) = delete;
    File &operator=(const File &) = delete;

    /* As many bytes as there are, up to `size`; 0 at the end. */
    size_t read(void *bytes, size_t size);
    void write(const void *bytes, size_t size);
    uint64_t size() const;
    void sync();

    const std::string path;
    int fd;
};

/* A nameless file in $TMPDIR or /tmp, for what must be counted before it is sent. */
File spool_file();

} // namespace capos

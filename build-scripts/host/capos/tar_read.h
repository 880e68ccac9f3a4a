/* SPDX-License-Identifier: MIT OR Apache-2.0
 * tar_read.h: a tar that is read (libarchive; docs/decisions/0008).
 *
 *  (1) An archive may be anybody's. What comes out of Tar_reader is a file or a directory whose path has passed the same
 *      check as one that a user types: it leads to a place below where it is unpacked, and nowhere else. Everything else
 *      (links, devices, sparse files, absolute names, "..", control characters) is told by its name and skipped.
 *  (2) An archive that ends without its end mark was cut off: that is a failure, also between two files.
 */
#pragma once

#include "fail.h"
#include "file.h"

#include <archive.h>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace capos
{

struct Tar_entry {
    std::string path; /* empty: the directory that is unpacked to */
    bool directory;
    uint64_t size;
};

class Tar_reader
{
  public:
    explicit Tar_reader(File &&in);

    /* Nothing at the end, however often it is asked. */
    std::optional<Tar_entry> next(const std::function<void(const std::string &, const Failure &)> &skipped);

    /* Of the file that next() gave: as many bytes as it has, up to `size`. */
    size_t read(void *bytes, size_t size);

  private:
    [[noreturn]] void fail();
    void require_end_mark();

    File file;
    std::unique_ptr<struct archive, int (*)(struct archive *)> archive;
    bool ended = false; /* libarchive must not be asked again */
};

} // namespace capos

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * disk.h: a disk of an image as a file (build-scripts/host/disk), for the verbs that look at one.
 */
#pragma once

#include "disk/disk_file.h"

#include <capnp/list.h>
#include <string>
#include <vector>

namespace capos
{

/* An open disk that closes itself. */
class Disk
{
  public:
    explicit Disk(const std::string &path);
    ~Disk();
    Disk(const Disk &) = delete;
    Disk &operator=(const Disk &) = delete;

    struct disk_file *file;
};

/* A new one, sparse: blank, or with an empty volume. Refused when there is something of that name. */
void make_disk(const std::string &path, uint64_t bytes, bool format);

/* Refuses a disk that a virtual machine has open. */
void require_idle(const Disk &disk, const std::string &path);

/* `out` has room for as many. */
void fill_texts(const std::vector<std::string> &texts, capnp::List<capnp::Text>::Builder out);

/* Which of some stages long work is in, and how far, on a line of the terminal. */
class Stages
{
  public:
    explicit Stages(bool wanted);
    ~Stages();
    void reached(const char *what, uint64_t done, uint64_t all);
    void clear();

  private:
    const bool shown;
    std::string last;
};

} // namespace capos

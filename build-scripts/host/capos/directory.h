/* SPDX-License-Identifier: MIT OR Apache-2.0
 * directory.h: the directory of a node, and the one door for what the node says is in it.
 *
 *  (1) A name that a node lists has passed is_name(): it can be shown to be below the directory that it was listed in,
 *      here as there. A node that lists anything else, or names out of their order, so that its listing might never end,
 *      is not believed: the listing fails.
 */
#pragma once

#include "fail.h"
#include "lib/store/store.capnp.h"
#include "session.h"

#include <functional>
#include <string>
#include <vector>

namespace capos
{

/* 1 to 255 bytes of UTF-8 without '/' and control characters, and neither "." nor "..". */
bool is_name(const std::string &name);

/* A PATH argument as the node wants it: slashes at its ends and more than one between names do not matter. Refuses what
 * cannot be a path, naming it. */
std::string node_path(const std::string &given);

/* Either may be empty. */
std::string join_path(const std::string &directory, const std::string &name);
std::string parent_path(const std::string &path);
std::string last_name(const std::string &path);

/* What the node exposes as `root`, or with --at as it was at that snapshot. */
Directory::Client root_of(Session &session, const Args &args);
Directory::Client root_at(Session &session, uint64_t generation);

/* Each entry of the directory at `path`, in order. (1) */
void for_each_entry(Session &session, Directory::Client root, const std::string &path,
                    const std::function<void(DirectoryEntry::Reader)> &entry);

/* Each entry at `path` and below, a directory before what is in it. A directory that cannot be listed is told to
 * `failed`, and the others are listed. `path` itself is not an entry. */
struct Tree_entry {
    std::string path; /* below the directory where the walk began */
    bool directory;
    uint64_t size;
    uint64_t id;
    std::string digest; /* empty: it has none */
    int64_t changed_ns; /* 0: nobody knows */
};
std::vector<Tree_entry> walk(Session &session, Directory::Client root, const std::string &path,
                             const std::function<void(const std::string &, const Failure &)> &failed);

capnp::Response<Directory::StatResults> stat_path(Session &session, Directory::Client root, const std::string &path);

/* With all directories that are missing before it; it may be there already. */
void make_directories(Session &session, Directory::Client root, const std::string &path);

} // namespace capos

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * directory.c++: paths, listings, trees.
 */
#include "directory.h"

#include "fail.h"
#include "text.h"
#include "transfer.h"

#include <algorithm>

namespace capos
{

static constexpr size_t NAME_MAX_BYTES = 255;
static constexpr size_t PATH_MAX_BYTES = 4095;
static constexpr size_t ENTRIES_MAX = 10000000; /* of one tree: each takes some 150 bytes here */

static bool is_utf8_without_controls(const std::string &text)
{
    for (size_t at = 0; at < text.size();) {
        Glyph glyph = glyph_at(text, at);
        /* Marks that a terminal is not shown are no control characters: a name may have them. */
        if (!glyph.shown && (glyph.code == 0xfffd || glyph.code < 0xa0)) {
            return false;
        }
        at += glyph.bytes;
    }
    return true;
}

bool is_name(const std::string &name)
{
    return !name.empty() && name.size() <= NAME_MAX_BYTES && name != "." && name != ".." &&
           name.find('/') == std::string::npos && is_utf8_without_controls(name);
}

std::string join_path(const std::string &directory, const std::string &name)
{
    return directory.empty() ? name : name.empty() ? directory : directory + "/" + name;
}

std::string parent_path(const std::string &path)
{
    size_t slash = path.rfind('/');
    return slash == std::string::npos ? "" : path.substr(0, slash);
}

std::string last_name(const std::string &path)
{
    return path.substr(path.rfind('/') + 1);
}

std::string node_path(const std::string &given)
{
    std::string path;
    for (size_t at = 0; at < given.size();) {
        size_t end = std::min(given.find('/', at), given.size());
        std::string name = given.substr(at, end - at);
        at = end + 1;
        if (name.empty()) {
            continue;
        }
        if (!is_name(name)) {
            refuse("bad-argument", "'" + plain(name) + "' in '" + plain(given) +
                                       "' is no name: a name is 1 to 255 bytes of UTF-8 without control characters, "
                                       "and neither . nor ..");
        }
        path = join_path(path, name);
    }
    if (path.size() > PATH_MAX_BYTES) {
        refuse("bad-argument",
               "a path of " + std::to_string(path.size()) + " bytes; a node takes " + std::to_string(PATH_MAX_BYTES));
    }
    return path;
}

static Directory::Client root_now(Session &session)
{
    return session.cap("root").castAs<Directory>();
}

Directory::Client root_at(Session &session, uint64_t generation)
{
    auto root = root_now(session);
    return session
        .ask([&]() {
            auto request = root.atRequest();
            request.setGeneration(generation);
            return request.send();
        })
        .getDirectory();
}

Directory::Client root_of(Session &session, const Args &args)
{
    long generation = args.number("--at", 0, INT64_MAX, -1);
    return generation < 0 ? root_now(session) : root_at(session, static_cast<uint64_t>(generation));
}

static void believe(const std::string &path, const std::string &before, const std::string &name)
{
    if (!is_name(name)) {
        refuse("corrupt", "the node lists '" + plain(name) + "' in /" + path + ", and that is no name");
    }
    if (name <= before) { /* as std::string compares: in byte order */
        refuse("corrupt", "the node lists '" + name + "' in /" + path + " behind '" + before + "'");
    }
}

void for_each_entry(Session &session, Directory::Client root, const std::string &path,
                    const std::function<void(DirectoryEntry::Reader)> &entry)
{
    std::string after;
    for (bool more = true; more;) {
        auto page = session.ask([&]() {
            auto request = root.listRequest();
            request.setPath(path.c_str());
            request.setAfter(after.c_str());
            return request.send();
        });
        for (auto found : page.getEntries()) {
            std::string name(found.getName().cStr(), found.getName().size());
            believe(path, after, name);
            entry(found);
            after = name;
        }
        more = page.getMore();
        if (more && page.getEntries().size() == 0) {
            refuse("corrupt", "the node says that /" + path + " has more names, and lists none");
        }
    }
}

static Tree_entry tree_entry(const std::string &directory, DirectoryEntry::Reader entry)
{
    auto stat = entry.getStat();
    bool known = stat.getChanged().getClock() != Time::Clock::UNKNOWN;
    return {join_path(directory, entry.getName().cStr()),
            stat.getKind() == Stat::Kind::DIRECTORY,
            stat.getSize(),
            stat.getId(),
            bytes_of(stat.getDigest()),
            known ? stat.getChanged().getNanoseconds() : 0};
}

/* A tree of a node that makes it up has no end, in breadth or in depth. */
static void require_end(const std::string &path, const std::vector<Tree_entry> &found)
{
    if (found.size() > ENTRIES_MAX || path.size() + found.back().path.size() > PATH_MAX_BYTES) {
        refuse("corrupt", "what the node lists in /" + path + " does not end: " + std::to_string(found.size()) +
                              " names, the last with a path of " + std::to_string(found.back().path.size()) + " bytes");
    }
}

std::vector<Tree_entry> walk(Session &session, Directory::Client root, const std::string &path,
                             const std::function<void(const std::string &, const Failure &)> &failed)
{
    std::vector<Tree_entry> found;
    std::vector<std::string> due = {""};
    while (!due.empty()) {
        std::string directory = due.back();
        due.pop_back();
        attempt(
            [&]() {
                for_each_entry(session, root, join_path(path, directory), [&](DirectoryEntry::Reader entry) {
                    found.push_back(tree_entry(directory, entry));
                    require_end(path, found);
                    if (found.back().directory) {
                        due.push_back(found.back().path);
                    }
                });
            },
            [&](const Failure &failure) { failed(directory, failure); });
    }
    return found;
}

capnp::Response<Directory::StatResults> stat_path(Session &session, Directory::Client root, const std::string &path)
{
    return session.ask([&]() {
        auto request = root.statRequest();
        request.setPath(path.c_str());
        return request.send();
    });
}

void make_directories(Session &session, Directory::Client root, const std::string &path)
{
    session.ask([&]() {
        auto request = root.mkdirRequest();
        request.setPath(path.c_str());
        request.setParents(true);
        return request.send();
    });
}

} // namespace capos

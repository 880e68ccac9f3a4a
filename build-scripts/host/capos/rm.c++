/* SPDX-License-Identifier: MIT OR Apache-2.0
 * rm.c++: files and directories go.
 */
#include "directory.h"
#include "tally.h"
#include "together.h"
#include "verbs.h"

#include <algorithm>

namespace capos
{

/* An overloaded node may have had room for the work and none for its answer: gone at the second asking is gone. */
static void remove_path(Session &session, Directory::Client root, const std::string &path)
{
    unsigned asked = 0;
    try {
        session.ask([&]() {
            asked++;
            auto request = root.removeRequest();
            request.setPath(path.c_str());
            return request.send();
        });
    } catch (const kj::Exception &e) {
        if (asked == 1 || failure_of(e).kind != "not-found") {
            throw;
        }
    }
}

static void remove_all(Session &session, Directory::Client root, const std::vector<std::string> &paths, Tally &tally)
{
    run_together(
        session,
        [&](size_t i) {
            if (i < paths.size()) {
                remove_path(session, root, paths[i]);
            }
            return i + 1 < paths.size();
        },
        [&](size_t i, const Failure &failure) { tally.fail(paths[i], failure); });
}

static size_t depth_of(const std::string &path)
{
    return static_cast<size_t>(std::count(path.begin(), path.end(), '/'));
}

/* All files, then the directories, the deepest first. */
static void remove_tree(Session &session, Directory::Client root, const std::string &path, Tally &tally)
{
    std::vector<std::string> files;
    std::map<size_t, std::vector<std::string>> directories;
    auto failed = [&](const std::string &below, const Failure &failure) {
        tally.fail(join_path(path, below), failure);
    };
    if (stat_path(session, root, path).getStat().getKind() == Stat::Kind::DIRECTORY) {
        for (const Tree_entry &entry : walk(session, root, path, failed)) {
            std::string whole = join_path(path, entry.path);
            (entry.directory ? directories[depth_of(whole)] : files).push_back(whole);
        }
    }
    directories[depth_of(path)].push_back(path);
    remove_all(session, root, files, tally);
    for (auto level = directories.rbegin(); level != directories.rend(); level++) {
        remove_all(session, root, level->second, tally);
    }
}

static void remove_one(Session &session, Directory::Client root, const std::string &path)
{
    attempt([&]() { remove_path(session, root, path); },
            [&](const Failure &failure) {
                refuse(failure.kind, failure.reason + (failure.kind == "not-empty" ? "; -r removes all of it" : ""));
            });
}

void run_rm(const Args &args)
{
    std::vector<std::string> paths;
    for (size_t i = 1; i < args.words.size(); i++) {
        paths.push_back(node_path(args.words[i]));
        if (paths.back().empty()) {
            refuse("bad-argument", "the directory that everything is in cannot be removed");
        }
    }
    State state(args);
    Session session(find_target(state, args.words[0]), args);
    auto root = root_of(session, args);
    Tally tally(args);
    for (const std::string &path : paths) {
        attempt(
            [&]() {
                if (args.has("-r")) {
                    remove_tree(session, root, path, tally);
                } else {
                    remove_one(session, root, path);
                }
            },
            [&](const Failure &failure) { tally.fail(path, failure); });
    }
    tally.end("removed");
}

} // namespace capos

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * put.c++: a file into a node.
 */
#include "directory.h"
#include "fail.h"
#include "send.h"
#include "transfer.h"
#include "verbs.h"

#include <chrono>
#include <fcntl.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace capos
{

static constexpr unsigned TRIES_MAX = 3; /* connections one after the other that brought nothing further */

static uint64_t room_of(const Target &target, const Args &args)
{
    Session session(target, args);
    auto store = session.cap("store").castAs<Store>();
    return session.ask([&]() { return store.infoRequest().send(); }).getFreeBytes();
}

/* A pipe has no size before it has ended, and the store wants to know the size first. What the store has no room for is
 * not collected either: a pipe may be endless. */
static File spool(File in, uint64_t room, const std::string &node)
{
    File out = spool_file();
    std::string buffer(CHUNK, '\0');
    uint64_t total = 0;
    while (size_t got = in.read(buffer.data(), buffer.size())) {
        total += got;
        if (total > room) {
            refuse("full", in.path + " holds more than the " + size_text(static_cast<double>(room)) + " that " + node +
                               " has room for");
        }
        out.write(buffer.data(), got);
    }
    return out;
}

static File open_source(const Args &args, const Target &target)
{
    const std::string &name = args.words[2];
    struct stat st;
    if (name != "-") {
        File file(name, O_RDONLY);
        file.size(); /* refuses a directory */
        if (fstat(file.fd, &st) == 0 && S_ISREG(st.st_mode)) {
            return file;
        }
    }
    uint64_t room = room_of(target, args);
    return spool(name == "-" ? File(STDIN_FILENO, "standard input") : File(name, O_RDONLY), room, target.name);
}

static std::string path_of(const std::string &given)
{
    std::string path = node_path(given);
    if (path.empty()) {
        refuse("bad-argument", "a name is 1 to 255 bytes: '" + given + "' has none; or -r, to put a directory");
    }
    return path;
}

/* The connection broke. */
struct Broken {
    Failure why;
};

static Sent put_connected(Session &session, const std::string &path, Source &source, Progress &progress)
{
    try {
        return failing([&]() {
            Place place = place_of(session);
            return put_at(place, path, source, progress);
        });
    } catch (const Failure &failure) {
        if (failure.kind != "disconnected" || !source.again) {
            throw;
        }
        throw Broken{failure};
    }
}

/* Over a new connection. That there is none says less than why the last one broke. */
static Sent put_again(const Target &target, const Args &args, const Failure &broke, Source &source, Progress &progress)
{
    std::unique_ptr<Session> session;
    try {
        session = std::make_unique<Session>(target, args);
    } catch (const Failure &failure) {
        throw Failure{broke.exit, broke.kind, broke.reason + "; then " + failure.reason};
    }
    return put_connected(*session, path_of(args.words[1]), source, progress);
}

/* As long as each connection brings it further. */
static Sent put_going_on(const Target &target, const Args &args, const Broken &first, Source &source,
                         Progress &progress)
{
    Broken broken = first;
    for (unsigned tries = 1; tries < TRIES_MAX; tries++) {
        uint64_t before = source.given;
        progress.note("the connection broke (" + broken.why.reason + "); going on over a new one");
        std::this_thread::sleep_for(std::chrono::seconds(1)); /* what broke it may need a moment, too */
        try {
            return put_again(target, args, broken.why, source, progress);
        } catch (const Broken &again) {
            broken = again;
        }
        tries = source.given > before ? 0 : tries;
    }
    throw broken.why;
}

static Sent put_source(const Target &target, const Args &args, Source &source, Progress &progress)
{
    std::optional<Broken> broken;
    {
        Session session(target, args);
        try {
            return put_connected(session, path_of(args.words[1]), source, progress);
        } catch (const Broken &b) {
            broken = b;
        }
    }
    return put_going_on(target, args, *broken, source, progress);
}

static void put_file(const Args &args)
{
    const std::string &path = args.words[1];
    State state(args);
    Target target = find_target(state, args.words[0]);
    say_when_interrupted(
        "\ncapos: interrupted; the node's files are as they were; the same put of a file, if it comes soon, "
        "goes on where it stopped\n");
    File_source source(open_source(args, target));
    Progress progress("put " + path, source.size, !args.has("--json"));
    Sent sent = put_source(target, args, source, progress);

    capnp::MallocMessageBuilder message;
    auto out = message.initRoot<Transfer>();
    out.setPath(path.c_str());
    out.setFile(args.words[2].c_str());
    out.setSize(static_cast<double>(source.size));
    out.setDigest(hex(sent.digest).c_str());
    out.setKnown(sent.known);
    out.setResumedAt(static_cast<double>(source.found.value_or(0)));
    out.setSeconds(progress.seconds());
    progress.clear();
    report(args, "put", out);
}

void run_put(const Args &args)
{
    if (args.has("-r")) {
        put_tree(args);
    } else {
        put_file(args);
    }
}

} // namespace capos

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * get.c++: a file out of a node.
 */
#include "directory.h"
#include "fail.h"
#include "part.h"
#include "receive.h"
#include "sink.h"
#include "transfer.h"
#include "verbs.h"

#include <sys/stat.h>

namespace capos
{

/* FILE, or in FILE when that is a directory, or in the current one: under the last part of PATH then. */
static std::string local_name(const Args &args)
{
    struct stat st;
    std::string given = args.words.size() > 2 ? args.words[2] : ".";
    if (given == "-" || stat(given.c_str(), &st) != 0 || !S_ISDIR(st.st_mode)) {
        return given;
    }
    std::string name = last_name(node_path(args.words[1]));
    if (name.empty()) {
        misuse("'" + args.words[1] + "' ends in no file name; say which FILE to write");
    }
    return given == "." ? name : given + "/" + name;
}

static Blob open_wanted(Session &session, const Args &args)
{
    try {
        return open_file(session, root_of(session, args), node_path(args.words[1]));
    } catch (const kj::Exception &e) {
        Failure failure = failure_of(e);
        failure.reason += failure.kind == "is-directory" ? "; -r gets all of it" : "";
        throw failure;
    }
}

static void get_file(const Args &args)
{
    std::string name = local_name(args);
    State state(args);
    Session session(find_target(state, args.words[0]), args);
    Blob blob = open_wanted(session, args);

    Sink sink(name, part_of(name), blob.digest, blob.size, true);
    say_when_interrupted("\ncapos: interrupted; the same get goes on from FILE.part\n");
    uint64_t resumed_at = sink.reached();
    Progress progress("get " + args.words[1], blob.size, !args.has("--json"));
    Reads reads(session, blob, resumed_at);
    progress.resumed(resumed_at);
    while (!reads.ended()) {
        auto answer = about(args.words[1], [&]() { return reads.next(); });
        sink.write(answer.getChunk());
        progress.add(answer.getChunk().size());
    }
    std::string digest = sink.finish();

    capnp::MallocMessageBuilder message;
    auto out = message.initRoot<Transfer>();
    out.setPath(args.words[1].c_str());
    out.setFile(name.c_str());
    out.setSize(static_cast<double>(blob.size));
    out.setDigest(hex(digest).c_str());
    out.setResumedAt(static_cast<double>(resumed_at));
    out.setSeconds(progress.seconds());
    progress.clear();
    if (name != "-" || !args.has("--json")) {
        report(args, "get", out);
    }
}

void run_get(const Args &args)
{
    if (args.has("-r")) {
        get_tree(args);
    } else {
        get_file(args);
    }
}

} // namespace capos

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * get_tree.c++: get -r: a directory of a node into one of the host, several files at once.
 *
 *  (1) Nothing is written outside of the target. Names were checked where they were listed (directory.h); a directory that is
 *      a link here, or no directory, gets nothing; what is no regular file is not replaced.
 *  (2) Files come into being whole, by rename out of TARGET/.capos-part, where a later get goes on with what an interrupted one
 *      left. A file that is there already, with the digest that the node says, is not fetched.
 */
#include "directory.h"
#include "fail.h"
#include "receive.h"
#include "send.h"
#include "sink.h"
#include "tally.h"
#include "together.h"
#include "transfer.h"
#include "verbs.h"

#include <cerrno>
#include <fcntl.h>
#include <set>
#include <sys/stat.h>
#include <unistd.h>

namespace capos
{

static const char PARTS[] = ".capos-part";

/* With no link in the place of the last name. */
static void make_here(const std::string &path)
{
    struct stat st;
    if (mkdir(path.c_str(), 0777) == 0) {
        return;
    }
    if (errno != EEXIST) {
        fail_errno(path);
    }
    if (lstat(path.c_str(), &st) != 0 || !S_ISDIR(st.st_mode)) {
        refuse("exists", path + " is there and no directory; nothing is written into it");
    }
}

/* Whether the file is there already. (2) */
static bool is_same(Session &session, const std::string &path, const Tree_entry &entry)
{
    struct stat st;
    if (lstat(path.c_str(), &st) != 0) {
        return false;
    }
    if (!S_ISREG(st.st_mode)) {
        refuse("exists", path + " is there and no regular file; it was left alone");
    }
    if (entry.digest.empty() || static_cast<uint64_t>(st.st_size) != entry.size) {
        return false;
    }
    File_source file(File(path, O_RDONLY | O_NOFOLLOW));
    return digest_of(session, file) == entry.digest;
}

class Tree_get
{
  public:
    Tree_get(const Args &args, Session &s, Tally &failures, const std::string &to, TreeTransfer::Builder o)
        : path(node_path(args.words[1])), target(to), session(s), tally(failures), out(o), root(root_of(s, args)),
          what("get " + args.words[1]), shown(!args.has("--json"))
    {
    }
    void run();

  private:
    void make_all(const std::vector<Tree_entry> &found);
    void get_all();
    void get_one(const Tree_entry &entry, Progress &progress);
    void fetch(const Tree_entry &entry, const std::string &to, Progress &progress);

    const std::string path;
    const std::string target;
    Session &session;
    Tally &tally;
    TreeTransfer::Builder out;
    Directory::Client root;
    const std::string what;
    const bool shown;
    std::vector<Tree_entry> files; /* those whose directory is here */
    uint64_t bytes = 0;
};

/* Directories stand before what is in them: what is below one that could not be made is not tried. (1) */
void Tree_get::make_all(const std::vector<Tree_entry> &found)
{
    std::set<std::string> bad;
    for (const Tree_entry &entry : found) {
        attempt(
            [&]() {
                if (bad.count(parent_path(entry.path)) != 0) {
                    refuse("skipped", "its directory could not be made");
                }
                if (entry.path == PARTS) {
                    refuse("exists", std::string(PARTS) + " is where this get keeps what it has of a file");
                }
                if (!entry.directory) {
                    files.push_back(entry);
                    bytes += entry.size;
                    return;
                }
                make_here(join_path(target, entry.path));
                out.setDirectories(out.getDirectories() + 1);
            },
            [&](const Failure &failure) {
                bad.insert(entry.path);
                tally.fail(entry.path, failure);
            });
    }
}

void Tree_get::fetch(const Tree_entry &entry, const std::string &to, Progress &progress)
{
    Blob blob = open_file(session, root, join_path(path, entry.path));
    std::string part = target + "/" + PARTS + "/" + std::to_string(entry.id);
    Sink sink(to, part, blob.digest, blob.size, false);
    Reads reads(session, blob, sink.reached());
    progress.resumed(sink.reached());
    while (!reads.ended()) {
        auto answer = reads.next();
        sink.write(answer.getChunk());
        progress.add(answer.getChunk().size());
    }
    sink.finish();
}

void Tree_get::get_one(const Tree_entry &entry, Progress &progress)
{
    std::string to = join_path(target, entry.path);
    bool same = is_same(session, to, entry);
    if (same) {
        progress.resumed(entry.size);
    } else {
        fetch(entry, to, progress);
    }
    progress.file_done();
    out.setFiles(out.getFiles() + 1);
    out.setKnown(out.getKnown() + same);
    out.setSize(out.getSize() + static_cast<double>(entry.size));
}

void Tree_get::get_all()
{
    Progress progress(what, bytes, shown, files.size());
    tally.progress = &progress;
    KJ_DEFER(tally.progress = nullptr);
    run_together(
        session,
        [&](size_t i) {
            if (i < files.size()) {
                get_one(files[i], progress);
            }
            return i + 1 < files.size();
        },
        [&](size_t i, const Failure &failure) { tally.fail(files[i].path, failure); });
    out.setSeconds(progress.seconds());
    progress.clear();
}

void Tree_get::run()
{
    auto found = walk(session, root, path, [&](const std::string &below, const Failure &failure) {
        if (below.empty()) {
            throw failure;
        }
        tally.fail(below, failure);
    });
    struct stat st;
    if (stat(target.c_str(), &st) != 0 || !S_ISDIR(st.st_mode)) {
        make_here(target);
    }
    make_here(target + "/" + PARTS);
    make_all(found);
    get_all();
    rmdir((target + "/" + PARTS).c_str()); /* stays when something is left in it */
    if (syncfs(File(target, O_RDONLY | O_DIRECTORY).fd) != 0) {
        fail_errno(target);
    }
}

void get_tree(const Args &args)
{
    std::string path = node_path(args.words[1]);
    std::string target = args.words.size() > 2 ? args.words[2] : last_name(path);
    if (target.empty() || target == "-") {
        misuse("say which directory to write to: capos get -r NODE " + args.words[1] + " DIRECTORY");
    }
    State state(args);
    Session session(find_target(state, args.words[0]), args);
    say_when_interrupted("\ncapos: interrupted; the same get goes on with what is not there yet\n");
    Tally tally(args);
    capnp::MallocMessageBuilder message;
    auto out = message.initRoot<TreeTransfer>();
    out.setPath(args.words[1].c_str());
    out.setFile(target.c_str());
    Tree_get(args, session, tally, target, out).run();
    out.setFailed(static_cast<unsigned>(tally.failures));
    report_tree(args, "get", out);
    tally.end("got");
}

} // namespace capos

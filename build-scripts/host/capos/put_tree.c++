/* SPDX-License-Identifier: MIT OR Apache-2.0
 * put_tree.c++: put -r: a directory of the host into a node, several files at once.
 */
#include "directory.h"
#include "fail.h"
#include "send.h"
#include "tally.h"
#include "text.h"
#include "together.h"
#include "transfer.h"
#include "verbs.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fts.h>
#include <memory>
#include <sys/stat.h>

namespace capos
{

/* What is to be put, by path below the directory that was given. */
struct Host_tree {
    std::string top;
    std::vector<std::string> directories;
    std::vector<std::string> files;
    uint64_t bytes = 0;
};

static void take_entry(const FTSENT &entry, const std::string &path, Host_tree &tree, Tally &tally)
{
    switch (entry.fts_info) {
    case FTS_D:
        if (!path.empty()) {
            tree.directories.push_back(path);
        }
        break;
    case FTS_F:
        tree.files.push_back(path);
        tree.bytes += static_cast<uint64_t>(entry.fts_statp->st_size);
        break;
    case FTS_DP:
        break;
    case FTS_DC:
        tally.skip(path, "is a directory that it is in itself");
        break;
    case FTS_SL:
    case FTS_SLNONE:
        tally.skip(path, "is a symbolic link; a node has none");
        break;
    case FTS_DEFAULT:
        tally.skip(path, "is neither file nor directory");
        break;
    default: /* FTS_DNR, FTS_ERR, FTS_NS */
        tally.fail(path.empty() ? tree.top : path, {Exit::REFUSED, "failed", strerror(entry.fts_errno)});
        break;
    }
}

static int by_name(const FTSENT **one, const FTSENT **other)
{
    return strcmp((*one)->fts_name, (*other)->fts_name);
}

/* Links are not followed, but for `top` itself. */
static Host_tree scan(const std::string &top, Tally &tally)
{
    Host_tree tree;
    tree.top = top;
    struct stat st;
    if (stat(top.c_str(), &st) != 0) {
        fail_errno(top);
    }
    if (!S_ISDIR(st.st_mode)) {
        refuse("failed", top + ": is no directory; put without -r puts a file");
    }
    char *const tops[] = {const_cast<char *>(top.c_str()), nullptr}; /* fts does not write there */
    std::unique_ptr<FTS, int (*)(FTS *)> walker(fts_open(tops, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, by_name),
                                                fts_close);
    if (!walker) {
        fail_errno(top);
    }
    errno = 0;
    while (FTSENT *entry = fts_read(walker.get())) {
        std::string path(entry->fts_path);
        size_t below = std::min(path.find_first_not_of('/', top.size()), path.size());
        take_entry(*entry, path.substr(below), tree, tally);
        errno = 0;
    }
    if (errno != 0) { /* else that was all */
        fail_errno(top);
    }
    return tree;
}

/* It may have become something else since it was seen. */
static File open_regular(const std::string &path)
{
    File file(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;
    if (fstat(file.fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        refuse("failed", path + ": is no regular file any more");
    }
    return file;
}

class Tree_put
{
  public:
    Tree_put(const Args &args, Session &session, const Host_tree &t, Tally &failures, TreeTransfer::Builder o)
        : path(node_path(args.words[1])), tree(t), tally(failures), out(o), place(place_of(session)),
          progress("put " + args.words[1], t.bytes, !args.has("--json"), t.files.size())
    {
        tally.progress = &progress;
    }
    void run();

  private:
    void make_directory(size_t i);
    void put_one(size_t i);
    void each(const std::vector<std::string> &paths, void (Tree_put::*job)(size_t i));

    const std::string path;
    const Host_tree &tree;
    Tally &tally;
    TreeTransfer::Builder out;
    Place place;
    Progress progress;
};

void Tree_put::each(const std::vector<std::string> &paths, void (Tree_put::*job)(size_t i))
{
    run_together(
        place.session,
        [&](size_t i) {
            if (i < paths.size()) {
                (this->*job)(i);
            }
            return i + 1 < paths.size();
        },
        [&](size_t i, const Failure &failure) { tally.fail(paths[i], failure); });
}

void Tree_put::make_directory(size_t i)
{
    make_directories(place.session, place.root, node_path(join_path(path, tree.directories[i])));
    out.setDirectories(out.getDirectories() + 1);
}

void Tree_put::put_one(size_t i)
{
    std::string to = node_path(join_path(path, tree.files[i]));
    File_source source(open_regular(join_path(tree.top, tree.files[i])));
    Sent sent = put_at(place, to, source, progress);
    progress.file_done();
    out.setFiles(out.getFiles() + 1);
    out.setKnown(out.getKnown() + sent.known);
    out.setSize(out.getSize() + static_cast<double>(source.size));
}

void Tree_put::run()
{
    if (!path.empty()) {
        make_directories(place.session, place.root, path);
    }
    each(tree.directories, &Tree_put::make_directory);
    each(tree.files, &Tree_put::put_one);
    out.setSeconds(progress.seconds());
    progress.clear();
}

void put_tree(const Args &args)
{
    node_path(args.words[1]);
    State state(args);
    Target target = find_target(state, args.words[0]);
    say_when_interrupted("\ncapos: interrupted; files that were done are there, the others are as they were\n");
    Tally tally(args);
    Host_tree tree = scan(args.words[2], tally);
    Session session(target, args);
    capnp::MallocMessageBuilder message;
    auto out = message.initRoot<TreeTransfer>();
    out.setPath(args.words[1].c_str());
    out.setFile(args.words[2].c_str());
    Tree_put(args, session, tree, tally, out).run();
    tally.progress = nullptr;
    out.setFailed(static_cast<unsigned>(tally.failures));
    report_tree(args, "put", out);
    tally.end("put");
}

} // namespace capos

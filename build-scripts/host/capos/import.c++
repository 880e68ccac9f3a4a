/* SPDX-License-Identifier: MIT OR Apache-2.0
 * import.c++: a tar into a directory of a node.
 *
 *  (1) The archive is read in its order. What is small is taken out of it at once and put by whoever has time; a large file
 *      is streamed by the job that found it, and the others wait for the archive meanwhile.
 *  (2) An entry that cannot be put is named, and the rest goes on. Nothing is put twice: an overloaded node gets the same bytes
 *      again later.
 */
#include "directory.h"
#include "fail.h"
#include "send.h"
#include "tally.h"
#include "tar_read.h"
#include "text.h"
#include "together.h"
#include "transfer.h"
#include "verbs.h"

#include <cstring>
#include <fcntl.h>
#include <map>
#include <optional>
#include <set>
#include <sys/stat.h>
#include <unistd.h>

namespace capos
{

static constexpr uint64_t SMALL = 4 * CHUNK;
static constexpr unsigned ROUNDS = 20; /* of asking an overloaded node to take a large file */

class Content_source final : public Source
{
  public:
    Content_source(const std::string &n, const std::string &c) : Source(n, c.size(), true), content(c)
    {
    }
    size_t read(void *bytes, size_t size) override
    {
        size_t some = content.copy(static_cast<char *>(bytes), size, at);
        at += some;
        return some;
    }
    void seek(uint64_t offset) override
    {
        at = offset;
    }

  private:
    const std::string &content;
    size_t at = 0;
};

class Entry_source final : public Source
{
  public:
    Entry_source(Tar_reader &t, const Tar_entry &entry) : Source(entry.path, entry.size, false), tar(t)
    {
    }
    size_t read(void *bytes, size_t size) override
    {
        begun = true;
        return tar.read(bytes, size);
    }
    void seek(uint64_t) override
    {
    }
    bool begun = false;

  private:
    Tar_reader &tar;
};

class Tree_import
{
  public:
    Tree_import(const Args &args, Session &s, Tar_reader &t, Tally &failures, uint64_t bytes, TreeTransfer::Builder o)
        : top(node_path(args.words.size() > 2 ? args.words[2] : "")), session(s), tar(t), tally(failures), out(o),
          place(place_of(s)), progress("import /" + top, bytes, !args.has("--json")), turns(s)
    {
        tally.progress = &progress;
    }
    void run();

  private:
    /* Taken out of the archive and not put yet. */
    struct Pending {
        Tar_entry entry;
        std::string content;
    };

    bool job(size_t i);
    bool take(size_t i);
    void put_large(const Tar_entry &entry);
    void put(const Pending &pending);
    void count(uint64_t size, bool known);

    const std::string top;
    Session &session;
    Tar_reader &tar;
    Tally &tally;
    TreeTransfer::Builder out;
    Place place;
    Progress progress;
    Turns turns;
    std::map<size_t, Pending> pending;
    std::set<std::string> seen;     /* files: the order in which two of one name would be put is nobody's */
    std::optional<Failure> damaged; /* the archive itself: nothing more comes out of it */
};

void Tree_import::count(uint64_t size, bool known)
{
    out.setFiles(out.getFiles() + 1);
    out.setSize(out.getSize() + static_cast<double>(size));
    out.setKnown(out.getKnown() + known);
    progress.file_done();
}

void Tree_import::put_large(const Tar_entry &entry)
{
    Entry_source source(tar, entry);
    for (unsigned round = 1;; round++) {
        try {
            count(entry.size, put_at(place, join_path(top, entry.path), source, progress).known);
            return;
        } catch (const Overload &) {
            if (source.begun || round == ROUNDS) {
                throw;
            }
        }
    }
}

void Tree_import::put(const Pending &what)
{
    std::string path = join_path(top, what.entry.path);
    if (what.entry.directory) {
        if (!what.entry.path.empty()) { /* else it is `top` */
            make_directories(session, place.root, path);
            out.setDirectories(out.getDirectories() + 1);
        }
        return;
    }
    Content_source source(what.entry.path, what.content);
    count(source.size, put_at(place, path, source, progress).known);
}

/* The next entry, or false at the end. (1) */
bool Tree_import::take(size_t i)
{
    turns.wait_for(i);
    KJ_DEFER(turns.next());
    if (damaged) {
        return false;
    }
    std::optional<Tar_entry> entry;
    attempt(
        [&]() {
            entry = tar.next([&](const std::string &name, const Failure &failure) { tally.fail(name, failure); });
        },
        [&](const Failure &failure) { damaged = failure; });
    if (!entry) {
        return false;
    }
    if (!entry->directory && !seen.insert(entry->path).second) {
        tally.skip(entry->path, "twice in the archive; the first was taken");
        return true;
    }
    if (entry->size > SMALL) {
        attempt([&]() { put_large(*entry); }, [&](const Failure &failure) { tally.fail(entry->path, failure); });
        return true;
    }
    Pending next = {*entry, std::string(entry->size, '\0')};
    attempt([&]() { next.content.resize(tar.read(next.content.data(), next.content.size())); },
            [&](const Failure &failure) { damaged = failure; });
    if (damaged) {
        return false;
    }
    pending.emplace(i, next);
    return true;
}

bool Tree_import::job(size_t i)
{
    if (pending.count(i) == 0 && !take(i)) {
        return false;
    }
    auto mine = pending.find(i);
    if (mine != pending.end()) {
        put(mine->second);
        pending.erase(mine);
    }
    return true;
}

void Tree_import::run()
{
    if (!top.empty()) {
        make_directories(session, place.root, top);
    }
    run_together(
        session, [&](size_t i) { return job(i); },
        [&](size_t i, const Failure &failure) {
            tally.fail(pending.at(i).entry.path, failure);
            pending.erase(i);
        });
    out.setSeconds(progress.seconds());
    progress.clear();
    if (damaged) {
        throw *damaged;
    }
}

/* For the bar: what a file has; of a pipe nobody knows. */
static uint64_t bytes_in(const File &file)
{
    struct stat st;
    return fstat(file.fd, &st) == 0 && S_ISREG(st.st_mode) ? static_cast<uint64_t>(st.st_size) : 0;
}

void run_import(const Args &args)
{
    node_path(args.words.size() > 2 ? args.words[2] : "");
    const std::string &name = args.words[1];
    File file = name == "-" ? File(STDIN_FILENO, "standard input") : File(name, O_RDONLY);
    uint64_t bytes = bytes_in(file);
    State state(args);
    Session session(find_target(state, args.words[0]), args);
    say_when_interrupted("\ncapos: interrupted; what was done is there; the same import does the rest\n");
    Tar_reader tar(std::move(file));
    Tally tally(args);
    capnp::MallocMessageBuilder message;
    auto out = message.initRoot<TreeTransfer>();
    out.setPath(args.words.size() > 2 ? args.words[2].c_str() : "/");
    out.setFile(name.c_str());
    Tree_import(args, session, tar, tally, bytes, out).run();
    tally.progress = nullptr;
    out.setFailed(static_cast<unsigned>(tally.failures));
    report_tree(args, "import", out);
    tally.end("imported");
}

} // namespace capos

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * export.c++: a directory of a node, as it is at one moment, into a tar.
 *
 *  (1) Several files are asked for at once, and written in their order: small ones are here already when their turn comes.
 *  (2) An archive with a file missing, or half of one, would pass for a backup: the first failure ends it, and there is no FILE.
 */
#include "directory.h"
#include "fail.h"
#include "receive.h"
#include "digest.h"
#include "snapshot.h"
#include "tar.h"
#include "together.h"
#include "transfer.h"
#include "verbs.h"

#include <algorithm>
#include <optional>

namespace capos
{

static constexpr uint64_t SMALL = 4 * CHUNK; /* what is fetched before its turn */

/* A file on its way into the archive. */
struct Piece {
    std::optional<Blob> blob; /* none: a directory */
    std::string content;      /* of a small one: all of it */
};

class Tree_export
{
  public:
    Tree_export(Session &s, Directory::Client r, const std::string &p, const std::string &to, bool show)
        : session(s), root(kj::mv(r)), path(p), tar(to), shown(show), turns(s)
    {
    }
    void run(TreeTransfer::Builder out);

  private:
    bool job(size_t i);
    Piece fetch(const Tree_entry &entry);
    void write(const Tree_entry &entry, Piece &piece);
    void stream(Blob &blob, const std::function<void(capnp::Data::Reader)> &take);
    void list();

    Session &session;
    Directory::Client root;
    const std::string path;
    Tar_writer tar;
    const bool shown;
    Turns turns;
    std::vector<Tree_entry> found;
    uint64_t bytes = 0;
    Progress *progress = nullptr;
    std::optional<Failure> failed; /* (2) */
};

void Tree_export::stream(Blob &blob, const std::function<void(capnp::Data::Reader)> &take)
{
    Digest digest;
    Reads reads(session, blob, 0);
    while (!reads.ended()) {
        auto answer = reads.next();
        digest.add(answer.getChunk().begin(), answer.getChunk().size());
        take(answer.getChunk());
        progress->add(answer.getChunk().size());
    }
    std::string got = digest.finish();
    if (!blob.digest.empty() && got != blob.digest) {
        refuse("corrupt", "what came has sha256 " + hex(got) + ", not " + hex(blob.digest));
    }
}

Piece Tree_export::fetch(const Tree_entry &entry)
{
    Piece piece;
    if (!entry.directory) {
        piece.blob = open_file(session, root, join_path(path, entry.path));
        if (piece.blob->size <= SMALL) {
            stream(*piece.blob, [&](capnp::Data::Reader chunk) { piece.content += bytes_of(chunk); });
        }
    }
    return piece;
}

void Tree_export::write(const Tree_entry &entry, Piece &piece)
{
    if (!piece.blob) {
        tar.directory(entry.path, entry.changed_ns);
        return;
    }
    tar.file(entry.path, piece.blob->size, entry.changed_ns);
    if (piece.blob->size <= SMALL) {
        tar.bytes(piece.content.data(), piece.content.size());
    } else {
        stream(*piece.blob, [&](capnp::Data::Reader chunk) { tar.bytes(chunk.begin(), chunk.size()); });
    }
    progress->file_done();
}

static std::optional<Failure> caught(const std::function<void()> &work)
{
    try {
        failing(work);
    } catch (const Failure &failure) {
        return failure;
    }
    return std::nullopt;
}

/* Whatever becomes of it, each job takes its turn: the next one waits for that. */
bool Tree_export::job(size_t i)
{
    if (i >= found.size()) {
        return false;
    }
    Piece piece;
    std::optional<Failure> trouble = caught([&]() { piece = fetch(found[i]); });
    turns.wait_for(i);
    KJ_DEFER(turns.next());
    if (!trouble && !failed) {
        trouble = caught([&]() { write(found[i], piece); });
    }
    if (trouble && !failed) {
        trouble->path = found[i].path;
        failed = trouble;
    }
    return !failed;
}

void Tree_export::list()
{
    found = walk(session, root, path, [](const std::string &, const Failure &failure) { throw failure; });
    for (const Tree_entry &entry : found) {
        bytes += entry.size;
    }
}

void Tree_export::run(TreeTransfer::Builder out)
{
    list();
    size_t directories = static_cast<size_t>(
        std::count_if(found.begin(), found.end(), [](const Tree_entry &entry) { return entry.directory; }));
    Progress bar("export /" + path, bytes, shown, found.size() - directories);
    progress = &bar;
    run_together(
        session, [&](size_t i) { return job(i); }, [](size_t, const Failure &) { /* job() keeps its failures */ });
    if (failed) {
        throw *failed;
    }
    tar.finish();
    out.setFiles(static_cast<unsigned>(found.size() - directories));
    out.setDirectories(static_cast<unsigned>(directories));
    out.setSize(static_cast<double>(bytes));
    out.setSeconds(bar.seconds());
    bar.clear();
}

static const char INTERRUPTED[] =
    "\ncapos: interrupted; there is no archive, but the snapshot 'capos export' may be left: "
    "capos snapshot NODE --list\n";

/* What is exported is a snapshot, lest files change places while it goes on. */
static void export_now(Session &session, const std::string &path, const std::string &name, bool shown,
                       TreeTransfer::Builder out)
{
    say_when_interrupted(INTERRUPTED);
    uint64_t generation = take_snapshot(session, "capos export");
    std::optional<Failure> failure =
        caught([&]() { Tree_export(session, root_at(session, generation), path, name, shown).run(out); });
    if (failure && failure->exit == Exit::UNREACHABLE) { /* nobody to tell */
        failure->reason += "; snapshot " + std::to_string(generation) + " stays until it is dropped";
        throw *failure;
    }
    std::optional<Failure> kept = caught([&]() { drop_snapshot(session, generation); });
    if (failure) {
        throw *failure;
    }
    if (kept) {
        kept->reason = "the archive is whole, but snapshot " + std::to_string(generation) + " stays: " + kept->reason;
        throw *kept;
    }
}

void run_export(const Args &args)
{
    bool all = args.words.size() == 2;
    std::string path = node_path(all ? "" : args.words[1]);
    const std::string &name = args.words.back();
    State state(args);
    Session session(find_target(state, args.words[0]), args);
    capnp::MallocMessageBuilder message;
    auto out = message.initRoot<TreeTransfer>();
    out.setPath(("/" + path).c_str());
    out.setFile(name.c_str());
    if (args.has("--at")) {
        Tree_export(session, root_of(session, args), path, name, !args.has("--json")).run(out);
    } else {
        export_now(session, path, name, !args.has("--json"), out);
    }
    if (name != "-" || !args.has("--json")) {
        report_tree(args, "export", out);
    }
}

} // namespace capos

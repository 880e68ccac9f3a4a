/* SPDX-License-Identifier: MIT OR Apache-2.0
 * put.c++: a file into a node's store.
 *
 *  (1) A name is bound only after the store has said the digest that we computed ourselves. So a name never leads to
 *      bytes that were damaged on the way, and a put that is interrupted leaves the name as it was.
 *  (2) The node is asked for the name first: one that it would not take is refused before any byte is sent.
 *  (3) A write that was refused as overloaded may be followed by others that were not: the whole upload is begun anew.
 */
#include "digest.h"
#include "fail.h"
#include "file.h"
#include "lib/store/store.capnp.h"
#include "progress.h"
#include "session.h"
#include "transfer.h"
#include "verbs.h"

#include <deque>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace capos
{

static void rewind_file(File &file)
{
    if (lseek(file.fd, 0, SEEK_SET) != 0) {
        fail_errno(file.path);
    }
}

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
    rewind_file(out);
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

static std::string send_file(Session &session, Upload::Client upload, File &file, uint64_t size, Progress &progress)
{
    Digest digest;
    std::deque<kj::Promise<void>> outstanding;
    uint64_t sent = 0;
    while (sent < size) {
        size_t want = static_cast<size_t>(std::min<uint64_t>(CHUNK, size - sent));
        auto request = upload.writeRequest();
        auto chunk = request.initChunk(static_cast<unsigned>(want));
        if (file.read(chunk.begin(), want) != want) {
            refuse("failed", file.path + " became shorter while it was read");
        }
        digest.add(chunk.begin(), want);
        outstanding.push_back(request.send().ignoreResult());
        sent += want;
        if (outstanding.size() == WINDOW) {
            session.await(kj::mv(outstanding.front()));
            outstanding.pop_front();
            progress.reached(sent - (WINDOW - 1) * CHUNK);
        }
    }
    while (!outstanding.empty()) {
        session.await(kj::mv(outstanding.front()));
        outstanding.pop_front();
    }
    progress.reached(sent);
    return digest.finish();
}

/* One try, from the first byte to the digest. */
static std::string upload(Session &session, Store::Client store, File &file, uint64_t size, Progress &progress)
{
    rewind_file(file);
    auto put = store.putRequest();
    put.setSize(size);
    auto sink = session.await(put.send()).getUpload();
    std::string ours = send_file(session, sink, file, size, progress);
    std::string theirs = bytes_of(session.await(sink.finishRequest().send()).getDigest());
    if (theirs != ours) {
        refuse("corrupt", "the store holds sha256 " + hex(theirs) + ", the file has " + hex(ours) +
                              "; the name was left as it was");
    }
    return ours;
}

static std::string upload_patiently(Session &session, Store::Client store, File &file, uint64_t size,
                                    Progress &progress)
{
    for (Backoff backoff;;) {
        try {
            return upload(session, store, file, size, progress);
        } catch (const kj::Exception &e) {
            session.pause(backoff.next(e)); /* (3) */
        }
    }
}

static void bind(Session &session, Namespace::Client names, const std::string &path, const std::string &digest)
{
    session.ask([&]() {
        auto request = names.bindRequest();
        request.setName(path.c_str());
        request.setDigest(data_of(digest));
        return request.send();
    });
}

static void require_name(Session &session, Namespace::Client names, const std::string &path)
{
    session.ask([&]() {
        auto request = names.lookupRequest();
        request.setName(path.c_str());
        return request.send();
    });
}

void run_put(const Args &args)
{
    const std::string &path = args.words[1];
    State state(args);
    Target target = find_target(state, args.words[0]);
    say_when_interrupted("\ncapos: interrupted; the node's files are as they were\n");
    File file = open_source(args, target);
    uint64_t size = file.size();
    Session session(target, args);
    auto store = session.cap("store").castAs<Store>();
    auto names = session.cap("names").castAs<Namespace>();
    require_name(session, names, path); /* (2) */
    Progress progress("put " + path, size, !args.has("--json"));
    std::string digest = upload_patiently(session, store, file, size, progress);
    bind(session, names, path, digest);

    capnp::MallocMessageBuilder message;
    auto out = message.initRoot<Transfer>();
    out.setPath(path.c_str());
    out.setFile(args.words[2].c_str());
    out.setSize(static_cast<double>(size));
    out.setDigest(hex(digest).c_str());
    out.setSeconds(progress.seconds());
    progress.clear();
    report(args, "put", out);
}

} // namespace capos

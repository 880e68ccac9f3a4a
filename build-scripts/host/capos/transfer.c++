/* SPDX-License-Identifier: MIT OR Apache-2.0
 * transfer.c++: put and get: files in and out of a node's store.
 *
 *  (1) Chunks are 64 KiB and at most WINDOW of them are outstanding: the node's memory and ours stay bounded whatever
 *      the size of the file.
 *  (2) A name is bound only after the store has said the digest that we computed ourselves. So a name never leads to
 *      bytes that were damaged on the way.
 *  (3) FILE comes into being by rename, whole and checked. What an interrupted get leaves is FILE.part, with the
 *      digest of the blob in FILE.part.sha256; the next get of the same blob goes on from there and checks everything.
 */
#include "capos.capnp.h"
#include "digest.h"
#include "fail.h"
#include "file.h"
#include "json.h"
#include "progress.h"
#include "session.h"
#include "lib/store/store.capnp.h"
#include "verbs.h"

#include <deque>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace capos
{

static constexpr size_t CHUNK = 64 * 1024;
static constexpr size_t WINDOW = 16;

static std::string bytes_of(capnp::Data::Reader data)
{
    return std::string(reinterpret_cast<const char *>(data.begin()), data.size());
}

static capnp::Data::Reader data_of(const std::string &bytes)
{
    return capnp::Data::Reader(reinterpret_cast<const kj::byte *>(bytes.data()), bytes.size());
}

static void report(const Args &args, const char *verb, Transfer::Builder transfer)
{
    if (args.has("--json")) {
        print_json(transfer.asReader());
        return;
    }
    /* Standard output may be the file itself. */
    FILE *out = std::string(transfer.getFile().cStr()) == "-" ? stderr : stdout;
    double size = transfer.getSize();
    double rate = transfer.getSeconds() > 0 ? (size - transfer.getResumedAt()) / transfer.getSeconds() : 0;
    fprintf(out, "%s %s: %.0f bytes, sha256 %s, %s/s\n", verb, transfer.getPath().cStr(), size,
            transfer.getDigest().cStr(), size_text(rate).c_str());
}

/* A pipe has no size before it has ended, and the store wants to know the size first. */
static File open_source(const std::string &name)
{
    struct stat st;
    if (name != "-") {
        File file(name, O_RDONLY);
        file.size(); /* refuses a directory */
        if (fstat(file.fd, &st) == 0 && S_ISREG(st.st_mode)) {
            return file;
        }
    }
    File in = name == "-" ? File(STDIN_FILENO, "standard input") : File(name, O_RDONLY);
    File spool = spool_file();
    std::string buffer(CHUNK, '\0');
    while (size_t got = in.read(buffer.data(), buffer.size())) {
        spool.write(buffer.data(), got);
    }
    if (lseek(spool.fd, 0, SEEK_SET) != 0) {
        fail_errno(spool.path);
    }
    return spool;
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

void run_put(const Args &args)
{
    const std::string &path = args.words[1];
    State state(args);
    Target target = find_target(state, args.words[0]);
    File file = open_source(args.words[2]);
    uint64_t size = file.size();
    Session session(target, args);
    auto store = session.cap("store").castAs<Store>();
    auto names = session.cap("names").castAs<Namespace>();
    Progress progress("put " + path, size, !args.has("--json"));

    auto put = store.putRequest();
    put.setSize(size);
    auto upload = session.await(put.send()).getUpload();
    std::string ours = send_file(session, upload, file, size, progress);
    std::string theirs = bytes_of(session.await(upload.finishRequest().send()).getDigest());
    if (theirs != ours) {
        refuse("corrupt", "the store holds sha256 " + hex(theirs) + ", the file has " + hex(ours) + "; " + path +
                              " was left as it was");
    }
    auto bind = names.bindRequest();
    bind.setName(path.c_str());
    bind.setDigest(data_of(theirs));
    session.await(bind.send());

    capnp::MallocMessageBuilder message;
    auto out = message.initRoot<Transfer>();
    out.setPath(path.c_str());
    out.setFile(args.words[2].c_str());
    out.setSize(static_cast<double>(size));
    out.setDigest(hex(ours).c_str());
    out.setSeconds(progress.seconds());
    report(args, "put", out);
}

/* Where the bytes of a get go: a FILE.part that becomes FILE, or straight to standard output. */
class Sink
{
  public:
    Sink(const std::string &to, const std::string &blob_digest, uint64_t blob_size);
    void write(capnp::Data::Reader chunk);
    void finish();
    uint64_t reached() const
    {
        return at;
    }

  private:
    void resume(uint64_t blob_size);

    const std::string name;
    const std::string wanted;
    const bool to_stdout;
    File file;
    Digest digest;
    uint64_t at = 0;
};

static std::string part_of(const std::string &name)
{
    return name + ".part";
}

static std::string note_of(const std::string &name)
{
    return name + ".part.sha256";
}

Sink::Sink(const std::string &to, const std::string &blob_digest, uint64_t blob_size)
    : name(to), wanted(blob_digest), to_stdout(to == "-"),
      file(to_stdout ? File(STDOUT_FILENO, "standard output") : File(part_of(to), O_RDWR | O_CREAT))
{
    if (to_stdout) {
        return;
    }
    if (read_file(note_of(name)).value_or("") == hex(wanted) + "\n") {
        resume(blob_size);
        return;
    }
    if (ftruncate(file.fd, 0) != 0) {
        fail_errno(file.path);
    }
    write_file_atomically(note_of(name), hex(wanted) + "\n");
}

/* What is there goes through the digest like what comes: a damaged part is found at the end. */
void Sink::resume(uint64_t blob_size)
{
    std::string buffer(CHUNK, '\0');
    if (file.size() > blob_size && ftruncate(file.fd, 0) != 0) {
        fail_errno(file.path);
    }
    while (size_t got = file.read(buffer.data(), buffer.size())) {
        digest.add(buffer.data(), got);
        at += got;
    }
}

void Sink::write(capnp::Data::Reader chunk)
{
    digest.add(chunk.begin(), chunk.size());
    file.write(chunk.begin(), chunk.size());
    at += chunk.size();
}

void Sink::finish()
{
    std::string got = digest.finish();
    if (got != wanted) {
        if (!to_stdout) {
            unlink(part_of(name).c_str());
            unlink(note_of(name).c_str());
        }
        refuse("corrupt", "what came has sha256 " + hex(got) + ", not " + hex(wanted) + "; it was thrown away");
    }
    if (to_stdout) {
        return;
    }
    file.sync();
    if (rename(part_of(name).c_str(), name.c_str()) != 0) {
        fail_errno(name);
    }
    unlink(note_of(name).c_str());
}

/* Reads in flight, oldest first. A node may answer with fewer bytes than asked: what was asked behind the gap is
 * thrown away and asked again, which is rare and keeps the order. */
class Reads
{
  public:
    Reads(Session &s, ByteSource::Client b, uint64_t from, uint64_t blob_size)
        : session(s), blob(kj::mv(b)), asked(from), got(from), size(blob_size)
    {
    }
    bool ended() const
    {
        return got == size;
    }
    capnp::Response<ByteSource::ReadResults> next();

  private:
    void fill();

    Session &session;
    ByteSource::Client blob;
    uint64_t asked;
    uint64_t got;
    const uint64_t size;
    std::deque<kj::Promise<capnp::Response<ByteSource::ReadResults>>> outstanding;
};

void Reads::fill()
{
    while (asked < size && outstanding.size() < WINDOW) {
        auto request = blob.readRequest();
        uint32_t limit = static_cast<uint32_t>(std::min<uint64_t>(CHUNK, size - asked));
        request.setOffset(asked);
        request.setLimit(limit);
        outstanding.push_back(request.send());
        asked += limit;
    }
}

capnp::Response<ByteSource::ReadResults> Reads::next()
{
    fill();
    uint64_t due = std::min<uint64_t>(CHUNK, size - got);
    auto answer = session.await(kj::mv(outstanding.front()));
    outstanding.pop_front();
    uint64_t came = answer.getChunk().size();
    if (came == 0 || came > due) {
        refuse("failed", "the node answered a read of " + std::to_string(due) + " bytes with " + std::to_string(came));
    }
    got += came;
    if (came < due) {
        outstanding.clear();
        asked = got;
    }
    return answer;
}

static std::string local_name(const Args &args)
{
    if (args.words.size() > 2) {
        return args.words[2];
    }
    std::string name = args.words[1].substr(args.words[1].rfind('/') + 1);
    if (name.empty()) {
        misuse("'" + args.words[1] + "' ends in no file name; say which FILE to write");
    }
    return name;
}

void run_get(const Args &args)
{
    const std::string &path = args.words[1];
    std::string name = local_name(args);
    State state(args);
    Session session(find_target(state, args.words[0]), args);
    auto names = session.cap("names").castAs<Namespace>();
    auto lookup = names.lookupRequest();
    lookup.setName(path.c_str());
    auto found = session.await(lookup.send());
    if (!found.getPresent()) {
        refuse("not-found", session.target.name + " has no " + path);
    }
    std::string digest = bytes_of(found.getDigest());
    auto get = session.cap("store").castAs<Store>().getRequest();
    get.setDigest(found.getDigest());
    auto blob = session.await(get.send());

    Sink sink(name, digest, blob.getSize());
    uint64_t resumed_at = sink.reached();
    Progress progress("get " + path, blob.getSize(), !args.has("--json"));
    Reads reads(session, blob.getBlob(), resumed_at, blob.getSize());
    progress.reached(resumed_at);
    while (!reads.ended()) {
        auto answer = reads.next();
        sink.write(answer.getChunk());
        progress.reached(sink.reached());
    }
    sink.finish();

    capnp::MallocMessageBuilder message;
    auto out = message.initRoot<Transfer>();
    out.setPath(path.c_str());
    out.setFile(name.c_str());
    out.setSize(static_cast<double>(blob.getSize()));
    out.setDigest(hex(digest).c_str());
    out.setResumedAt(static_cast<double>(resumed_at));
    out.setSeconds(progress.seconds());
    if (name != "-" || !args.has("--json")) {
        report(args, "get", out);
    }
}

} // namespace capos

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * get.c++: a file out of a node's store.
 */
#include "fail.h"
#include "lib/store/store.capnp.h"
#include "progress.h"
#include "session.h"
#include "sink.h"
#include "transfer.h"
#include "verbs.h"

#include <deque>
#include <sys/stat.h>

namespace capos
{

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
    capnp::Response<ByteSource::ReadResults> take();
    void begin_again();

    Session &session;
    ByteSource::Client blob;
    uint64_t asked;
    uint64_t got;
    const uint64_t size;
    size_t window = WINDOW;
    std::deque<kj::Promise<capnp::Response<ByteSource::ReadResults>>> outstanding;
};

void Reads::fill()
{
    while (asked < size && outstanding.size() < window) {
        auto request = blob.readRequest();
        uint32_t limit = static_cast<uint32_t>(std::min<uint64_t>(CHUNK, size - asked));
        request.setOffset(asked);
        request.setLimit(limit);
        outstanding.push_back(request.send());
        asked += limit;
    }
}

/* From the first byte that has not come. */
void Reads::begin_again()
{
    outstanding.clear();
    asked = got;
}

capnp::Response<ByteSource::ReadResults> Reads::take()
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
        begin_again();
    }
    return answer;
}

/* A node without a buffer for so many answers at once is asked for fewer. */
capnp::Response<ByteSource::ReadResults> Reads::next()
{
    for (Backoff backoff;;) {
        try {
            return take();
        } catch (const kj::Exception &e) {
            begin_again();
            window = window > 1 ? window / 2 : 1;
            session.pause(backoff.next(e));
        }
    }
}

/* FILE, or in FILE when that is a directory, or in the current one: under the last part of PATH then. */
static std::string local_name(const Args &args)
{
    struct stat st;
    std::string given = args.words.size() > 2 ? args.words[2] : ".";
    if (given == "-" || stat(given.c_str(), &st) != 0 || !S_ISDIR(st.st_mode)) {
        return given;
    }
    std::string name = args.words[1].substr(args.words[1].rfind('/') + 1);
    if (name.empty() || name == "." || name == "..") {
        misuse("'" + args.words[1] + "' ends in no file name; say which FILE to write");
    }
    return given == "." ? name : given + "/" + name;
}

static capnp::Response<Namespace::LookupResults> look_up(Session &session, const std::string &path)
{
    auto names = session.cap("names").castAs<Namespace>();
    auto found = session.ask([&]() {
        auto request = names.lookupRequest();
        request.setName(path.c_str());
        return request.send();
    });
    if (!found.getPresent()) {
        refuse("not-found", session.target.name + " has no " + path);
    }
    return found;
}

static capnp::Response<Store::GetResults> open_blob(Session &session, Namespace::LookupResults::Reader name)
{
    auto store = session.cap("store").castAs<Store>();
    auto blob = session.ask([&]() {
        auto request = store.getRequest();
        request.setDigest(name.getDigest());
        return request.send();
    });
    if (blob.getSize() != name.getSize()) {
        refuse("corrupt", "the name stands for " + std::to_string(name.getSize()) + " bytes, the store has " +
                              std::to_string(blob.getSize()));
    }
    return blob;
}

void run_get(const Args &args)
{
    const std::string &path = args.words[1];
    std::string name = local_name(args);
    State state(args);
    Session session(find_target(state, args.words[0]), args);
    auto found = look_up(session, path);
    std::string digest = bytes_of(found.getDigest());
    auto blob = open_blob(session, found);

    Sink sink(name, digest, blob.getSize());
    say_when_interrupted("\ncapos: interrupted; the same get goes on from FILE.part\n");
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
    progress.clear();
    if (name != "-" || !args.has("--json")) {
        report(args, "get", out);
    }
}

} // namespace capos

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * send.c++: uploads.
 */
#include "send.h"

#include "directory.h"
#include "fail.h"
#include "transfer.h"

#include <algorithm>
#include <deque>
#include <unistd.h>

namespace capos
{

static constexpr uint64_t ASK_FIRST = 4 * CHUNK; /* below, to send it costs less than to ask */
static constexpr uint64_t BREATH = 16 * 1024 * 1024;
static constexpr uint64_t DEAR = 16 * 1024 * 1024; /* bytes that are worth waiting for */
static constexpr unsigned WAITS_MAX = 6;
static constexpr auto WAIT = 2 * kj::SECONDS; /* in all more than the node's SILENT_NS */

void File_source::seek(uint64_t offset)
{
    if (lseek(file.fd, static_cast<off_t>(offset), SEEK_SET) < 0) {
        fail_errno(name);
    }
}

/* One upload, from where the node says. */
class Sending
{
  public:
    Sending(Session &s, Begun b, Source &from, Progress &p)
        : session(s), upload(kj::mv(b.upload)), source(from), progress(p), answered(b.received)
    {
    }
    std::string run();
    std::string run_in_step(); /* of what cannot be read again */
    void forget()
    {
        progress.add(-static_cast<int64_t>(answered));
    }

  private:
    struct Write {
        kj::Promise<void> answer;
        size_t size;
    };

    capnp::Request<ByteSink::WriteParams, ByteSink::WriteResults> next_write(uint64_t offset, size_t size);
    void take_answer();
    std::string finish();

    Session &session;
    Upload::Client upload;
    Source &source;
    Progress &progress;
    Digest digest;
    std::deque<Write> outstanding;
    uint64_t answered;
};

capnp::Request<ByteSink::WriteParams, ByteSink::WriteResults> Sending::next_write(uint64_t offset, size_t size)
{
    auto request = upload.writeRequest();
    request.setOffset(offset);
    auto chunk = request.initChunk(static_cast<unsigned>(size));
    if (source.read(chunk.begin(), size) != size) {
        refuse("failed", source.name + " became shorter while it was read");
    }
    if (source.digest.empty()) {
        digest.add(chunk.begin(), size);
    }
    return request;
}

void Sending::take_answer()
{
    Write write = kj::mv(outstanding.front());
    outstanding.pop_front();
    session.await(kj::mv(write.answer));
    answered += write.size;
    source.taken = std::max(source.taken, answered);
    progress.add(static_cast<int64_t>(write.size));
}

std::string Sending::finish()
{
    std::string ours = source.digest.empty() ? digest.finish() : source.digest;
    auto request = upload.finishRequest();
    request.setExpected(data_of(ours));
    std::string theirs = bytes_of(session.await(request.send()).getDigest());
    if (theirs != ours) { /* it was to refuse that itself */
        refuse("corrupt", "the node says that it has sha256 " + hex(theirs) + ", and " + source.name + " has " +
                              hex(ours) + "; do not rely on what it has");
    }
    return ours;
}

std::string Sending::run()
{
    for (uint64_t sent = answered; sent < source.size;) {
        size_t size = static_cast<size_t>(std::min<uint64_t>(CHUNK, source.size - sent));
        outstanding.push_back({next_write(sent, size).send().ignoreResult(), size});
        sent += size;
        while (outstanding.size() >= session.share_of(WINDOW)) {
            take_answer();
        }
    }
    while (!outstanding.empty()) {
        take_answer();
    }
    return finish();
}

std::string Sending::run_in_step()
{
    std::string chunk(CHUNK, '\0');
    while (size_t got = source.read(chunk.data(), std::min<uint64_t>(CHUNK, source.size - answered))) {
        session.ask([&]() {
            auto request = upload.writeRequest();
            request.setChunk(data_of(chunk).slice(0, got));
            return request.send();
        });
        digest.add(chunk.data(), got);
        answered += got;
        progress.add(static_cast<int64_t>(got));
    }
    return finish();
}

/* A node may not know yet that the connection before this one ended: then it has less for us than it has acknowledged. */
static Begun begin(Session &session, const Open_upload &open, const Source &source)
{
    for (unsigned waits = 0;; waits++) {
        Begun begun = open();
        if (begun.received > source.size) {
            refuse("failed", "the node says that it has " + std::to_string(begun.received) + " bytes of " +
                                 std::to_string(source.size));
        }
        if (begun.received >= source.taken || source.taken < DEAR || waits == WAITS_MAX) {
            return begun;
        }
        begun.upload = nullptr;
        session.pause(WAIT);
    }
}

/* Sends what is missing. */
static std::string send_rest(Session &session, const Open_upload &open, Source &source, Progress &progress)
{
    Begun begun = begin(session, open, source);
    source.given = std::max(source.given, begun.received);
    source.seek(begun.received);
    if (!source.found) {
        source.found = begun.received;
        progress.resumed(begun.received);
    } else {
        progress.add(static_cast<int64_t>(begun.received));
    }
    Sending sending(session, kj::mv(begun), source, progress);
    try {
        return sending.run();
    } catch (const kj::Exception &) {
        sending.forget();
        throw;
    }
}

std::string send(Session &session, const Open_upload &open, Source &source, Progress &progress)
{
    if (!source.again) {
        auto begun = session.patiently(open);
        return Sending(session, kj::mv(begun), source, progress).run_in_step();
    }
    return session.patiently([&]() { return send_rest(session, open, source, progress); });
}

Place place_of(Session &session)
{
    auto root = session.cap("root").castAs<Directory>();
    std::optional<Store::Client> store;
    attempt([&]() { store = session.cap("store").castAs<Store>(); },
            [](const Failure &) { /* then it is not asked */ });
    return {session, kj::mv(root), kj::mv(store)};
}

std::string digest_of(Session &session, Source &source)
{
    Digest digest;
    std::string buffer(CHUNK, '\0');
    uint64_t done = 0;
    source.seek(0);
    while (size_t got = source.read(buffer.data(), buffer.size())) {
        digest.add(buffer.data(), got);
        done += got;
        if (done % BREATH == 0) {
            session.pause(0 * kj::SECONDS); /* lets the other lanes hear their answers in time */
        }
    }
    return digest.finish();
}

static bool has_blob(Session &session, Store::Client store, const std::string &digest)
{
    return session
        .ask([&]() {
            auto request = store.statRequest();
            request.setDigest(data_of(digest));
            return request.send();
        })
        .getPresent();
}

/* What is to be done in a directory that may be missing is done again when it has been made. */
template <typename Work> static auto in_directory(Place &place, const std::string &path, Work work) -> decltype(work())
{
    try {
        return work();
    } catch (const kj::Exception &e) {
        if (failure_of(e).kind != "not-found" || parent_path(path).empty()) {
            throw;
        }
    }
    make_directories(place.session, place.root, parent_path(path));
    return work();
}

static void bind_path(Place &place, const std::string &path, const std::string &digest)
{
    place.session.ask([&]() {
        auto request = place.root.bindRequest();
        request.setPath(path.c_str());
        request.setDigest(data_of(digest));
        return request.send();
    });
}

/* Whether the node had the bytes and `path` means them now. A blob that goes in between is sent. */
static bool bind_known(Place &place, const std::string &path, Source &source)
{
    if (!place.store || source.digest.empty()) {
        return false;
    }
    try {
        if (has_blob(place.session, *place.store, source.digest)) {
            in_directory(place, path, [&]() { bind_path(place, path, source.digest); });
            return true;
        }
    } catch (const kj::Exception &e) {
        if (failure_of(e).kind != "not-found") {
            throw;
        }
    }
    return false;
}

static Begun open_at(Place &place, const std::string &path, const Source &source)
{
    return in_directory(place, path, [&]() {
        if (std::string parent = parent_path(path); !parent.empty()) {
            stat_path(place.session, place.root, parent); /* put() is told only at its end that there is none */
        }
        auto request = place.root.putRequest();
        request.setPath(path.c_str());
        request.setSize(source.size);
        request.setDigest(data_of(source.digest));
        auto answer = place.session.await(request.send());
        return Begun{answer.getUpload(), answer.getReceived()};
    });
}

static Sent put_once(Place &place, const std::string &path, Source &source, Progress &progress)
{
    if (source.again && source.size >= ASK_FIRST && source.digest.empty()) {
        source.digest = digest_of(place.session, source);
    }
    if (bind_known(place, path, source)) {
        progress.resumed(source.size);
        return {source.digest, true};
    }
    return {send(
                place.session, [&]() { return open_at(place, path, source); }, source, progress),
            false};
}

Sent put_at(Place &place, const std::string &path, Source &source, Progress &progress)
{
    try {
        return put_once(place, path, source, progress);
    } catch (const kj::Exception &e) {
        if (failure_of(e).kind != "corrupt" || source.digest.empty()) {
            throw;
        }
    }
    source.digest.clear(); /* it changed, or what the node had kept was not right: (2) */
    source.found.reset();
    source.taken = 0;
    return put_once(place, path, source, progress);
}

} // namespace capos

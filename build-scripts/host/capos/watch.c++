/* SPDX-License-Identifier: MIT OR Apache-2.0
 * watch.c++: what changes in a directory, as it does, until the user has seen enough.
 */
#include "directory.h"
#include "fail.h"
#include "json.h"
#include "text.h"
#include "verbs.h"

namespace capos
{

static constexpr unsigned LATE_MAX = 2;

static void print_change(const std::string &path, bool lost, bool json)
{
    if (json) {
        capnp::MallocMessageBuilder message;
        auto change = message.initRoot<Change>();
        change.setPath(path.c_str());
        change.setLost(lost);
        printf("%s\n", to_json_line(change.asReader()).c_str());
    } else if (lost) {
        fprintf(stderr, "capos: more changed than the node remembers: look at everything\n");
    } else {
        printf("%s\n", plain(path).c_str());
    }
}

/* Our end of a watch: the node calls it. */
class Printing_watcher final : public Watcher::Server
{
  public:
    /* `u` is fulfilled when nobody reads what is printed. `t` counts. */
    Printing_watcher(bool as_json, kj::Own<kj::PromiseFulfiller<void>> u, uint64_t &t)
        : json(as_json), unheard(kj::mv(u)), told(t)
    {
    }

  protected:
    kj::Promise<void> changed(ChangedContext context) override
    {
        auto params = context.getParams();
        told++;
        for (auto name : params.getNames()) {
            print_change(name.cStr(), false, json);
        }
        if (params.getLost()) {
            print_change("", true, json);
        }
        if (!flush_output()) {
            unheard->fulfill();
        }
        return kj::READY_NOW;
    }

  private:
    const bool json;
    kj::Own<kj::PromiseFulfiller<void>> unheard;
    uint64_t &told; /* how often we were called */
};

[[noreturn]] static void lose(const Session &session, const std::string &why)
{
    unreachable("disconnected", session.target.name + " " + why + ": what changed since is not known");
}

/* Whether the node answers, be it with a refusal, before it should be asked again. */
static bool answers(Session &session)
{
    bool answered = false;
    auto question = session.node().infoRequest().send().then(
        [&](capnp::Response<Node::InfoResults> &&) { answered = true; },
        [&](kj::Exception &&e) { answered = e.getType() != kj::Exception::Type::DISCONNECTED; });
    session.await_long(question.exclusiveJoin(session.quiet_while()));
    return answered;
}

/* Until the connection is closed or nobody reads any more. The node ends a connection that is silent for long, and one that lost
 * its power says nothing: so we ask. One that neither answers nor tells of changes may have to get rid of somebody first, so it is
 * asked once more. `told` counts what it told. */
static void stay(Session &session, kj::Promise<void> nobody_reads, const uint64_t &told)
{
    bool over = false;
    unsigned late = 0;
    auto end = session.on_disconnect().exclusiveJoin(kj::mv(nobody_reads)).then([&]() { over = true; }).fork();
    while (late < LATE_MAX) {
        session.await_long(end.addBranch().exclusiveJoin(session.quiet_while()));
        if (over) {
            return;
        }
        uint64_t before = told;
        late = answers(session) || told != before ? 0 : late + 1;
    }
    lose(session, "is silent, asked " + std::to_string(LATE_MAX) + " times");
}

void run_watch(const Args &args)
{
    std::string path = node_path(args.words.size() > 1 ? args.words[1] : "");
    State state(args);
    uint64_t told = 0;
    Session session(find_target(state, args.words[0]), args);
    auto root = root_of(session, args);
    auto unheard = kj::newPromiseAndFulfiller<void>();
    Watcher::Client watcher = kj::heap<Printing_watcher>(args.has("--json"), kj::mv(unheard.fulfiller), told);
    auto watch = session.ask([&]() {
        auto request = root.watchRequest();
        request.setPath(path.c_str());
        request.setWatcher(watcher);
        return request.send();
    });
    if (!args.has("--json")) {
        fprintf(stderr, "capos: watching /%s; Ctrl-C ends it\n", plain(path).c_str());
    }
    stay(session, kj::mv(unheard.promise), told);
    require_output();
    lose(session, "has closed the connection");
}

} // namespace capos

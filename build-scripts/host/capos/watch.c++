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
    /* `unheard` is fulfilled when nobody reads what is printed. */
    Printing_watcher(bool as_json, kj::Own<kj::PromiseFulfiller<void>> u) : json(as_json), unheard(kj::mv(u))
    {
    }

  protected:
    kj::Promise<void> changed(ChangedContext context) override
    {
        auto params = context.getParams();
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
};

[[noreturn]] static void lose(const Session &session, const std::string &why)
{
    unreachable("disconnected", session.target.name + " " + why + ": what changed since is not known");
}

/* Whether the node is there: an overloaded one is. It answers soon, or it is not. */
static void ask_whether_there(Session &session)
{
    try {
        session.await(session.node().infoRequest().send());
    } catch (const kj::Exception &e) {
        if (e.getType() != kj::Exception::Type::OVERLOADED) {
            lose(session, "is gone: " + failure_of(e).reason);
        }
    }
}

/* Until the connection is closed or nobody reads any more. The node ends a connection that is silent for long, and one that lost
 * its power says nothing: so we ask. */
static void stay(Session &session, kj::Promise<void> nobody_reads)
{
    bool over = false;
    auto end = session.on_disconnect().exclusiveJoin(kj::mv(nobody_reads)).then([&]() { over = true; }).fork();
    for (;;) {
        session.await_long(end.addBranch().exclusiveJoin(session.quiet_while()));
        if (over) {
            return;
        }
        ask_whether_there(session);
    }
}

void run_watch(const Args &args)
{
    std::string path = node_path(args.words.size() > 1 ? args.words[1] : "");
    State state(args);
    Session session(find_target(state, args.words[0]), args);
    auto root = root_of(session, args);
    auto unheard = kj::newPromiseAndFulfiller<void>();
    Watcher::Client watcher = kj::heap<Printing_watcher>(args.has("--json"), kj::mv(unheard.fulfiller));
    auto watch = session.ask([&]() {
        auto request = root.watchRequest();
        request.setPath(path.c_str());
        request.setWatcher(watcher);
        return request.send();
    });
    if (!args.has("--json")) {
        fprintf(stderr, "capos: watching /%s; Ctrl-C ends it\n", plain(path).c_str());
    }
    stay(session, kj::mv(unheard.promise));
    require_output();
    lose(session, "has closed the connection");
}

} // namespace capos

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * snapshot.c++: all names and files as they are now, kept.
 */
#include "fail.h"
#include "json.h"
#include "rows.h"
#include "snapshot.h"
#include "text.h"
#include "verbs.h"

#include <functional>
#include <optional>

namespace capos
{

static Volume::Client volume_of(Session &session)
{
    return session.cap("volume").castAs<Volume>();
}

/* Not asked again when the node is overloaded: it may have taken one, and have had no room for the answer. */
uint64_t take_snapshot(Session &session, const std::string &label)
{
    auto request = volume_of(session).snapshotRequest();
    request.setLabel(label.c_str());
    return session.await(request.send()).getGeneration();
}

void drop_snapshot(Session &session, uint64_t generation)
{
    auto volume = volume_of(session);
    session.ask([&]() {
        auto request = volume.dropSnapshotRequest();
        request.setGeneration(generation);
        return request.send();
    });
}

static void fill_snapshot(Snapshot::Reader snapshot, SnapshotRow::Builder row)
{
    row.setGeneration(static_cast<double>(snapshot.getGeneration()));
    row.setLabel(snapshot.getLabel());
    fill_when(snapshot.getMade(), row.initMade());
}

/* Their generations only grow: a list that never ends is noticed by that. */
static void for_each_snapshot(Session &session, const std::function<void(Snapshot::Reader)> &each)
{
    auto volume = volume_of(session);
    uint64_t after = 0;
    for (bool more = true; more;) {
        auto page = session.ask([&]() {
            auto request = volume.snapshotsRequest();
            request.setAfter(after);
            return request.send();
        });
        for (auto snapshot : page.getSnapshots()) {
            if (snapshot.getGeneration() <= after) {
                refuse("corrupt", "the node lists its snapshots out of their order");
            }
            after = snapshot.getGeneration();
            each(snapshot);
        }
        more = page.getMore();
        if (more && page.getSnapshots().size() == 0) {
            refuse("corrupt", "the node says that there are more snapshots, and lists none");
        }
    }
}

static void print_snapshots(Session &session, bool json)
{
    std::optional<Json_list> list;
    if (json) {
        list.emplace("snapshots");
    }
    for_each_snapshot(session, [&](Snapshot::Reader snapshot) {
        capnp::MallocMessageBuilder message;
        auto row = message.initRoot<SnapshotRow>();
        fill_snapshot(snapshot, row);
        if (list) {
            list->add(row.asReader());
        } else {
            printf("%10.0f  %-30s %s\n", row.getGeneration(), when_text(row.getMade()).c_str(),
                   plain(row.getLabel().cStr()).c_str());
        }
    });
    if (list) {
        list->end();
    }
}

static void take_and_say(Session &session, const std::string &label, bool json)
{
    uint64_t generation = take_snapshot(session, label);
    if (!json) {
        printf("snapshot %llu: --at %llu shows it\n", static_cast<unsigned long long>(generation),
               static_cast<unsigned long long>(generation));
        return;
    }
    capnp::MallocMessageBuilder message;
    auto row = message.initRoot<SnapshotRow>();
    row.setGeneration(static_cast<double>(generation));
    row.setLabel(label.c_str());
    print_json(row.asReader());
}

void run_snapshot(const Args &args)
{
    bool labelled = args.words.size() > 1;
    if (labelled + args.has("--list") + args.has("--drop") > 1) {
        misuse("a LABEL for a new one, or --list, or --drop: one of them");
    }
    long dropped = args.number("--drop", 0, INT64_MAX, -1);
    State state(args);
    Session session(find_target(state, args.words[0]), args);
    if (args.has("--list")) {
        print_snapshots(session, args.has("--json"));
    } else if (dropped >= 0) {
        drop_snapshot(session, static_cast<uint64_t>(dropped));
    } else {
        take_and_say(session, labelled ? args.words[1] : "", args.has("--json"));
    }
}

} // namespace capos

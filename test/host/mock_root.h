/* SPDX-License-Identifier: MIT OR Apache-2.0
 * mock_root.h: the mock node's directory, its snapshots and its watches, in memory.
 *
 * A path is a key of a map, directories have an empty digest and no bytes of their own. What a node must refuse is refused
 * as store.capnp says; what it must not do, it does when a fault asks for it.
 */
#pragma once

#include "mock_store.h"

#include <algorithm>
#include <cstring>

inline std::string parent_of(const std::string &path)
{
    size_t slash = path.rfind('/');
    return slash == std::string::npos ? "" : path.substr(0, slash);
}

inline kj::Exception failed(const std::string &reason)
{
    return error(kj::Exception::Type::FAILED, reason);
}

inline void fill_time(Time::Builder time, const World &world)
{
    if (world.fault("no-clock") == 0) {
        time.setNanoseconds(1700000000123456789);
        time.setClock(Time::Clock::RTC);
    }
}

/* Those of a listing that a lying node would make up: in the place of the first name. */
inline std::string lie_of(const World &world, const std::string &name)
{
    static const struct {
        const char *fault;
        const char *name;
    } LIES[] = {{"lie-slash", "a/../../x"}, {"lie-up", ".."},        {"lie-dot", "."},        {"lie-empty", ""},
                {"lie-escape", "\x1b[2J"},  {"lie-order", "\xf0zz"}, {"lie-absolute", "/etc"}};
    for (const auto &lie : LIES) {
        if (world.fault(lie.fault) != 0) {
            return lie.name;
        }
    }
    return name;
}

class Mock_directory final : public Directory::Server
{
  public:
    Mock_directory(World &w, std::map<std::string, Item> &f, bool only_read) : world(w), files(f), read_only(only_read)
    {
    }

  protected:
    kj::Promise<void> stat(StatContext context) override;
    kj::Promise<void> list(ListContext context) override;
    kj::Promise<void> mkdir(MkdirContext context) override;
    kj::Promise<void> remove(RemoveContext context) override;
    kj::Promise<void> rename(RenameContext context) override;
    kj::Promise<void> put(PutContext context) override;
    kj::Promise<void> get(GetContext context) override;
    kj::Promise<void> bind(BindContext context) override;
    kj::Promise<void> watch(WatchContext context) override;
    kj::Promise<void> at(AtContext context) override;

  private:
    class Mock_watch final : public Watch::Server
    {
    };

    void set(const std::string &path, const std::string &digest);
    void fill(Stat::Builder stat, const Item &item);
    std::vector<std::string> names_in(const std::string &path, const std::string &after);

    World &world;
    std::map<std::string, Item> &files;
    const bool read_only;
};

inline kj::Promise<void> Mock_directory::stat(StatContext context)
{
    if (world.busy("stat")) {
        return too_busy();
    }
    auto found = files.find(context.getParams().getPath().cStr());
    if (found == files.end()) {
        return failed("not-found: nothing at this path");
    }
    fill(context.getResults().initStat(), found->second);
    return kj::READY_NOW;
}

inline kj::Promise<void> Mock_directory::list(ListContext context)
{
    if (world.busy("dir-list")) {
        return too_busy();
    }
    std::string path = context.getParams().getPath().cStr();
    std::string after = context.getParams().getAfter().cStr();
    if (world.fault("endless-depth") != 0) {
        auto entry = context.getResults().initEntries(1)[0];
        entry.setName(std::string(200, 'd').c_str());
        entry.initStat().setKind(Stat::Kind::DIRECTORY);
        return kj::READY_NOW;
    }
    auto found = files.find(path);
    if (found == files.end()) {
        return failed("not-found: nothing at this path");
    }
    if (!found->second.directory) {
        return failed("not-directory: this is a file");
    }
    if (world.fault("endless-empty") != 0) {
        context.getResults().setMore(true);
        return kj::READY_NOW;
    }
    std::vector<std::string> names = names_in(path, world.fault("endless-same") != 0 ? "" : after);
    size_t page = world.fault("page") != 0 ? static_cast<size_t>(world.fault("page")) : 100;
    size_t count = std::min(names.size(), page);
    auto entries = context.getResults().initEntries(static_cast<unsigned>(count));
    for (unsigned i = 0; i < count; i++) {
        std::string name = i == 0 ? lie_of(world, names[i]) : names[i];
        entries[i].setName(kj::StringPtr(name.c_str(), name.size()));
        fill(entries[i].initStat(), files[path.empty() ? names[i] : path + "/" + names[i]]);
    }
    context.getResults().setMore(names.size() > count || world.fault("endless-same") != 0);
    return kj::READY_NOW;
}

inline kj::Promise<void> Mock_directory::mkdir(MkdirContext context)
{
    std::string path = context.getParams().getPath().cStr();
    if (world.busy("mkdir")) {
        return too_busy();
    }
    if (read_only) {
        return failed("denied: a snapshot is only read");
    }
    if (files.count(path) != 0) {
        return context.getParams().getParents() && files[path].directory ? kj::Promise<void>(kj::READY_NOW)
                                                                         : failed("exists: there is something");
    }
    if (!context.getParams().getParents() && files.count(parent_of(path)) == 0) {
        return failed("not-found: no directory to make it in");
    }
    for (std::string at = path; files.count(at) == 0; at = parent_of(at)) {
        files[at] = Item{true, "", world.next_id++};
        world.tell(at);
    }
    return kj::READY_NOW;
}

inline kj::Promise<void> Mock_directory::remove(RemoveContext context)
{
    std::string path = context.getParams().getPath().cStr();
    if (read_only) {
        return failed("denied: a snapshot is only read");
    }
    if (files.count(path) == 0) {
        return failed("not-found: nothing at this path");
    }
    if (path.find("keep") != std::string::npos) {
        return failed("busy: somebody writes it");
    }
    if (!names_in(path, "").empty()) {
        return failed("not-empty: the directory has names");
    }
    files.erase(path);
    world.tell(path);
    return world.busy("remove") ? kj::Promise<void>(too_busy()) : kj::READY_NOW; /* no room for the answer */
}

inline kj::Promise<void> Mock_directory::rename(RenameContext context)
{
    std::string from = context.getParams().getFrom().cStr();
    std::string to = context.getParams().getTo().cStr();
    if (files.count(from) == 0) {
        return failed("not-found: nothing at this path");
    }
    if (files.count(to) != 0 && context.getParams().getExclusive()) {
        return failed("exists: there is something");
    }
    std::map<std::string, Item> moved;
    for (auto &file : files) {
        bool below = file.first.compare(0, from.size() + 1, from + "/") == 0;
        moved[file.first == from ? to : below ? to + file.first.substr(from.size()) : file.first] = file.second;
    }
    files = moved;
    world.tell(from);
    world.tell(to);
    return kj::READY_NOW;
}

inline kj::Promise<void> Mock_directory::put(PutContext context)
{
    std::string path = context.getParams().getPath().cStr();
    if (world.busy("put")) {
        return too_busy();
    }
    if (world.fault("full") != 0) {
        return failed("full: no room for the file");
    }
    if (world.fault("uploads") != 0 && world.uploads >= world.fault("uploads")) {
        return too_busy();
    }
    if (files.count(parent_of(path)) == 0) {
        return failed("not-found: no such directory");
    }
    if (!files[parent_of(path)].directory) {
        return failed("not-directory: a file is in the way");
    }
    if (files.count(path) != 0 && files[path].directory) {
        return failed("is-directory: there is a directory");
    }
    std::string digest = bytes_of(context.getParams().getDigest());
    std::string key = digest.empty() || world.fault("no-keep") != 0 ? "" : path + "/" + digest;
    auto upload = kj::heap<Mock_upload>(
        world, context.getParams().getSize(), [this, path](const std::string &d) { set(path, d); }, key);
    context.getResults().setReceived(upload->received() + static_cast<uint64_t>(world.fault("boast")));
    context.getResults().setUpload(kj::mv(upload));
    return kj::READY_NOW;
}

inline kj::Promise<void> Mock_directory::get(GetContext context)
{
    std::string path = context.getParams().getPath().cStr();
    if (world.busy("get")) {
        return too_busy();
    }
    auto found = files.find(path);
    if (found == files.end()) {
        return failed("not-found: nothing at this path");
    }
    if (found->second.directory) {
        return failed("is-directory: this is a directory");
    }
    if (path.find("rotten") != std::string::npos) {
        return failed("corrupt: " + path + " has a damaged block");
    }
    context.getResults().setBlob(kj::heap<Mock_source>(world, world.blobs[found->second.digest]));
    fill(context.getResults().initStat(), found->second);
    return kj::READY_NOW;
}

inline kj::Promise<void> Mock_directory::bind(BindContext context)
{
    std::string digest = bytes_of(context.getParams().getDigest());
    if (world.busy("bind")) {
        return too_busy();
    }
    if (world.blobs.count(digest) == 0 || world.fault("no-bind") != 0) {
        return failed("not-found: no blob with this digest");
    }
    if (files.count(parent_of(context.getParams().getPath().cStr())) == 0) {
        return failed("not-found: no such directory");
    }
    set(context.getParams().getPath().cStr(), digest);
    world.bound++;
    return kj::READY_NOW;
}

inline kj::Promise<void> Mock_directory::watch(WatchContext context)
{
    world.watchers.push_back(context.getParams().getWatcher());
    context.getResults().setWatch(kj::heap<Mock_watch>());
    printf("watched\n");
    fflush(stdout);
    return kj::READY_NOW;
}

inline kj::Promise<void> Mock_directory::at(AtContext context)
{
    auto found = world.snapshots.find(context.getParams().getGeneration());
    if (found == world.snapshots.end()) {
        return failed("not-found: no such snapshot");
    }
    context.getResults().setDirectory(kj::heap<Mock_directory>(world, found->second.files, true));
    return kj::READY_NOW;
}

inline void Mock_directory::set(const std::string &path, const std::string &digest)
{
    uint64_t id = files.count(path) != 0 ? files[path].id : world.next_id++;
    files[path] = Item{false, digest, id};
    world.tell(path);
}

inline void Mock_directory::fill(Stat::Builder stat, const Item &item)
{
    stat.setKind(item.directory ? Stat::Kind::DIRECTORY : Stat::Kind::FILE);
    fill_time(stat.initMade(), world);
    fill_time(stat.initChanged(), world);
    stat.setId(item.id);
    if (!item.directory) {
        stat.setSize(world.blobs[item.digest].size() + static_cast<uint64_t>(world.fault("larger")));
        if (world.fault("no-digest") == 0) {
            stat.setDigest(data_of(item.digest));
        }
    }
}

inline std::vector<std::string> Mock_directory::names_in(const std::string &path, const std::string &after)
{
    std::vector<std::string> names;
    for (auto &file : files) {
        std::string name = file.first.substr(file.first.rfind('/') + 1);
        if (!file.first.empty() && parent_of(file.first) == path && name > after) {
            names.push_back(name);
        }
    }
    std::sort(names.begin(), names.end());
    return names;
}

class Mock_volume final : public Volume::Server
{
  public:
    explicit Mock_volume(World &w) : world(w)
    {
    }

  protected:
    kj::Promise<void> snapshot(SnapshotContext context) override;
    kj::Promise<void> snapshots(SnapshotsContext context) override;
    kj::Promise<void> dropSnapshot(DropSnapshotContext context) override;

  private:
    World &world;
};

inline kj::Promise<void> Mock_volume::snapshot(SnapshotContext context)
{
    uint64_t generation = world.next_generation++;
    world.snapshots[generation] = World::Kept{context.getParams().getLabel().cStr(), world.files};
    context.getResults().setGeneration(generation);
    return kj::READY_NOW;
}

inline kj::Promise<void> Mock_volume::snapshots(SnapshotsContext context)
{
    std::vector<uint64_t> due;
    for (auto &kept : world.snapshots) {
        if (kept.first > context.getParams().getAfter() || world.fault("endless-same") != 0) {
            due.push_back(kept.first);
        }
    }
    size_t count = std::min<size_t>(due.size(), 2);
    auto out = context.getResults().initSnapshots(static_cast<unsigned>(count));
    for (unsigned i = 0; i < count; i++) {
        out[i].setGeneration(due[i]);
        out[i].setLabel(world.snapshots[due[i]].label.c_str());
        fill_time(out[i].initMade(), world);
    }
    context.getResults().setMore(due.size() > count || world.fault("endless-same") != 0);
    return kj::READY_NOW;
}

inline kj::Promise<void> Mock_volume::dropSnapshot(DropSnapshotContext context)
{
    if (world.snapshots.erase(context.getParams().getGeneration()) == 0) {
        return failed("not-found: no such snapshot");
    }
    return kj::READY_NOW;
}

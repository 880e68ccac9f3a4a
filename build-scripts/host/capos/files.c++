/* SPDX-License-Identifier: MIT OR Apache-2.0
 * files.c++: ls of a directory, stat, mkdir, mv.
 */
#include "directory.h"
#include "fail.h"
#include "json.h"
#include "rows.h"
#include "text.h"
#include "verbs.h"

#include <optional>

namespace capos
{

static void print_row(FileRow::Reader row, bool details)
{
    bool directory = std::string(row.getKind().cStr()) == "directory";
    std::string name = plain(row.getName().cStr()) + (directory ? "/" : "");
    if (!details) {
        printf("%s\n", name.c_str());
        return;
    }
    std::string digest = row.getDigest().size() == 0 ? "-" : row.getDigest().cStr();
    printf("%14.0f  %-30s %-64s %s\n", row.getSize(), when_text(row.getChanged()).c_str(), digest.c_str(),
           name.c_str());
}

/* A page at a time: a directory may have more names than anybody wants to keep. */
static void list_directory(Session &session, Directory::Client root, const std::string &path, const Args &args)
{
    std::optional<Json_list> list;
    if (args.has("--json")) {
        list.emplace("entries");
    }
    for_each_entry(session, root, path, [&](DirectoryEntry::Reader entry) {
        capnp::MallocMessageBuilder message;
        auto row = message.initRoot<FileRow>();
        fill_file(entry.getName().cStr(), entry.getStat(), row);
        if (list) {
            list->add(row.asReader());
        } else {
            print_row(row.asReader(), args.has("-l"));
        }
    });
    if (list) {
        list->end();
    }
}

static void list_file(const std::string &path, Stat::Reader stat, const Args &args)
{
    capnp::MallocMessageBuilder message;
    auto row = message.initRoot<FileRow>();
    fill_file(last_name(path), stat, row);
    if (args.has("--json")) {
        Json_list list("entries");
        list.add(row.asReader());
        list.end();
    } else {
        print_row(row.asReader(), args.has("-l"));
    }
}

static void list_path(const Args &args)
{
    std::string path = node_path(args.words[1]);
    State state(args);
    Session session(find_target(state, args.words[0]), args);
    auto root = root_of(session, args);
    auto stat = stat_path(session, root, path);
    if (stat.getStat().getKind() == Stat::Kind::DIRECTORY) {
        list_directory(session, root, path, args);
    } else {
        list_file(path, stat.getStat(), args);
    }
}

void run_ls(const Args &args)
{
    if (args.words.size() > 1) {
        list_path(args);
    } else if (args.has("-l") || args.has("--at")) {
        misuse("-l and --at are for files; say which: capos ls NODE /");
    } else {
        list_capabilities(args);
    }
}

static void print_stat(FileRow::Reader row)
{
    printf("path     /%s\nkind     %s\nsize     %.0f\n", plain(row.getName().cStr()).c_str(), row.getKind().cStr(),
           row.getSize());
    printf("made     %s\nchanged  %s\n", when_text(row.getMade()).c_str(), when_text(row.getChanged()).c_str());
    printf("sha256   %s\nid       %llu\n", row.getDigest().size() == 0 ? "-" : row.getDigest().cStr(),
           static_cast<unsigned long long>(row.getId()));
}

void run_stat(const Args &args)
{
    std::string path = node_path(args.words[1]);
    State state(args);
    Session session(find_target(state, args.words[0]), args);
    auto stat = stat_path(session, root_of(session, args), path);
    capnp::MallocMessageBuilder message;
    auto row = message.initRoot<FileRow>();
    fill_file(path, stat.getStat(), row);
    if (args.has("--json")) {
        print_json(row.asReader());
    } else {
        print_stat(row.asReader());
    }
}

/* An overloaded node is asked again for what may be done twice: with -p. */
void run_mkdir(const Args &args)
{
    std::string path = node_path(args.words[1]);
    State state(args);
    Session session(find_target(state, args.words[0]), args);
    auto root = root_of(session, args);
    if (args.has("-p")) {
        make_directories(session, root, path);
        return;
    }
    auto request = root.mkdirRequest();
    request.setPath(path.c_str());
    session.await(request.send());
}

void run_mv(const Args &args)
{
    std::string from = node_path(args.words[1]);
    std::string to = node_path(args.words[2]);
    State state(args);
    Session session(find_target(state, args.words[0]), args);
    auto root = root_of(session, args);
    auto request = root.renameRequest();
    request.setFrom(from.c_str());
    request.setTo(to.c_str());
    request.setExclusive(args.has("-n"));
    session.await(request.send());
}

} // namespace capos

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * verbs.c++: the table of everything capos does; help and the synopsis of usage errors come from it.
 */
#include "verbs.h"

#include "completion.h"
#include "fail.h"
#include "machine.h"

#include <cstdio>

namespace capos
{

static const Flag FLAG_FOLLOW = {"-f", nullptr, "go on with what comes"};
static const Flag FLAG_RETRY = {"--retry", nullptr, "ask again when overloaded; the method may then run twice"};
static const Flag FLAG_COMPLETION = {"--completion", nullptr,
                                     "the table for bash completion instead, which `make install` installs"};

static const Flag FLAG_AT = {"--at", "N", "as it was at snapshot N, which `capos snapshot NODE --list` shows"};

const std::vector<Flag> &common_flags()
{
    static const std::vector<Flag> flags = {
        {"--json", nullptr, "answers in JSON; call takes its parameters in JSON too"},
        {"--state", "DIR", "where the running fleet is remembered (else $CAPOS_STATE, $XDG_RUNTIME_DIR/capos)"},
        {"--timeout", "SECONDS", "patience for one answer of a node (30)"},
        {"--connect-timeout", "SECONDS", "patience for a node to be reached at all (10)"},
        {"--help", nullptr, "the same as `capos help VERB`"},
    };
    return flags;
}

static const std::vector<Flag> &fleet_up_flags()
{
    static const std::vector<Flag> flags = {
        {"--platform", "qemu|sim", "a virtual machine (default) or a Linux process"},
        {"--machine", machine_choices().c_str(), "QEMU's machine; default is the profile's"},
        {"--detach", nullptr, "return once it is ready and leave it running"},
        {"--name", "NAME", "what the node is called; default is the profile's name"},
        {"--build", "DIR", "the build directory (./build)"},
        {"--port", "[NAME=]PORT", "the host port for the image's port NAME (rpc); default is a free one"},
        {"--disk", "FILE", "the disk; made, blank, if absent (BUILD/PROFILE/PROFILE.disk)"},
        {"--disk-size", "SIZE", "size of a disk that is made (256M, sparse)"},
        {"--memory", "SIZE", "another amount of memory than the profile's"},
        {"--accel", "auto|tcg|kvm", "auto uses KVM when a probe shows that it works"},
        {"--cpu", "MODEL", "QEMU's CPU model (max)"},
        {"--no-net", nullptr, "leave the network card out"},
        {"--no-disk", nullptr, "leave the disk out"},
        {"--no-rng", nullptr, "leave the entropy device out"},
        {"--qemu-arg", "ARG", "one more argument for QEMU; may be repeated"},
        {"--append", "TEXT", "command line for the image"},
        {"--gdb", "PORT", "wait for gdb at this port of 127.0.0.1 before the first instruction"},
        {"--debug", nullptr, "start it stopped, with gdb on this terminal and symbols loaded"},
        {"--deadline", "SECONDS", "how long it may take to be ready (60)"},
        {"--lifetime", "SECONDS", "end it after this long, whatever it does; for tests"},
    };
    return flags;
}

static const char UP_TEXT[] =
    "FLEET is a configured profile, a fleet of one image: BUILD/FLEET/FLEET.elf must have been made. Without FLEET, "
    "the\n"
    "only image in BUILD is taken. Runs in the foreground with the serial console on this terminal; Ctrl-C stops the\n"
    "node cleanly. The disk stays where it is when the node stops.";
static const char CALL_TEXT[] =
    "Calls one method and prints its results. The parameters are Cap'n Proto text, '(name = \"x\", count = 3)'; with\n"
    "--json they are JSON, and so are the results. CAP is a name that `capos ls` shows, or `node` for the image's own\n"
    "bootstrap interface. A capability in a result is shown as <Interface>.";
static const char PUT_TEXT[] =
    "Streams FILE, or standard input for `-`, to PATH, which means it once the node has it on disk with the digest "
    "that\n"
    "we computed. Until then PATH is what it was. Directories before it are made. What the node has already, under\n"
    "whatever name, is not sent. When the connection breaks, put goes on over a new one where the node says; one that\n"
    "ended goes on when it is typed again within ten minutes, unless others needed the room. -r does not connect "
    "again.\n"
    "With -r FILE is a directory, and PATH becomes one with all that is in it, several files at once; what PATH has\n"
    "besides stays. Symbolic links and devices are named and skipped.";
static const char GET_TEXT[] =
    "Writes to FILE.part and renames it when all of it has come and has the right digest. A get that was interrupted\n"
    "goes on where it stopped. FILE defaults to the last part of PATH; `-` is standard output.\n"
    "In a FILE that is a directory, it gets that name too.\n"
    "With -r PATH is a directory, and FILE becomes one with all that is in it; what FILE has besides stays. Files\n"
    "that are there already with the digest that the node knows are not fetched again. Nothing outside of FILE is\n"
    "written, links in it are not followed.";
static const char EXPORT_TEXT[] =
    "All that is in PATH, or in the directory that everything is in, as a plain POSIX tar into FILE, or to standard\n"
    "output for `-`. What it has is the directory at one moment: a snapshot, which is dropped again at the end;\n"
    "or with --at the one that is named. Flat names (`names`), pins and blobs without a name are not in it.\n"
    "When anything cannot be read, there is no FILE, and the exit status is 1.";
static const char IMPORT_TEXT[] =
    "All that is in the tar FILE, or standard input for `-`, into PATH, or the directory that everything is in. It may "
    "be\n"
    "anybody's: links, devices, sparse files, names that lead elsewhere, and files that stand in it twice are named "
    "and\n"
    "skipped, and the exit status is 1. Not compressed: zcat x.tar.gz | capos import NODE -";
static const char LS_TEXT[] =
    "Without PATH: the capabilities that this session may reach, with their interfaces. With one: the names in that\n"
    "directory, '/' being the one that everything is in; of a file, its own. -l shows size, when it was changed and "
    "by\n"
    "which clock (rtc: the node's; unknown: it had none), and the SHA-256 where the node knows it.";
static const char RM_TEXT[] =
    "A file, or an empty directory; with -r a directory with all that is in it, several files at once. What cannot be\n"
    "removed is named, the rest goes.";
static const char MV_TEXT[] =
    "One step: TO is never missing and never half. A file at TO is replaced by a file, an empty directory by a\n"
    "directory; -n refuses that. TO is the whole new path: a directory there is not moved into.";
static const char WATCH_TEXT[] =
    "Prints a path a line, as the node tells of it: names that came, went or changed, and files that their writer has\n"
    "closed, in PATH and below. It is durable when it is told. Each --timeout, at least each minute, the node is\n"
    "asked whether it is there; when it is not, what changed since is not known: exit status 3. Ctrl-C ends it.";
static const char SNAPSHOT_TEXT[] =
    "Keeps all names and files as they are now, under LABEL if one is given, and prints its number, which --at takes.\n"
    "It costs room only as what it shows is changed or removed, until it is dropped.";
static const char DOWN_TEXT[] =
    "Asks each to halt on its console; one that does not hear within five seconds is ended. A node that did not end\n"
    "cleanly, now or before (panic, reset, killed), is named with the end of its console, and the exit status is 1.";
static const char LOGS_TEXT[] =
    "Of a node that does not run any more: what its console said, with names in the backtrace of a panic.";
static const char DISK_CREATE_TEXT[] = "A sparse file of SIZE (256M). An image formats a blank one at its first boot; "
                                       "with --format it is an empty volume\n"
                                       "already. A FILE that is there is left alone.";
static const char DISK_CHECK_TEXT[] =
    "Both superblocks, the log, every page of the database, the catalog, and every block of data against its "
    "checksum.\n"
    "A line for each fault, with the file that it hits. What a power cut leaves is no fault. FILE is never written to.";
static const char DISK_EXPORT_TEXT[] =
    "The files, and in a directory of their own the blobs by their names, as a tar. A file with damaged blocks is\n"
    "called NAME.damaged, with zeros in their place; it and all that cannot be read are named, and the exit status\n"
    "is 1. FILE is never written to.";
static const char SYMBOLIZE_TEXT[] =
    "For logs from elsewhere; `fleet logs`, `fleet down` and `logs` do it by themselves. IMAGE is BUILD/P/P.elf, with\n"
    "P.debug beside it, or the .debug itself, or a .sim. Without LOG it is standard input.";

static std::vector<Verb> fleet_verbs()
{
    return {
        {"fleet up", "[FLEET]", "boots a fleet and waits until it is ready", UP_TEXT, 0, 1, fleet_up_flags(),
         run_fleet_up},
        {"fleet down",
         "[NODE]...",
         "stops the fleet, or the named nodes, cleanly",
         DOWN_TEXT,
         0,
         64,
         {},
         run_fleet_down},
        {"fleet status", "[NODE]...", "what runs, with pids and ports", "", 0, 64, {}, run_fleet_status},
        {"fleet logs", "[NODE]", "what the serial console said", "", 0, 1, {FLAG_FOLLOW}, run_fleet_logs},
        {"node ls", "", "names, addresses, health, uptime of the running nodes", "", 0, 0, {}, run_node_ls},
    };
}

static std::vector<Verb> file_verbs()
{
    return {
        {"ls",
         "NODE [PATH]",
         "what this session may reach; with PATH, what is in that directory",
         LS_TEXT,
         1,
         2,
         {{"-l", nullptr, "with size, time and digest"}, FLAG_AT},
         run_ls},
        {"stat", "NODE PATH", "what a node knows of a file or directory", "", 2, 2, {FLAG_AT}, run_stat},
        {"mkdir",
         "NODE PATH",
         "makes a directory",
         "",
         2,
         2,
         {{"-p", nullptr, "with those before it, and it may be there already"}},
         run_mkdir},
        {"mv",
         "NODE FROM TO",
         "gives a file or directory another name",
         MV_TEXT,
         3,
         3,
         {{"-n", nullptr, "only if there is nothing at TO"}},
         run_mv},
        {"rm",
         "NODE PATH...",
         "removes files and directories",
         RM_TEXT,
         2,
         4096,
         {{"-r", nullptr, "with all that is in them"}},
         run_rm},
        {"watch", "NODE [PATH]", "what changes in a directory, as it does", WATCH_TEXT, 1, 2, {}, run_watch},
        {"snapshot",
         "NODE [LABEL]",
         "keeps all files as they are now",
         SNAPSHOT_TEXT,
         1,
         2,
         {{"--list", nullptr, "those that there are"}, {"--drop", "N", "forgets this one"}},
         run_snapshot},
        {"export", "NODE [PATH] FILE.tar|-", "a directory as a tar", EXPORT_TEXT, 2, 3, {FLAG_AT}, run_export},
        {"import", "NODE FILE.tar|- [PATH]", "a tar into a directory", IMPORT_TEXT, 2, 3, {}, run_import},
        {"put",
         "NODE PATH FILE|-",
         "streams a file in",
         PUT_TEXT,
         3,
         3,
         {{"-r", nullptr, "a directory with all that is in it"}},
         run_put},
        {"get",
         "NODE PATH [FILE|-]",
         "streams a file out; goes on after an interruption",
         GET_TEXT,
         2,
         3,
         {{"-r", nullptr, "a directory with all that is in it"}, FLAG_AT},
         run_get},
    };
}

static std::vector<Verb> image_verbs()
{
    return {
        {"describe",
         "NODE [CAP]...",
         "methods with their parameters, from the image's schema",
         "",
         1,
         64,
         {},
         run_describe},
        {"call", "NODE CAP.METHOD [PARAMS]", "calls a method", CALL_TEXT, 2, 3, {FLAG_RETRY}, run_call},
        {"logs", "NODE", "the image's log, over RPC", LOGS_TEXT, 1, 1, {FLAG_FOLLOW}, run_logs},
        {"disk create",
         "FILE",
         "makes a disk for an image: blank, or an empty volume",
         DISK_CREATE_TEXT,
         1,
         1,
         {{"--size", "SIZE", "of the disk (256M)"}, {"--format", nullptr, "make the volume now"}},
         run_disk_create},
        {"disk inspect", "FILE", "what is on a disk", "", 1, 1, {}, run_disk_inspect},
        {"disk check", "FILE", "whether a disk is sound", DISK_CHECK_TEXT, 1, 1, {}, run_disk_check},
        {"disk export",
         "FILE OUTFILE|-",
         "the files on a disk, as a tar",
         DISK_EXPORT_TEXT,
         2,
         2,
         {{"--at", "N", "as it was at this snapshot, which `disk inspect` lists"},
          {"--names", "DIR", "the directory that the blobs are in (.names)"},
          {"--anyway", nullptr, "also what the next boot of an image formats"}},
         run_disk_export},
        {"image query",
         "FILE",
         "the picture inside an image: components, wires, grants",
         "",
         1,
         1,
         {},
         run_image_query},
        {"image symbolize",
         "IMAGE [LOG|-]",
         "a console log with functions and lines in its backtraces",
         SYMBOLIZE_TEXT,
         1,
         2,
         {},
         run_image_symbolize},
        {"help", "[VERB]", "this, or all about one verb", "", 0, 2, {FLAG_COMPLETION}, run_help},
    };
}

const std::vector<Verb> &verbs()
{
    static std::vector<Verb> table;
    if (table.empty()) {
        for (const auto &group : {fleet_verbs(), file_verbs(), image_verbs()}) {
            table.insert(table.end(), group.begin(), group.end());
        }
    }
    return table;
}

static void print_flags(const std::vector<Flag> &flags)
{
    for (const Flag &flag : flags) {
        std::string left = std::string(flag.name) + (flag.value == nullptr ? "" : std::string(" ") + flag.value);
        printf("  %-28s %s\n", left.c_str(), flag.text);
    }
}

static void print_verb(const Verb &verb)
{
    printf("capos %s%s%s\n%s.\n", verb.name, *verb.synopsis == '\0' ? "" : " ", verb.synopsis, verb.summary);
    if (*verb.text != '\0') {
        printf("\n%s\n", verb.text);
    }
    printf("\nOptions:\n");
    print_flags(verb.flags);
    print_flags(common_flags());
}

static void print_overview()
{
    printf("capos: runs capOS images and talks to them.\n\n");
    for (const Verb &verb : verbs()) {
        std::string left = std::string(verb.name) + " " + verb.synopsis;
        printf("  capos %-33s %s\n", left.c_str(), verb.summary);
    }
    printf("\nNODE is a node of the running fleet, or HOST:PORT. `capos help VERB` has the options of a verb.\n"
           "Options of every verb:\n");
    print_flags(common_flags());
    printf("\nExit status: 0 done, 1 refused or failed, 2 wrong usage, 3 cannot reach.\n");
}

void run_help(const Args &args)
{
    if (args.has("--completion")) {
        print_completion();
        return;
    }
    std::string wanted;
    for (const std::string &word : args.words) {
        wanted += (wanted.empty() ? "" : " ") + word;
    }
    bool found = wanted.empty();
    if (wanted.empty()) {
        print_overview();
    }
    for (const Verb &verb : verbs()) {
        std::string name = verb.name;
        bool match = !wanted.empty() && (name == wanted || name.compare(0, wanted.size() + 1, wanted + " ") == 0);
        if (match && found) {
            printf("\n");
        }
        if (match) {
            print_verb(verb);
            found = true;
        }
    }
    if (!found) {
        misuse("there is no verb '" + wanted + "'; `capos help` lists them");
    }
}

} // namespace capos

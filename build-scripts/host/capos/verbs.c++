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
static const char PUT_TEXT[] = "Streams FILE, or standard input for `-`, into the node's store and binds PATH to it "
                               "once the store has it on disk\n"
                               "and has answered the digest that we computed. Until then PATH is what it was.";
static const char GET_TEXT[] =
    "Writes to FILE.part and renames it when all of it has come and has the right digest. A get that was interrupted\n"
    "goes on where it stopped. FILE defaults to the last part of PATH; `-` is standard output.\n"
    "In a FILE that is a directory, it gets that name too.";
static const char DOWN_TEXT[] =
    "Asks each to halt on its console; one that does not hear within five seconds is ended. A node that did not end\n"
    "cleanly, now or before (panic, reset, killed), is named with the end of its console, and the exit status is 1.";
static const char LOGS_TEXT[] =
    "Of a node that does not run any more: what its console said, with names in the backtrace of a panic.";
static const char SYMBOLIZE_TEXT[] =
    "For logs from elsewhere; `fleet logs`, `fleet down` and `logs` do it by themselves. IMAGE is BUILD/P/P.elf, with\n"
    "P.debug beside it, or the .debug itself, or a .sim. Without LOG it is standard input.";

const std::vector<Verb> &verbs()
{
    static const std::vector<Verb> table = {
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
        {"ls", "NODE", "the capabilities that this session may reach", "", 1, 1, {}, run_ls},
        {"describe",
         "NODE [CAP]...",
         "methods with their parameters, from the image's schema",
         "",
         1,
         64,
         {},
         run_describe},
        {"call", "NODE CAP.METHOD [PARAMS]", "calls a method", CALL_TEXT, 2, 3, {FLAG_RETRY}, run_call},
        {"put", "NODE PATH FILE|-", "streams a file in", PUT_TEXT, 3, 3, {}, run_put},
        {"get", "NODE PATH [FILE|-]", "streams a file out; goes on after an interruption", GET_TEXT, 2, 3, {}, run_get},
        {"logs", "NODE", "the image's log, over RPC", LOGS_TEXT, 1, 1, {FLAG_FOLLOW}, run_logs},
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

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * main.c++: capos, the host command: finds the verb, runs it, and turns a failure into an exit status.
 */
#include "fail.h"
#include "problem.h"
#include "verbs.h"

#include <algorithm>
#include <csignal>
#include <cstdio>

namespace capos
{

/* Two-word verbs come first: "fleet up" is no verb "fleet" with a word "up". */
static const Verb *find_verb(std::vector<std::string> &line)
{
    for (const Verb &verb : verbs()) {
        std::string name = verb.name;
        size_t space = name.find(' ');
        bool two = space != std::string::npos;
        if (line.empty() || line[0] != name.substr(0, space)) {
            continue;
        }
        if (two && (line.size() < 2 || line[1] != name.substr(space + 1))) {
            continue;
        }
        line.erase(line.begin(), line.begin() + (two ? 2 : 1));
        return &verb;
    }
    return nullptr;
}

[[noreturn]] static void misuse_verb(const std::vector<std::string> &line)
{
    std::string list;
    for (const Verb &verb : verbs()) {
        std::string name = verb.name;
        if (!line.empty() && name.compare(0, line[0].size() + 1, line[0] + " ") == 0) {
            list += (list.empty() ? " capos " : ", capos ") + name;
        }
    }
    if (!list.empty()) {
        misuse("which? there is:" + list);
    }
    misuse(line.empty() ? "what? `capos help` lists the verbs"
                        : "there is no verb '" + line[0] + "'; `capos help` lists them");
}

static void run_verb(const Verb &verb, const std::vector<std::string> &line)
{
    std::vector<Flag> known = verb.flags;
    known.insert(known.end(), common_flags().begin(), common_flags().end());
    Args args(line, known);
    if (args.has("--help")) {
        run_help(Args({verb.name}, {}));
        return;
    }
    if (args.words.size() < verb.words_min || args.words.size() > verb.words_max) {
        misuse(std::string("capos ") + verb.name + " " + verb.synopsis);
    }
    /* A session reads these when it opens; a mistake is to be found before anything is done. */
    args.number("--timeout", 1, 86400, 30);
    args.number("--connect-timeout", 1, 3600, 10);
    verb.run(args);
    require_output();
}

static void run(std::vector<std::string> line)
{
    if (!line.empty() && (line[0] == "--version" || line[0] == "-V")) {
        printf("capos %s\n", CAPOS_VERSION);
        return;
    }
    if (!line.empty() && (line[0] == "--help" || line[0] == "-h")) {
        line[0] = "help";
    }
    std::vector<std::string> asked = line;
    const Verb *verb = find_verb(line);
    if (verb == nullptr) {
        misuse_verb(asked);
    }
    run_verb(*verb, line);
}

static int complain(const Failure &failure, bool json)
{
    say_failure(failure, json);
    return static_cast<int>(failure.exit);
}

static int run_guarded(const std::vector<std::string> &line)
{
    bool json = std::find(line.begin(), line.end(), "--json") != line.end();
    try {
        failing([&]() { run(line); });
        return static_cast<int>(Exit::DONE);
    } catch (const Failure &failure) {
        return complain(failure, json);
    } catch (const std::exception &e) {
        return complain({Exit::REFUSED, "failed", e.what()}, json);
    }
}

} // namespace capos

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    return capos::run_guarded(std::vector<std::string>(argv + 1, argv + argc));
}

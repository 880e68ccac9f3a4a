/* SPDX-License-Identifier: MIT OR Apache-2.0
 * fleet.c++: fleet status, logs and down: what is done with nodes that run.
 */
#include "fleet.h"

#include "console.h"
#include "fail.h"
#include "json.h"
#include "process.h"
#include "verbs.h"

#include <cstdio>

namespace capos
{

static void print_status(const Args &args, FleetStatus::Reader status)
{
    if (args.has("--json")) {
        print_json(status);
        return;
    }
    printf("%-16s %8s %-10s %-22s %s\n", "NAME", "PID", "STATE", "RPC", "MACHINE");
    for (auto node : status.getNodes()) {
        printf("%-16s %8d %-10s %-22s %s %s %s\n", node.getName().cStr(), node.getPid(), node.getState().cStr(),
               node.getRpc().cStr(), node.getPlatform().cStr(), node.getMachine().cStr(), node.getAccel().cStr());
        if (node.getStatus().size() != 0) {
            printf("  %s\n", node.getStatus().cStr());
        }
    }
}

void print_nodes(const Args &args, const State &state, const std::vector<std::string> &names)
{
    capnp::MallocMessageBuilder message;
    auto nodes = message.initRoot<FleetStatus>().initNodes(static_cast<unsigned>(names.size()));
    for (unsigned i = 0; i < nodes.size(); i++) {
        std::optional<Node_record> record = state.load(names[i]);
        if (!record) {
            unreachable("unreachable", "no node '" + names[i] + "'");
        }
        nodes.setWithCaveats(i, (*record)->asReader());
    }
    print_status(args, message.getRoot<FleetStatus>().asReader());
}

static std::vector<std::string> chosen_nodes(const Args &args, const State &state)
{
    return args.words.empty() ? state.names() : args.words;
}

void run_fleet_down(const Args &args)
{
    State state(args);
    for (const std::string &name : chosen_nodes(args, state)) {
        std::optional<Node_record> record = state.load(name);
        if (!record) {
            unreachable("unreachable", "no node '" + name + "'");
        }
        if ((*record)->getPid() != 0) {
            stop_node((*record)->getPid(), (*record)->getStartTicks().cStr(), (*record)->getConsole().cStr());
        }
        End end = explain_end(state.dir(name));
        state.forget(name);
        if (!args.has("--json")) {
            printf("%s: %s\n", name.c_str(), end.text.c_str());
        }
    }
    if (args.has("--json")) {
        print_nodes(args, state, {});
    }
}

void run_fleet_status(const Args &args)
{
    State state(args);
    print_nodes(args, state, chosen_nodes(args, state));
}

static std::string only_node(const State &state)
{
    std::vector<std::string> names = state.names();
    if (names.size() != 1) {
        misuse(names.empty() ? "there is no node" : "which node? `capos fleet status` lists them");
    }
    return names[0];
}

void run_fleet_logs(const Args &args)
{
    State state(args);
    std::string name = args.words.empty() ? only_node(state) : args.words[0];
    std::optional<Node_record> record = state.load(name);
    if (!record) {
        unreachable("unreachable", "no node '" + name + "'");
    }
    Tail tail((*record)->getLog().cStr());
    bool alive = true;
    do {
        alive = args.has("-f") && !wait_gone((*record)->getPid(), (*record)->getStartTicks().cStr(), 100);
        std::string text = tail.more();
        fwrite(text.data(), 1, text.size(), stdout);
        fflush(stdout);
    } while (alive);
}

} // namespace capos

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

static constexpr unsigned TAIL_LINES = 15;
static constexpr int FOLLOW_MS = 100;

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

static Node_record require_node(const State &state, const std::string &name)
{
    std::optional<Node_record> record = state.load(name);
    if (!record) {
        unreachable("unreachable", "no node '" + name + "'; `capos fleet status` lists them");
    }
    return std::move(*record);
}

static void print_records(const Args &args, std::vector<Node_record> &records)
{
    capnp::MallocMessageBuilder message;
    auto nodes = message.initRoot<FleetStatus>().initNodes(static_cast<unsigned>(records.size()));
    for (unsigned i = 0; i < nodes.size(); i++) {
        nodes.setWithCaveats(i, records[i]->asReader());
    }
    print_status(args, message.getRoot<FleetStatus>().asReader());
}

void print_nodes(const Args &args, const State &state, const std::vector<std::string> &names)
{
    std::vector<Node_record> records;
    for (const std::string &name : names) {
        records.push_back(require_node(state, name));
    }
    print_records(args, records);
}

static std::vector<std::string> chosen_nodes(const Args &args, const State &state)
{
    return args.words.empty() ? state.names() : args.words;
}

/* Whether the node ended cleanly, now or before. What it left is gone afterwards, so the end of its console is shown. */
static bool take_down(const Args &args, const State &state, Node_record &record)
{
    std::string name = record->getName().cStr();
    if (record->getPid() != 0) {
        stop_node(record->getPid(), record->getStartTicks().cStr(), record->getConsole().cStr());
    }
    End end = explain_end(state.dir(name));
    record->setPid(0);
    record->setState(end.state.c_str());
    record->setStatus(end.text.c_str());
    bool clean = end.state == "stopped";
    std::string said = clean ? "" : Console_text(record->getLog().cStr(), record->getImage().cStr()).more();
    state.forget(name);
    if (!args.has("--json")) {
        printf("%s: %s%s%s\n", name.c_str(), clean ? "" : (end.state + ": ").c_str(), end.text.c_str(),
               last_lines(said, TAIL_LINES).c_str());
    }
    return clean;
}

void run_fleet_down(const Args &args)
{
    State state(args);
    std::vector<Node_record> records;
    std::string unclean;
    for (const std::string &name : chosen_nodes(args, state)) {
        records.push_back(require_node(state, name));
        unclean += take_down(args, state, records.back()) ? "" : " " + name;
    }
    if (args.has("--json")) {
        print_records(args, records);
    }
    if (!unclean.empty()) {
        refuse("failed", "all are down, but these did not end cleanly:" + unclean);
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

void follow_console(const Args &args, Node_record record)
{
    Console_text console(record->getLog().cStr(), record->getImage().cStr());
    bool alive = true;
    do {
        alive = args.has("-f") && !wait_gone(record->getPid(), record->getStartTicks().cStr(), FOLLOW_MS);
        console.print_more();
    } while (alive);
}

void run_fleet_logs(const Args &args)
{
    State state(args);
    std::string name = args.words.empty() ? only_node(state) : args.words[0];
    follow_console(args, require_node(state, name));
}

} // namespace capos

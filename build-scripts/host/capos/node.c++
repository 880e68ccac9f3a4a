/* SPDX-License-Identifier: MIT OR Apache-2.0
 * node.c++: node ls and logs: what running nodes say of themselves.
 */
#include "capos.capnp.h"
#include "fail.h"
#include "fleet.h"
#include "json.h"
#include "session.h"
#include "symbols.h"
#include "text.h"
#include "verbs.h"

namespace capos
{

static constexpr unsigned LOG_ANSWERS_MAX = 4096;
static constexpr auto FOLLOW_PAUSE = 500 * kj::MILLISECONDS;

static void fill_row(const Args &args, const State &state, const std::string &name, NodeRow::Builder row)
{
    Node_record record = state.load(name).value_or(Node_record());
    row.setName(name.c_str());
    row.setRpc(record->getRpc());
    row.setState(record->getState());
    row.setProfile(record->getProfile());
    row.setReason(record->getStatus());
    if (record->getPid() == 0 || record->getRpc().size() == 0) {
        return;
    }
    try {
        Session session(find_target(state, name), args);
        auto info = session.info();
        row.setState("ready");
        row.setHealthy(info.getHealthy());
        row.setReason(info.getIllness());
        row.setProfile(info.getProfile());
        row.setVersion(info.getVersion());
        row.setBuildId(info.getBuildId());
        row.setPlatform(info.getPlatform());
        row.setUptimeSeconds(static_cast<double>(info.getUptimeNs()) / 1e9);
        row.setMemoryBytes(static_cast<double>(info.getMemoryBytes()));
        row.setMemoryUsed(static_cast<double>(info.getMemoryUsed()));
    } catch (const Failure &failure) {
        row.setState("unreachable");
        row.setReason(failure.reason.c_str());
    }
}

/* "12.3s", "5m 12s", "3h 12m", "2d 3h" */
static std::string uptime_text(double seconds)
{
    static const struct {
        unsigned long long seconds;
        const char *name;
    } UNITS[] = {{86400, "d"}, {3600, "h"}, {60, "m"}, {1, "s"}};
    char text[32];
    if (!(seconds >= 60 && seconds < 1e12)) {
        snprintf(text, sizeof text, "%.1fs", seconds);
        return text;
    }
    unsigned long long whole = static_cast<unsigned long long>(seconds);
    unsigned i = 0;
    while (whole < UNITS[i].seconds) {
        i++;
    }
    unsigned long long rest = whole % UNITS[i].seconds / UNITS[i + 1].seconds;
    snprintf(text, sizeof text, "%llu%s %llu%s", whole / UNITS[i].seconds, UNITS[i].name, rest, UNITS[i + 1].name);
    return text;
}

static void print_rows(capnp::List<NodeRow>::Reader rows)
{
    printf("%-16s %-22s %-12s %-8s %10s  %-10s %s\n", "NAME", "ADDRESS", "STATE", "HEALTH", "UPTIME", "VERSION",
           "BUILD");
    for (auto row : rows) {
        bool up = std::string(row.getState().cStr()) == "ready";
        printf("%-16s %-22s %-12s %-8s %10s  %-10s %.12s\n", row.getName().cStr(), row.getRpc().cStr(),
               row.getState().cStr(),
               !up                ? "-"
               : row.getHealthy() ? "ok"
                                  : "ill",
               up ? uptime_text(row.getUptimeSeconds()).c_str() : "-", plain(row.getVersion()).c_str(),
               plain(row.getBuildId()).c_str());
        if (row.getReason().size() != 0) {
            printf("  %s\n", plain(row.getReason(), "\n").c_str());
        }
    }
}

void run_node_ls(const Args &args)
{
    State state(args);
    std::vector<std::string> names = state.names();
    capnp::MallocMessageBuilder message;
    auto rows = message.initRoot<NodeRows>().initNodes(static_cast<unsigned>(names.size()));
    for (unsigned i = 0; i < rows.size(); i++) {
        fill_row(args, state, names[i], rows[i]);
    }
    if (args.has("--json")) {
        print_json(message.getRoot<NodeRows>().asReader());
    } else {
        print_rows(rows.asReader());
    }
}

/* In JSON an object a line, so that a reader of -f gets each when it comes. */
static void print_line(const std::string &line, bool json)
{
    if (!json) {
        std::string text = plain(line, "\n\t");
        fwrite(text.data(), 1, text.size(), stdout);
        return;
    }
    capnp::MallocMessageBuilder message;
    auto out = message.initRoot<LogLine>();
    out.setLine(line.substr(0, line.size() - 1).c_str());
    printf("%s\n", plain_json(capnp::JsonCodec().encode(out.asReader()).cStr()).c_str());
}

/* Until the log's end, or with -f for ever. A log that goes on without an end is no answer to a plain `logs`. */
static void print_log(Session &session, Symbolizer &symbolizer, bool follow, bool json)
{
    uint64_t next = 0;
    for (unsigned answers = 0; follow || answers < LOG_ANSWERS_MAX; answers++) {
        auto answer = session.ask([&]() {
            auto request = session.node().logsRequest();
            request.setSince(next);
            return request.send();
        });
        for (auto line : answer.getLines()) {
            print_line(symbolizer.add(std::string(line.cStr()) + "\n"), json);
        }
        fflush(stdout);
        bool end = answer.getNext() == next;
        next = answer.getNext();
        if (end && !follow) {
            return;
        }
        if (end || answer.getLines().size() == 0) {
            session.pause(FOLLOW_PAUSE);
        }
    }
    refuse("failed", "the node's log does not end");
}

/* A node that has ended cannot be asked any more, but its console's log is here. */
void run_logs(const Args &args)
{
    State state(args);
    std::optional<Node_record> record = state.load(args.words[0]);
    if (record && (*record)->getPid() == 0) {
        fprintf(stderr, "capos: '%s' does not run (%s); this is what its console said\n", args.words[0].c_str(),
                (*record)->getStatus().cStr());
        follow_console(args, std::move(*record));
        return;
    }
    Symbolizer symbolizer(record ? (*record)->getImage().cStr() : "");
    Session session(find_target(state, args.words[0]), args);
    print_log(session, symbolizer, args.has("-f"), args.has("--json"));
}

} // namespace capos

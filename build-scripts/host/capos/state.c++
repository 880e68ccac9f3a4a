/* SPDX-License-Identifier: MIT OR Apache-2.0
 * state.c++: the directory that remembers the running fleet.
 *
 *  (1) A record names its process by pid and start time. A pid alone may belong to another program by now, and
 *      `fleet down` kills by what it finds here.
 *  (2) Records are replaced by rename: a reader sees the old one or the new one.
 *  (3) The supervisor writes only the file `status`; node.json belongs to the commands. So no two processes
 *      ever write one file.
 */
#include "state.h"

#include "fail.h"
#include "file.h"
#include "json.h"
#include "process.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <dirent.h>
#include <fcntl.h>
#include <fstream>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>

namespace capos
{

std::optional<std::string> read_file(const std::string &path)
{
    std::ifstream in(path, std::ios::binary);
    if (!in) {
        return std::nullopt;
    }
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

void write_file_atomically(const std::string &path, const std::string &text)
{
    std::string fresh = path + ".new";
    File(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW).write(text.data(), text.size());
    if (rename(fresh.c_str(), path.c_str()) != 0) {
        fail_errno(path);
    }
}

static std::string choose_root(const Args &args)
{
    const char *state = getenv("CAPOS_STATE");
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    if (args.has("--state")) {
        return args.get("--state", "");
    }
    if (state != nullptr && *state != '\0') {
        return state;
    }
    if (runtime != nullptr && *runtime != '\0' && access(runtime, W_OK) == 0) {
        return std::string(runtime) + "/capos";
    }
    return "/tmp/capos-" + std::to_string(getuid());
}

/* /tmp is everybody's: a directory that another user has put there could lead our commands to his console. */
static void require_private(const std::string &dir)
{
    struct stat st;
    if (mkdir(dir.c_str(), 0700) != 0 && errno != EEXIST) {
        fail_errno("cannot make the state directory " + dir + " (--state chooses another)");
    }
    if (lstat(dir.c_str(), &st) != 0) {
        fail_errno(dir);
    }
    if (!S_ISDIR(st.st_mode) || st.st_uid != getuid() || (st.st_mode & 022) != 0) {
        refuse("denied", "the state directory " + dir +
                             " is not a directory that only you may write; remove it, or choose another with --state");
    }
}

std::string absolute(const std::string &path)
{
    if (!path.empty() && path[0] == '/') {
        return path;
    }
    char here[4096];
    if (getcwd(here, sizeof here) == nullptr) {
        fail_errno("the current directory");
    }
    return std::string(here) + "/" + path;
}

State::State(const Args &args) : root(absolute(choose_root(args)))
{
    require_private(root);
}

std::string State::dir(const std::string &node) const
{
    return root + "/" + node;
}

std::vector<std::string> State::names() const
{
    std::vector<std::string> found;
    DIR *dir = opendir(root.c_str());
    if (dir == nullptr) {
        fail_errno(root);
    }
    while (struct dirent *entry = readdir(dir)) {
        std::string name = entry->d_name;
        if (name[0] != '.' && access((root + "/" + name + "/node.json").c_str(), F_OK) == 0) {
            found.push_back(name);
        }
    }
    closedir(dir);
    std::sort(found.begin(), found.end());
    return found;
}

static void note_end(NodeState::Builder record, const std::string &dir)
{
    End end = explain_end(dir);
    record.setState(end.state.c_str());
    record.setStatus(end.text.c_str());
    record.setPid(0);
}

bool is_node_name(const std::string &name)
{
    return !name.empty() && name[0] != '.' && name.find_first_of("/:") == std::string::npos;
}

static void parse_record(const std::string &file, const std::string &text, Node_record &record)
{
    auto problem = kj::runCatchingExceptions([&]() { from_json(text, *record); });
    KJ_IF_MAYBE (e, problem) {
        refuse("failed", file + " is damaged (" + failure_of(*e).reason + "); remove its folder, and what it started");
    }
}

std::optional<Node_record> State::load(const std::string &node) const
{
    std::string file = dir(node) + "/node.json";
    std::optional<std::string> text = is_node_name(node) ? read_file(file) : std::nullopt;
    if (!text) {
        return std::nullopt;
    }
    Node_record record;
    parse_record(file, *text, record);
    if (!process_alive(record->getPid(), record->getStartTicks().cStr())) {
        note_end(*record, dir(node));
    }
    return record;
}

void State::save(const std::string &node, NodeState::Builder record) const
{
    write_file_atomically(dir(node) + "/node.json", to_json(record.asReader()));
}

void State::forget(const std::string &node) const
{
    for (const char *file :
         {"node.json", "status", "console.sock", "serial.log", "qemu.log", "wire-host.sock", "wire-node.sock"}) {
        unlink((dir(node) + "/" + file).c_str());
    }
    rmdir(dir(node).c_str());
}

static Target parse_host_port(const std::string &text, const std::string &name)
{
    size_t colon = text.rfind(':');
    char *end = nullptr;
    unsigned long port = strtoul(text.c_str() + colon + 1, &end, 10);
    if (colon == 0 || *end != '\0' || port == 0 || port > 65535) {
        misuse("'" + text + "' is not HOST:PORT");
    }
    return {name, text.substr(0, colon), static_cast<unsigned>(port)};
}

static std::string known_nodes(const State &state)
{
    std::string list;
    for (const std::string &name : state.names()) {
        list += " " + name;
    }
    return list.empty() ? "no node is running; `capos fleet up NAME` starts one" : "there are:" + list;
}

Target find_target(const State &state, const std::string &node)
{
    if (node.find(':') != std::string::npos) {
        return parse_host_port(node, node);
    }
    std::optional<Node_record> record = state.load(node);
    if (!record) {
        unreachable("unreachable", "no node '" + node + "': " + known_nodes(state));
    }
    std::string rpc = (*record)->getRpc().cStr();
    if ((*record)->getPid() == 0) {
        unreachable("unreachable", "node '" + node + "' does not run: " + (*record)->getStatus().cStr());
    }
    if (rpc.empty()) {
        unreachable("unreachable", "node '" + node + "' has no rpc port; its profile would say `port 7000 rpc`");
    }
    return parse_host_port(rpc, node);
}

} // namespace capos

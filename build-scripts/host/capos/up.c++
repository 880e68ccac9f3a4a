/* SPDX-License-Identifier: MIT OR Apache-2.0
 * up.c++: fleet up.
 *
 * Until there are fleet files, a fleet is one profile and so one node. What the options and the image's manifest decide
 * is in a Launch; what the other commands need to know is in the node's record (state.h).
 *
 *  (1) A node is "ready" once its console has said so and, when it has an RPC port, it has answered there.
 *  (2) A failed start leaves the record and the log for `fleet logs`, and no process.
 */
#include "accel.h"
#include "console.h"
#include "debugger.h"
#include "disk.h"
#include "fail.h"
#include "file.h"
#include "fleet.h"
#include "image.h"
#include "machine.h"
#include "port.h"
#include "process.h"
#include "session.h"
#include "verbs.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace capos
{

static constexpr char DEFAULT_MACHINE[] = "kvm-q35"; /* for a profile of platform sim */
static constexpr unsigned TAIL_LINES = 15;

static bool exists(const std::string &path)
{
    return access(path.c_str(), F_OK) == 0;
}

/* The images that the build directory has. */
static std::vector<std::string> built_profiles(const std::string &build, const std::string &suffix)
{
    std::vector<std::string> found;
    DIR *dir = opendir(build.c_str());
    while (struct dirent *entry = dir == nullptr ? nullptr : readdir(dir)) {
        std::string name = entry->d_name;
        if (name[0] != '.' && exists(build + "/" + name + "/" + name + suffix)) {
            found.push_back(name);
        }
    }
    if (dir != nullptr) {
        closedir(dir);
    }
    return found;
}

static std::string choose_profile(const Args &args, const std::string &build, const std::string &suffix)
{
    std::vector<std::string> built = built_profiles(build, suffix);
    std::string list;
    for (const std::string &name : built) {
        list += " " + name;
    }
    if (!args.words.empty()) {
        if (!exists(build + "/" + args.words[0] + "/" + args.words[0] + suffix)) {
            refuse("failed", "there is no " + build + "/" + args.words[0] + "/" + args.words[0] + suffix +
                                 "; `./configure " + args.words[0] +
                                 " && make` makes it (--build DIR looks elsewhere)" +
                                 (list.empty() ? "" : "; made are:" + list));
        }
        return args.words[0];
    }
    if (built.size() != 1) {
        misuse(built.empty() ? "no image in " + build + "; `./configure && make` makes one"
                             : "which? there are several images in " + build + ":" + list);
    }
    return built[0];
}

/* The host port that the user asked for, or 0. `--port 7000` means the port called rpc. */
static unsigned asked_port(const Args &args, const std::string &name)
{
    for (const std::string &text : args.all("--port")) {
        size_t equals = text.find('=');
        std::string key = equals == std::string::npos ? "rpc" : text.substr(0, equals);
        std::string digits = equals == std::string::npos ? text : text.substr(equals + 1);
        char *end = nullptr;
        unsigned long port = strtoul(digits.c_str(), &end, 10);
        if (digits.empty() || *end != '\0' || port == 0 || port > 65535) {
            misuse("--port is '" + text + "', not PORT or NAME=PORT");
        }
        if (key == name) {
            return static_cast<unsigned>(port);
        }
    }
    return 0;
}

static std::vector<Port_map> choose_ports(const Args &args, BootPackage::Reader package)
{
    std::vector<Port_map> ports;
    for (auto port : package.getPorts()) {
        std::string name = port.getName().cStr();
        unsigned host = asked_port(args, name);
        if (host != 0) {
            require_free_port(host, name == "rpc" ? "--port PORT" : "--port " + name + "=PORT");
        }
        ports.push_back({name, port.getNumber(), host != 0 ? host : free_port()});
    }
    return ports;
}

/* The disk driver that the image has, without its folder, or "". */
static std::string disk_driver_of(BootPackage::Reader package)
{
    for (const char *driver : {"virtio-blk", "nvme", "virtio-scsi"}) {
        if (has_component(package, std::string("drv/") + driver)) {
            return driver;
        }
    }
    return "";
}

static uint64_t disk_size(const Args &args)
{
    uint64_t size = parse_size(args.get("--disk-size", "256M"), "--disk-size");
    if (size < 1024 * 1024) {
        misuse("--disk-size is less than 1M");
    }
    return size;
}

static std::string choose_disk(const Args &args, BootPackage::Reader package, const std::string &default_path)
{
    bool driven = !disk_driver_of(package).empty();
    if (args.has("--disk") && !driven) {
        misuse("--disk is for an image with a disk driver; this one has none (`capos image query` shows what it has)");
    }
    return driven && !args.has("--no-disk") ? args.get("--disk", default_path) : "";
}

static void choose_machine(const Args &args, const State &state, BootPackage::Reader package, Launch &launch)
{
    std::string name = args.get("--machine", package.getPlatform().cStr());
    const Machine *machine = find_machine(name);
    if (machine == nullptr && args.has("--machine")) {
        misuse("--machine is '" + name + "', not " + machine_choices());
    }
    launch.machine = machine != nullptr ? *machine : *find_machine(DEFAULT_MACHINE);
    launch.accel = choose_accel(args, state);
    launch.cpu = args.get("--cpu", launch.accel == "kvm" ? "host" : launch.machine.cpu);
}

static std::string node_name(const Args &args, const Image &image)
{
    return args.get("--name", image.package().getProfile().cStr());
}

static Launch plan_launch(const Args &args, const State &state, const Image &image, const std::string &disk)
{
    auto package = image.package();
    Launch launch = {};
    launch.profile = package.getProfile().cStr();
    launch.name = node_name(args, image);
    std::string dir = state.dir(launch.name);
    launch.image = absolute(image.path); /* `fleet logs` may be asked from elsewhere */
    launch.platform = args.get("--platform", "qemu");
    if (launch.platform == "qemu") {
        choose_machine(args, state, package, launch);
    }
    std::string memory = args.get("--memory", "");
    launch.memory_bytes = memory.empty() ? package.getMemoryBytes() : parse_size(memory, "--memory");
    launch.net = has_component(package, "drv/virtio-net") && !args.has("--no-net");
    launch.rng = has_component(package, "drv/virtio-rng") && !args.has("--no-rng");
    launch.disk = disk;
    launch.disk_driver = disk_driver_of(package);
    if (!disk.empty() && launch.platform == "qemu" && disk_device(launch.machine, launch.disk_driver).empty()) {
        misuse("this image's disk is for drv/" + launch.disk_driver + ", and " + launch.machine.type +
               " has no such disk");
    }
    if (launch.net) {
        launch.ports = choose_ports(args, package);
    }
    launch.console = dir + "/console.sock";
    launch.log = dir + "/serial.log";
    launch.append = args.get("--append", "");
    launch.gdb = static_cast<unsigned>(args.number("--gdb", 1, 65535, 0));
    launch.extra = args.all("--qemu-arg");
    return launch;
}

static Node_record record_of(const Launch &launch, int pid)
{
    Node_record record;
    record->setName(launch.name.c_str());
    record->setPid(pid);
    record->setStartTicks(process_start_ticks(pid).c_str());
    record->setState("starting");
    record->setRpc("");
    record->setStatus("");
    record->setConsole(launch.console.c_str());
    record->setLog(launch.log.c_str());
    record->setProfile(launch.profile.c_str());
    record->setPlatform(launch.platform.c_str());
    record->setMachine(launch.machine.type.c_str());
    record->setAccel(launch.accel.c_str());
    record->setImage(launch.image.c_str());
    record->setDisk(launch.disk.c_str());
    auto ports = record->initPorts(static_cast<unsigned>(launch.ports.size()));
    for (unsigned i = 0; i < ports.size(); i++) {
        ports[i].setName(launch.ports[i].name.c_str());
        ports[i].setGuest(static_cast<uint16_t>(launch.ports[i].guest));
        ports[i].setHost(static_cast<uint16_t>(launch.ports[i].host));
        if (launch.ports[i].name == "rpc") {
            record->setRpc(("127.0.0.1:" + std::to_string(launch.ports[i].host)).c_str());
        }
    }
    return record;
}

/* The console socket's path has to fit into sockaddr_un. */
static void prepare_dir(const State &state, const std::string &name)
{
    if (!is_node_name(name)) {
        misuse("'" + name + "' cannot be a node's name");
    }
    std::optional<Node_record> before = state.load(name);
    if (before && (*before)->getPid() != 0) {
        refuse("exists", "node '" + name + "' runs already, pid " + std::to_string((*before)->getPid()) +
                             "; `capos fleet down " + name + "` stops it, --name gives another one its own name");
    }
    if (before) {
        state.forget(name);
    }
    std::string dir = state.dir(name);
    if (dir.size() + sizeof "/console.sock" > 107) {
        refuse("failed", "the state directory's path is too long for a socket: " + dir + " (--state DIR)");
    }
    if (mkdir(dir.c_str(), 0700) != 0 && errno != EEXIST) {
        fail_errno(dir);
    }
    unlink((dir + "/status").c_str());
    unlink((dir + "/serial.log").c_str());
}

/* The console's text so far, and what it means. */
struct Boot_watch {
    Console_text &console;
    const std::string ready_line; /* "ready PROFILE in " */
    bool echo;
    std::string text;

    bool ready() const
    {
        return text.find(ready_line) != std::string::npos;
    }
    void look()
    {
        std::string more = console.more();
        text += more;
        if (echo) {
            fwrite(more.data(), 1, more.size(), stdout);
            fflush(stdout);
        }
    }
};

[[noreturn]] static void fail_start(const State &state, Node_record &record, const Boot_watch &watch,
                                    const std::string &why)
{
    std::string name = record->getName().cStr();
    stop_node(record->getPid(), record->getStartTicks().cStr(), "");
    state.save(name, *record);
    std::string tail = watch.echo ? "" : last_lines(watch.text, TAIL_LINES);
    refuse("failed", name + " did not become ready: " + why + tail +
                         (tail.empty() ? "" : "\n  (all of it: capos fleet logs " + name + ")"));
}

static void wait_ready(const Args &args, const State &state, Node_record &record, Boot_watch &watch)
{
    static constexpr int STEP_MS = 20;
    long deadline_ms = 1000 * args.number("--deadline", 1, 86400, 60);
    std::string dir = state.dir(record->getName().cStr());
    for (long waited = 0; !watch.ready(); waited += STEP_MS) {
        bool gone = wait_gone(record->getPid(), record->getStartTicks().cStr(), STEP_MS);
        watch.look();
        if (gone && !watch.ready()) {
            std::optional<Node_record> ended = state.load(record->getName().cStr());
            fail_start(state, record, watch, ended ? (*ended)->getStatus().cStr() : "it ended");
        }
        if (stop_asked()) {
            fail_start(state, record, watch, "it was interrupted");
        }
        if (waited >= deadline_ms) {
            fail_start(state, record, watch, "no 'ready' line within " + std::to_string(deadline_ms / 1000) + " s");
        }
    }
}

/* Ready means that it answers, not that it says so. */
static void wait_answer(const Args &args, const State &state, Node_record &record, Boot_watch &watch)
{
    std::string name = record->getName().cStr();
    if (record->getRpc().size() == 0) {
        return;
    }
    try {
        Session session(find_target(state, name), args);
    } catch (const Failure &failure) {
        watch.look();
        fail_start(state, record, watch, "it said ready, but " + failure.reason);
    }
}

static void print_up(NodeState::Reader node)
{
    std::string machine = node.getPlatform().cStr();
    if (machine == "qemu") {
        machine += std::string(" ") + node.getMachine().cStr() + " (" + node.getAccel().cStr() + ")";
    }
    printf("%s is %s: %s, pid %d", node.getName().cStr(), node.getState().cStr(), machine.c_str(), node.getPid());
    for (auto port : node.getPorts()) {
        printf(", %s 127.0.0.1:%u", port.getName().cStr(), port.getHost());
    }
    printf("\n");
    if (node.getDisk().size() != 0) {
        printf("  disk %s\n", node.getDisk().cStr());
    }
    printf("  console %s\n", node.getConsole().cStr());
    fflush(stdout);
}

/* The foreground ends with the node; how the node ended is how capos ends. */
static void stay_in_foreground(const State &state, Node_record &record, int events, Console_text &console)
{
    std::string name = record->getName().cStr();
    run_foreground({record->getPid(), record->getStartTicks().cStr(), events, record->getConsole().cStr()}, console);
    End end = explain_end(state.dir(name));
    if (end.state != "stopped") {
        refuse("failed", name + " " + end.state + ": " + end.text);
    }
    fprintf(stderr, "%s: %s\n", name.c_str(), end.text.c_str());
    state.forget(name);
}

static void start(const Args &args, const State &state, const Launch &launch)
{
    bool attached = !args.has("--detach");
    unsigned lifetime = static_cast<unsigned>(args.number("--lifetime", 1, 86400, 0));
    bool sim = launch.platform == "sim";
    if (attached && !args.has("--debug")) {
        catch_stop_signals();
    }
    Keeper plain;
    Sim_keeper around_sim(launch);
    Started started = start_supervised(sim ? sim_command(launch) : qemu_command(launch), state.dir(launch.name),
                                       attached, lifetime, sim ? around_sim : plain);
    Node_record record = record_of(launch, started.pid);
    state.save(launch.name, *record);
    Console_text console(launch.log, launch.image);
    Boot_watch watch = {console, "ready " + launch.profile + " in ", attached && !args.has("--json"), ""};
    if (launch.gdb == 0) {
        wait_ready(args, state, record, watch);
        wait_answer(args, state, record, watch);
        record->setState("ready");
        state.save(launch.name, *record);
    }
    if (args.has("--json")) {
        print_nodes(args, state, {launch.name});
    } else {
        printf("%s", attached ? "\n" : ""); /* the console's prompt stands on the line */
        print_up(record->asReader());
    }
    if (args.has("--debug")) {
        run_debugger(launch);
        stop_node(started.pid, record->getStartTicks().cStr(), "");
        state.forget(launch.name);
    } else if (attached) {
        stay_in_foreground(state, record, started.events, console);
    }
}

void run_fleet_up(const Args &args)
{
    std::string platform = args.get("--platform", "qemu");
    if (platform != "qemu" && platform != "sim") {
        misuse("--platform is '" + platform + "', not qemu or sim");
    }
    std::string build = args.get("--build", "build");
    std::string profile = choose_profile(args, build, platform == "sim" ? ".sim" : ".elf");
    std::string folder = build + "/" + profile + "/" + profile;
    State state(args);
    Image image(folder + (platform == "sim" ? ".sim" : ".elf"));
    prepare_dir(state, node_name(args, image));
    std::string disk = choose_disk(args, image.package(), folder + ".disk");
    uint64_t size = disk_size(args);
    Launch launch = plan_launch(args, state, image, disk);
    if (!disk.empty() && !exists(disk)) {
        make_disk(disk, size, false);
    }
    if (args.has("--debug")) {
        prepare_debug(launch);
    }
    start(args, state, launch);
}

} // namespace capos

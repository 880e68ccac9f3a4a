/* SPDX-License-Identifier: MIT OR Apache-2.0
 * machine.c++: QEMU's command line.
 *
 * Nothing is left to QEMU's defaults or to the user's configuration files: the image gets the devices that its profile
 * names and no other, and two runs on two machines are the same.
 */
#include "machine.h"

#include <cstdlib>

namespace capos
{

/* QEMU splits its option values at commas; two of them stand for one. */
static std::string escaped(const std::string &text)
{
    std::string out;
    for (char c : text) {
        out += c;
        out += c == ',' ? "," : "";
    }
    return out;
}

static const std::vector<Machine> &machines()
{
    static const std::vector<Machine> table = {
#include "machines.inc"
    };
    return table;
}

const Machine *find_machine(const std::string &name)
{
    for (const Machine &machine : machines()) {
        if (machine.name == name && !machine.stand_in.empty()) {
            return find_machine(machine.stand_in);
        }
        if (machine.name == name || (!machine.type.empty() && machine.type == name)) {
            return &machine;
        }
    }
    return nullptr;
}

const std::string &disk_device(const Machine &machine, const std::string &driver)
{
    if (driver == "nvme") {
        return machine.nvme;
    }
    return driver == "virtio-scsi" ? machine.scsi : machine.disk;
}

static std::string list_types()
{
    std::string list;
    for (const Machine &machine : machines()) {
        if (!machine.type.empty()) {
            list += (list.empty() ? "" : "|") + machine.type;
        }
    }
    return list;
}

const std::string &machine_choices()
{
    static const std::string list = list_types();
    return list;
}

using Command = std::vector<std::string>;

static void add(Command &command, const std::string &flag, const std::string &value)
{
    command.push_back(flag);
    command.push_back(value);
}

static void add_machine(Command &command, const Launch &launch)
{
    command.insert(command.end(),
                   {"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-name", launch.name});
    add(command, "-machine", launch.machine.type + ",accel=" + launch.accel);
    command.insert(command.end(), launch.machine.arguments.begin(), launch.machine.arguments.end());
    add(command, "-cpu", launch.cpu);
    add(command, "-m", std::to_string(launch.memory_bytes / 1024) + "K");
    add(command, "-kernel", launch.image);
    if (!launch.append.empty()) {
        add(command, "-append", launch.append);
    }
    add(command, "-device", launch.machine.exit);
}

static void add_console(Command &command, const Launch &launch)
{
    add(command, "-chardev",
        "socket,id=console,server=on,wait=off,logappend=off,path=" + escaped(launch.console) +
            ",logfile=" + escaped(launch.log));
    add(command, "-serial", "chardev:console");
}

static void add_net(Command &command, const Launch &launch)
{
    std::string user = "user,id=net0";
    for (const Port_map &port : launch.ports) {
        user += ",hostfwd=tcp:127.0.0.1:" + std::to_string(port.host) + "-:" + std::to_string(port.guest);
    }
    add(command, "-netdev", user);
    add(command, "-device", launch.machine.nic + ",netdev=net0");
}

static void add_disk(Command &command, const Launch &launch)
{
    /* The node is told of every error, a full file system of the host's too: what it acknowledges is its own word. */
    add(command, "-drive",
        "if=none,id=disk0,format=raw,cache=writeback,werror=report,rerror=report,file=" + escaped(launch.disk));
    std::string device = disk_device(launch.machine, launch.disk_driver);
    if (launch.disk_driver == "virtio-scsi") {
        add(command, "-device", device);
        device = "scsi-hd";
    }
    add(command, "-device", device + ",drive=disk0");
}

std::vector<std::string> qemu_command(const Launch &launch)
{
    const char *qemu = getenv("QEMU");
    Command command;
    command.push_back(qemu != nullptr && *qemu != '\0' ? qemu : "qemu-system-x86_64");
    add_machine(command, launch);
    add_console(command, launch);
    if (launch.net) {
        add_net(command, launch);
    }
    if (!launch.disk.empty()) {
        add_disk(command, launch);
    }
    if (launch.rng) {
        add(command, "-device", launch.machine.rng);
    }
    if (launch.gdb != 0) {
        add(command, "-gdb", "tcp:127.0.0.1:" + std::to_string(launch.gdb));
        command.push_back("-S");
    }
    command.insert(command.end(), launch.extra.begin(), launch.extra.end());
    return command;
}

} // namespace capos

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

class Command
{
  public:
    explicit Command(bool mmio) : bus(mmio ? "-device" : "-pci")
    {
    }
    void add(const std::string &flag, const std::string &value)
    {
        argv.push_back(flag);
        argv.push_back(value);
    }
    /* virtio-net-pci on a PCI machine, virtio-net-device on microvm. */
    void virtio(const std::string &kind, const std::string &properties)
    {
        add("-device", "virtio-" + kind + bus + properties);
    }
    std::vector<std::string> argv;

  private:
    const std::string bus;
};

static void add_machine(Command &command, const Launch &launch)
{
    command.argv.insert(command.argv.end(),
                        {"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-name", launch.name});
    command.add("-machine", launch.machine + ",accel=" + launch.accel);
    if (launch.machine == "microvm") {
        command.add("-global", "virtio-mmio.force-legacy=false");
    }
    command.add("-cpu", launch.cpu);
    command.add("-m", std::to_string(launch.memory_bytes / 1024) + "K");
    command.add("-kernel", launch.image);
    if (!launch.append.empty()) {
        command.add("-append", launch.append);
    }
    command.add("-device", "isa-debug-exit,iobase=0xf4,iosize=0x04");
}

static void add_console(Command &command, const Launch &launch)
{
    command.add("-chardev", "socket,id=console,server=on,wait=off,logappend=off,path=" + escaped(launch.console) +
                                ",logfile=" + escaped(launch.log));
    command.add("-serial", "chardev:console");
}

static void add_net(Command &command, const Launch &launch)
{
    std::string user = "user,id=net0";
    for (const Port_map &port : launch.ports) {
        user += ",hostfwd=tcp:127.0.0.1:" + std::to_string(port.host) + "-:" + std::to_string(port.guest);
    }
    command.add("-netdev", user);
    /* Without romfile= the firmware looks for something to boot from in the card's ROM. */
    bool pci = launch.machine != "microvm";
    command.virtio("net", std::string(",netdev=net0") + (pci ? ",romfile=" : ""));
}

static void add_disk(Command &command, const Launch &launch)
{
    command.add("-drive", "if=none,id=disk0,format=raw,cache=writeback,file=" + escaped(launch.disk));
    command.virtio("blk", ",drive=disk0");
}

std::vector<std::string> qemu_command(const Launch &launch)
{
    const char *qemu = getenv("QEMU");
    Command command(launch.machine == "microvm");
    command.argv.push_back(qemu != nullptr && *qemu != '\0' ? qemu : "qemu-system-x86_64");
    add_machine(command, launch);
    add_console(command, launch);
    if (launch.net) {
        add_net(command, launch);
    }
    if (!launch.disk.empty()) {
        add_disk(command, launch);
    }
    if (launch.rng) {
        command.virtio("rng", "");
    }
    if (launch.gdb != 0) {
        command.add("-gdb", "tcp:127.0.0.1:" + std::to_string(launch.gdb));
        command.argv.push_back("-S");
    }
    command.argv.insert(command.argv.end(), launch.extra.begin(), launch.extra.end());
    return command.argv;
}

} // namespace capos

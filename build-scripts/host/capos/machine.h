/* SPDX-License-Identifier: MIT OR Apache-2.0
 * machine.h: how one image is started: everything that `fleet up` has decided, and QEMU's command line for it.
 */
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace capos
{

struct Port_map {
    std::string name;
    unsigned guest;
    unsigned host;
};

/* A machine that an image runs on, as platform/NAME/platform.conf has it. */
struct Machine {
    std::string name;     /* "kvm-q35" */
    std::string stand_in; /* the machine to take instead, or "" */
    std::string type;     /* QEMU's name for it, "q35" */
    std::string cpu;
    std::vector<std::string> arguments;
    std::string nic; /* devices with their options, "virtio-net-pci,romfile=" */
    std::string disk;
    std::string nvme; /* "": it has none */
    std::string scsi; /* the adapter */
    std::string rng;
    std::string exit;
};

/* By its own name or by QEMU's; NULL when there is none. */
const Machine *find_machine(const std::string &name);

/* QEMU's device that a disk driver drives, for SCSI the adapter; "": the machine has none. */
const std::string &disk_device(const Machine &machine, const std::string &driver);

/* "microvm|pc|q35": QEMU's names. */
const std::string &machine_choices();

struct Launch {
    std::string name;    /* of the node */
    std::string profile; /* of the image */
    std::string image;
    std::string platform; /* qemu, sim */
    Machine machine;      /* of qemu */
    std::string accel;    /* tcg, kvm */
    std::string cpu;
    uint64_t memory_bytes;
    bool net;
    bool rng;
    std::string disk;        /* file; empty for none */
    std::string disk_driver; /* virtio-blk, nvme or virtio-scsi; empty: the image drives none */
    std::vector<Port_map> ports;
    std::string console; /* path of the UNIX socket */
    std::string log;
    std::string append;
    unsigned gdb; /* port; 0 for none */
    std::vector<std::string> extra;
};

/* The command, argv[0] first. */
std::vector<std::string> qemu_command(const Launch &launch);

} // namespace capos

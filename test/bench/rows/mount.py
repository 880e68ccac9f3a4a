# SPDX-License-Identifier: MIT OR Apache-2.0
"""After a power cut: from reset until a volume of many small files is served again, its log or journal played."""
from linux import EXT4

# Of ours, and of Linux', which takes minutes to make so many. What ext4 plays is its journal, of one size.
COUNTS = [(1000, 1000), (1000000, 100000)]
EACH = 100


def until(machine, line):
    with machine:
        machine.wait_for(line)
        return machine.executed()


def linux_until(machine):
    """And the section `mount` of it."""
    with machine:
        machine.wait_for("ready on")
        return machine.executed(), machine.sections_so_far()["mount"][0]


def measure(bench):
    hello = [until(bench.image("hello", net=True), "ready hello") for _ in range(bench.rounds)]
    base = sorted(hello)[len(hello) // 2]
    for count, linux_count in COUNTS:
        disk, ext4 = bench.populated_ours(count, EACH), bench.populated_linux(linux_count, EACH)
        ours = [until(bench.image("store", net=True, disk=disk, scratch=True), "ready store") for _ in range(bench.rounds)]
        theirs = [linux_until(bench.guest("files", EXT4, "/dev/vda", net=True, disk=ext4, scratch=True))
                  for _ in range(bench.rounds)]
        linux = "libcapnp, ext4 with {:,} files".format(linux_count)
        name, what = "mount-%d" % count, "after a cut, {:,} files: ".format(count)
        yield bench.pair(name, what + "reset until served", "instructions", ours, [t[0] for t in theirs], linux)
        mounts = [tuple(max(0, a - b) for a, b in zip(o, base)) for o in ours]
        yield bench.pair(name + "-alone", what + "what that is above hello", "instructions", mounts, [t[1] for t in theirs],
                         "mount(2) alone")

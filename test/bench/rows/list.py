# SPDX-License-Identifier: MIT OR Apache-2.0
"""Directory.list of 100,000 names, sizes and times over RPC, in pages of 100, in order."""
from linux import EXT4

NAMES = 100000
WHAT = "list of 100,000 names"
LINUX = "libcapnp; readdir, sort once a listing; statx"


def measure(bench):
    disk, ext4 = bench.populated_ours(NAMES, NAMES), bench.populated_linux(NAMES, NAMES)
    with bench.image("store", net=True, disk=disk) as ours, bench.guest("files", EXT4, "/dev/vda", net=True, disk=ext4) as theirs:
        ours.wait_for("ready store")
        theirs.wait_for("ready on")
        mine, linux = bench.side_by_side(ours, theirs, "list", 1, 1, NAMES)
        yield bench.pair("list", WHAT, "instructions a name", mine, linux, LINUX)
        yield bench.rate("list", WHAT, "microseconds a name, busy host", mine, linux, LINUX)

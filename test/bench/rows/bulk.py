# SPDX-License-Identifier: MIT OR Apache-2.0
"""A blob of some MiB over RPC, in chunks of 64 KiB: put durably and with its SHA-256, and read in order. Ours compares what it
reads with checksums; ext4 has none."""
from linux import EXT4

MIB = 8
IN_FLIGHT = 4
LINES = [("write", "write of 1 MiB of a durable blob, 4 chunks in flight", "libcapnp, ext4, fsync"),
         ("read", "sequential read of 1 MiB, 4 chunks in flight", "libcapnp, ext4, read-ahead")]


def measure(bench):
    disk = bench.blank_disk("bulk", 512)
    ext4 = bench.ext4_disk("bulk-ext4", 512)
    with bench.image("store", net=True, disk=disk) as ours, bench.guest("store", EXT4, "/dev/vda", net=True, disk=ext4) as theirs:
        ours.wait_for("ready store")
        theirs.wait_for("ready on")
        for name, what, linux_what in LINES:
            mine, linux = bench.side_by_side(ours, theirs, name, 1, IN_FLIGHT, MIB)
            yield bench.pair("bulk-" + name, what, "instructions a MiB", mine, linux, linux_what)
            yield bench.rate("bulk-" + name, what, "microseconds a MiB, busy host", mine, linux, linux_what)

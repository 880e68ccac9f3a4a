# SPDX-License-Identifier: MIT OR Apache-2.0
"""A durable put of 4 KiB over RPC: Store.put, write, finish. Linux: libcapnp, ext4; temporary file, fsync, rename, fsync, by a
thread for each client."""
from linux import EXT4
from rows.size import least, serves

LINES = [("put-1", "durable put of 4 KiB, 1 client", 1, 100), ("put-16", "durable put of 4 KiB, 16 clients", 16, 320)]
LINUX = "libcapnp, ext4, fsync"


def measure(bench):
    disk = bench.blank_disk("ours", 64)
    ext4 = bench.ext4_disk("theirs", 64)
    with bench.image("store", net=True, disk=disk) as ours, bench.guest("store", EXT4, "/dev/vda", net=True, disk=ext4) as theirs:
        ours.wait_for("ready store")
        theirs.wait_for("ready on")
        for name, what, connections, operations in LINES:
            mine, linux = bench.side_by_side(ours, theirs, "put", connections, 1, operations)
            yield bench.pair(name, what, "instructions a put", mine, linux, LINUX)
            yield bench.rate(name, what, "microseconds a put, busy host", mine, linux, LINUX)
            yield bench.flushes(name, what, "FLUSHes a put", mine, linux, LINUX)

    def ours(m):
        return bench.image("store", memory="%dM" % m, net=True, disk=disk)

    def theirs(m):
        return bench.guest("store", EXT4, "/dev/vda", memory="%dM" % m, net=True, disk=ext4)

    puts = ("put", 16, 1, 320)
    mine = least(lambda m: serves(bench, ours(m), "ready store", *puts), 12, 28)
    linux = least(lambda m: serves(bench, theirs(m), "ready on", *puts), 64, 128)
    yield bench.measured("memory-store", "least memory that serves 320 such puts", "MiB", [mine], [linux], LINUX)

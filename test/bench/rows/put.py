# SPDX-License-Identifier: MIT OR Apache-2.0
"""A durable put of 4 KiB over RPC: Store.put, write, finish. Linux: libcapnp, ext4; temporary file, fsync, rename, fsync."""
import os
import shutil
import subprocess

from linux import EXT4
from machine import Failed

LINES = [("put-1", "durable put of 4 KiB, 1 client", 1, 100), ("put-16", "durable put of 4 KiB, 16 clients", 16, 320)]


def measure(bench):
    disk = bench.blank_disk("ours", 64)
    ext4 = bench.disk("theirs", 64)
    mkfs = shutil.which("mkfs.ext4", path=os.environ["PATH"] + ":/usr/sbin:/sbin") or "mkfs.ext4"
    if subprocess.run([mkfs, "-q", "-F", ext4], check=False).returncode != 0:
        raise Failed("mkfs.ext4 failed")
    with bench.image("store", net=True, disk=disk) as ours, bench.guest("store", EXT4, "/dev/vda", net=True, disk=ext4) as theirs:
        ours.wait_for("ready store")
        theirs.wait_for("ready on")
        for name, what, connections, operations in LINES:
            mine, linux = bench.side_by_side(ours, theirs, "put", connections, 1, operations)
            yield bench.pair(name, what, "instructions a put", mine, linux, "libcapnp, ext4, fsync")
            yield bench.rate(name, what, "microseconds a put, busy host", mine, linux, "libcapnp, ext4, fsync")

# SPDX-License-Identifier: MIT OR Apache-2.0
"""Reads of a virtio disk: from the loop, and from a thread through BlockDevice; O_DIRECT and io_uring on Linux."""

WHAT = {
    "read-4k-1": "4-KiB random read, 1 in flight",
    "read-4k-32": "4-KiB random read, 32 in flight",
    "read-128k-1": "128-KiB sequential read, 1 in flight",
    "read-128k-8": "128-KiB sequential read, 8 in flight",
    "thread-read-4k-1": "4-KiB random read from a thread, 1 in flight",
    "thread-read-4k-32": "4-KiB random read from a thread, 32 in flight",
}


def measure(bench):
    disk = bench.disk("disk", 64)
    with bench.image("bench-local", disk=disk) as ours:
        mine = ours.sections()
    with bench.guest("disk", ["virtio_pci", "virtio_blk"], "/dev/vda", disk=disk) as theirs:
        linux = theirs.sections()
    for name, what in WHAT.items():
        yield bench.pair(name, what, "instructions a read", mine[name], linux[name.replace("thread-", "")], "O_DIRECT, io_uring")

# SPDX-License-Identifier: MIT OR Apache-2.0
"""Bytes of an image, and the least memory in which it serves a hundred calls."""
import os

from linux import PLAIN
from machine import Failed

CALLS = 100


def serves(bench, machine, line, *calls):
    try:
        with machine:
            machine.wait_for(line, 60)
            bench.call(machine, *calls)
            return True
    except (Failed, OSError):
        return False


def least(try_one, low, high):
    """The smallest number from low + 1 to high that try_one takes, if it takes all above the smallest."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if try_one(middle) else (middle, high)
    return high


def measure(bench):
    guest = bench.linux.initramfs("echo", PLAIN)
    size = os.path.getsize
    linux = size(bench.linux.kernel) + size(guest)
    for profile in ("hello", "store"):
        yield bench.measured("bytes-" + profile, "image " + profile, "bytes", [size(bench.elf(profile))], [linux],
                             "kernel, and an initramfs with the echo server")
    calls = ("echo", 1, 1, CALLS)
    ours = least(lambda m: serves(bench, bench.image("hello", memory="%dM" % m, net=True), "ready hello", *calls), 2, 16)
    theirs = least(lambda m: serves(bench, bench.guest("echo", PLAIN, memory="%dM" % m, net=True), "ready on", *calls), 32, 256)
    yield bench.measured("memory", "least memory that serves %d echo calls" % CALLS, "MiB", [ours], [theirs], "the same guest")

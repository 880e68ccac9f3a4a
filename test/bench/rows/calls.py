# SPDX-License-Identifier: MIT OR Apache-2.0
"""The null call: an object of the loop, called by the loop and by a thread through its ring; getppid and io_uring on Linux."""

PAIRS = [
    ("call-loop", "null call, from the loop", "loop-call", "getppid", "getppid"),
    ("call-ring", "null call, from a thread", "ring-call", "uring-nop", "io_uring NOP"),
    ("call-ring-32", "null call, from a thread, 32 at a time", "ring-call-32", "uring-nop-32", "io_uring NOP, 32 at a time"),
    ("nop-ring-32", "ring NOP, 32 at a time", "ring-nop-32", "uring-nop-32", "io_uring NOP, 32 at a time"),
]


def measure(bench):
    with bench.image("bench-local", disk=bench.disk("calls", 64)) as ours:
        mine = ours.sections()
    with bench.guest("calls", []) as theirs:
        linux = theirs.sections()
    for name, what, our, their, their_what in PAIRS:
        yield bench.pair(name, what, "instructions a call", mine[our], linux[their], their_what)

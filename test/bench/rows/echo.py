# SPDX-License-Identifier: MIT OR Apache-2.0
"""Cap'n Proto RPC over TCP, a client on the host: 64 bytes there and back. Linux serves with libcapnp."""
from linux import PLAIN

LINES = [
    ("echo-1", "RPC echo of 64 bytes, one after another", 1, 1000),
    ("echo-64", "RPC echo of 64 bytes, 64 in flight", 64, 6400),
]


def measure(bench):
    with bench.image("hello", net=True) as ours, bench.guest("echo", PLAIN, net=True) as theirs:
        ours.wait_for("ready hello")
        theirs.wait_for("ready on")
        for name, what, in_flight, operations in LINES:
            mine, linux = bench.side_by_side(ours, theirs, "echo", 1, in_flight, operations)
            yield bench.pair(name, what, "instructions a call", mine, linux, "libcapnp")
            yield bench.rate(name, what, "microseconds a call, busy host", mine, linux, "libcapnp")

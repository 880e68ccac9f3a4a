# SPDX-License-Identifier: MIT OR Apache-2.0
"""From reset to where it serves, firmware included; Linux also to its first process."""
from linux import PLAIN


def until(machine, line):
    """Instructions, string iterations, when the console said that."""
    with machine:
        machine.wait_for(line)
        return machine.executed()


def measure(bench):
    rounds = range(bench.rounds)
    disk = bench.blank_disk("boot", 64)
    hello = [until(bench.image("hello", net=True), "ready hello") for _ in rounds]
    store = [until(bench.image("store", net=True, disk=disk), "ready store") for _ in rounds]
    init = [until(bench.guest("echo", PLAIN, net=True), "^init$") for _ in rounds]
    echo = [until(bench.guest("echo", PLAIN, net=True), "ready on") for _ in rounds]
    yield bench.pair("boot-hello", "reset until hello is ready", "instructions", hello, echo, "until its echo server listens")
    yield bench.pair("boot-store", "reset until store is ready", "instructions", store, init, "until its first process runs")

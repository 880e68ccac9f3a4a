# SPDX-License-Identifier: MIT OR Apache-2.0
"""profile.py: where an image's instructions go, by function: make bench-profile WHAT=a section of app/bench, or one of REMOTE."""
import bisect
import collections
import subprocess

from machine import Failed

# image, call, connections, in flight on each, operations
REMOTE = {
    "echo": ("hello", "echo", 1, 1, 1000), "echo-64": ("hello", "echo", 1, 64, 6400),
    "put": ("store", "put", 1, 1, 200), "put-16": ("store", "put", 16, 1, 320),
    "write": ("store", "write", 1, 4, 8), "read": ("store", "read", 1, 4, 8), "list": ("store", "list", 1, 1, 10000),
}
FUNCTIONS = 45


def functions(debug):
    """[(address, end, name)] of the image as it was linked."""
    lines = subprocess.run(["nm", "-nS", "--defined-only", debug], stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()
    words = [line.split() for line in lines]
    return [(int(w[0], 16), int(w[0], 16) + int(w[1], 16), w[3]) for w in words if len(w) == 4 and w[2] in "tT"]


def slide(blocks, table):
    """How far from where it was linked the image runs: so that most of the busiest blocks are beginnings of functions."""
    votes = collections.Counter()
    for address, _, _ in sorted(blocks, key=lambda b: -b[2])[:400]:
        votes.update({address - begin for begin, _, _ in table if (address - begin) % 4096 == 0})
    return votes.most_common(1)[0][0]


def by_function(blocks, table):
    distance = slide(blocks, table)
    begins = [begin for begin, _, _ in table]
    sums = collections.Counter()
    entries = collections.Counter()
    for address, instructions, entered in blocks:
        at = address - distance
        i = bisect.bisect_right(begins, at) - 1
        name = table[i][2] if i >= 0 and at < table[i][1] else "(elsewhere)"
        sums[name] += instructions * entered
        entries[name] += entered if i >= 0 and at == table[i][0] else 0
    return sums, entries


def show(name, blocks, table, operations):
    sums, entries = by_function(blocks, table)
    print("%s: instructions (string iterations too) and calls (jumps to a first instruction) of one of %d" % (name, operations))
    for function, sum_ in sums.most_common(FUNCTIONS):
        print("%10.1f %8.2f  %s" % (sum_ / operations, entries[function] / operations, function))
    print("%10.1f %8s  together" % (sum(sums.values()) / operations, ""))


def difference(before, after):
    old = [entered for _, _, entered in before] + [0] * (len(after) - len(before))
    return [(address, instructions, entered - was) for (address, instructions, entered), was in zip(after, old)]


def remote(bench, what):
    profile, call, connections, in_flight, operations = REMOTE[what]
    disk = {"list": lambda: bench.populated_ours(operations, operations),
            "echo": lambda: None}.get(call, lambda: bench.blank_disk("disk", 64))()
    with bench.image(profile, net=True, disk=disk) as machine:
        machine.wait_for("ready " + profile)
        bench.call(machine, call, connections, in_flight, operations)
        before = []
        bench.call(machine, call, connections, in_flight, operations, lambda: before.extend(machine.blocks()))
        return difference(before, machine.blocks()), operations, profile


def local(bench, what):
    disk = bench.disk("disk", 64)
    with bench.image("bench-local", disk=disk) as machine:
        names = [line.split("section ")[1].split() for line in machine.wait_end() if "section " in line]
    found = [i for i, (name, _) in enumerate(names) if name == what]
    if not found:
        raise Failed("no section '%s'; there are: %s" % (what, " ".join(sorted(set(n for n, _ in names)) + list(REMOTE))))
    with bench.image("bench-local", disk=disk, section=found[-1]) as machine:
        machine.wait_end()
        return machine.blocks(), int(names[found[-1]][1]), "bench-local"


def run(bench, what):
    blocks, operations, profile = (remote if what in REMOTE else local)(bench, what)
    show(what, blocks, functions("%s/%s/%s.debug" % (bench.build, profile, profile)), operations)

# SPDX-License-Identifier: MIT OR Apache-2.0
"""machine.py: a machine in QEMU, what it says on its console, and the instructions that it has executed.

Images and the Linux guest get the same machine: the one of platform/kvm-q35/platform.conf, by TCG, one CPU.
"""
import json
import mmap
import os
import re
import socket
import struct
import subprocess
import threading
import time

MARKS_MAX = 4096  # as in plugin/insncount.c
HEADER = struct.Struct("<8Q")
MARK = struct.Struct("<2Q")
BLOCK = struct.Struct("<3Q")
MAGIC = 0x6361704F53636E74
LIFETIME_S = 1500  # of any machine, whatever happens to us


class Failed(Exception):
    """Said to the user as it stands."""


def devices(source):
    """What platform.conf says of the machine, by its keys."""
    found = {}
    with open(os.path.join(source, "platform/kvm-q35/platform.conf")) as conf:
        for line in conf:
            key, _, value = line.split("#")[0].strip().partition(" ")
            found[key] = ",".join(value.split())
    return found


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Machine:
    """With-statement: it runs inside, and is stopped at the end."""

    def __init__(self, bench, memory, kernel, arguments=(), disk=None, net=False, section=None, count=True,
                 scratch=False):
        """`scratch`: what is written to the disk is forgotten at the end."""
        self.counter = None
        self.count_file = os.path.join(bench.work, "count.%d" % bench.number())
        conf = devices(bench.source)
        self.command = ["timeout", "-s", "KILL", str(LIFETIME_S), bench.qemu, "-nodefaults", "-no-user-config",
                        "-display", "none", "-no-reboot", "-machine", conf["machine"] + ",accel=tcg", "-cpu", conf["cpu"],
                        "-smp", "1", "-m", memory, "-serial", "stdio", "-device", conf["exit"], "-device", conf["rng"],
                        "-kernel", kernel, *arguments]
        self.port = free_port() if net else None
        if net:
            self.command += ["-netdev", "user,id=net0,hostfwd=tcp:127.0.0.1:%d-:7000" % self.port,
                             "-device", conf["nic"] + ",netdev=net0"]
        self.control = None
        if disk:
            self.control = os.path.join(bench.work, "control.%d" % bench.number())
            more = ",snapshot=on" if scratch else ""
            self.command += ["-drive", "if=none,id=disk0,format=raw,cache=writeback,file=" + disk + more,
                             "-device", conf["disk"] + ",drive=disk0",
                             "-qmp", "unix:%s,server=on,wait=off" % self.control]
        if count:
            self.command += ["-plugin", bench.build + "/bench/insncount.so,out=" + self.count_file +
                             ("" if section is None else ",section=%d" % section)]
        self.lines = []
        self.ended = False
        self.change = threading.Condition()

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        if self.counter:
            self.counter.close()
        if os.path.exists(self.count_file):
            os.unlink(self.count_file)

    def _listen(self):
        for raw in self.process.stdout:
            with self.change:
                self.lines.append(raw.decode(errors="replace").strip())
                self.change.notify_all()
        with self.change:
            self.ended = True
            self.change.notify_all()

    def failed(self, what):
        return Failed("%s; the console's end:\n  %s" % (what, "\n  ".join(self.lines[-15:])))

    def wait_for(self, pattern, seconds=120):
        """The first line that matches."""
        until = time.monotonic() + seconds
        seen = 0
        with self.change:
            while True:
                for line in self.lines[seen:]:
                    if re.search(pattern, line):
                        return line
                    if line.startswith("failed:") or "PANIC" in line:
                        raise self.failed("the guest failed")
                seen = len(self.lines)
                if self.ended or not self.change.wait(until - time.monotonic()):
                    raise self.failed("the machine never said '%s'" % pattern)

    def wait_end(self, seconds=300):
        """Until the guest has switched the machine off: all its lines."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise self.failed("the machine did not end") from None
        with self.change:
            self.change.wait_for(lambda: self.ended, 10)
        return self.lines

    def _counts(self):
        if self.counter is None:
            with open(self.count_file, "rb") as file:
                self.counter = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
            if HEADER.unpack_from(self.counter)[0] != MAGIC:
                raise Failed("%s is no counter file" % self.count_file)
        return HEADER.unpack_from(self.counter)

    def executed(self):
        """Instructions without string iterations, and string iterations, until now."""
        _, both, strings, *_ = self._counts()
        return both - strings, strings

    def flushes(self):
        """FLUSHes that the guest has asked its disk for, as QEMU counts them."""
        if self.control is None:
            return 0
        with socket.socket(socket.AF_UNIX) as control:
            control.connect(self.control)
            lines = control.makefile("rw")
            lines.readline()
            for command in ("qmp_capabilities", "query-blockstats"):
                lines.write(json.dumps({"execute": command}) + "\n")
                lines.flush()
                answer = {}
                while "return" not in answer:
                    answer = json.loads(lines.readline())
            return answer["return"][0]["stats"]["flush_operations"]

    def _marked(self):
        """The same for each section between marks, in order."""
        count, lost = self._counts()[3], self._counts()[5]
        if lost or count % 2:
            raise self.failed("%d marks, %d lost" % (count, lost))
        marks = [MARK.unpack_from(self.counter, HEADER.size + MARK.size * i) for i in range(count)]
        return [(b[0] - a[0] - (b[1] - a[1]), b[1] - a[1]) for a, b in zip(marks[::2], marks[1::2])]

    def sections(self):
        """{name: [(instructions, string iterations) of one operation, a round each]}, when a guest that marks and names its
        sections has ended."""
        self.wait_end()
        return self.sections_so_far()

    def sections_so_far(self):
        found = {}
        named = [line.split("section ")[1].split() for line in self.lines if "section " in line]
        marked = self._marked()
        if len(named) != len(marked):
            raise self.failed("%d sections named, %d marked" % (len(named), len(marked)))
        for (name, operations), (plain, strings) in zip(named, marked):
            found.setdefault(name, []).append((plain / int(operations), strings / int(operations)))
        return found

    def blocks(self):
        """(address, instructions, times entered) of all translation blocks."""
        count = self._counts()[4]
        at = HEADER.size + MARK.size * MARKS_MAX
        return [BLOCK.unpack_from(self.counter, at + BLOCK.size * i) for i in range(count)]

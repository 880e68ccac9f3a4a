#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""tcp_echo.py: a client that tries app/tcp-echo in every way that a stranger would.
usage: tcp_echo.py HOST:PORT CASE...    cases: echo half_close parallel stall reset serial=N

The image listens already (its `ready` line was seen); a forwarding host accepts whatever the guest does, so a connection
counts only when its echo came back (docs/spec-notes/lwip.md).
"""
import os
import select
import socket
import struct
import sys
import threading
import time

HOST, PORT = sys.argv[1].split(":")
ADDRESS = (HOST, int(PORT))


def connect():
    return socket.create_connection(ADDRESS, timeout=30)


def read_exactly(s, size):
    got = bytearray()
    while len(got) < size:
        piece = s.recv(min(65536, size - len(got)))
        if not piece:
            raise AssertionError(f"end after {len(got)} of {size} bytes")
        got += piece
    return bytes(got)


def exchange(s, data):
    """Sends and receives at the same time: the server holds back who does not read."""
    got = bytearray()
    view = memoryview(data)
    s.setblocking(False)
    until = time.monotonic() + 60
    while len(got) < len(data):
        assert time.monotonic() < until, f"only {len(got)} of {len(data)} bytes came back"
        readable, writable, _ = select.select([s], [s] if view else [], [], 5)
        if readable:
            piece = s.recv(65536)
            assert piece, f"end after {len(got)} of {len(data)} bytes"
            got += piece
        if writable:
            view = view[s.send(view[:65536]):]
    s.settimeout(30)
    assert got == data, "bytes differ"


def echo():
    with connect() as s:
        exchange(s, os.urandom(1 << 20))


def half_close():
    data = os.urandom(5000)
    with connect() as s:
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        assert read_exactly(s, len(data)) == data, "bytes differ"
        assert s.recv(1) == b"", "no end after the last byte"


def parallel():
    """16 at once, each its own bytes. They connect one after another: the forwarding host's queue holds one."""
    failures = []

    def opened():
        s = connect()
        exchange(s, b"hello")
        return s

    def one(s):
        try:
            with s:
                for _ in range(4):
                    exchange(s, os.urandom(32768))
        except Exception as e:  # whatever it is, it is this client's result
            failures.append(e)

    threads = [threading.Thread(target=one, args=(s,)) for s in [opened() for _ in range(16)]]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures, failures[0]


def stall():
    """One sends without end and reads nothing; it must stop being read from, and nobody else may notice."""
    with connect() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
        s.setblocking(False)
        sent = 0
        quiet = 0
        while quiet < 2:
            _, writable, _ = select.select([], [s], [], 1)
            quiet = 0 if writable else quiet + 1
            if writable:
                sent += s.send(b"s" * 65536)
            assert sent < 64 << 20, "it takes without bound what it cannot give back"
        for _ in range(20):
            with connect() as other:
                exchange(other, b"served")
        s.settimeout(30)
        s.shutdown(socket.SHUT_WR)
        assert read_exactly(s, sent) == b"s" * sent, "the stalled bytes are not all there"


def reset():
    """A peer that vanishes in the middle, many times: nothing of it may stay."""
    for _ in range(100):
        s = connect()
        exchange(s, b"hello")
        s.sendall(os.urandom(3000))
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()
    half_close()


def serial(count):
    """One after another, ended by the client's side first and by the server's in turn."""
    for i in range(count):
        with connect() as s:
            s.sendall(b"%06d" % i)
            got = read_exactly(s, 6)
            assert got == b"%06d" % i, f"connection {i}: {got}"
            if i % 2:
                s.shutdown(socket.SHUT_WR)
                assert s.recv(1) == b"", f"connection {i}: no end"


for word in sys.argv[2:]:
    name, _, value = word.partition("=")
    began = time.monotonic()
    try:
        globals()[name](*([int(value)] if value else []))
    except (AssertionError, OSError) as e:
        sys.exit(f"tcp_echo: {word}: {type(e).__name__} {e}")
    print(f"ok {word} in {time.monotonic() - began:.1f} s", flush=True)

# SPDX-License-Identifier: MIT OR Apache-2.0
# wire.py: raw bytes at a node's RPC port: connections one after another, and clients that break every rule.
# usage: wire.py connections HOST:PORT COUNT | wire.py bad HOST:PORT
import os
import random
import socket
import struct
import sys
import time

STRUCT_1_1 = struct.pack("<IHH", 0, 1, 1)  # pointer to a struct behind it: one word of data, one pointer


def bootstrap(question):
    """A framed Bootstrap message: Message.which = 8, questionId."""
    words = STRUCT_1_1 + struct.pack("<HHI", 8, 0, 0) + STRUCT_1_1 + struct.pack("<II", question, 0) + bytes(8)
    return struct.pack("<II", 0, len(words) // 8) + words


def connect(address):
    host, port = address.rsplit(":", 1)
    s = socket.create_connection((host, int(port)), timeout=5)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def receive(s, count):
    data = b""
    while len(data) < count:
        piece = s.recv(count - len(data))
        if not piece:
            raise ConnectionError("closed after %d of %d bytes" % (len(data), count))
        data += piece
    return data


def ask(address):
    """One connection, one bootstrap, its Return. True when it was answered."""
    try:
        with connect(address) as s:
            s.sendall(bootstrap(0))
            segments, words = struct.unpack("<II", receive(s, 8))
            if segments != 0 or words > 8192:
                return False
            body = receive(s, words * 8)
            return struct.unpack_from("<H", body, 8)[0] == 3  # Return
    except OSError:
        return False


def connections(address, count):
    start = time.monotonic()
    retried = 0
    for i in range(count):
        if ask(address):
            continue
        # A SYN that the user network loses is no fault of the image; the same connection must work at once again.
        retried += 1
        if retried > count // 100 + 1 or not ask(address):
            sys.exit("connection %d was not answered (%d before it were only at a second try)" % (i, retried - 1))
    print("%d connections in %.1f s, %d at a second try" % (count, time.monotonic() - start, retried))


def frame(*segments):
    table = struct.pack("<I", len(segments) - 1) + b"".join(struct.pack("<I", len(s) // 8) for s in segments)
    return table + bytes(-len(table) % 8) + b"".join(segments)


def message(which, *words):
    return frame(STRUCT_1_1 + struct.pack("<HHI", which, 0, 0) + b"".join(words))


def bad_messages():
    yield "nothing", b""
    yield "HTTP", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    yield "TLS hello", bytes.fromhex("16030100a5010000a10303") + bytes(160)
    yield "ones", b"\xff" * 4096
    yield "zeros", bytes(4096)
    yield "4294967296 segments", struct.pack("<II", 0xFFFFFFFF, 1) + bytes(64)
    yield "512 segments", struct.pack("<I", 511) + bytes(4 * 513)
    yield "a huge segment", struct.pack("<II", 0, 0x1FFFFFFF) + bytes(64)
    yield "a segment of no words", frame(b"")
    yield "root outside", frame(struct.pack("<IHH", 0x7FFFFFF8, 1, 1))
    yield "root is a list", frame(struct.pack("<II", 1, 0xFFFFFFFF))
    yield "far pointer to itself", frame(struct.pack("<II", 2, 0))
    yield "far pointer to no segment", frame(struct.pack("<II", 2, 77))
    yield "a capability as root", frame(struct.pack("<II", 3, 0))
    yield "unknown message", message(999, bytes(8))
    yield "abort", message(1, bytes(8))
    yield "return to a question that was never asked", message(3, struct.pack("<IHH", 0, 2, 1), bytes(24))
    yield "finish of a question that was never asked", message(4, STRUCT_1_1, struct.pack("<II", 77, 0), bytes(8))
    yield "release of what was never exported", message(6, struct.pack("<IHH", 0, 1, 0), struct.pack("<II", 5, 5))
    yield "the same question twice", bootstrap(1) + bootstrap(1)
    yield "questions without end", b"".join(bootstrap(i) for i in range(20000))
    yield "half a message", bootstrap(0)[:20]
    rng = random.Random(7)
    for i in range(40):
        mutant = bytearray(bootstrap(0) * 3)
        for _ in range(rng.randrange(1, 8)):
            mutant[rng.randrange(len(mutant))] = rng.randrange(256)
        yield "mutant %d" % i, bytes(mutant)
    for i in range(20):
        yield "noise %d" % i, frame(os.urandom(8 * rng.randrange(1, 200)))


def bad(address):
    held = []  # these stay open and say no more: a slow peer must not keep others out
    for name, data in bad_messages():
        try:
            s = connect(address)
            s.settimeout(0.2)
            s.sendall(data)
            try:
                while s.recv(65536):
                    pass
            except socket.timeout:
                pass
            if len(held) < 8:
                held.append(s)
            else:
                s.close()
        except OSError:
            pass  # cut off, as it should be
        if not ask(address) and not ask(address):
            sys.exit("after '%s' nobody else is answered" % name)
    print("every client that kept the rules was answered")


if sys.argv[1] == "connections":
    connections(sys.argv[2], int(sys.argv[3]))
else:
    bad(sys.argv[2])

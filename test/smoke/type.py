# SPDX-License-Identifier: MIT OR Apache-2.0
"""type.py LOG AWAIT COMMAND... -- PROGRAM...: runs the program with its console here and in LOG, and types the commands, each when
the prompt is back from the one before, the first when the console has also said a line with AWAIT (a regular expression).
Ends with the program's status."""
import re
import subprocess
import sys

at = sys.argv.index("--")
path, awaited, commands, program = sys.argv[1], sys.argv[2], sys.argv[3:at], sys.argv[at + 1:]
said = b""
due = re.compile(awaited.encode(), re.M)
with open(path, "wb", buffering=0) as log:
    machine = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0)
    while chunk := machine.stdout.read(65536):
        log.write(chunk)
        said += chunk.replace(b"\r", b"")
        if commands and said.endswith(b"diag> ") and due.search(said):
            command = commands.pop(0).encode()
            due = re.compile(b"^diag> " + re.escape(command) + b"\n", re.M)
            said = b"diag> "
            try:
                machine.stdin.write(command + b"\n")
            except BrokenPipeError:
                pass  # it has ended: its status says how
    status = machine.wait()
sys.exit(128 - status if status < 0 else status)

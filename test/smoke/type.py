# SPDX-License-Identifier: MIT OR Apache-2.0
"""type.py LOG AWAIT COMMAND... -- PROGRAM...: runs the program with its console here and in LOG, and types the commands, each when
the prompt is back from the one before, the first when the console has also said a line with AWAIT (a regular expression). `COMMAND until
REGEX` is typed again until its answer has that. Ends with the program's status."""
import re
import subprocess
import sys

PROMPT = b"diag> "
at = sys.argv.index("--")
path, awaited, commands, program = sys.argv[1], sys.argv[2], sys.argv[3:at], sys.argv[at + 1:]


def pattern(text):
    return re.compile(text.encode(), re.M)


def next_command():
    """What to type, what its echo is like, and what its answer must have."""
    command, _, until = commands.pop(0).partition(" until ")
    return command.encode() + b"\n", pattern("^diag> " + re.escape(command) + "\n"), pattern(until)


said = b""
command, echo, until = b"", pattern(""), pattern(awaited)
with open(path, "wb", buffering=0) as log:
    machine = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0)
    while chunk := machine.stdout.read(65536):
        log.write(chunk)
        said += chunk.replace(b"\r", b"")
        if not said.endswith(PROMPT) or not echo.search(said):
            continue
        if until.search(said):
            if not commands:
                continue
            command, echo, until = next_command()
        elif not command:
            continue
        said = PROMPT
        try:
            machine.stdin.write(command)
        except BrokenPipeError:
            pass  # it has ended: its status says how
    status = machine.wait()
sys.exit(128 - status if status < 0 else status)

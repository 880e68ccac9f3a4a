# SPDX-License-Identifier: MIT OR Apache-2.0
# machine.sh: sourced by the smoke tests that start QEMU themselves, below capos: boot an image, look at its console and status.
# CAPOS_TOP and CAPOS_BUILD come from build-scripts/check; by hand: CAPOS_TOP=$PWD CAPOS_BUILD=$PWD/build test/smoke/X.sh
#
# With isa-debug-exit QEMU ends with 2 * code + 1, so 1 is a clean end, 3 a failed test, 5 a panic. 0 is a reset or ACPI S5,
# and a triple fault is a reset: nothing that has the device may ever take 0 for success.
set -eu
. "$CAPOS_TOP/test/await.sh"
CLEAN=1
FAILED=3
PANIC=5
work=$(mktemp -d "${TMPDIR:-/tmp}/capos-smoke-XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP
log=$work/console
status=
command -v qemu-system-x86_64 >/dev/null || { echo "no qemu-system-x86_64: skipped"; exit 77; }

fail() {
    echo "FAILED: $*" >&2
    [ ! -s "$log" ] || { echo "--- console" && tail -n 40 "$log"; } >&2
    exit 1
}
# console_done: the console as text; what no image may say there, whatever the test is about.
console_done() {
    tr -d '\r' <"$log.raw" >"$log"
    ! grep -q 'component.conf says' "$log" || fail "a component takes more memory than its 'memory' line says"
}
# boot ELF MACHINE CMDLINE [QEMU ARGUMENTS]: runs it to its end; its console is in $log, QEMU's status in $status. 137: hung.
boot() {
    elf=$1
    machine=$2
    words=$3
    shift 3
    status=0
    timeout -s KILL "${LIMIT:-30}" qemu-system-x86_64 -accel tcg -machine "$machine" -m "${MEMORY:-16}" -cpu "${CPU:-max}" -nodefaults \
        -display none -serial stdio -kernel "$elf" -append "$words" "$@" </dev/null >"$log.raw" 2>&1 || status=$?
    console_done
}
DEBUG_EXIT="-no-reboot -device isa-debug-exit,iobase=0xf4"
# type_commands ELF MACHINE COMMAND...: the same, with commands typed at the prompt, each when the one before is through, and
# more arguments for QEMU in DEVICES. The first is typed when the console has said AWAIT; `COMMAND until REGEX`: again until then.
type_commands() {
    elf=$1
    machine=$2
    shift 2
    status=0
    # shellcheck disable=SC2086
    python3 "$CAPOS_TOP/test/smoke/type.py" "$log.raw" "${AWAIT:-diag>}" "$@" -- timeout -s KILL "${LIMIT:-30}" qemu-system-x86_64 \
        -accel tcg -machine "$machine" -m "${MEMORY:-16}" -cpu "${CPU:-max}" -nodefaults -display none -serial stdio \
        -kernel "$elf" $DEBUG_EXIT ${DEVICES:-} || status=$?
    console_done
}
# tell_monitor SOCKET COMMAND: to QEMU's monitor; returns when it is through, be it with QEMU's end.
tell_monitor() {
    python3 -c '
import socket, sys
monitor = socket.socket(socket.AF_UNIX)
monitor.connect(sys.argv[1])
def prompt():
    said = b""
    while not said.endswith(b"(qemu) ") and (more := monitor.recv(4096)):
        said += more
prompt()
monitor.sendall(sys.argv[2].encode() + b"\n")
try:
    prompt()
except ConnectionResetError:
    pass' "$1" "$2"
}
expect_status() { [ "$status" = "$1" ] || fail "$2: QEMU ended with $status, not $1"; }
expect_line() { grep -Eq "$1" "$log" || fail "$2: no line like '$1'"; }

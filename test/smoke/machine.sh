# SPDX-License-Identifier: MIT OR Apache-2.0
# machine.sh: sourced by the smoke tests that start QEMU themselves, below capos: boot an image, look at its console and status.
# CAPOS_TOP and CAPOS_BUILD come from build-scripts/check; by hand: CAPOS_TOP=$PWD CAPOS_BUILD=$PWD/build test/smoke/X.sh
#
# With isa-debug-exit QEMU ends with 2 * code + 1, so 1 is a clean end, 3 a failed test, 5 a panic. 0 is a reset or ACPI S5,
# and a triple fault is a reset: nothing that has the device may ever take 0 for success.
set -eu
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
# more arguments for QEMU in DEVICES. The first is typed when the console has said AWAIT.
type_commands() {
    elf=$1
    machine=$2
    shift 2
    status=0
    mkfifo "$work/keys"
    # shellcheck disable=SC2086
    timeout -s KILL "${LIMIT:-30}" qemu-system-x86_64 -accel tcg -machine "$machine" -m "${MEMORY:-16}" -cpu "${CPU:-max}" -nodefaults \
        -display none -serial stdio -kernel "$elf" $DEBUG_EXIT ${DEVICES:-} <"$work/keys" >"$log.raw" 2>&1 &
    qemu=$!
    exec 3>"$work/keys"
    for _ in $(seq 300); do
        ! grep -q "${AWAIT:-diag>}" "$log.raw" || break
        kill -0 "$qemu" 2>/dev/null || break
        sleep 0.05
    done
    prompts=0
    for command in "$@"; do
        prompts=$((prompts + 1))
        for _ in $(seq 300); do
            [ "$(grep -c 'diag>' "$log.raw")" -lt "$prompts" ] || break
            kill -0 "$qemu" 2>/dev/null || break
            sleep 0.05
        done
        printf '%s\n' "$command" >&3
    done
    wait "$qemu" || status=$?
    exec 3>&-
    rm -f "$work/keys"
    console_done
}
expect_status() { [ "$status" = "$1" ] || fail "$2: QEMU ended with $status, not $1"; }
expect_line() { grep -Eq "$1" "$log" || fail "$2: no line like '$1'"; }

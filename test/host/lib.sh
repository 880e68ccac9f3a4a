# SPDX-License-Identifier: MIT OR Apache-2.0
# lib.sh: sourced by the tests that go through capos: a scratch directory, a state directory of its own, expectations.
# CAPOS_TOP and CAPOS_BUILD come from build-scripts/check; by hand: CAPOS_TOP=$PWD CAPOS_BUILD=$PWD/build test/host/X.sh
set -eu
. "$CAPOS_TOP/test/await.sh"
SRC=$CAPOS_TOP
capos=$CAPOS_BUILD/capos
work=$(mktemp -d "${TMPDIR:-/tmp}/capos-test-XXXXXX")
export CAPOS_STATE="$work/state"
export CAPOS_ACCEL=tcg # tests measure and compare nothing that depends on this machine's KVM
mocks=

finish() {
    status=$?
    trap - EXIT
    if grep -hs 'component.conf says' "$CAPOS_STATE"/*/serial.log; then # configure checked the wrong sum
        echo "FAILED: a component takes more memory than its 'memory' line says" >&2
        status=1
    fi
    for pid in $mocks; do kill "$pid" 2>/dev/null || :; done
    [ ! -d "$CAPOS_STATE" ] || "$capos" fleet down >/dev/null 2>&1 || :
    rm -rf "$work"
    exit "$status"
}
trap finish EXIT
trap 'exit 1' INT TERM HUP

fail() {
    echo "FAILED: $*" >&2
    for file in "$work/out" "$work/err"; do
        [ ! -s "$file" ] || { echo "--- $file"; tail -n 30 "$file"; } >&2
    done
    for log in "$CAPOS_STATE"/*/serial.log; do
        [ ! -s "$log" ] || { echo "--- $log"; tail -n 30 "$log"; } >&2
    done
    exit 1
}
# expect STATUS COMMAND...: runs it with its output in $work/out and $work/err.
expect() {
    wanted=$1
    shift
    got=0
    "$@" >"$work/out" 2>"$work/err" || got=$?
    [ "$got" = "$wanted" ] || fail "'$*' ended with $got, not $wanted"
}
# out TEXT, err TEXT: the last command said that.
out() { grep -qF -- "$1" "$work/out" || fail "no '$1' in the output"; }
err() { grep -qF -- "$1" "$work/err" || fail "no '$1' among the errors"; }
# json EXPRESSION: of the last output, as Python sees it in `d`.
json() { python3 -c "import json,sys; d=json.load(open('$work/out')); print($1)"; }

# read_until TEXT: copies standard input, a FIFO, to $work/out up to the line with TEXT; fails when it ends before that.
read_until() {
    : >"$work/out"
    while IFS= read -r said; do
        printf '%s\n' "$said" >>"$work/out"
        case $said in *"$1"*) return 0 ;; esac
    done
    fail "no '$1' before the end"
}
# background COMMAND...: starts it with its output in the FIFO at descriptor 7 and our standard input, which sh would
# take from it; its process is $background.
background() {
    rm -f "$work/fifo"
    mkfifo "$work/fifo"
    exec 5<&0
    "$@" <&5 >"$work/fifo" 2>"$work/err" &
    background=$!
    exec 5<&-
    exec 7<"$work/fifo"
}
# gone PID: returns once that process, no child of ours, has ended.
gone() {
    timeout 20 python3 -c '
import os, select, sys
try:
    select.select([os.pidfd_open(int(sys.argv[1]))], [], [])
except ProcessLookupError:
    pass' "$1" || fail "process $1 is still there"
}

# listener COMMAND...: a server that prints "port N" first; its address is in $node, its process in $mock, what else it
# prints at descriptor 8.
listener() {
    rm -f "$work/port"
    mkfifo "$work/port"
    "$@" >"$work/port" &
    mock=$!
    mocks="$mocks $mock"
    exec 8<"$work/port"
    read -r _ port <&8 || fail "'$*' does not listen"
    node=127.0.0.1:$port
}
# mock [--fault NAME[=N]]...: a mock node.
mock() { listener "$CAPOS_BUILD/test/host/mock_node" --schema "$CAPOS_BUILD/test/host/schema.bin" "$@"; }

# take_tools: gives the configured folder that we are in the host programs and the third-party sources and objects of the build
# under test, as if they had been made here: they are the same in every folder.
take_tools() {
    cp -r "$CAPOS_BUILD/host" "$CAPOS_BUILD/capos" "$CAPOS_BUILD/capnpc-c" build
    for part in deps third-party; do [ ! -d "$CAPOS_BUILD/$part" ] || ln -s "$CAPOS_BUILD/$part" build/$part; done
    find build/host -name '*.d' -delete
    find build/host/gen -type f ! -name '*.o' -exec touch {} +
    find build/host -name '*.o' -exec touch {} +
    find build/host -name '*.a' -exec touch {} +
    touch build/capos build/capnpc-c
}

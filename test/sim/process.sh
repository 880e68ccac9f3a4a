#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# process.sh: an image as a process: its exit codes, its panic block, its command line, its end by a signal, its prompt.
# timeout: 60
set -eu
. "$CAPOS_TOP/test/await.sh"
image=$CAPOS_BUILD/fault/fault.sim
work=$(mktemp -d "${TMPDIR:-/tmp}/capos-sim-XXXXXX")
log=$work/log
trap 'rm -rf "$work"' EXIT
fail() {
    echo "FAILED: $*" >&2
    tail -n 30 "$log" >&2
    exit 1
}
# run STATUS ARGUMENT...
run() {
    want=$1
    shift
    status=0
    timeout -s KILL 20 "$image" "$@" </dev/null >"$log" 2>&1 || status=$?
    [ "$status" = "$want" ] || fail "$*: status $status, not $want"
}
await_ready() { await_line "$pid" "$log" '^ready' || fail "it does not become ready"; }
expect() { grep -Eq "$1" "$log" || fail "no line like '$1'"; }

run 2 --cmdline fault=panic
expect '^\*\*\* panic: asked for by fault=panic$'
expect '^PANIC 2 [0-9a-f]{40}$'
run 2 --cmdline fault=assert
run 1 --cmdline fault=failed
run 0 --cmdline fault=off
head -n 1 "$log" | grep -Eq '^capos fault [^ ]+ [0-9a-f]{40}$' || fail "the first line"
run 0 --cmdline fault=timers
run 64 --no-such-option x
run 64 --memory none
expect '^usage: '
run 2 --device none-such
expect "no device model 'none-such'"
run 1 --memory 8K
expect 'too little memory'

mkfifo "$work/typed"
: >"$log"
timeout -s KILL 20 "$image" <"$work/typed" >"$log" 2>&1 &
pid=$!
exec 6>"$work/typed"
await_ready
printf 'nonsense\nstatus\nhalt\n' >&6
status=0
wait "$pid" || status=$?
exec 6>&-
[ "$status" = 0 ] || fail "halt: status $status"
expect "^no command 'nonsense'"
expect '^diag> status$'
expect '^ready +yes$'

: >"$log" # what the run before said must not be taken for this one's `ready`
# Not under timeout: on a busy host the image is ready before the fork has returned there, and timeout then ends without it.
"$image" </dev/null >"$log" 2>&1 &
pid=$!
await_ready
kill -TERM "$pid"
status=0
wait "$pid" || status=$?
[ "$status" = 0 ] || fail "SIGTERM: status $status"

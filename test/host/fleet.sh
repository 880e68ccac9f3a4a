#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# fleet.sh: fleet up, status, logs, down with images that do nothing but speak on the console (fake_image.S).
# timeout: 120
. "$CAPOS_TOP/test/host/lib.sh"
. "$CAPOS_TOP/test/host/fake_image.sh"
command -v qemu-system-x86_64 >/dev/null || exit 77
cd "$work"
fake_image build good 0 'capos good 0.0.0 beef\r\nready good in 0.001 s\r\ndiag> '
fake_image build deaf 3 'capos deaf 0.0.0 beef\r\nready deaf in 0.001 s\r\ndiag> '
fake_image build mute 3 'capos mute 0.0.0 beef\r\n'
fake_image build sick 2 'capos sick 0.0.0 beef\r\nPANIC assertion beef\r\n'
fake_image build numb 3 'capos numb 0.0.0 beef\r\nready numb in 0.001 s\r\n' \
    'ports = [(number = 7000, name = "rpc")], components = [(name = "drv/virtio-net"), (name = "drv/virtio-blk")]'
up() { "$capos" fleet up "$@" --lifetime 60; }
gone() { ! kill -0 "$1" 2>/dev/null || fail "process $1 is still there"; }

# the guest that decides between KVM and emulation does what it should
expect 0 up good --detach --accel probe-tcg
out '(tcg)'
expect 0 "$capos" fleet down

# up, status, logs, down, on each machine
for machine in q35 pc microvm; do
    expect 0 up good --detach --machine "$machine" --json
    pid=$(json 'd["nodes"][0]["pid"]')
    kill -0 "$pid" || fail "no process $pid"
    expect 0 "$capos" fleet status --json
    [ "$(json '[(n["name"], n["state"], n["machine"], n["rpc"], n["ports"]) for n in d["nodes"]]')" = \
        "[('good', 'ready', '$machine', '', [])]" ] || fail "status --json"
    expect 0 "$capos" fleet logs
    out 'ready good in'
    expect 1 up good --detach
    err 'exists:'
    expect 0 "$capos" fleet down
    out 'clean shutdown'
    gone "$pid"
done
expect 0 "$capos" fleet status --json
[ "$(json 'd["nodes"]')" = '[]' ] || fail "a node is left in the state"

# two at once, under names of their own
expect 0 up good --detach --name one
expect 0 up good --detach --name two
expect 0 "$capos" fleet down one
expect 0 "$capos" fleet status
out two
expect 3 "$capos" fleet down one
expect 0 "$capos" fleet down

# in the foreground: the console is ours, Ctrl-C halts, and an image that does not hear is ended
"$capos" fleet up good --lifetime 60 </dev/null >"$work/out" 2>"$work/err" &
pid=$!
for _ in $(seq 100); do ! grep -q 'is ready' "$work/out" || break; sleep 0.1; done
kill -INT "$pid"
wait "$pid" || fail "a clean stop ended with $?"
err 'clean shutdown'
expect 0 sh -c "(sleep 2; echo halt) | '$capos' fleet up good --lifetime 60"
out 'ready good in'
expect 0 up deaf --detach --json
pid=$(json 'd["nodes"][0]["pid"]')
expect 0 "$capos" fleet down
out 'did not halt when asked'
gone "$pid"

# starts that fail leave the log and no process
expect 1 up sick --detach
err 'PANIC assertion'
expect 0 "$capos" fleet status --json
[ "$(json 'd["nodes"][0]["state"]')" = panicked ] || fail "the state of a panicked node"
expect 0 "$capos" fleet logs sick
out 'PANIC assertion'
expect 1 up sick
expect 1 up mute --detach --deadline 1
err "no 'ready' line within 1 s"
expect 1 up numb --detach --connect-timeout 1 --disk-size 2M
err 'says nothing'
expect 0 "$capos" fleet down

# killed from outside
expect 0 up good --detach --json
kill -9 "$(json 'd["nodes"][0]["pid"]')"
sleep 0.3
expect 0 "$capos" fleet status --json
[ "$(json 'd["nodes"][0]["state"]')" = killed ] || fail "the state of a killed node"
expect 3 "$capos" ls good

# the disk: blank, marked, sparse, kept; ports
[ "$(head -c 20 build/numb/numb.disk)" = 'capos blank disk v1' ] || fail "the blank disk has no mark"
[ "$(stat -c %s build/numb/numb.disk)" = 2097152 ] || fail "the disk's size"
python3 -c '
import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(); print(s.getsockname()[1], flush=True)
s.accept()' >"$work/port" &
mocks="$mocks $!"
sleep 0.5
expect 1 up numb --port "$(cat "$work/port")"
err 'in use by python3'
err '--port PORT'

# mistakes
expect 1 up absent
err './configure absent && make'
expect 2 up
err 'which?'
expect 2 up good --machine z80
expect 2 up good --disk-size much
expect 1 env QEMU=/nonexistent "$capos" fleet up good --detach
err 'cannot run /nonexistent'
expect 1 up good --detach --qemu-arg=-bogus
err 'invalid option'

# image query
expect 0 "$capos" image query build/numb/numb.elf
out 'port      7000 rpc'
expect 0 "$capos" image query build/numb/numb.elf --json
[ "$(json 'd["ports"][0]["number"]')" = 7000 ] || fail "image query --json"
expect 1 "$capos" image query "$SRC/test/host/fleet.sh"
err 'not an ELF file'
expect 1 "$capos" image query "$capos"
err 'without a capos note'
head -c 3000 build/numb/numb.elf >cut.elf
expect 1 "$capos" image query cut.elf
err 'cut short'

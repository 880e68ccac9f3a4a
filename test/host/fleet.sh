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
fake_image build reset 4 'capos reset 0.0.0 beef\r\nready reset in 0.001 s\r\ndiag> '
fake_image build rude 0 'capos rude 0.0.0 beef\r\n\033[2J\033]0;title\007ready rude in 0.001 s\r\n'
fake_image build numb 3 'capos numb 0.0.0 beef\r\nready numb in 0.001 s\r\n' \
    'ports = [(number = 7000, name = "rpc")], components = [(name = "drv/virtio-net"), (name = "drv/virtio-blk")]'
up() { "$capos" fleet up "$@" --lifetime 60; }

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
# a platform's own name is as good, and one that QEMU is not has its stand-in
for platform in kvm-q35 gce; do
    expect 0 up good --detach --machine "$platform" --json
    [ "$(json 'd["nodes"][0]["machine"]')" = q35 ] || fail "the machine of $platform"
    expect 0 "$capos" fleet down
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
background "$capos" fleet up good --lifetime 60 </dev/null
read_until 'is ready' <&7
kill -INT "$background"
wait "$background" || fail "a clean stop ended with $?"
err 'clean shutdown'
mkfifo typed
exec 6<>typed # for reading too: opening it waits for nobody
background "$capos" fleet up good --lifetime 60 <typed
read_until 'is ready' <&7
out 'ready good in'
echo halt >&6
wait "$background" || fail "a typed halt ended with $?"
exec 6>&-
expect 0 up deaf --detach --json
pid=$(json 'd["nodes"][0]["pid"]')
expect 1 "$capos" fleet down
out 'did not halt when asked'
err 'did not end cleanly: deaf'
gone "$pid"

# a reset is no clean end, whatever QEMU's status says; and the end of the console is shown before it is thrown away
expect 0 up reset --detach
expect 0 up good --detach
expect 1 "$capos" fleet down
out 'good: clean shutdown'
out 'reset: reset: the machine was reset without a clean end'
out '    ready reset in'
err 'did not end cleanly: reset'
expect 0 up reset --detach
expect 1 "$capos" fleet down --json
[ "$(json '[(n["name"], n["state"], n["pid"]) for n in d["nodes"]]')" = "[('reset', 'reset', 0)]" ] || fail "down --json"

# what an image says cannot command the terminal
expect 0 up rude --detach
expect 0 "$capos" fleet logs
out '?[2J?]0;title?ready rude'
! grep -q "$(printf '\033')" out || fail "an escape sequence came through"
expect 0 "$capos" fleet down

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
expect 1 "$capos" fleet down
err 'did not end cleanly: mute numb sick'
expect 0 "$capos" fleet down

# killed from outside
expect 0 up good --detach --json
pid=$(json 'd["nodes"][0]["pid"]')
kill -9 "$pid"
gone "$pid"
expect 0 "$capos" fleet status --json
[ "$(json 'd["nodes"][0]["state"]')" = killed ] || fail "the state of a killed node"
expect 3 "$capos" ls good
expect 0 "$capos" logs good
out 'ready good in'
err 'does not run (killed by signal 9)'

# a record whose pid belongs to somebody else by now
sleep 60 &
stranger=$!
mocks="$mocks $stranger"
sed -i "s/\"pid\": [0-9]*/\"pid\": $stranger/" "$CAPOS_STATE/good/node.json"
expect 1 "$capos" fleet down
kill -0 "$stranger" || fail "fleet down has killed a stranger"
mkdir "$CAPOS_STATE/torn"
echo '{' >"$CAPOS_STATE/torn/node.json"
expect 1 "$capos" fleet status
err 'torn/node.json is damaged'
rm -r "$CAPOS_STATE/torn"
expect 3 "$capos" fleet down ../state

# the disk: blank, marked, sparse, kept; ports
[ "$(head -c 20 build/numb/numb.disk)" = 'capos blank disk v1' ] || fail "the blank disk has no mark"
[ "$(stat -c %s build/numb/numb.disk)" = 2097152 ] || fail "the disk's size"
listener python3 -c '
import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(); print("port", s.getsockname()[1], flush=True)
s.accept()'
expect 1 up numb --port "$port"
err 'in use by python3'
err '--port PORT'

# mistakes
expect 1 up absent
err './configure absent && make'
expect 2 up
err 'which?'
expect 2 up good --machine z80
err "not q35|microvm|pc"
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

#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# switch.sh: two images in QEMU, the store and eight sessions that use it, joined by the fleet's switch, which loses, doubles,
# delays and spoils frames and parts them for a while: the sessions end, and an order explains what they saw. A third on the
# same wire breaks the rules of frames meanwhile.
# timeout: 180
. "$CAPOS_TOP/test/host/lib.sh"
cd "$work"
command -v qemu-system-x86_64 >/dev/null || { echo "no qemu-system-x86_64: skipped"; exit 77; }
truncate -s 32M disk
printf 'capos blank disk v1\n' | dd of=disk conv=notrunc 2>/dev/null

mkfifo words said
"$CAPOS_BUILD/switch" seed=7 leases=1 loss=10000 duplicate=20000 corrupt=5000 delay=50000 delay_us=3000 \
    port=store:store.here:store.there port=load:load.here:load.there port=rude:rude.here:rude.there <words >said &
switch=$!
mocks="$mocks $switch"
exec 6>words 9<said
tell() { printf '%s\n' "$1" >&6; }
read -r said <&9
[ "$said" = ready ] || fail "the switch is not ready"

# node NAME LAST-OF-MAC MIB QEMU-ARGUMENT...: boots that image at the switch's port of its name; its console in NAME.console, a FIFO.
node() {
    name=$1
    card=virtio-net-pci,netdev=n,romfile=,mac=52:54:00:00:00:$2
    memory=$3
    shift 3
    mkfifo "$name.console"
    timeout -s KILL 170 qemu-system-x86_64 -accel tcg -machine q35 -m "$memory" -cpu max -nodefaults -display none -serial stdio \
        -no-reboot -device isa-debug-exit,iobase=0xf4 -kernel "$CAPOS_BUILD/$name/$name.elf" -device virtio-rng-pci -device "$card" \
        -netdev "dgram,id=n,local.type=unix,local.path=$name.there,remote.type=unix,remote.path=$name.here" "$@" \
        </dev/null >"$name.console" 2>&1 &
    mocks="$mocks $!"
}
node store 01 32 -drive if=none,id=d,format=raw,file=disk -device virtio-blk-pci,drive=d
cat store.console >store.log &
node load 02 16
exec 7<load.console
# follow TEXT: the load says that; all that it said is in load.log.
follow() {
    read_until "$1" <&7
    tr -d '\r' <out >>load.log
}

python3 - <<'END'
import random
import socket

rude = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
chance = random.Random(1)
for size in [0, 1, 13, 9217, 20000]:
    rude.sendto(bytes(size), "rude.here")
for i in range(300):  # from a group; then noise under many names, for all and for nobody
    rude.sendto(b"\xff" * 60, "rude.here")
    rude.sendto(b"\xff" * 6 + b"\x02" + chance.randbytes(5 + chance.randrange(2, 1500)), "rude.here")
    rude.sendto(b"\x02" + chance.randbytes(5) + b"\x02" + chance.randbytes(5 + chance.randrange(2, 1500)), "rude.here")
END

follow '@ 0 10 '
tell split=1
sleep 1 # so long are they parted
tell split=0
follow '@ done'
"$CAPOS_BUILD/sim/check-history" <load.log >out || fail "what the sessions saw"
cat out

kill "$switch"
wait "$switch" || fail "the switch ended with $?"
cat <&9 >counters
cat counters
# counter PORT NAME LEAST: it has counted so many.
counter() {
    count=$(sed -n "s/^$1:.* $2 \([0-9]*\).*/\1/p" counters)
    [ "$count" -ge "$3" ] || fail "the switch counted $count of '$2' at $1, not $3 or more"
}
counter rude short 3
counter rude long 2
counter rude bad-source 300
counter rude refused 1
for port in store load; do
    for name in lost duplicated corrupted delayed split; do counter "$port" "$name" 1; done
done

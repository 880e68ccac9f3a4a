#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# console.sh: what every command of the diagnostics console says is true: of the image by its ELF, of the machine by what QEMU
# was given, of the boot by what was seen of it.
# timeout: 120
. "$(dirname "$0")/machine.sh"
image=$CAPOS_BUILD/store/store.elf
MEMORY=32
truncate -s 48M "$work/disk"

# says COMMAND TEXT: a line of what the command printed matches.
answer() { awk -v want="diag> $1" 'index($0, "diag> ") == 1 { on = $0 == want; next } on' "$log"; }
says() { answer "$1" | grep -Eq -- "$2" || { answer "$1" >&2; fail "'$1' does not say '$2'"; }; }
# number COMMAND SED-EXPRESSION: the number that it finds there.
number() { answer "$1" | sed -En "s/$2/\1/p" | head -n 1; }

DEVICES="-smp 3 -rtc base=2032-02-29T23:08:09,clock=vm
 -netdev user,id=n -device virtio-net-pci,netdev=n,romfile=,mac=52:54:00:c0:ff:ee,addr=5,disable-legacy=on
 -drive if=none,id=d,format=raw,file=$work/disk -device virtio-blk-pci,drive=d,serial=by-me,addr=6,disable-legacy=on
 -device virtio-rng-pci,addr=7,disable-legacy=on"
AWAIT='^ready store'
type_commands "$image" q35 'help' 'status' 'cpu until [1-9][0-9]* kHz' 'mem' 'pci' 'irq' 'irq ' 'devices' 'acpi' 'timers' 'net' 'rpc' 'status ' 'logs' 'nonsense' 'halt'
expect_status "$CLEAN" "halt"

for command in help status cpu mem pci irq devices acpi timers logs reboot halt net rpc; do
    says help "^  $command +[^ ]"
done
says nonsense "^no command 'nonsense'; .help. lists them$"

id=$(readelf -n "$image" | sed -n 's/ *Build ID: //p')
says status "^image +store $(cat "$CAPOS_TOP/VERSION") $id$"
says status '^machine +q35 \(built for kvm-q35\), 3 CPU, clock tsc '
says status '^ready +yes$'
wall=$(number status 'wall clock ([0-9]+) s since 1970')
begun=$(date -u -d 2032-02-29T23:08:09 +%s)
[ "$wall" -ge "$begun" ] && [ "$wall" -le $((begun + 30)) ] || fail "'status' says it is $wall, not $begun and some seconds"
uptime() { number "$1" 'uptime +([0-9]+\.[0-9]+) s' | tr -d .; }
[ "1$(uptime 'status ')" -gt "1$(uptime status)" ] || fail "the uptime of two 'status' does not grow"

says cpu '3 CPU named by firmware, 1 running$'
says cpu '^cpu 0: [1-9][0-9]* turns, .* [1-9][0-9]* interrupts, 0 spurious$'
says cpu '^clock tsc .*, [1-9][0-9]{5,7} kHz; timer local APIC; interrupts by xAPIC$'
says cpu '^protections: W\^X NX WP SMEP SMAP UMIP'

# Memory: the parts are the whole (each is rounded down), and the whole is what the machine's map has.
total=$(number mem 'total ([0-9]+) KiB: .*')
parts=0
for what in image components free; do parts=$((parts + $(number mem "total .* $what ([0-9]+).*"))); done
[ $((total - parts)) -ge 0 ] && [ $((total - parts)) -le 3 ] || fail "'mem' has $total KiB in all, and $parts in parts"
map=$(answer mem | awk '/^RAM 0x/ { sum += $3 } END { print sum }')
[ "$map" = "$total" ] && [ "$total" -gt 31000 ] && [ "$total" -le 32768 ] || fail "'mem' has $total KiB, its map $map, the machine 32768"
owners=$(answer mem | awk '/^taken at boot/ { on = 1; next } /^pools/ { on = 0 } on { sum += $2 } END { print sum }')
components=$(number mem 'total .* components ([0-9]+).*')
[ $((components - owners)) -ge 0 ] && [ $((components - owners)) -le 16 ] || fail "owners have $owners KiB of $components"
says mem '^  store/engine +[1-9][0-9]+ KiB$'
says mem '^  vat answers +0 of +512 x '

says pci '^  00:00.0  8086:29c0  class 0600 '
says pci '^  00:05.0  1af4:1041  class 0200 '
says pci '^  00:06.0  1af4:1042  class 0100 '
says pci '^  00:07.0  1af4:1044  '
functions=$(answer pci | grep -c '^  00:')
grep -q "pci: $functions functions" "$log" || fail "'pci' lists $functions functions, the boot found others"

# Interrupts: the disk was read, the network has an address, and between the two commands somebody typed.
says irq '^  vector +[0-9]+ +[1-9][0-9]*  pci 00:05.0$'
says irq '^  vector +[0-9]+ +[1-9][0-9]*  pci 00:06.0$'
typed() { number "$1" '  vector +[0-9]+ +([0-9]+)  console'; }
[ "$(typed 'irq ')" -gt "$(typed irq)" ] || fail "the console's interrupts do not grow"
vectors=$(number irq '([0-9]+) of 192 vectors in use, 1 I.O APICs')
[ "$(answer irq | grep -Ec '^vector +[0-9]+ (msi|edge gsi [0-9]+|level gsi [0-9]+)$')" = "$vectors" ] || fail "'irq' does not list its $vectors vectors"
says irq '^vector +[0-9]+ edge gsi 4$'

says devices '^  drv/virtio-net +net0 52:54:00:c0:ff:ee at pci 00:05.0, mtu 1500, link up$'
says devices "^  drv/virtio-blk +disk0 at pci 00:06.0: 49152 KiB, id 'by-me'"
says devices '^  drv/virtio-rng +running at pci 00:07.0$'
BOOKS='held, generation 1: [1-9][0-9]* windows \([0-9]+ bytes\), DMA [1-9][0-9]* of [1-9][0-9]* KiB, interrupts [123] of [23]$'
says devices "^  pci 00:05.0 +drv/virtio-net, $BOOKS"
says devices "^  pci 00:07.0 +drv/virtio-rng, $BOOKS"
says acpi "^ACPI by 'BOCHS ': [1-9][0-9]* tables, 0 refused; loaded by PVH$"
says acpi '^3 CPUs, 1 I/O APICs, [0-9]+ overrides, PCI by ECAM$'
says timers '^[0-9]+ of [0-9]+ armed$'
says net '^net0 10\.0\.2\.15/24 link up mtu 1500$'
says net '^frames in [1-9][0-9]* .*, out [1-9]'
says rpc '^  connections +0 of +32$'

# The log is what the boot said, line by line.
boot_lines=$work/boot-lines
grep -E '^(capos |ready |\[ )' "$log" | awk '{ seen[$0]++; order[NR] = $0 } END { for (i = 1; i <= NR; i++) if (seen[order[i]] < 2) print order[i] }' >"$boot_lines"
[ ! -s "$boot_lines" ] || fail "not once on the console and once in 'logs': $(head -n 1 "$boot_lines")"
says logs '^ready store in '

AWAIT='diag>'

# A machine without PCI, and one by ports.
DEVICES="-global virtio-mmio.force-legacy=false -device virtio-rng-device"
type_commands "$CAPOS_BUILD/fault/fault.elf" microvm pci devices acpi halt
expect_status "$CLEAN" "halt on microvm"
says pci '^this machine has no PCI$'
says devices '^no driver has found a device$'
says acpi '^power off by sleep control$'
DEVICES=
type_commands "$CAPOS_BUILD/fault/fault.elf" pc pci acpi halt
says pci '^  00:00.0  8086:1237  class 0600 '
says acpi 'PCI by ports$'

# `reboot` is a reset: under -no-reboot QEMU ends with 0, which is never taken for a clean end.
type_commands "$CAPOS_BUILD/fault/fault.elf" q35 status reboot
expect_status 0 "reboot"
! grep -q PANIC "$log" || fail "a panic on the way to a reboot"

#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# machines.sh: a machine is one folder: its platform.conf reaches QEMU's command line, and make run starts it.
# timeout: 30
. "$CAPOS_TOP/test/host/lib.sh"
cd "$work"
table() { expect "$1" awk -f "$SRC/build-scripts/machines.awk" platform.conf; }
cat >platform.conf <<'END'
platform  new
summary   "Says \"new\""
bus       pci
machine   isapc
cpu       486
qemu      -global a.b=c -d int
nic       ne2k_isa irq=9
disk      ide-hd
exit      isa-debug-exit iobase=0x501
END
table 0
out '{"new", "", "isapc", "486", {"-global", "a.b=c", "-d", "int"}, "ne2k_isa,irq=9", "ide-hd", "", "", "", "isa-debug-exit,iobase=0x501"},'
sed -i '/^exit/d' platform.conf
table 1
err "no 'exit' line"
printf 'platform new\nstand-in new\n' >platform.conf
table 1
printf 'platform new\nmachine x"y\nexit z\n' >platform.conf
table 1
err 'a quote'

# what QEMU is given: a QEMU of ours says it
cat >qemu <<'END'
#!/bin/sh
printf '%s ' "$@" >&2
END
chmod +x qemu
. "$SRC/test/host/fake_image.sh"
fake_image build some 0 'capos some\r\n' 'ports = [(number = 7000, name = "rpc")], components = [(name = "drv/virtio-net"), (name = "drv/virtio-blk"), (name = "drv/virtio-rng")]'
line() { QEMU=$work/qemu expect 1 "$capos" fleet up some --detach --disk-size 2M --machine "$1"; }
line microvm
err '-machine microvm,accel=tcg -global virtio-mmio.force-legacy=false -cpu max -m 16384K'
err '-device virtio-net-device,netdev=net0'
err '-device virtio-blk-device,drive=disk0 -device virtio-rng-device'
fake_image build fast 0 'capos fast\r\n' 'components = [(name = "drv/nvme")]'
QEMU=$work/qemu expect 1 "$capos" fleet up fast --detach --disk-size 2M --machine q35
err '-device nvme,serial=disk0,drive=disk0'
QEMU=$work/qemu expect 2 "$capos" fleet up fast --detach --disk-size 2M --machine microvm --disk some.disk
err "this image's disk is for drv/nvme, and microvm has no such disk"
fake_image build scsi 0 'capos scsi\r\n' 'components = [(name = "drv/virtio-scsi")]'
QEMU=$work/qemu expect 1 "$capos" fleet up scsi --detach --disk-size 2M --machine q35
err '-device virtio-scsi-pci -device scsi-hd,drive=disk0'
err 'werror=report'
fake_image build none 0 'capos none\r\n' 'components = [(name = "drv/virtio-net")]'
QEMU=$work/qemu expect 2 "$capos" fleet up none --detach --disk some.disk
err '--disk is for an image with a disk driver'
[ ! -e some.disk ] || fail "a disk was made though nothing was started"
line pc
err '-device virtio-net-pci,romfile=,netdev=net0'
err '-device isa-debug-exit,iobase=0xf4,iosize=0x04'

cd "$CAPOS_BUILD/.."
expect 0 make -n run P=bare PLATFORM=microvm
out 'build/capos fleet up bare --machine microvm'
expect 0 make -n run P=bare PLATFORM=sim
out 'build/capos fleet up bare --platform sim'
expect 0 make -n debug P=bare
out 'build/capos fleet up bare --machine kvm-q35 --debug'

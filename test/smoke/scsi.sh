#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# scsi.sh: the virtio SCSI driver against QEMU's adapter and disk on q35, pc and microvm: few vectors, few segments, blocks of 4 KiB, no
# cache, a disk as GCE has them, one that cannot be written or discards nothing; and what the image says when there is no such disk.
# timeout: 120
. "$(dirname "$0")/machine.sh"
image=$CAPOS_BUILD/scsi/scsi.elf
disk=$work/disk
truncate -s 8M "$disk"
DEVICES="-netdev user,id=n -device virtio-net-pci,netdev=n,romfile= -device virtio-rng-pci"
DRIVE="-drive if=none,id=d,format=raw,discard=unmap,file=$disk"
ADAPTER="-device virtio-scsi-pci"

# good MACHINE WHAT-IT-SAYS ARGUMENT...: all is well there, and it says so of the disk.
good() {
    machine=$1
    says=$2
    shift 2
    # shellcheck disable=SC2086
    boot "$image" "$machine" "" $DEBUG_EXIT "$@"
    expect_status "$CLEAN" "$machine $*"
    expect_line 'virtio-test: all ok' "$machine $*"
    expect_line 'drv/virtio-scsi has it no more, .* zeroed' "$machine $*"
    expect_line "$says" "$machine $*"
}
# bad WHAT-IT-SAYS WHAT ARGUMENT...: it stops at boot, and says why.
bad() {
    says=$1
    what=$2
    shift 2
    # shellcheck disable=SC2086
    boot "$image" q35 "" $DEBUG_EXIT $DEVICES "$@"
    [ "$status" != "$CLEAN" ] || fail "$what: it went on"
    expect_line "$says" "$what"
}
# shellcheck disable=SC2086
{
    good q35 "id 'check-1', target 0, block 512/512, 32 segments, indirect, flush, durable, discard, zeroes$" $DEVICES $ADAPTER $DRIVE \
        -device scsi-hd,drive=d,serial=check-1,dpofua=on
    good pc "target 1, block 4096/4096, .* flush, discard, zeroes$" $DEVICES $ADAPTER,vectors=2,num_queues=1 $DRIVE \
        -device scsi-hd,drive=d,scsi-id=1,vendor=Google,product=PersistentDisk,logical_block_size=4096,physical_block_size=4096
    good q35 "14 segments, write-through, durable" $DEVICES $ADAPTER,vectors=0,indirect_desc=off,virtqueue_size=16,event_idx=off $DRIVE \
        -device scsi-hd,drive=d,write-cache=off
    good microvm "target 5, block 512/" -global virtio-mmio.force-legacy=false -netdev user,id=n -device virtio-net-device,netdev=n \
        -device virtio-rng-device -device virtio-scsi-device $DRIVE -device scsi-hd,drive=d,scsi-id=5

    bad "no virtio SCSI adapter: add" "without an adapter"
    bad "no disk at targets 0 to 15, unit 0: add" "without a disk" $ADAPTER
    bad "no disk at targets 0 to 15" "a disk that is too far" $ADAPTER $DRIVE -device scsi-hd,drive=d,scsi-id=16
}

# A disk that is taken away while the store has it: no panic, and the image says that it is ill.
take_away() {
    await_line $$ "$log.raw" '^ready store-scsi' || fail "the store that was to lose its disk is not ready"
    tell_monitor "$work/monitor" "device_del gone"
}
truncate -s 0 "$disk"
truncate -s 32M "$disk"
DEVICES="$DEVICES $ADAPTER $DRIVE -device scsi-hd,id=gone,drive=d -monitor unix:$work/monitor,server=on,wait=off"
: >"$log.raw"
take_away &
MEMORY=32 AWAIT='was taken away' type_commands "$CAPOS_BUILD/store-scsi/store-scsi.elf" q35 status halt
expect_status "$CLEAN" "a disk that is taken away"
expect_line 'virtio-scsi: error: disk0 was taken away' "a disk that is taken away"
expect_line 'drv/virtio-scsi: the disk failed or was taken away' "status of an image whose disk was taken away"

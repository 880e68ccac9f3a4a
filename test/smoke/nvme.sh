#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# nvme.sh: the NVMe driver against QEMU's controller on q35 and pc: few vectors, few queues, small commands, blocks of 4 KiB, several
# namespaces, no cache; polled, on four queues; and what the image says when there is no such disk.
# timeout: 120
. "$(dirname "$0")/machine.sh"
disk=$work/disk
truncate -s 8M "$disk"
DEVICES="-netdev user,id=n -device virtio-net-pci,netdev=n,romfile= -device virtio-rng-pci"
ONE="-drive if=none,id=d,format=raw,discard=unmap,file=$disk -device nvme,drive=d,serial=check-1"
TWO="-drive if=none,id=d,format=raw,discard=unmap,file=$disk -drive if=none,id=e,format=raw,read-only=on,file=$disk,file.locking=off
    -device nvme,id=c,serial=check-1 -device nvme-ns,bus=c,nsid=3,drive=d"

# good PROFILE MACHINE WHAT-IT-SAYS DISK...: all is well there, and it says so of the disk.
good() {
    image=$CAPOS_BUILD/$1/$1.elf
    machine=$2
    says=$3
    shift 3
    # shellcheck disable=SC2086
    boot "$image" "$machine" "" $DEBUG_EXIT $DEVICES "$@"
    if [ "$status" = 139 ]; then # QEMU 7.2 itself, now and then, when its controller is reset with commands out (docs/CAVEATS.md)
        # shellcheck disable=SC2086
        boot "$image" "$machine" "" $DEBUG_EXIT $DEVICES "$@"
    fi
    expect_status "$CLEAN" "$machine $*"
    expect_line 'virtio-test: all ok' "$machine $*"
    expect_line 'drv/nvme has it no more, .* zeroed' "$machine $*"
    expect_line "$says" "$machine $*"
}
# shellcheck disable=SC2086
{
    good nvme q35 "id 'check-1', namespace 1, block 512/512, 1 queues of 64, 2 vectors, 256 KiB a command, flush, discard, zeroes$" $ONE
    good nvme pc "1 queues of 64, 1 vectors, 8 KiB a command" $ONE,msix_qsize=1,mdts=1
    good nvme q35 "namespace 3, block 4096/4096, " $TWO,logical_block_size=4096,physical_block_size=4096
    good nvme q35 "has several namespaces; only 3 is used" $TWO -device nvme-ns,bus=c,nsid=7,drive=e
    good nvme-many q35 "4 queues of 16, 5 vectors, 16 KiB a command" $ONE
    good nvme-many pc "1 queues of 16, 1 vectors" $ONE,max_ioqpairs=1,msix_qsize=3

    boot "$CAPOS_BUILD/nvme/nvme.elf" q35 "" $DEBUG_EXIT $DEVICES
    [ "$status" != "$CLEAN" ] || fail "without a disk it went on"
    expect_line "no NVMe disk: add" "without a disk"

    # Metadata between the blocks is nothing that this driver knows.
    boot "$CAPOS_BUILD/nvme/nvme.elf" q35 "" $DEBUG_EXIT $DEVICES $TWO,ms=8,mset=1
    [ "$status" != "$CLEAN" ] || fail "with metadata it went on"
    expect_line "blocks of 2.9 bytes with 8 of metadata; format it" "with metadata"
}

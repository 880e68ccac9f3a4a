#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# virtio.sh: network, disk and entropy drivers against QEMU's devices on three machines, with few interrupt vectors and with
# none, on wires of their own and all on one, small queues, and with options that devices may lack; and what the image says
# when a device is not there.
# timeout: 240
. "$(dirname "$0")/machine.sh"
image=$CAPOS_BUILD/virtio/virtio.elf
disk=$work/disk
truncate -s 8M "$disk"

# devices SUFFIX NET-OPTIONS DISK-OPTIONS RNG-OPTIONS: QEMU's arguments for all three.
devices() {
    rom=
    [ "$1" != pci ] || rom=,romfile=
    echo "-netdev user,id=n -device virtio-net-$1,netdev=n$rom$2 -drive if=none,id=d,format=raw,discard=unmap,file=$disk" \
        "-device virtio-blk-$1,drive=d,serial=check-1$3 -device virtio-rng-$1$4"
}
MODERN="-global virtio-mmio.force-legacy=false"
good() {
    expect_status "$CLEAN" "$1"
    expect_line 'virtio-test: all ok' "$1"
    for driver in net blk rng; do expect_line "drv/virtio-$driver has it no more, .* zeroed" "$1"; done
}

for machine in q35 pc; do
    while read -r net blk rng; do
        # shellcheck disable=SC2046,SC2086
        boot "$image" "$machine" "" $DEBUG_EXIT $(devices pci "${net#-}" "${blk#-}" "${rng#-}")
        good "$machine net '$net' disk '$blk' entropy '$rng'"
        case $blk in
        *num-queues=4*) expect_line '4 queues, 32 segments, indirect, flush, discard, zeroes$' "the disk with all that it can" ;;
        *discard=off*) expect_line '1 queues, 32 segments, flush$' "the disk with little" ;;
        esac
    done <<END
- - -
,vectors=0 ,vectors=0 -
,vectors=0,addr=3 ,vectors=0,addr=7 ,vectors=0,addr=b
,vectors=2 ,vectors=1,num-queues=4 -
,event_idx=off ,event_idx=off,indirect_desc=off,discard=off,write-zeroes=off -
,mrg_rxbuf=off,status=off ,physical_block_size=4096 -
,host_mtu=1400,packed=on ,queue-size=16,seg-max-adjust=on,iommu_platform=on,disable-legacy=on -
END
done
# shellcheck disable=SC2046,SC2086
boot "$image" microvm "" $DEBUG_EXIT $MODERN $(devices device "" "" "")
good microvm
expect_line "id 'check-1'" "the disk's serial text"

# A device that is not there: the boot stops and says what would help. $1 is the device to leave out.
without() {
    # shellcheck disable=SC2046,SC2086
    set -- "$1" "$2" $(devices pci "" "" "" | sed "s/-device $1-pci[^ ]*//")
    missing=$1
    wanted=$2
    shift 2
    # shellcheck disable=SC2086
    CPU=${NO_RANDOM_CPU:-max} boot "$image" q35 "" $DEBUG_EXIT "$@"
    [ "$status" != "$CLEAN" ] || fail "without $missing it went on"
    expect_line "$wanted" "without $missing"
}
without virtio-net "no virtio network device: add '-device virtio-net-pci"
without virtio-blk "no virtio disk: add"
NO_RANDOM_CPU=qemu64
without virtio-rng "no entropy, so no keys:.*virtio-rng-pci"

# Legacy windows of microvm are told from none.
# shellcheck disable=SC2046,SC2086
boot "$image" microvm "" $DEBUG_EXIT $(devices device "" "" "")
[ "$status" != "$CLEAN" ] || fail "microvm with legacy devices went on"
expect_line 'force-legacy=false' "microvm with legacy devices"
echo ok

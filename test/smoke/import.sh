#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# import.sh: a FAT32 disk in a partition and an ISO 9660 disk, made by others, come out of an image as they went in: every byte,
# name and time. Nothing can be written, and the disk is what it was.
# timeout: 90
. "$CAPOS_TOP/test/smoke/lib.sh"
export LC_ALL=C.UTF-8 TZ=UTC MTOOLS_SKIP_CHECK=1
mkdir -p tree/sub/deeper tree/empty
echo one >tree/one.txt
: >tree/sub/nothing
head -c 3000001 /dev/urandom >tree/sub/large
echo long >"tree/sub/A name with a ü, longer than eight and three.text"
for i in $(seq 150); do echo "file $i" >"tree/sub/deeper/$i"; done
find tree -exec touch -d '2021-02-03 04:05:06' {} +

# check WHAT: the disk is served, and holds the tree.
check() {
    cp disk before
    expect 0 up import
    serial "mounted: $1"
    expect 0 "$capos" get -r import / back
    diff -r tree back >difference || fail "$1 comes out otherwise: $(cat difference)"
    expect 0 "$capos" ls import sub/deeper --json
    [ "$(json 'len(d["entries"])')" = 150 ] || fail "a page was lost or came twice"
    expect 0 "$capos" ls -l import /
    out one.txt
    expect 0 "$capos" stat import one.txt
    out 'size     4'
    out '2021-02-03'
    out imported
    expect 0 "$capos" export import sub sub.tar
    mkdir unpacked
    tar -C unpacked -xf sub.tar
    diff -r tree/sub unpacked >difference || fail "the tar of $1 is otherwise: $(cat difference)"
    rm -r unpacked
    expect 0 "$capos" call import volume.info
    out mounted
    expect 1 "$capos" stat import sub/missing
    err 'not-found:'
    expect 1 "$capos" stat import one.txt/further
    err 'not-directory:'
    expect 1 "$capos" put import /new tree/one.txt
    err 'denied: this volume is for reading'
    expect 1 "$capos" mkdir import new
    err 'denied:'
    expect 1 "$capos" rm import one.txt
    err 'denied:'
    expect 1 "$capos" mv import one.txt two.txt
    err 'denied:'
    expect 0 "$capos" fleet down
    cmp disk before || fail "the disk was written to"
    rm -r back
}

truncate -s 40M volume
mformat -F -i volume -c 1 -h 16 -s 63 -T 81920 ::
mcopy -i volume -s -m tree/* ::
head -c 1048576 /dev/zero >disk # and one partition behind it: type 0c, from sector 2048 on, of 81920 sectors
printf '\000\000\000\000\014\000\000\000\000\010\000\000\000\100\001\000' | dd of=disk bs=1 seek=446 conv=notrunc 2>dd
printf '\125\252' | dd of=disk bs=1 seek=510 conv=notrunc 2>dd
cat volume >>disk
rm volume
check FAT

rm disk
xorriso -as mkisofs -quiet -R -J -o disk tree 2>log || fail "xorriso: $(cat log)"
check 'ISO 9660'

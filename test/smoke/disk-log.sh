#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# disk-log.sh: what the store really does to a disk of QEMU's, while files are put, bound and removed over RPC, is written down by
# the blklogwrites driver, and the crash explorer cuts the power everywhere in it: what was acknowledged is there after each.
# test/deep/disk-log.sh does more of it.
# timeout: 180
. "$CAPOS_TOP/test/smoke/lib.sh"
OPS=${OPS:-12} # of each of two sessions, in each of two boots
truncate -s 24M disk
printf 'capos blank disk v1\n' | dd of=disk conv=notrunc 2>/dev/null
: >log
: >lines

# The workload's blobs, as app/store-load makes them, for the audit to know them again.
python3 - <<'END'
MASK = (1 << 64) - 1
for blob, size in enumerate([100, 5000, 0]):
    data = b""
    for at in range(0, size, 8):
        z = ((blob + 1) * 0x9E3779B97F4A7C15 + at) & MASK
        z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & MASK
        data += ((z ^ z >> 27) & MASK).to_bytes(8, "little")
    open("blob.%d" % blob, "wb").write(data[:size])
END

# boot HOW: the store on that disk, its writes logged.
boot() {
    expect 0 up store --no-disk --qemu-arg -blockdev --qemu-arg "driver=file,node-name=disk,filename=$work/disk" \
        --qemu-arg -blockdev --qemu-arg "driver=file,node-name=log,filename=$work/log" \
        --qemu-arg -blockdev --qemu-arg "driver=blklogwrites,node-name=logged,file=disk,log=log,log-super-update-interval=1,$1" \
        --qemu-arg -device --qemu-arg virtio-blk-pci,drive=logged
}
# note TEXT: the workload says that now. A line of `lines` is whole, whoever else says something.
note() { echo "$(stat -c %s log) $*" >>lines; }
name_of() { [ "$1" = 0 ] && echo /a || echo /a/b; }
# bind KEY OP BLOB BEFORE, remove KEY OP: operation OP of the session that has KEY to itself. The name is one of `names`, where the audit
# looks; the blob gets there as a file.
bind() {
    note "$1 $2 ? bind $1 $3"
    "$capos" put store "put-$1" "blob.$3" >"log.$1" 2>&1 || fail "put: $(cat "log.$1")"
    "$capos" call store names.bind "(name = \"$(name_of "$1")\", digest = 0x\"$(sed 's/.*sha256 \([0-9a-f]*\).*/\1/' "log.$1")\")" \
        >"log.$1" 2>&1 || fail "bind: $(cat "log.$1")"
    note "$1 $2 = bind $1 $3 $4"
}
remove() {
    note "$1 $2 ? remove $1"
    "$capos" call store names.remove "(name = \"$(name_of "$1")\")" >"log.$1" 2>&1 || fail "remove: $(cat "log.$1")"
    note "$1 $2 = remove $1 1"
}
# session KEY FIRST: OPS operations. What the name means is kept in a file, so that the next boot's session knows.
session() {
    i=$2
    last=$(($2 + OPS - 1))
    before=$(cat "name.$1")
    while [ "$i" -le "$last" ]; do
        blob=$((i * (2 + $1) / 2 % 3))
        if [ "$before" != -1 ] && [ $((i % 4)) = 3 ]; then
            remove "$1" "$i"
            before=-1
        else
            bind "$1" "$i" "$blob" "$before"
            before=$blob
        fi
        i=$((i + 1))
    done
    echo "$before" >"name.$1"
}
# sessions FIRST: both at once.
sessions() {
    session 0 "$1" &
    other=$!
    session 1 "$1"
    wait "$other" || exit 1
}

boot log-sector-size=512
echo -1 | tee name.0 >name.1
sessions 1
expect 0 "$capos" fleet down
boot log-append=on
sessions $((1 + OPS))
expect 0 "$capos" fleet down

explore() { timeout -s KILL 1000 "$CAPOS_BUILD/sim/explore" --build "$CAPOS_BUILD" "$@" --disk disk; }
expect 0 explore --log log --lines lines --states "${STATES:-800}"
cat out
[ "$(sed -n 's/^\([0-9]*\) crash states.*/\1/p' out)" -ge 300 ] || fail "fewer than 300 crash states"

# What is no such log is refused at the door. mangle OFFSET BYTES...: `bad` is the log with other bytes there.
mangle() {
    cp log bad
    at=$1
    shift
    # shellcheck disable=SC2059
    printf "$@" | dd of=bad bs=1 seek="$at" conv=notrunc 2>/dev/null
}
refused() {
    expect 3 explore --log bad --lines "${2-lines}" --states 1
    err "$1"
}
mangle 0 x
refused 'its first sector is not that of a write log'
mangle 512 '\377\377\377\377'
refused 'a write beyond the disk'
mangle 520 '\0'
refused 'a write of no size'
mangle 528 '\1'
refused 'an entry that is neither a write nor a FLUSH'
second=$((1024 + 512 * $(od -An -t u8 -j 520 -N 8 log))) # behind the first entry and what it wrote
mangle $((second + 16)) '\4'
refused 'an entry that is neither a write nor a FLUSH'
cp log bad
cp disk disk.right
printf 'other bytes' | dd of=disk bs=1 seek=20000000 conv=notrunc 2>/dev/null
refused 'the log does not lead to what is at'
mv disk.right disk
mangle 16 '\377\377\377'
refused 'it ends'
head -c 2000 log >bad
refused 'it ends in the middle of a write'
head -c "$second" log >bad
refused 'it ends before its last entry'
head -c 500 log >bad
refused 'it is too short'
cp log bad
echo 'what is this' >bad-lines
refused 'the lines that go with it' bad-lines

#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# fill.sh: a volume of 10 GiB is filled until the store refuses, which leaves no trace; what was put is there; removing makes room.
# Takes up to 10 GiB where TMPDIR is.
# timeout: 5400
# cost: serial
. "$CAPOS_TOP/test/smoke/lib.sh"
export LIFETIME=5000
size=${SIZE:-10G}
bytes=${BYTES:-67108864} # of a file
count=0
head -c "$bytes" /dev/urandom >file
# number N: the file says which it is.
number() { printf '%08d' "$1" | dd of=file conv=notrunc 2>/dev/null; }
free_bytes() { expect 0 "$capos" call store store.info --json && json "d['freeBytes']"; }

expect 0 up store --disk-size "$size"
before=$(free_bytes)
while number "$count" && "$capos" put store "f$count" file >out 2>err; do
    count=$((count + 1))
done
grep -q '^capos: full:' err || fail "file $count: $(cat err)"
left=$(free_bytes)
[ "$left" -lt "$bytes" ] || fail "$left bytes are free, and a file of $bytes is refused"
[ "$count" -ge $(((before - left) / bytes)) ] || fail "$count files in $before bytes"
[ "$left" = "$(free_bytes)" ] || fail "the refusal left a trace"
head -c "$left" /dev/zero >rest # to the last byte
expect 0 "$capos" put store rest rest
[ "$(free_bytes)" -lt 4096 ] || fail "$(free_bytes) bytes are still free"
echo small >small # what stands in the catalogue needs no block
expect 0 "$capos" put store small small

for i in 0 $((count / 2)) $((count - 1)); do
    expect 0 "$capos" get store "f$i" back
    number "$i"
    cmp file back || fail "file $i is not what it was"
done
expect 0 "$capos" fleet down
expect 0 up store # full, and it boots
i=0
while [ "$i" -lt "$count" ]; do
    expect 0 "$capos" rm store "f$i"
    i=$((i + 2))
done
number 99999999
expect 0 "$capos" put store again file
expect 0 "$capos" get store again back
cmp file back || fail "what was put after the removal is not what it was"
expect 0 "$capos" call store volume.check
out 'faults = 0'
expect 0 "$capos" fleet down
echo "$count files of $bytes bytes in $size, and full to the last block"

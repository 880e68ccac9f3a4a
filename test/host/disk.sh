#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# disk.sh: `capos disk` on disks that are made here. What it finds on damaged ones is disk_test.c's.
# timeout: 60
. "$CAPOS_TOP/test/host/lib.sh"
cd "$work"

# same FILE COMMAND...: the command leaves the file as it was.
same() {
    file=$1
    shift
    before=$(sha256sum <"$file")
    "$@"
    [ "$before" = "$(sha256sum <"$file")" ] || fail "'$*' changed $file"
}

# --- create ---
expect 0 "$capos" disk create blank --size 3M
out 'blank: 3.0 MiB, blank'
[ "$(head -c 20 blank)" = 'capos blank disk v1' ] && [ "$(stat -c %s blank)" = 3145728 ] || fail "the blank disk is none"
[ "$(stat -c %b blank)" -le 16 ] || fail "the blank disk is not sparse"
same blank expect 1 "$capos" disk create blank --size 3M
err 'blank: File exists'
expect 2 "$capos" disk create small --size 4K
err 'less than 1M'
expect 1 "$capos" disk create small --size 5M --format
err 'too small for a volume'
[ ! -e small ] || fail "a disk that was refused is there"
expect 1 "$capos" disk create no/where
expect 0 "$capos" disk create volume --size 32M --format --json
[ "$(json 'd["formatted"] and d["bytes"] == 32 << 20')" = True ] || fail "wrong JSON"

# --- inspect ---
same volume expect 0 "$capos" disk inspect volume
out 'superblocks  good, good'
same volume expect 0 "$capos" disk inspect volume --json
[ "$(json 'd["kind"], d["catalog"]["objects"], d["volume"]["bytes"] == 32 << 20, len(d["volume"]["uuid"])')" = 'volume 0 True 36' ] ||
    fail "wrong facts"
# looks WORDS: what `other` looks like.
looks() {
    same other expect 0 "$capos" disk inspect other
    out "$1"
    expect 1 "$capos" disk check other
    out 'there is no volume'
    out "$1"
    expect 1 "$capos" disk export other other.tar
    [ ! -e other.tar ] && [ ! -e other.tar.part ] || fail "a tar of nothing is there"
}
# mark OFFSET BYTES: a disk of zeros with these at that place.
mark() {
    rm -f other
    truncate -s 1M other
    # shellcheck disable=SC2059
    printf "$2" | dd of=other bs=1 seek="$1" conv=notrunc 2>/dev/null
}
mark 0 '' && looks 'nothing but zeros'
mark 512 'EFI PART' && looks 'a GPT partition table'
mark 82 'FAT32   ' && looks 'a FAT32 file system'
mark 1080 '\123\357' && looks 'an ext2, ext3 or ext4'
mark 0 'XFSB' && looks 'an XFS'
mark 32769 'CD001' && looks 'an ISO 9660'
mark 0 'QFI\373' && looks 'qemu-img convert'
mark 510 '\125\252' && looks 'MBR'
mark 70000 'x' && looks 'nothing that is known'
: >other && looks 'less than one block'
same blank expect 0 "$capos" disk inspect blank
out 'a blank disk that capos made'
for other in . /dev/null nothing; do expect 1 "$capos" disk inspect $other; done
mkfifo fifo
expect 1 "$capos" disk check fifo
err 'neither a file nor a device'
if [ "$(id -u)" != 0 ]; then
    cp volume secret && chmod 0 secret
    expect 1 "$capos" disk check secret
    err 'Permission denied'
fi

# --- check, export ---
same volume expect 0 "$capos" disk check volume
out 'volume: sound'
cp volume rotten
dd if=/dev/urandom of=rotten bs=4096 count=1 conv=notrunc 2>/dev/null
same rotten expect 1 "$capos" disk check rotten
out 'the superblock in block 0 is damaged'
out 'rotten: 1 fault;'
err '1 fault;'
same rotten expect 1 "$capos" disk check rotten --json
[ "$(json 'd["faults"], len(d["fault"])')" = '1 1' ] || fail "wrong JSON"
same rotten expect 0 "$capos" disk inspect rotten
truncate -s 20M rotten
same rotten expect 1 "$capos" disk check rotten
out 'are missing at the end'
same volume expect 0 "$capos" disk export volume volume.tar
[ "$(tar tf volume.tar)" = '' ] || fail "there is something in nothing"
"$capos" disk export volume - | tar tf - >/dev/null || fail "no tar on standard output"
expect 1 "$capos" disk export volume volume.tar --at 7
err 'no snapshot 7'
expect 2 "$capos" disk export volume volume.tar --names a/b
expect 1 "$capos" disk export volume no/where.tar

# What disk_test.c puts on a volume comes out.
"$CAPOS_BUILD/test/unit/host-disk" --sound full >/dev/null
same full expect 0 "$capos" disk check full
same full expect 0 "$capos" disk inspect full
out 'snapshot     1 before'
same full expect 0 "$capos" disk export full full.tar
out 'full.tar: 6 files in 2 directories'
[ "$(tar tf full.tar | grep -c .)" = 8 ] || fail "the tar has something else: $(tar tvf full.tar)"
tar xf full.tar && [ "$(stat -c %s 'photos/one')" = 36874 ] && [ "$(stat -c %s '.names/a name')" = 20480 ] || fail "the tar cannot be read"
same full expect 0 "$capos" disk export full then.tar --at 1 --json
[ "$(json 'd["files"], d["damaged"]')" = '5 []' ] || fail "wrong JSON"
tar tf then.tar | grep -qx old || fail "the snapshot has not what was removed"
expect 1 "$capos" disk export full names.tar --names photos
err 'exists: there is a file photos'
expect 0 "$capos" disk export full names.tar --names blobs
tar tf names.tar | grep -qx 'blobs/a name' || fail "--names is not where the blobs are"
mkdir -p there
"$CAPOS_BUILD/test/unit/host-disk" --rotten torn >/dev/null
same torn expect 1 "$capos" disk check torn
out '(block 1 of object 2: /photos/two)'
same torn expect 1 "$capos" disk export torn torn.tar
err 'photos/two: 1 damaged blocks of 4 KiB, which are zero in photos/two.damaged'
err 'not all could be read: 1 damaged'
tar tf torn.tar | grep -qx photos/two.damaged && ! tar tf torn.tar | grep -qx photos/two || fail "a damaged file looks like a good one"
tar xf torn.tar -C there && cmp photos/one there/photos/one || fail "a file beside the damaged one is not there"
[ "$(cmp -l photos/two there/photos/two.damaged | awk '$1 <= 4096 || $1 > 8192' | wc -l)" = 0 ] || fail "another block is damaged too"
"$capos" disk export torn - --json 2>err >/dev/null && fail "a damaged disk is exported as a good one" || :
err '{"error":"corrupt","reason":"photos/two: 1 damaged blocks of 4 KiB'

# What the log has lost is missed by nobody who looks at the files that are left.
cp full cut
python3 - cut "$("$capos" disk inspect full --json)" <<'EOF'
import json, sys
with open(sys.argv[1], "r+b") as disk:
    disk.seek(int(json.loads(sys.argv[2])["volume"]["logStart"]) * 4096 + 900)
    disk.write(b"rot")
EOF
expect 1 "$capos" disk check cut
out 'pages of acknowledged commits cannot be reached'
expect 1 "$capos" disk export cut cut.tar
err 'corrupt: the log is damaged behind its page'
[ "$(grep -c 'the log is damaged' err)" = 1 ] && [ -e cut.tar ] || fail "said twice, or what is left was not saved"

# A format that was cut: an image would not look at the volume of before.
cp full doomed
printf 'capos blank disk v1\n' | dd of=doomed conv=notrunc 2>/dev/null
same doomed expect 0 "$capos" disk inspect doomed
out 'at its next boot'
same doomed expect 1 "$capos" disk check doomed
out 'a new volume here at its next boot'
same doomed expect 1 "$capos" disk export doomed doomed.tar
err 'corrupt: doomed: a format of it was cut'
[ ! -e doomed.tar ] || fail "what the next boot formats is exported unasked"
same doomed expect 0 "$capos" disk export doomed doomed.tar --anyway
[ "$(tar tf doomed.tar | grep -c .)" = 8 ] || fail "--anyway has something else"

# Names that lead elsewhere when a tar is unpacked.
"$CAPOS_BUILD/test/unit/host-disk" --names evil >/dev/null
expect 1 "$capos" disk export evil evil.tar
err 'corrupt: ../up: this is no name; left out'
tar -tPf evil.tar | grep -qx '.names/50%25%2F..' || fail "a flat name is no file's: $(tar -tPf evil.tar)"
! tar -tPf evil.tar | grep -qE '(^|/)\.\.(/|$)' || fail "a name that leads elsewhere is in the tar: $(tar -tPf evil.tar)"

# Never over the disk itself, nor in the place of what is no file; and not two at once.
cp full own.part
ln -s full link
for out in full link own; do
    disk=full
    [ $out != own ] || disk=own.part
    same $disk expect 2 "$capos" disk export $disk $out
    err 'the disk itself'
done
: >held.part
same held.part expect 1 flock held.part "$capos" disk export full held
err 'another capos writes held.part'
echo mine >kept.part
expect 1 "$capos" disk export blank kept
[ "$(cat kept.part)" = mine ] || fail "a part was taken for a tar of nothing"
mkfifo pipe
cat pipe >through &
mocks="$mocks $!"
expect 0 "$capos" disk export full pipe
[ -p pipe ] || fail "a FIFO was replaced by a file"
wait $!
[ "$(tar tf through | grep -c .)" = 8 ] || fail "a FIFO has something else"

# A virtual machine that has it open: QEMU locks its bytes from 100 on.
python3 - "$capos" volume <<'EOF' || fail "a disk that is in use is looked at"
import fcntl, struct, subprocess, sys
file = open(sys.argv[2], "rb")
fcntl.fcntl(file, 37, struct.pack("hhqqi4x", fcntl.F_RDLCK, 0, 101, 1, 0))  # F_OFD_SETLK
check = subprocess.run([sys.argv[1], "disk", "check", sys.argv[2]], capture_output=True, text=True)
sys.exit(not (check.returncode == 1 and "busy" in check.stderr))
EOF

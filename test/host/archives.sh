#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# archives.sh: export and import: a tar that tar reads, from one that tar wrote; and archives of strangers, from which nothing
# comes that is not a file or a directory below where it was to go.
# timeout: 120
. "$CAPOS_TOP/test/host/lib.sh"
cd "$work"
long=$(head -c 200 /dev/zero | tr '\0' n)
mkdir -p tree/sub/deeper tree/empty "tree/with blank/$long"
echo one >tree/one
: >tree/sub/nothing
head -c 3000000 /dev/urandom >tree/sub/large
head -c 262145 /dev/urandom >tree/larger
echo deep >"tree/with blank/$long/$long"
echo umlaut >"tree/$(printf '\303\274')"
for i in $(seq 40); do echo "file $i" >"tree/sub/deeper/$i"; done
same() { diff -r "$1" "$2" >difference || fail "$1 and $2 differ: $(cat difference)"; }
snapshots() { expect 0 "$capos" snapshot "$node" --list --json && json 'len(d["snapshots"])'; }
fetch() { rm -rf back && expect 0 "$capos" get -r "$node" "$1" back; }

# out and in again, whatever a node takes at once
for fault in window=16 uploads=3 uploads=1 short-reads page=7; do
    mock --fault "$fault" --fault slow=1
    tar -C tree -cf in.tar .
    expect 0 "$capos" import "$node" in.tar /t
    out 'import /t: 46 files and 5 directories'
    fetch t
    same tree back
    expect 0 "$capos" export "$node" /t out.tar
    out 'export /t: 46 files and 5 directories'
    [ ! -e out.tar.part ] || fail "a part was left behind"
    rm -rf unpacked
    mkdir unpacked
    tar -C unpacked -xf out.tar 2>tar.err || fail "tar cannot read it: $(cat tar.err)"
    same tree unpacked
    [ "$(snapshots)" = 0 ] || fail "the export's snapshot was left"
done
[ "$(stat -c %Y unpacked/one)" = 1700000000 ] || fail "a file has another time than on the node"

# through pipes; all of a node; the same archive again; other dialects; what python makes of ours
expect 0 sh -c "'$capos' export '$node' - >all.tar"
tar -tf all.tar | grep -qx 't/sub/large' || fail "all of a node: $(tar -tf all.tar)"
python3 -c "import tarfile; assert len(tarfile.open('all.tar').getnames()) == 52" || fail "python reads something else"
mock
expect 0 sh -c "'$capos' import '$node' - <all.tar"
fetch t
same tree back
expect 0 "$capos" import "$node" all.tar --json
[ "$(json 'd["files"], d["known"], d["failed"]')" = "46 0 0" ] || fail "import again: $(cat out)"
for format in gnu ustar v7 pax; do
    rm -rf plain
    mkdir plain
    cp -r tree/sub tree/one plain
    tar -C plain --format="$format" -cf "$format.tar" sub one
    expect 0 "$capos" import "$node" "$format.tar" "/$format"
    fetch "$format"
    same plain back
done
expect 0 "$capos" export "$node" t/sub sub.tar --json
[ "$(json 'd["files"], d["directories"], d["path"]')" = "42 1 /t/sub" ] || fail "export --json: $(cat out)"

# a large file at the end: all jobs are waiting for the archive when it ends
tar -C tree -cf large.tar one sub/large
expect 0 "$capos" import "$node" large.tar /large
expect 0 "$capos" get "$node" large/sub/large back-large
cmp tree/sub/large back-large || fail "a large file at the end comes as another"

# as it was
expect 0 "$capos" snapshot "$node" kept
expect 0 "$capos" rm "$node" -r t
expect 1 "$capos" export "$node" t gone.tar
err 'not-found:'
[ ! -e gone.tar ] && [ ! -e gone.tar.part ] || fail "a failed export left a file"
[ "$(snapshots)" = 1 ] || fail "a failed export left a snapshot"
expect 0 "$capos" export "$node" t then.tar --at "$("$capos" snapshot "$node" --list --json | python3 -c 'import json,sys; print(int(json.load(sys.stdin)["snapshots"][0]["generation"]))')"
[ "$(tar -tf then.tar | wc -l)" = 51 ] || fail "--at exports something else"
[ "$(snapshots)" = 1 ] || fail "--at dropped the snapshot"

# a backup with a file missing, or damaged, is none
expect 0 "$capos" put "$node" /t/rotten tree/one
expect 1 "$capos" export "$node" t bad.tar
err 'corrupt: rotten: t/rotten has a damaged block'
[ ! -e bad.tar ] && [ ! -e bad.tar.part ] || fail "a failed export left a file"
expect 1 sh -c "'$capos' export '$node' t - >bad.tar"
expect 1 "$capos" import "$node" bad.tar /bad
err 'corrupt:'
rm bad.tar
for at in 1000 2000000; do
    mock --fault flip-byte=$at
    expect 0 "$capos" import "$node" in.tar /t
    expect 1 "$capos" export "$node" t bad.tar
    err 'what came has sha256'
    [ ! -e bad.tar ] || fail "a damaged export was kept"
done
mock --fault die-after=6000000
expect 0 "$capos" import "$node" in.tar /t
expect 3 "$capos" export "$node" t bad.tar
err 'snapshot 7 stays until it is dropped'
[ ! -e bad.tar ] || fail "half an export was kept"
for lie in slash up escape order; do
    mock --fault "lie-$lie"
    expect 0 "$capos" import "$node" in.tar /t
    expect 1 "$capos" export "$node" t bad.tar
    err 'corrupt: the node lists'
done

# what is no file gets the bytes as they come; a reader that goes leaves no snapshot; two exports at once do not mix
mock
expect 0 "$capos" import "$node" in.tar /t
mkfifo pipe
cat pipe >through &
mocks="$mocks $!"
expect 0 "$capos" export "$node" t pipe
[ -p pipe ] || fail "a FIFO was replaced by a file"
wait $!
[ "$(tar -tf through | wc -l)" = 51 ] || fail "a FIFO has something else"
{ "$capos" export "$node" t - 2>err || echo $? >status; } | head -c 100 >/dev/null
[ "$(cat status)" = 1 ] || fail "nobody reads any more, and the export is whole"
[ "$(snapshots)" = 0 ] || fail "an export that nobody read left its snapshot"
: >held.part
expect 1 flock held.part "$capos" export "$node" t held
err 'another capos writes held.part'
[ -e held.part ] && [ "$(snapshots)" = 0 ] || fail "another's part was taken, or a snapshot was left"

# an archive of a stranger's: the files in it that can be, are put; everything else is named
python3 - <<'END'
import io, tarfile
def add(tar, name, kind=tarfile.REGTYPE, data=b"x", **more):
    info = tarfile.TarInfo(name)
    info.type = kind
    info.size = len(data) if kind == tarfile.REGTYPE else 0
    for key, value in more.items():
        setattr(info, key, value)
    tar.addfile(info, io.BytesIO(data))
with tarfile.open("evil.tar", "w", format=tarfile.PAX_FORMAT) as tar:
    add(tar, "good")
    add(tar, "/etc/absolute")
    add(tar, "../up")
    add(tar, "a/../../up")
    add(tar, "es\x1b[2Jcape")
    add(tar, "line\nbreak")
    add(tar, "a/./b")
    add(tar, "n" * 256)
    add(tar, "/".join(["d" * 100] * 41))
    add(tar, "symlink", tarfile.SYMTYPE, linkname="/etc/passwd")
    add(tar, "symlink/through")
    add(tar, "hardlink", tarfile.LNKTYPE, linkname="good")
    add(tar, "device", tarfile.CHRTYPE)
    add(tar, "block", tarfile.BLKTYPE)
    add(tar, "fifo", tarfile.FIFOTYPE)
    add(tar, "good", data=b"twice")
    add(tar, "last")
with tarfile.open("latin.tar", "w", format=tarfile.GNU_FORMAT, encoding="latin-1") as tar:
    add(tar, "\xe9")
END
mock
expect 1 "$capos" import "$node" evil.tar /e
for said in 'skipped: /etc/absolute: an absolute name' 'bad-argument: ../up:' 'bad-argument: a/../../up:' 'bad-argument: es?[2Jcape:' \
    'bad-argument: line?break:' 'skipped: symlink: a symbolic link' 'skipped: hardlink: a hard link' 'skipped: device: neither' \
    'skipped: block: neither' 'skipped: fifo: neither' 'skipped: good: twice' 'a path of 4140 bytes'; do
    err "$said"
done
! grep -q "$(printf '\033')" err || fail "an escape sequence reaches the terminal"
fetch e
[ "$(find back -type f | sort | tr '\n' ' ')" = 'back/good back/last back/symlink/through ' ] || fail "imported: $(find back)"
[ "$(cat back/good)" = x ] || fail "the second of two was taken"
expect 1 "$capos" import "$node" latin.tar /l
err 'bad-argument:'
truncate -s 1M sparse
tar --sparse -cf sparse.tar sparse
expect 1 "$capos" import "$node" sparse.tar /s
err 'skipped: sparse: a sparse file'

# no archive, and ones that were cut
expect 1 "$capos" import "$node" tree/larger
err 'corrupt: tree/larger is no tar'
: >nothing
expect 1 "$capos" import "$node" nothing
expect 1 "$capos" import "$node" no-such-file
gzip -c in.tar >in.tar.gz
expect 1 "$capos" import "$node" in.tar.gz
err 'zcat FILE | capos import NODE -'
tar -cf two.tar -C tree one sub/nothing
for size in 1024 1500 700 100; do # behind the first file, within a header, within its bytes, within the first header
    head -c "$size" two.tar >cut.tar
    expect 1 "$capos" import "$node" cut.tar "/cut$size"
    err 'corrupt:'
done
expect 0 "$capos" get "$node" cut1024/one back-one
cmp tree/one back-one || fail "what came before the cut is not there"
head -c 2000000 in.tar >cut.tar
expect 1 "$capos" import "$node" cut.tar /cut
err 'corrupt:'

# a node that is full, or overloaded, or dies
mock --fault full
expect 1 "$capos" import "$node" in.tar /t
err 'full: '
err 'incomplete: 46 were not imported'
mock --fault overloaded-put=10 --fault overloaded-write=6 --fault overloaded-mkdir=3
expect 0 "$capos" import "$node" in.tar /t
fetch t
same tree back
mock --fault die-after=1000000
expect 3 "$capos" import "$node" in.tar /t
err 'disconnected:'

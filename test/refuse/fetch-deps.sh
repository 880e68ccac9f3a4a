#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# fetch-deps.sh: third-party sources against a Debian repository of our own making: taken when they are what deps.lock says,
# from the cache without a repository, replaced within the series with a notice when their own self-test passes; a changed
# byte, a version outside of the series, an older one and a list that nobody signed are refused.
# timeout: 120
set -eu
: "${CAPOS_TOP:=$(cd "$(dirname "$0")/../.." && pwd)}"
for tool in gpg apt-get dpkg-source; do command -v $tool >/dev/null || { echo "no $tool"; exit 77; }; done
work=$(mktemp -d)
trap 'gpgconf --homedir "$work/gpg" --kill all 2>/dev/null; rm -rf "$work"' EXIT
cd "$work"

# A key, and a repository with one source package `probe` in the versions that are asked for.
mkdir -m 700 gpg
gpg() { command gpg --homedir "$work/gpg" --batch --quiet "$@"; }
gpg --passphrase '' --quick-gen-key 'Test Archive <test@example.org>' rsa2048 sign never 2>/dev/null
gpg --export >keys.gpg

# make_source VERSION: pool/probe_VERSION.dsc and its archives.
make_source() {
    upstream=${1%-*}
    mkdir -p pool "probe-$upstream"
    echo "int probe = $(echo "$1" | tr -cd 0-9);" >"probe-$upstream/probe.c"
    tar --sort=name --mtime=@0 --owner=0 --group=0 -czf "pool/probe_$upstream.orig.tar.gz" "probe-$upstream"
    rm -rf "probe-$upstream" debian
    mkdir -p debian/source
    echo '3.0 (quilt)' >debian/source/format
    printf 'probe (%s) trixie; urgency=low\n\n  * x.\n\n -- T <t@example.org>  Thu, 01 Jan 1970 00:00:00 +0000\n' "$1" >debian/changelog
    printf 'Source: probe\nMaintainer: T <t@example.org>\n\nPackage: probe\nArchitecture: all\nDescription: x\n' >debian/control
    tar --sort=name --mtime=@0 --owner=0 --group=0 -cJf "pool/probe_$1.debian.tar.xz" debian
    {
        printf 'Format: 3.0 (quilt)\nSource: probe\nBinary: probe\nArchitecture: all\nVersion: %s\nMaintainer: T <t@example.org>\n' "$1"
        sums "pool/probe_$upstream.orig.tar.gz" "pool/probe_$1.debian.tar.xz"
    } >"pool/probe_$1.dsc"
}
sums() {
    echo 'Checksums-Sha256:'
    for file in "$@"; do printf ' %s %s %s\n' "$(sha256sum <"$file" | cut -d' ' -f1)" "$(wc -c <"$file")" "$(basename "$file")"; done
    echo 'Files:'
    for file in "$@"; do printf ' %s %s %s\n' "$(md5sum <"$file" | cut -d' ' -f1)" "$(wc -c <"$file")" "$(basename "$file")"; done
}
# publish VERSION...: a signed list that names these.
publish() {
    rm -rf dists
    mkdir -p dists/trixie/main/source
    for version in "$@"; do
        printf 'Package: probe\nFormat: 3.0 (quilt)\nBinary: probe\nArchitecture: all\nVersion: %s\nMaintainer: T <t@example.org>\nDirectory: pool\n' "$version"
        sums "pool/probe_$version.dsc" "pool/probe_${version%-*}.orig.tar.gz" "pool/probe_$version.debian.tar.xz"
        echo
    done >dists/trixie/main/source/Sources
    list=dists/trixie/main/source/Sources
    {
        printf 'Origin: Debian\nLabel: Debian\nSuite: trixie\nCodename: trixie\nDate: %s\nArchitectures: amd64\nComponents: main\nSHA256:\n' "$(LC_ALL=C date -u '+%a, %d %b %Y %H:%M:%S UTC')"
        printf ' %s %s main/source/Sources\n' "$(sha256sum <$list | cut -d' ' -f1)" "$(wc -c <$list)"
    } >dists/trixie/Release
    gpg --clearsign -o dists/trixie/InRelease dists/trixie/Release
}
lock() { # VERSION: what deps.lock says
    printf '# a lock\nlibrary probe  series=trixie  accept=1.2.  version=%s  dsc-sha256=%s\n' "$1" "$(sha256sum <"pool/probe_$1.dsc" | cut -d' ' -f1)" >deps.lock
}
export CAPOS_DEPS_LOCK="$work/deps.lock" CAPOS_DEPS_KEYRING="$work/keys.gpg" CAPOS_DEPS_CACHE="$work/cache" CAPOS_DEPS_TESTS="$work/tests"
fetch() { CAPOS_DEPS_MIRROR="file:$work/" "$CAPOS_TOP/build-scripts/fetch-deps" --into "$work/deps" "$@" probe >said 2>&1; }
expect() { grep -Fq -e "$1" said || { printf 'expected: %s\nsaid:\n' "$1"; cat said; exit 1; }; }
accepted() { fetch "$@" || { echo "refused:"; cat said; exit 1; }; }
refused() { if fetch "$@"; then echo "accepted:"; cat said; exit 1; fi; }
forget() { rm -rf deps cache; }
step() { echo "$*"; }

for version in 1.2.0-1 1.2.3-1 1.3.0-1 1.1.0-1; do make_source "$version"; done

step "the locked version, twice"
publish 1.2.0-1 1.2.3-1
lock 1.2.0-1
accepted; expect 'probe 1.2.0-1 (locked)'
grep -q 'probe = 1201' deps/probe/probe.c
accepted; [ ! -s said ] || { echo "the second run said:"; cat said; exit 1; }

step "from the cache, with no repository at all"
rm -rf deps
mv dists away
accepted; expect 'probe 1.2.0-1 (locked)'
mv away dists

step "a changed byte in the kept archive"
rm -rf deps
printf 'x' | dd of=cache/probe_1.2.0.orig.tar.gz bs=1 seek=20 conv=notrunc 2>/dev/null
refused; expect 'probe_1.2.0.orig.tar.gz is not what probe_1.2.0-1.dsc says'
[ ! -e deps/probe ]

step "a changed byte in the .dsc"
forget
accepted
rm -rf deps
sed -i 's/Maintainer: T /Maintainer: U /' cache/probe_1.2.0-1.dsc
refused; expect "deps.lock says"
[ ! -e deps/probe ]

step "a changed byte on the mirror"
forget
cp pool/probe_1.2.0-1.debian.tar.xz kept
printf 'x' | dd of=pool/probe_1.2.0-1.debian.tar.xz bs=1 seek=40 conv=notrunc 2>/dev/null
refused; expect 'could not be downloaded'
mv kept pool/probe_1.2.0-1.debian.tar.xz

step "a version that the mirror has replaced: its own self-test decides"
forget
publish 1.2.3-1 1.3.0-1
refused; expect "no self-test at $work/tests/probe"
mkdir tests
self_test() { printf '#!/bin/sh\ncd "$1" || exit 1\ntouch built\n%s\n' "$1" >tests/probe; chmod +x tests/probe; }
self_test 'echo "arithmetic is off"; exit 1'
refused; expect '1.2.3-1 does not pass its own self-test'; expect 'arithmetic is off'
[ ! -e deps/probe ] && [ ! -e deps/probe.fetched ] || { echo "it was taken all the same"; exit 1; }
self_test 'grep -q "probe = 1231" probe.c'
accepted; expect 'notice: probe 1.2.0-1 has been replaced on the mirror; taking 1.2.3-1'
grep -q '^status=replaced 1.2.0-1' deps/probe.origin
grep -q 'probe = 1231' deps/probe/probe.c
[ ! -e deps/probe/built ] || { echo "the self-test left its objects"; exit 1; }

step "nothing of the series, and only an older one"
forget
publish 1.3.0-1
refused; expect 'nor any of the accepted series 1.2.*'
publish 1.2.0-1
lock 1.2.3-1
refused; expect 'older than the locked 1.2.3-1'

step "a list that nobody signed, and one that another key signed"
forget
publish 1.2.3-1
cp dists/trixie/InRelease kept
mv dists/trixie/InRelease away
refused; expect 'is not signed by Debian'
sed 's/^Label: Debian/Label: Debiam/' kept >dists/trixie/InRelease
refused; expect 'is not signed by Debian'

step "--update moves the lock"
publish 1.2.0-1 1.2.3-1 1.3.0-1
lock 1.2.0-1
accepted --update; expect 'probe is locked to 1.2.3-1'
grep -q "version=1.2.3-1  dsc-sha256=$(sha256sum <pool/probe_1.2.3-1.dsc | cut -d' ' -f1)" deps.lock
accepted; expect 'probe 1.2.3-1 (locked)'
echo "passed"

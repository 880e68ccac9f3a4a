#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# bootstrap.sh: a machine that lacks something. configure names the package and the command that mends it; --bootstrap
# installs what is missing and nothing else, and where it may not, says what to type as root; with all there, anybody may run
# it, without a network. apt-get and sudo are stand-ins: nothing is installed here.
# timeout: 180
set -eu
unset CC FUZZ_CC MAKEFLAGS MFLAGS MAKELEVEL # of the make that runs this: configure repeats what it was told
: "${CAPOS_TOP:=$(cd "$(dirname "$0")/../.." && pwd)}" "${CAPOS_BUILD:=$CAPOS_TOP/build}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
cd "$work"
fail() { echo "$*"; cat "$work/said"; exit 1; }

# A tree of our own with one package more, and a PATH of links in which single commands can be hidden.
mkdir tree tree/test bin off o
(cd "$CAPOS_TOP" && cp -r configure Makefile.in VERSION deps.lock build-scripts components configs core platform "$work/tree")
# Of what is not required, only what is hidden below: this machine need not have the rest.
sed -i '/^[^#]/{/ required /b; /^qemu-utils\|^cmake/b; d}' tree/build-scripts/packages
echo "extra-dev required $work/there" >>tree/build-scripts/packages
touch there
(IFS=:; for folder in /usr/bin /usr/sbin $PATH; do ln -s -t bin "$folder"/* 2>/dev/null || :; done)
rm -f bin/sudo bin/apt-get
stand_in() { printf '#!/bin/sh\necho "$0 $*" >>%s/calls\n%s\n' "$work" "$2" >"bin/$1"; chmod 755 "bin/$1"; }
stand_in apt-get 'exit 9'
chmod -R a+rX tree bin
chmod 777 o .
: >calls
chmod 666 calls
if [ "$(id -u)" -eq 0 ]; then
    as_user() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
    as_user test -r tree/configure || { echo "nobody may not read $work"; exit 77; }
else
    as_user() { "$@"; }
fi
# run ROLE ARGUMENT...: configure as root (if this is root) or as a user, with nothing but our PATH.
run() {
    role=$1
    shift
    [ "$role" = user ] && set -- as_user env "$@" || set -- env "$@"
    (cd o && PATH=$work/bin HOME=$work/o "$@") >said 2>&1
}
refused() { # EXPECTED ROLE ARGUMENT...
    expected=$1
    shift
    if run "$@"; then fail "accepted: $*"; fi
    grep -Fq -e "$expected" said || fail "$*: expected: $expected"
    [ ! -e o/Makefile ] || fail "refused, and wrote a Makefile:"
}
configure=$work/tree/configure

echo "each command that configure cannot do without"
sed -n 's/^\([^ #]*\)  *required  *\([^\/ ]*\)$/\1 \2/p' tree/build-scripts/packages >required
[ "$(wc -l <required)" -ge 9 ] || fail "too few required commands are listed"
while read -r package command; do
    mv "bin/$command" off/
    # awk and flock are needed to say more than this.
    refused "these Debian packages are missing: $package" root "$configure" hello --set rpc/vat.connections=4
    grep -Fqx "run: $configure --bootstrap hello --set rpc/vat.connections=4    (or, as root: apt-get install $package)" said ||
        fail "the command that mends it is not printed:"
    mv "off/$command" bin/
done <required
rm there
refused "these Debian packages are missing: extra-dev" root "$configure" hello
[ ! -s calls ] || fail "configure without --bootstrap called: $(cat calls)"

echo "--bootstrap where it may not"
if [ "$(id -u)" -eq 0 ]; then
    chmod 755 o/build
    refused "build/ cannot be written here; if another user made it, remove it as that user" user "$configure" hello
fi
rm -rf o/build
refused "bootstrap: not root and no sudo; as root run: apt-get install extra-dev" user "$configure" --bootstrap hello
stand_in sudo 'echo "sudo: not you" >&2; exit 1'
refused "bootstrap: not root, and sudo refuses; as root run: apt-get install extra-dev" user "$configure" --bootstrap hello
! grep -q apt-get calls || fail "apt-get was called all the same: $(cat calls)"
stand_in sudo '[ "$1" = -v ] || exec "$@"'
refused "bootstrap: apt-get could not install what is missing (what it said stands above); as root run: apt-get install extra-dev" \
    user "$configure" --bootstrap hello
stand_in apt-get 'exit 0'
refused "bootstrap: still missing after the installation: extra-dev" user "$configure" --bootstrap hello

echo "--bootstrap where it may, and where nothing is missing"
ls "$CAPOS_BUILD"/deps/downloads/*.dsc >said 2>&1 || { echo "no downloads to work with here: skipped"; exit 77; }
mkdir cache
cp "$CAPOS_BUILD"/deps/downloads/*.* cache
chmod -R a+rwX cache
: >calls
stand_in apt-get "case \$1 in install) touch $work/there ;; *) exit 9 ;; esac"
run user "CAPOS_DEPS_CACHE=$work/cache" "$configure" --bootstrap hello || fail "refused:"
grep -q 'apt-get install .* extra-dev$' calls || fail "what was called: $(cat calls)"
[ -d o/build/deps/lwip ] && [ -f o/build/deps/mbedtls.origin ] || fail "the sources are not there:"
rm -f calls bin/sudo
stand_in apt-get 'exit 9'
run user "CAPOS_DEPS_CACHE=$work/cache" "$configure" --bootstrap hello || fail "with all there, refused:"
[ ! -e calls ] || fail "with all there, called: $(cat calls)"
! grep -q 'configure: note:' said || fail "with all there, configure misses something:"

echo "what only make and make check will miss is said, and refused by make check"
rm -rf o/build
mv bin/ctest bin/qemu-img off/
run root "$configure" hello || fail "refused:"
for note in "not here yet: lwip mbedtls; make fetches these" "not here yet: qemu-utils; make run needs" "not here yet: cmake; make check needs"; do
    grep -Fq "configure: note: $note" said || fail "configure does not say: $note"
done
if (cd o && PATH=$work/bin "$work/tree/build-scripts/check" "$work/tree" build) >said 2>&1; then fail "make check without ctest:"; fi
grep -Fq "make check needs these Debian packages: qemu-utils cmake" said || fail "make check does not say what it lacks:"
echo passed

#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# build.sh: what a person expects of a build: every supported profile can be configured; a second make does nothing; a change
# of one option changes its config.h alone; what is not declared any more disappears from inc/; make takes all CPUs unless told.
# timeout: 120
set -eu
: "${CAPOS_TOP:=$(cd "$(dirname "$0")/../.." && pwd)}" "${CAPOS_BUILD:=$CAPOS_TOP/build}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "$*"; exit 1; }

[ ! -s "$CAPOS_BUILD/unusable" ] || fail "a profile cannot be configured: $(cat "$CAPOS_BUILD/unusable")"
# What make check has built is up to date, whatever the clock of the checkout.
(cd "$CAPOS_BUILD/.." && make -q build/bare/bare.elf build/bare/bare.sim) || fail "a second make would build something"
# A library's file is compiled again when a header of ours changes that configures it, though it includes that as a system's.
of_a_library=$CAPOS_BUILD/tcp-echo/elf/net-lwip/lib-src-core-tcp.d
grep -q 'lwip/lwipopts.h' "$of_a_library" || fail "make does not know that lwIP depends on lwipopts.h"

cd "$work"
net=$CAPOS_TOP/test/refuse/components
cat >one.profile <<'END'
profile   one
summary   "one"
platform  kvm-q35
memory    16M
status    experiment
component lib/fake-port
component drv/fake-net ring=128
END
"$CAPOS_TOP/configure" one.profile "--components=$net" >said 2>&1 || { cat said; fail "one.profile was refused"; }
grep -q '#define FAKE_NET_RING 128' build/one/config-drv-fake-net.h || fail "the option did not reach config.h"
[ -e build/one/inc/drv-fake-net/lib/fake-port/fake_port.h ] || fail "a declared header is missing"
[ ! -e build/one/inc/drv-fake-net/plat ] || fail "the machine's header is on the path"
make -s build/one/elf/drv-fake-net.o >said 2>&1 || { cat said; fail "the component does not build out of tree"; }
touch -d '2001-01-01' mark build/one/symbols
sed -i 's/ring=128/ring=256/' one.profile
make build/one/elf/drv-fake-net.o >said 2>&1 || { cat said; fail "make did not configure again"; }
grep -q '#define FAKE_NET_RING 256' build/one/config-drv-fake-net.h || fail "a changed profile was not taken"
[ ! build/one/symbols -nt mark ] || fail "a file whose content is the same was written"
"$CAPOS_TOP/configure" one.profile "--components=$net" --set drv/fake-net.ring=512 >said
grep -q '#define FAKE_NET_RING 512' build/one/config-drv-fake-net.h || fail "--set was not taken"
grep -q 'drv/fake-net.ring .*512' build/one/picture.txt || fail "the picture does not show it"
make -s build/one/elf/drv-fake-net.o >said 2>&1 || { cat said; fail "it does not build with another option"; }
"$CAPOS_TOP/configure" bare "--components=$net" >said 2>&1
make -q build/one/elf/drv-fake-net.o || fail "to configure another profile builds this one again"

# A source of one's own: nothing is fetched, and the objects come from there.
cp -r "$CAPOS_BUILD/deps/lwip" lwip
"$CAPOS_TOP/configure" hello --with-lwip=lwip >said 2>&1 || { cat said; fail "--with-lwip was refused"; }
! grep -q 'not here yet:.* lwip' said || fail "configure would fetch what was given: $(cat said)"
echo '#error this is the copy' >>lwip/src/core/def.c
if CAPOS_DEPS_MIRROR=file:/nowhere make build/hello/elf/net-lwip/lib-src-core-def.o >said 2>&1; then fail "the copy was not compiled"; fi
grep -q 'lwip/src/core/def.c.*#error this is the copy' said || { cat said; fail "the copy was not compiled"; }

# As many jobs as CPUs, unless a person says how many; what is said on stderr comes whole.
mkdir path
printf '#!/bin/sh\necho 3\n' >path/nproc
chmod +x path/nproc
jobs() { # WANTED MAKEFLAGS ARGUMENTS...
    wanted=$1 flags=$2
    shift 2
    env -u MAKELEVEL "MAKEFLAGS=$flags" "PATH=$work/path:$PATH" make -pn "$@" help >said 2>/dev/null
    grep -q "^MAKEFLAGS = [a-z]* $wanted\( \|\$\)" said || fail "make ${flags:+with MAKEFLAGS=$flags }$*: not $wanted: $(grep '^MAKEFLAGS' said)"
}
jobs -j3 ""
jobs -j1 "" -j1
jobs -j5 -j5
jobs -j2 -j5 -j2
for i in 1 2 3 4; do
    "$CAPOS_TOP/build-scripts/step" CXX "build/$i" sh -c 'for i in 1 2 3; do echo "'$i' says" >&2; sleep 0.05; done; false' 2>>whole >/dev/null &
done
wait
[ "$(grep -c . whole)" = 24 ] && [ "$(grep '^. says' whole | uniq | wc -l)" = 4 ] || fail "steps side by side talk into each other: $(cat whole)"
echo passed

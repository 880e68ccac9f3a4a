#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# configure.sh: each way of calling configure wrongly is refused by name, says what is possible, and leaves no Makefile.
# timeout: 120
set -eu
: "${CAPOS_TOP:=$(cd "$(dirname "$0")/../.." && pwd)}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/o"
cd "$work/o"
refused() { # EXPECTED ARGUMENT...: an error that holds EXPECTED
    expected=$1
    shift
    if "$CAPOS_TOP/configure" "$@" >../said 2>&1; then
        echo "accepted: $*"
        exit 1
    fi
    grep -Fq -e "$expected" ../said || { printf '%s\nexpected: %s\nsaid:\n' "$*" "$expected"; cat ../said; exit 1; }
    [ ! -e Makefile ] || { echo "$*: refused, and wrote a Makefile"; exit 1; }
}
refused "unknown option '--nonsense'; ./configure --help lists them" --nonsense
refused "no profile 'nonsense' in configs/; there are: " nonsense
refused "no file 'nonsense.profile'" nonsense.profile
refused "'demo.fleet': fleets are not built yet; name one profile, which is a fleet of one (./configure --list)" demo.fleet
refused "'drive': fleets are not built yet" drive
refused "two profiles: 'hello' and 'store'" hello store
refused "--set needs COMPONENT.OPTION=VALUE" hello --set
refused "--components: no folder '/nowhere'" hello --components=/nowhere
refused "--with-zlib: no third-party source 'zlib'; there are: lwip mbedtls" hello --with-zlib=/tmp
refused "--with-lwip: no folder '/nowhere'" hello --with-lwip=/nowhere
refused "no compiler 'no-such-cc'" hello CC=no-such-cc
refused "nothing is configured here; run " --again
rm -rf build # what was found out about the tools before the refusal
refused "an argument holds a line feed" hello --set 'a.b=
c'
for name in test fuzz host gen deps third-party; do
    printf 'profile %s\n' "$name" >"$name.profile"
    refused "a profile may not be called '$name'" "$name.profile"
done
mkdir '../a b' '../$x'
refused "holds a character that make cannot take (a blank, a quote, $ : # ...); move it" hello "--components=$work/a b"
refused "holds a character that make cannot take" hello "--with-lwip=$work/\$x"
cp "$CAPOS_TOP/configs/hello.profile" "$work/a b/hello.profile"
refused "holds a character that make cannot take" "$work/a b/hello.profile"
cd "$work/a b"
refused "holds a character that make cannot take" hello
cd "$work/o"
ln -s "$CAPOS_TOP" "$work/a b/tree"
if "$work/a b/tree/configure" hello >../said 2>&1; then echo "a source tree with a blank in its path was accepted"; exit 1; fi
grep -Fq "the source tree: the path '$work/a b/tree' holds a character that make cannot take" ../said || { cat ../said; exit 1; }
printf '#!/bin/sh\ncase "$*" in *gnu2x*) exit 1 ;; esac\nexec gcc "$@"\n' >old-cc
chmod +x old-cc
refused "does not know -std=gnu2x; gcc 12 or clang 14 is the oldest that works" hello "CC=$PWD/old-cc"
mkdir -p bad/app/fake-x
printf 'component app/fake-x\nnonsense x\n' >bad/app/fake-x/component.conf
refused "hello is not configured: mend the lines above and run configure again" hello "--components=$PWD/bad"
mkdir -p ring/lib/fake-p ring/lib/fake-q
printf 'component lib/fake-p\nneeds lib/fake-q\nstart no\n' >ring/lib/fake-p/component.conf
printf 'component lib/fake-q\nneeds lib/fake-p\nstart no\n' >ring/lib/fake-q/component.conf
refused "the components have mistakes: mend the lines above and run configure again" hello "--components=$PWD/ring"
echo passed

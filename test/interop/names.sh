#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# names.sh: what capnpc-c refuses, and schemas that import each other.
# usage: names.sh SOURCE BUILD
set -eu
src=$1
build=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
compile() { capnp compile "-I$src/build-scripts/schema" "-I$folder" "-o$build/capnpc-c:." "$@"; }
fail() {
    echo "FAIL $1" >&2
    exit 1
}
# refused NAME 'SCHEMA' 'WHAT THE MESSAGE SAYS'
refused() {
    printf '@0x8db1c1b7a6f00001;\nusing C = import "/c.capnp";\n%s\n' "$2" >"$1.capnp"
    if compile "$1.capnp" >log 2>&1; then fail "$1 was not refused"; fi
    grep -qF "$3" log || fail "$1: $(cat log)"
    [ ! -e "$1.capnp.h" ] || fail "$1 left a header"
}
taken() {
    printf '@0x8db1c1b7a6f00001;\nusing C = import "/c.capnp";\n%s\n' "$2" >"$1.capnp"
    compile "$1.capnp" >log 2>&1 || fail "$1: $(cat log)"
}

refused structs 'struct FooBar { x @0 :UInt8; } struct Foo { struct Bar { x @0 :UInt8; } }' "'struct foo_bar_reader'"
refused fields 'struct Foo { aB @0 :UInt8; a :group { b @1 :UInt8; } } struct FooA { c @0 :UInt8; }' "'struct foo_a_reader'"
refused methods 'interface Foo { buildID @0 (); buildId @1 (); }' "foo"
refused enums 'enum Foo { aB @0; aBc @1; } enum FooA { b @0; }' "'FOO_A_B'"
taken annotated 'struct FooBar $C.name("other") { x @0 :UInt8; } struct Foo { struct Bar { x @0 :UInt8; } }'
taken prefixed '$C.prefix("p"); struct Foo { x @0 :UInt8; }'
grep -q 'struct p_foo_reader' prefixed.capnp.h || fail "prefix"

cat >a.capnp <<'END'
@0x8db1c1b7a6f0000a;
using B = import "/b.capnp";
struct InA { b @0 :B.InB; list @1 :List(B.InB); kind @2 :B.Kind; }
interface Base { one @0 (b :B.InB) -> (a :InA); }
END
cat >b.capnp <<'END'
@0x8db1c1b7a6f0000b;
using A = import "/a.capnp";
enum Kind { x @0; y @1; }
struct InB { a @0 :A.InA; base @1 :A.Base; }
END
cat >c.capnp <<'END'
@0x8db1c1b7a6f0000c;
interface Derived extends(import "/a.capnp".Base) { two @0 (); }
END
compile a.capnp b.capnp c.capnp
for order in "a b c" "c b a" "b a c"; do
    for f in $order; do echo "#include \"$f.capnp.h\""; done >one.c
    echo 'int main(void) { struct in_a_reader r = {{0}}; return (int)in_b_count(in_a_get_list(r)); }' >>one.c
    ${CC:-cc} -std=gnu2x -Wall -Wextra -Wshadow -Wconversion -Werror "-I$build/test/inc/lib-capnp" "-I$src/core/include" -I. \
        -fsyntax-only one.c || fail "importing each other, order $order"
done

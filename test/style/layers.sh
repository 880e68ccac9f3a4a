#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# layers.sh: no include goes sideways, up, or past component.conf; and the check does refuse such lines.
set -eu
: "${CAPOS_TOP:=$(cd "$(dirname "$0")/../.." && pwd)}" "${CAPOS_BUILD:=$CAPOS_TOP/build}" "${CAPOS_CHECKED=bare}"
cd "$CAPOS_TOP"
# shellcheck disable=SC2046
awk -f build-scripts/layers.awk components/*/*/component.conf \
    $(find core components platform -type f \( -name '*.c' -o -name '*.h' -o -name '*.S' \) | sort)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/components/drv/x" "$work/components/net/y" "$work/core/base"
printf 'component drv/x\nneeds net/y\n' >"$work/components/drv/x/component.conf"
try() { # FILE LINE MESSAGE
    printf '%s\n' "$2" >"$work/$1"
    if said=$(awk -f build-scripts/layers.awk "$work/components/drv/x/component.conf" "$work/$1"); then
        printf 'not refused: %s in %s\n' "$2" "$1"
        exit 1
    fi
    case $said in *"$3"*) ;; *) printf 'refused for another reason: %s in %s (said: %s)\n' "$2" "$1" "$said"; exit 1 ;; esac
}
try components/drv/x/a.c '#include "net/y/y.h"' 'drv may not include net/y/y.h'
try components/drv/x/a.c '#include "lib/z/z.h"' 'does not need lib/z'
try components/drv/x/a.c '#include "core/raw.h"' 'only buses do'
try components/drv/x/a.c '#include "plat/plat.h"' 'only core asks the machine'
try core/base/a.c '#include "lib/z/z.h"' "may not include a component's header"

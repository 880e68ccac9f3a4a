#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# sim-builds.sh: a seed is a run, whoever compiled the images: those of gcc (twice), of clang, and of gcc with ASan and UBSan give the same
# hash, with all faults, whatever their devices are attached by: 100 seeds of the store and of threads, 20 of remote calls and of reboots.
# SEEDS=n: fewer than 100.
# timeout: 1800
# cost: serial
set -eu
command -v clang >/dev/null || { echo "no clang: skipped"; exit 77; }
work=$(mktemp -d "${TMPDIR:-/tmp}/capos-deep-XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP
fleets=$CAPOS_TOP/test/sim/fleets

# build_as NAME ARGUMENT: the fleets' images in a folder of their own.
build_as() (
    mkdir -p "$work/$1/build"
    cd "$work/$1"
    ln -s "$CAPOS_BUILD/deps" build/deps
    for name in store load caps rpc-home rpc-load tight steady; do
        profile=$CAPOS_TOP/configs/$name.profile
        [ -e "$profile" ] || profile=$CAPOS_TOP/test/profiles/$name.profile
        "$CAPOS_TOP/configure" "$profile" "$2" >said 2>&1 || { cat said; exit 1; }
        make "-j$(nproc)" "build/$name/$name.sim" >said 2>&1 || { tail -n 30 said; exit 1; }
    done
)
build_as clang CC=clang
build_as sanitized --enable-sanitizers
strings "$work/sanitized/build/store/store.sim" | grep -q __asan_init || { echo "no sanitizers"; exit 1; }
strings "$work/clang/build/store/store.sim" | grep -q 'clang version' || { echo "not clang's"; exit 1; }

# all_alike FLEET SEED
all_alike() {
    wanted=
    for build in "$CAPOS_BUILD" "$CAPOS_BUILD" "$work/clang/build" "$work/sanitized/build"; do
        said=$("$CAPOS_BUILD/sim/sim" --build "$build" --fleet "$1" --seed "$2" 2>&1) || { echo "$build: $said"; exit 1; }
        hash=${said##*hash }
        [ -n "$wanted" ] || wanted=$hash
        [ "$hash" = "$wanted" ] || { printf 'seed %s: %s, but %s with %s\n' "$2" "$wanted" "$hash" "$build"; exit 1; }
    done
}
seed=1
while [ "$seed" -le "${SEEDS:-100}" ]; do
    all_alike "$fleets/store.fleet" "$seed"
    all_alike "$fleets/caps.fleet" "$seed"
    [ "$seed" -gt 20 ] || all_alike "$fleets/rpc.fleet" "$seed"
    [ "$seed" -gt 20 ] || all_alike "$fleets/reboot.fleet" "$seed"
    seed=$((seed + 1))
done
echo "${SEEDS:-100} seeds of the store and of threads, 20 at most of remote calls and reboots, four times each, the same hashes"

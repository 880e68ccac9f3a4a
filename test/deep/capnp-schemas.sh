#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# capnp-schemas.sh: messages of 1,000 random schemas by libcapnp and by C are the same in canonical form, byte for byte.
# timeout: 900
# cost: serial
#
# SCHEMAS (1000) and SEED (1000, so that they are others than make check's) may be set.
set -eu
build=$CAPOS_BUILD
folder=$build/interop/deep
rm -rf "$folder"
mkdir -p "$folder"
export CC="${CC:-cc}" CXX="${CXX:-c++}" CAPNP="${CAPNP:-capnp}" LIBS="${LIBS:--lcapnp -lkj}"
seed=${SEED:-1000}
left=${SCHEMAS:-1000}
while [ "$left" -gt 0 ]; do
    count=$((left < 50 ? left : 50))
    seed=$("$CAPOS_TOP/test/interop/batch" "$build/interop/schemas" "$seed" "$count" "$folder/batch.capnp")
    "$CAPOS_TOP/test/interop/compare" "$CAPOS_TOP" "$build" "$folder/batch.capnp"
    "$folder/batch" "$folder/batch.request" 20 "$seed"
    left=$((left - count))
done

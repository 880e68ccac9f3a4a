#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# bootstrap.sh: the README's command on fresh Debian 12 and 13 trees made by debootstrap, with nothing but git: packages
# installed, sources fetched, `hello` configured and built. Needs root and a network; minutes each.
# timeout: 1800
# cost: serial
set -eu
: "${CAPOS_TOP:=$(cd "$(dirname "$0")/../.." && pwd)}"
[ "$(id -u)" -eq 0 ] || { echo "needs root"; exit 77; }
command -v debootstrap >/dev/null || { echo "no debootstrap (apt-get install debootstrap)"; exit 77; }
mirror=$(apt-get indextargets --format '$(ORIGIN) $(LABEL) $(REPO_URI)' | sed -n 's/^Debian Debian //p' | head -n 1)
[ -n "$mirror" ] || { echo "apt knows no Debian mirror (apt-get update)"; exit 77; }
work=$(mktemp -d)
trap 'umount "$work"/*/proc 2>/dev/null || :; rm -rf --one-file-system "$work"' EXIT

for release in ${RELEASES:-bookworm trixie}; do
    tree=$work/$release
    echo "== $release"
    debootstrap --variant=minbase --include=git,ca-certificates "$release" "$tree" "$mirror" >"$work/$release.log" 2>&1 || { tail "$work/$release.log"; exit 1; }
    [ ! -f /etc/resolv.conf ] || cp -L /etc/resolv.conf "$tree/etc/resolv.conf"
    mount -t proc proc "$tree/proc"
    git clone -q --no-hardlinks "$CAPOS_TOP" "$tree/capos"
    chroot "$tree" sh -ec 'cd /capos && ./configure --bootstrap hello && make -j2 && ls -l build/hello/hello.elf && make && ./configure --bootstrap hello >/dev/null' >"$work/$release.log" 2>&1 || {
        tail -n 40 "$work/$release.log"
        exit 1
    }
    tail -n 2 "$work/$release.log"
    umount "$tree/proc"
done

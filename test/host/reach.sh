#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# reach.sh: nodes that are not there, that say nothing, and whose schema is damaged.
# timeout: 60
. "$CAPOS_TOP/test/host/lib.sh"

mock
kill "$mock"
wait "$mock" 2>/dev/null || :
expect 3 "$capos" ls "$node"
err 'unreachable:'
err 'refused'
expect 3 "$capos" ls nobody
err 'capos fleet up'
expect 2 "$capos" ls 127.0.0.1:notaport
expect 2 "$capos" ls
err 'capos: usage: capos ls NODE'
label=$(printf '%064d' 0) # longer than DNS allows: refused without asking anybody
expect 3 "$capos" ls "$label.invalid:7000"
err 'no address for'
[ "$(wc -l <"$work/err")" = 1 ] || fail "more than one line for a host that does not exist"

# It accepts the connection and says nothing, as QEMU's user network does for a guest that is not up.
mock --fault silent
expect 3 "$capos" ls "$node" --connect-timeout 1
err 'says nothing'
listener python3 -c '
import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(); print("port", s.getsockname()[1], flush=True)
while True:
    c = s.accept()[0]; c.sendall(b"\x00" * 64); c.close()'
expect 3 "$capos" ls "$node" --connect-timeout 1

mock --fault bad-schema
expect 1 "$capos" describe "$node" echo
err 'schema'

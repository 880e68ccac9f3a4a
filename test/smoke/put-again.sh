#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# put-again.sh: a put whose connection breaks in the middle goes on over a new one, and one that was killed goes on when it is typed
# again; the node writes each byte once.
# timeout: 240
. "$CAPOS_TOP/test/smoke/lib.sh"
SIZE=41943040
BEHIND=25165824 # bytes of the put, after which it breaks

mkfifo keys
exec 6<>keys
# await COUNT TEXT: until the console has said that so many times.
await() {
    await_line "$machine" console "$2" "$1" || { cat console; fail "the console did not say '$2' $1 times"; }
}
# written: bytes of data that the node has written since its boot.
written() {
    expect 0 "$capos" call store volume.info --json
    json 'int(d["info"]["bytesWritten"])'
}
# wrote_once BEFORE: since then the node has written one file, and nothing twice.
wrote_once() {
    more=$(($(written) - $1))
    [ "$more" -ge "$SIZE" ] && [ "$more" -le $((SIZE + 131072)) ] || fail "a file of $SIZE bytes took $more bytes of writes"
}
# relay: a port in front of the node's. From its first connection it says "passed" after so many bytes, and breaks it if told to.
relay() {
    listener python3 "$work/relay.py" "$(rpc_of store)" "$BEHIND" "$1"
}
cat >relay.py <<'END'
import socket, sys, threading

host, port = sys.argv[1].rsplit(":", 1)
behind, breaks = int(sys.argv[2]), sys.argv[3] == "break"
first = True

def copy(source, sink, limit):
    passed = 0
    try:
        while data := source.recv(65536):
            sink.sendall(data)
            passed += len(data)
            if limit is not None and passed >= limit:
                limit = None
                print("passed", flush=True)
                if breaks:
                    break
    except OSError:
        pass
    for end in source, sink:
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

listener = socket.create_server(("127.0.0.1", 0))
print("port", listener.getsockname()[1], flush=True)
while True:
    client, _ = listener.accept()
    node = socket.create_connection((host, int(port)))
    threading.Thread(target=copy, args=(client, node, behind if first else None), daemon=True).start()
    threading.Thread(target=copy, args=(node, client, None), daemon=True).start()
    first = False
END

head -c "$SIZE" /dev/urandom >file
head -c "$SIZE" /dev/urandom >other
: >console
"$capos" fleet up store --build "$CAPOS_BUILD" --disk "$work/disk" --disk-size 256M --lifetime 230 <keys >console 2>&1 &
machine=$!
await 1 "^store is ready"

# It goes on by itself.
before=$(written)
relay break
expect 0 "$capos" put "$node" /a/file file --json
read -r _ <&8
[ "$(grep -c 'the connection broke' err)" = 1 ] || fail "the put did not say, once, that its connection broke"
wrote_once "$before"
expect 0 "$capos" get store /a/file back
cmp file back || fail "the file is not what it was"

# It is killed, and typed again, once the node has heard of it.
before=$(written)
relay kill
"$capos" put "$node" /a/other other >put.out 2>put.err &
put=$!
read -r _ <&8
kill -KILL "$put"
wait "$put" || :
expect 1 "$capos" get store /a/other back
asked=0
while ! grep -q 'broken uploads kept *1 of' console; do
    [ "$asked" -lt 200 ] || fail "the node does not keep the upload"
    asked=$((asked + 1))
    echo store >&6
    await "$asked" 'broken uploads kept'
done
expect 0 "$capos" put store /a/other other --json
had=$(json 'int(d["resumedAt"])')
[ "$had" -ge $((BEHIND / 2)) ] && [ "$had" -lt "$SIZE" ] || fail "went on from $had"
wrote_once "$before"
expect 0 "$capos" get store /a/other back
cmp other back || fail "the other file is not what it was"

echo halt >&6
wait "$machine" || fail "the store did not end cleanly"

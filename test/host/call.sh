#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# call.sh: ls, describe, call, logs against a node of the reference implementation, in text and in JSON.
# timeout: 60
. "$CAPOS_TOP/test/host/lib.sh"
mock

expect 0 "$capos" ls "$node"
out 'store            Store            0x'
expect 0 "$capos" ls "$node" --json
[ "$(json 'd["caps"][2]["interface"]')" = Echo ] || fail "ls --json"

expect 0 "$capos" describe "$node" echo
out 'delay (milliseconds :UInt32) -> ()'
expect 0 "$capos" describe "$node" names --json
[ "$(json '[m["name"] for m in d["methods"]]')" = "['bind', 'lookup', 'list', 'remove', 'commit', 'put', 'watch', 'sub', 'readOnly', 'at']" ] || fail "describe --json"
[ "$(json 'd["structs"][0]["name"]')" = NameEntry ] || fail "describe does not show the structs that are mentioned"

expect 0 "$capos" describe "$node" --json
[ "$(json '[c["name"] for c in d["caps"]]')" = "['store', 'names', 'echo', 'root', 'volume']" ] || fail "describe --json of all"

expect 0 "$capos" call "$node" echo.echo '(text = "a \"b\" \\ ü\n\x01")'
[ "$(cat "$work/out")" = '(text = "a \"b\" \\ ü\n\x01")' ] || fail "text does not come back as it went"
expect 0 "$capos" call --json "$node" echo.echo '{"text": "a \"b\" \\ ü\n\u0001"}'
[ "$(json 'd["text"] == "a \"b\" \\ ü\n\u0001"')" = True ] || fail "JSON does not come back as it went"
# libcapnp 0.9 reads \u00fc as \u0052, and Python writes JSON so.
expect 0 "$capos" call --json "$node" echo.echo '{"text": "\u00fC \ud83d\ude00 \u0022\u005c \\u0041 \u20ac"}'
[ "$(json 'd["text"] == "\u00fc \U0001f600 \"\\ \\u0041 \u20ac"')" = True ] || fail "escapes in JSON are misread"
expect 0 "$capos" call "$node" echo.bytes '(data = 0x"00 ff 10")'
out '(data = 0x"00ff10")'
expect 0 "$capos" call --json "$node" echo.bytes '{"data": [0, 255, 16]}'
[ "$(json 'd["data"]')" = '[0, 255, 16]' ] || fail "data in JSON"
expect 0 "$capos" call "$node" echo.self
out '(echo = <Echo>)'
expect 0 "$capos" call --json "$node" echo.self
[ "$(json 'd["echo"]["interface"]')" = Echo ] || fail "a capability in JSON"
expect 0 "$capos" call "$node" node.get '(name = "store")'
out '(cap = <Capability>)'
expect 0 "$capos" call --json "$node" node.info
[ "$(json 'd["uptimeNs"]')" = 1500000000 ] || fail "UInt64 in JSON"
expect 0 "$capos" logs "$node"
out 'a line'
expect 0 "$capos" logs "$node" --json
[ "$(json 'd["line"]')" = 'a line' ] || fail "logs --json"

# Refusals: a typed reason and status 1; what a person mistyped: status 2.
expect 1 "$capos" call "$node" echo.fail '(reason = "because")'
err 'capos: failed: because'
expect 1 "$capos" call "$node" echo.fail '{"reason": "denied: no"}' --json
[ "$(python3 -c "import json; print(json.load(open('$work/err')))")" = "{'error': 'denied', 'reason': 'no'}" ] || fail "JSON error"
expect 1 "$capos" call "$node" echo.delay '(milliseconds = 1)'
err 'capos: unimplemented:'
expect 1 "$capos" call "$node" echo.ekko
err 'it has: echo bytes delay self fail'
expect 1 "$capos" call "$node" nothing.x
err 'denied:'
err 'there are: node store names echo'
expect 1 "$capos" call "$node" node.get '(name = "nothing")'
err "denied: this session has no 'nothing'"
expect 2 "$capos" call "$node" echo.echo '(tekst = "x")'
err 'tekst'
expect 2 "$capos" call "$node" echo.echo '(text = '
expect 2 "$capos" call "$node" echo.echo '(text = 3)'
expect 2 "$capos" call "$node" echo.echo '{"text": 3}' --json
expect 2 "$capos" call "$node" echo

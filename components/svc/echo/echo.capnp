# SPDX-License-Identifier: MIT OR Apache-2.0
# echo.capnp: the smallest useful service: says back what it is told. For trying out an image, a client or a network.

@0xbf990779ad2c5216;

interface Echo {
  echo @0 (text :Text) -> (text :Text);
  # The same text.

  bytes @1 (data :Data) -> (data :Data);
  # The same bytes, at most 64 KiB of them; more fails.

  delay @2 (milliseconds :UInt32) -> ();
  # Returns after that time. Cancelling the call ends the wait. Overloaded: too many waits at once.

  self @3 () -> (echo :Echo);
  # This very object, so that a client can call on a result that has not come back yet.

  fail @4 (reason :Text) -> ();
  # Always fails, with that reason.
}

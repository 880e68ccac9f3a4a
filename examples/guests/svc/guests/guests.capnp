# SPDX-License-Identifier: MIT OR Apache-2.0
# guests.capnp: a guest book.

@0xbf417aaef6bdaf72;

interface Guests {
  enter @0 (name :Text) -> (number :UInt64, welcome :Text);
  # Writes a name of 1 to 63 bytes into the book; number 1 was the first since boot.

  last @1 (count :UInt32) -> (names :List(Text));
  # Who came last, the latest first; at most as many as the book remembers.
}

# SPDX-License-Identifier: MIT OR Apache-2.0
# rpc_load.capnp: what the two sides of app/rpc-load ask of each other, in fleets of the simulator.

@0xd3a1f04be5c92768;

interface LoadTarget {
  hit @0 (tag :UInt32, line :UInt32, number :UInt32, wait :UInt32) -> (number :UInt32);
  # Call `number` of that line. Returns the number, after `wait` milliseconds.
}

interface LoadHome {
  fresh @0 (tag :UInt32, line :UInt32, wait :UInt32) -> (target :LoadTarget);
  # A new one, which lives here.
  echo @1 (target :LoadTarget, wait :UInt32) -> (target :LoadTarget);
  # The same back, after `wait` milliseconds.
  late @2 (target :LoadTarget, wait :UInt32, broken :Bool) -> (target :LoadTarget);
  # At once, a promise of it that is kept, or broken, after `wait` milliseconds.
  drive @3 (target :LoadTarget, count :UInt32, broken :Bool) -> ();
  # Hits it so many times, on a line of this image's own, and returns when all of them have.
  # `broken`: they may fail, the way to it is a promise that will be broken.
  held @4 (tag :UInt32, line :UInt32) -> (count :UInt32);
  # What fresh made for that line and somebody still holds.
  heavy @5 () -> (target :LoadTarget, data :Data);
  # A new one, and so many bytes that the results need one of the larger message buffers until they are finished.
}

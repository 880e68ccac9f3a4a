# SPDX-License-Identifier: MIT OR Apache-2.0
# late.capnp: what peers of two implementations ask of each other when a capability becomes known late.

@0xc5d847f60a330848;

interface Late {
  next @0 () -> (number :UInt32);             # 0, 1, 2, ...: the order in which calls came
  promise @1 () -> (late :Late);              # one that fulfill or refuse ends
  giveLater @2 (late :Late) -> (late :Late);  # the same back, when fulfill is called
  give @3 (late :Late) -> (late :Late);       # the same back at once
  fulfill @4 (late :Late) -> ();              # this is what promise gave
  refuse @5 (reason :Text) -> ();             # what promise gave will never be
  ask @6 (late :Late) -> (number :UInt32);    # its next()
  hold @7 () -> ();                           # never returns, but for being cancelled
  cancelled @8 () -> (count :UInt32);         # calls of hold
  fail @9 (type :UInt16, reason :Text) -> ();
  swallow @10 (data :Data) -> (size :UInt32);
  flood @11 (size :UInt32) -> (data :Data);
  make @12 () -> (late :Late);                # a new one
  left @13 () -> (entries :UInt32);           # what is held beyond this object and this call
}

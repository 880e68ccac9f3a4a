# SPDX-License-Identifier: MIT OR Apache-2.0
# vat_test.capnp: what the vat's tests call.

@0xcdd07c3e11cb8e7a;

interface Thing {
  echo @0 (text :Text) -> (text :Text);
  hold @1 () -> ();                       # returns when the test says so
  make @2 () -> (thing :Thing);           # a new one
  call @3 (thing :Thing, text :Text) -> (text :Text); # calls thing.echo and returns what that did
  keep @4 (thing :Thing) -> ();           # holds on to it
  drop @5 () -> ();                       # lets go of what it kept
  next @6 () -> (number :UInt32);         # 0, 1, 2, ...: the order of calls
  give @7 (thing :Thing) -> (thing :Thing);      # the same back
  giveLater @8 (thing :Thing) -> (thing :Thing); # the same back, when the test says so
  promise @9 () -> (thing :Thing);        # a promise, which the test resolves
  fail @10 (reason :Text) -> ();
  bytes @11 (data :Data, size :UInt32) -> (data :Data, got :UInt32);
  many @12 (count :UInt32) -> (things :List(Thing));
  deep @13 () -> (inner :Inner);
  struct Inner {
    number @0 :UInt32;
    inner @1 :Inner;
    thing @2 :Thing;
    text @3 :Text;
  }
  empty @14 () -> ();
}

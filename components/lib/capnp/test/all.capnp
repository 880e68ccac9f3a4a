# SPDX-License-Identifier: MIT OR Apache-2.0
# all.capnp: every kind of thing that a schema may say, for the tests of lib/capnp and capnpc-c.

@0xd8c0e5dbd9c4a2f1;

using C = import "/c.capnp";
$C.prefix("test");

const answer :UInt32 = 42;
const minus :Int8 = -5;
const half :Float64 = 0.5;
const yes :Bool = true;
const greeting :Text = "hello \"world\"\n";
const bytes :Data = 0x"00 01 fe ff";
const primes :List(UInt16) = [2, 3, 5, 7];
const place :Point = (x = 3, y = -4);
const favourite :Colour = green;

enum Colour { red @0; green @1; deepBlue @2; }

struct Point { x @0 :Int32; y @1 :Int32; }

struct All {
  void @0 :Void;
  bool @1 :Bool;
  int8 @2 :Int8;
  int16 @3 :Int16;
  int32 @4 :Int32;
  int64 @5 :Int64;
  uInt8 @6 :UInt8;
  uInt16 @7 :UInt16;
  uInt32 @8 :UInt32;
  uInt64 @9 :UInt64;
  float32 @10 :Float32;
  float64 @11 :Float64;
  text @12 :Text;
  data @13 :Data;
  all @14 :All;
  colour @15 :Colour;
  interface @16 :Adder;

  voids @17 :List(Void);
  bools @18 :List(Bool);
  int8s @19 :List(Int8);
  int16s @20 :List(Int16);
  int32s @21 :List(Int32);
  int64s @22 :List(Int64);
  uInt8s @23 :List(UInt8);
  uInt16s @24 :List(UInt16);
  uInt32s @25 :List(UInt32);
  uInt64s @26 :List(UInt64);
  float32s @27 :List(Float32);
  float64s @28 :List(Float64);
  texts @29 :List(Text);
  datas @30 :List(Data);
  alls @31 :List(All);
  colours @32 :List(Colour);
  interfaces @33 :List(Adder);
  numbers @34 :List(List(Int32));
  points @35 :List(List(List(Point)));
  any @36 :AnyPointer;
  anyList @37 :AnyList;
  anyStruct @38 :AnyStruct;
  capability @39 :Capability;
  boxed @40 :Box(Text);
  union @41 :Unions;
  defaults @42 :Defaults;
}

struct Defaults {
  bool @0 :Bool = true;
  int8 @1 :Int8 = -123;
  int16 @2 :Int16 = -12345;
  int32 @3 :Int32 = -12345678;
  int64 @4 :Int64 = -123456789012345;
  uInt8 @5 :UInt8 = 234;
  uInt16 @6 :UInt16 = 45678;
  uInt32 @7 :UInt32 = 3456789012;
  uInt64 @8 :UInt64 = 12345678901234567890;
  float32 @9 :Float32 = 1234.5;
  float64 @10 :Float64 = -123e45;
  text @11 :Text = "foo";
  data @12 :Data = 0x"62 61 72";
  point @13 :Point = (x = 7, y = 8);
  colour @14 :Colour = deepBlue;
  numbers @15 :List(Int32) = [1, -2, 3];
  texts @16 :List(Text) = ["plugh", "xyzzy"];
  points @17 :List(Point) = [(x = 1), (y = 2)];
  bools @18 :List(Bool) = [true, false, true];
  plain @19 :Text;
}

struct Box(T) { value @0 :T; }

struct Unions {
  before @0 :UInt8;
  union {
    nothing @1 :Void;
    number @2 :Int64 = 17;
    text @3 :Text = "unset";
    point @4 :Point;
    flag @5 :Bool;
    pair :group { left @6 :Int32 = 6; right @7 :Text; }
    list @8 :List(Point);
    cap @9 :Adder;
    nested :group {
      common @10 :UInt16;
      union { one @11 :Text; two @12 :List(UInt8); three @13 :AnyPointer; }
    }
  }
  kind :union { small @14 :UInt8; large @15 :UInt64; words @16 :List(Text); }
  plain :group { a @17 :UInt32; b @18 :Point; }
}

# Versions of one struct, as years would make them.
struct Old { a @0 :UInt32; name @1 :Text; items @2 :List(OldItem); values @3 :List(UInt32); names @4 :List(Text); }
struct OldItem { a @0 :UInt16; }
struct New {
  a @0 :UInt32; name @1 :Text; items @2 :List(NewItem); values @3 :List(NewValue); names @4 :List(NewName);
  b @5 :UInt64 = 99; point @6 :Point; more @7 :Text = "more"; c @8 :Bool = true;
}
struct NewItem { a @0 :UInt16; b @1 :UInt64 = 5; name @2 :Text = "none"; }
struct NewValue { value @0 :UInt32; flag @1 :Bool = true; next @2 :Text; }
struct NewName { name @0 :Text; extra @1 :UInt8 = 3; }
struct ByteItems { items @0 :List(UInt8); }
struct ByteStructs { items @0 :List(ByteStruct); }
struct ByteStruct { first @0 :UInt8; second @1 :UInt8 = 9; third @2 :Text; }

struct Keywords $C.name("kw") {
  int @0 :UInt8;
  default @1 :UInt8;
  buildID @2 :UInt8 $C.name("build");
}

interface Named { who @0 () -> (name :Text); delete @1 (force :Bool); }
interface Counted { count @0 () -> (calls :UInt32); }
interface Adder extends(Named, Counted) {
  add @0 (left :Int32, right :Int32) -> (sum :Int32);
  flip @1 Point -> Point;
  all @2 (all :All, extra :AnyPointer) -> (all :All);
  self @3 () -> (adder :Adder);
  push @4 (chunk :Data) -> stream;
}

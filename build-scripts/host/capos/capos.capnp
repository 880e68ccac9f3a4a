# SPDX-License-Identifier: MIT OR Apache-2.0
# capos.capnp: what the host command remembers of running nodes, and what it prints with --json.
#
# Field names are what scripts read: they may be added to, never renamed. Byte counts are Float64 because Cap'n
# Proto's JSON writes 64-bit integers as strings, and a script that adds sizes wants numbers.

@0xd017f2aaf8bd6772;

struct Port {
  name @0 :Text;     # as the profile's `port` line calls it: "rpc"
  guest @1 :UInt16;  # the port that the image listens on
  host @2 :UInt16;   # the port of 127.0.0.1 that leads there
}

struct NodeState {
  # One node of the running fleet: STATE/NAME/node.json, and an entry of `fleet status --json`.
  name @0 :Text;
  pid @1 :Int32;           # of QEMU or the .sim; 0 once it is gone
  state @2 :Text;          # starting, ready, stopped (cleanly), failed, panicked, refused, reset, killed
  rpc @3 :Text;            # host:port, empty without an rpc port
  ports @4 :List(Port);
  console @5 :Text;        # UNIX socket of the serial console
  log @6 :Text;            # everything the serial console ever said
  profile @7 :Text;
  platform @8 :Text;       # qemu or sim
  machine @9 :Text;        # q35, pc, microvm
  accel @10 :Text;         # tcg or kvm
  image @11 :Text;
  disk @12 :Text;          # empty without one
  startTicks @13 :Text;    # field 22 of /proc/PID/stat: with the pid, it names one process for ever
  status @14 :Text;        # how it ended, in words; empty while it runs
}

struct FleetStatus {
  nodes @0 :List(NodeState);
}

struct NodeRow {
  # `node ls`: what a node says about itself over RPC.
  name @0 :Text;
  rpc @1 :Text;
  state @2 :Text;          # ready, unreachable, or the fleet state of one that does not run
  healthy @3 :Bool;
  profile @4 :Text;
  version @5 :Text;
  buildId @6 :Text;
  platform @7 :Text;
  uptimeSeconds @8 :Float64;
  memoryBytes @9 :Float64;
  memoryUsed @10 :Float64;
  reason @11 :Text;        # why it is unreachable
}

struct NodeRows {
  nodes @0 :List(NodeRow);
}

struct CapRow {
  name @0 :Text;
  interface @1 :Text;
  id @2 :Text;             # 0x and 16 hex digits
}

struct CapRows {
  caps @0 :List(CapRow);
}

struct FieldRow {
  name @0 :Text;
  type @1 :Text;
}

struct MethodRow {
  name @0 :Text;
  ordinal @1 :UInt16;
  interface @2 :Text;      # where it is declared: an interface inherits methods
  params @3 :List(FieldRow);
  results @4 :List(FieldRow);
}

struct StructRow {
  name @0 :Text;
  fields @1 :List(FieldRow);
}

struct Description {
  name @0 :Text;
  interface @1 :Text;
  id @2 :Text;
  methods @3 :List(MethodRow);
  structs @4 :List(StructRow);   # every struct and enum that a method mentions
}

struct Descriptions {
  # `describe NODE --json` of all, or of several; of one it is a Description.
  caps @0 :List(Description);
}

struct LogLine {
  # `logs --json`: one of these a line.
  line @0 :Text;
}

struct Transfer {
  # The answer of `put` and `get`.
  path @0 :Text;
  file @1 :Text;
  size @2 :Float64;
  digest @3 :Text;         # hex SHA-256
  resumedAt @4 :Float64;   # bytes that an earlier try had already brought
  seconds @5 :Float64;
  known @6 :Bool;          # put: the node had these bytes, and only the name was sent
}

struct TreeTransfer {
  # The answer of `put -r`, `get -r`, `export` and `import`.
  path @0 :Text;
  file @1 :Text;
  files @2 :UInt32;        # that are now where they should be
  directories @3 :UInt32;
  size @4 :Float64;        # of these files
  known @5 :UInt32;        # of these files, those that were there before
  failed @6 :UInt32;       # files, directories and links that are not, each named on standard error
  seconds @7 :Float64;
}

struct FileRow {
  # `stat`, and each of the `entries` of `ls NODE PATH`.
  name @0 :Text;           # in its directory; of `stat`, the path
  kind @1 :Text;           # file, directory
  size @2 :Float64;
  made @3 :When;
  changed @4 :When;
  digest @5 :Text;         # hex SHA-256; empty when the content was written to since it came, and of directories
  id @6 :UInt64;           # the same file as long as that is the same, whatever its name
}

struct When {
  time @0 :Text;           # 2026-01-31T23:59:59.000000000Z; empty when the node had no clock
  clock @1 :Text;          # who says so: rtc, imported, client; unknown: nobody
}

struct Change {
  # `watch --json`: one of these a line.
  path @0 :Text;           # what changed, below the directory that is watched
  lost @1 :Bool;           # more changed than the node remembers: look at everything
}

struct SnapshotRow {
  # The answer of `snapshot`, and each of the `snapshots` of `snapshot --list`.
  generation @0 :Float64;  # what --at and --drop take
  label @1 :Text;
  made @2 :When;
}

struct DiskMade {
  # The answer of `disk create`.
  file @0 :Text;
  bytes @1 :Float64;
  formatted @2 :Bool;
}

struct DiskFacts {
  # The answer of `disk inspect`.
  file @0 :Text;
  bytes @1 :Float64;       # of the file
  kind @2 :Text;           # volume; doomed, damaged, newer: of ours; blank, zeros; ext, gpt, fat, ...: another's; unknown
  what @3 :Text;           # the same in words
  inUse @4 :Bool;          # a virtual machine has it open
  superblocks @5 :List(DiskSuperblock);
  volume @6 :DiskVolume;   # absent unless a superblock is good
  catalog @7 :DiskCatalog; # absent unless it can be read
}

struct DiskSuperblock {
  state @0 :Text;          # good, damaged, blank, foreign, newer, missing (cannot be read)
  version @1 :UInt32;
  generation @2 :Float64;
}

struct DiskVolume {
  uuid @0 :Text;
  version @1 :UInt32;
  generation @2 :Float64;  # one more at each checkpoint
  bytes @3 :Float64;       # that the volume takes of the disk
  logStart @4 :Float64;    # starts are blocks of 4 KiB
  logBytes @5 :Float64;
  mapStart @6 :Float64;
  databaseRuns @7 :Float64;
  dataStart @8 :Float64;
  dataBytes @9 :Float64;
}

struct DiskCatalog {
  logPages @0 :Float64;    # pages of whole commits that the log holds
  databaseBytes @1 :Float64;
  databaseBytesMax @2 :Float64;
  objects @3 :Float64;
  names @4 :Float64;       # files, directories and names of blobs, those of snapshots too
  freeBytes @5 :Float64;   # for data
  snapshots @6 :List(DiskSnapshot);
}

struct DiskSnapshot {
  generation @0 :Float64;  # what `disk export --at` takes
  label @1 :Text;
}

struct DiskChecked {
  # The answer of `disk check`.
  file @0 :Text;
  faults @1 :Float64;
  fault @2 :List(Text);
  notes @3 :List(Text);    # what is no fault: traces of a power cut
  pages @4 :Float64;       # of the database, compared with their checksums
  extents @5 :Float64;
  dataBytes @6 :Float64;   # compared likewise
}

struct DiskExported {
  # The answer of `disk export`.
  file @0 :Text;
  out @1 :Text;
  files @2 :Float64;
  directories @3 :Float64;
  bytes @4 :Float64;
  damaged @5 :List(Text);  # what is not there, or with zeros in it
}

struct Problem {
  # With --json, a failure is this on standard error; of a verb that goes on with other files, one a line.
  error @0 :Text;          # denied, failed, full, overloaded, unimplemented, disconnected, unreachable, usage, ...
  reason @1 :Text;
  path @2 :Text;           # the file that it is about
}

# SPDX-License-Identifier: MIT OR Apache-2.0
# store.capnp: what a storage node offers: blobs named by what they hold, names for them, directories of files, and the
# volume that they stand on.
#
# (1) Whatever a method acknowledged is durable, and happened whole; what failed did not happen.
# (2) A view is a capability for less, made from one for more: by readOnly(), appendOnly(), sub() and quota(). Anyone who
#     holds the wider one can make it; nothing widens it again. What a view has no right to fails "denied: ...".
# (3) A failure begins with a word for programs, except when the disk or the node itself is why ("put: the disk failed"):
#       not-found  exists  conflict (somebody was faster)  busy (another writer)  denied  bad-argument  full
#       not-empty  not-directory  is-directory  corrupt (what is stored is not what was; names the object)
#     One of the kind `overloaded` may succeed later.
# (4) A digest is 32 bytes of SHA-256 over a blob's bytes. A chunk is at most 64 KiB of Data.
# (5) A name is 1 to 255 bytes of UTF-8 without control characters. A path is names with '/' between them, none of them "."
#     or "..", at most 4,095 bytes in all; the empty path is the directory itself. No path leads out of its directory.
# (6) An upload whose put() was told the digest, and that was dropped before finish(), as when its connection ended, may be kept
#     for some minutes. The same put() again, of that digest and size, to that name in that directory, gives it back with what
#     came of it: the blob's first `received` bytes. The rest is sent from there on, with offsets. It is kept in memory, not over
#     a boot; not with a size of 2,000 bytes or less, nor under a quota; and only while nobody else needs its room or its place.
#     One of which nothing was heard for ten seconds is given back likewise, though it was not dropped: so who tells put() the
#     digest sends offsets with all writes, or two that put the same at a time may spoil each other's.

@0xf062c3a68c3994db;

struct Time {
  # When something happened, and how far that may be believed.
  nanoseconds @0 :Int64;   # since 1970-01-01, UTC
  clock @1 :Clock;
  enum Clock {
    unknown @0;            # there was no clock: nanoseconds is 0
    rtc @1;                # the machine's, read at boot, and counted on from there
    imported @2;           # said by the volume or archive that it came from
    client @3;             # said by whoever wrote it
  }
}

interface ByteSink {
  # Takes a stream by pushes. The caller bounds its own outstanding calls; they are served in order.
  write @0 (chunk :Data, offset :UInt64 = 0xffffffffffffffff) -> ();
  # With an `offset`, "conflict: ..." unless the chunk begins there: so none is taken behind one that was not. Needed by who goes
  # on with an upload (6).
  done @1 () -> ();
}

interface ByteSource {
  read @0 (offset :UInt64, limit :UInt32) -> (chunk :Data);
  # At most `limit` bytes and at most 64 KiB; empty at or past the end.
  size @1 () -> (bytes :UInt64);
}

interface Upload extends(ByteSink) {
  # One blob on its way in. Dropping the capability before finish() throws away what was written, but for (6); holding it
  # afterwards keeps the blob from collect().
  finish @0 (expected :Data) -> (digest :Data);
  # Fails unless exactly the announced number of bytes came, and "corrupt: ..." unless they have the digest `expected`, if
  # one is given, or that put() was told. Of an upload to a name, the name means the blob when this returns. A blob without
  # one that others give a name, too, goes with that name, if it has no pin: who binds it then is told "not-found: ...".
}

# --- blobs --------------------------------------------------------------------------------------------------------------

interface Store {
  put @0 (size :UInt64, digest :Data) -> (upload :Upload, received :UInt64);
  # `digest`, if it is known, and `received`: (6). Reserves room for a blob of exactly `size` bytes. Failed, "full: ...": there is
  # none. Overloaded: none just now, while uploads and readers are open, or too many uploads at once.
  get @1 (digest :Data) -> (blob :ByteSource, size :UInt64);
  # Its bytes do not change, and stay while `blob` is held.
  stat @2 (digest :Data) -> (size :UInt64, present :Bool, names :UInt32, pins :UInt32);
  # Not `present` is also one in which damage was met: to put its bytes again mends it.
  info @3 () -> (totalBytes :UInt64, freeBytes :UInt64, blobs :UInt64, uuid :Data);
  remove @4 (digest :Data) -> (removed :Bool);
  # Forgets a blob that has no name. Fails while it has one: a blob with names goes with the last of them.
  pin @5 (digest :Data) -> (pins :UInt32);
  # One more reason to keep it, beside its names. Pins are counted.
  unpin @6 (digest :Data) -> (pins :UInt32);
  # With the last pin of a blob without names the blob goes.
  collect @7 () -> (removed :UInt64, bytes :UInt64);
  # Forgets all blobs that no name and no pin leads to and that nobody has open.
  readOnly @8 () -> (store :Store);
}

# --- names for blobs ----------------------------------------------------------------------------------------------------

interface Namespace {
  # Flat: '/' has no meaning here.
  bind @0 (name :Text, digest :Data) -> (previous :Data);
  # The name means this blob from now on. `previous` is empty if the name was free.
  lookup @1 (name :Text) -> (digest :Data, size :UInt64, present :Bool);
  list @2 (prefix :Text, after :Text, limit :UInt32) -> (entries :List(NameEntry), more :Bool);
  # Names that begin with `prefix` and sort after `after`, in byte order. A page has at most 100; 0: as many as that.
  remove @3 (name :Text) -> (removed :Bool);
  commit @4 (changes :List(NameChange)) -> (applied :Bool, conflict :UInt32);
  # All of them, in order, in one step, or none: then `conflict` is the first whose name did not mean what was expected.
  # Compare-and-set is a commit of one. At most 64.
  put @5 (name :Text, size :UInt64, digest :Data) -> (upload :Upload, received :UInt64);
  # Store.put() and bind() in one step, at its finish().
  watch @6 (prefix :Text, watcher :Watcher) -> (watch :Watch);
  sub @7 (prefix :Text) -> (names :Namespace);
  # The names that begin with `prefix`, called by what is behind it. 1 to 255 bytes.
  readOnly @8 () -> (names :Namespace);
  at @9 (generation :UInt64) -> (names :Namespace);
  # As it was at a snapshot (Volume.snapshot), to be read.
}

struct NameEntry {
  name @0 :Text;
  digest @1 :Data;
  size @2 :UInt64;
}

struct NameChange {
  name @0 :Text;
  digest @1 :Data;         # what it means from now on; empty: the name goes
  condition @2 :Condition;
  expected @3 :Data;
  enum Condition {
    none @0;
    means @1;              # the blob `expected`; empty: nothing
  }
}

interface Watcher {
  # Served by whoever watches.
  changed @0 (names :List(Text), lost :Bool) -> ();
  # Names or paths that changed since the last call, after that is durable; each once. The next call comes when this one
  # has returned. `lost`: there were more than a watch remembers: look at everything.
}

interface Watch {
  # Dropping it ends it; so does a watcher that fails, but for `overloaded`: then it is told a second later that names were
  # lost. A connection without a byte for `idle_seconds` of rpc/vat is ended, and its watches with it: who watches what seldom
  # changes asks something now and then, as `capos watch` does.
}

# --- directories --------------------------------------------------------------------------------------------------------

struct Stat {
  kind @0 :Kind;
  size @1 :UInt64;         # of a file, in bytes
  made @2 :Time;
  changed @3 :Time;
  digest @4 :Data;         # of a file whose content came as a blob and was not written to since; else empty
  id @5 :UInt64;           # stays with it when it is renamed; never used twice on a volume
  enum Kind {
    directory @0;
    file @1;
  }
}

struct DirectoryEntry {
  name @0 :Text;
  stat @1 :Stat;
}

interface Directory {
  stat @0 (path :Text) -> (stat :Stat);
  list @1 (path :Text, after :Text, limit :UInt32) -> (entries :List(DirectoryEntry), more :Bool);
  # In byte order, those after `after`. A page has at most 100; 0: as many as that.
  open @2 (path :Text, mode :Mode, create :Create) -> (file :File);
  # One writer a file: "busy: ..." when somebody has it open for writing or appending. Readers see what was acknowledged.
  mkdir @3 (path :Text, parents :Bool) -> ();
  # `parents`: missing directories before it too, and it may be there already. Each is made by itself: those that are made when
  # one is refused stay.
  remove @4 (path :Text) -> ();
  # A file, or an empty directory.
  rename @5 (from :Text, to :Text, exclusive :Bool) -> ();
  # One step. What stands at `to` is replaced (a file by a file, an empty directory by a directory), unless `exclusive`.
  put @6 (path :Text, size :UInt64, exclusive :Bool, digest :Data) -> (upload :Upload, received :UInt64);
  # The file holds the upload's bytes, in one step at its finish(); until then it is what it was.
  get @7 (path :Text) -> (blob :ByteSource, stat :Stat);
  # The file's bytes as they are now: they do not change while `blob` is held.
  bind @8 (path :Text, digest :Data) -> (previous :Data);
  # The file holds this blob's bytes. `previous`: the digest of the blob that it held before; empty if none.
  watch @9 (path :Text, watcher :Watcher) -> (watch :Watch);
  # Tells of changes of names, and of files that were closed by their writer, in the directory at `path` and below.
  sub @10 (path :Text) -> (directory :Directory);
  readOnly @11 () -> (directory :Directory);
  appendOnly @12 () -> (directory :Directory);
  # Files and directories may be made and files appended to; nothing is replaced, renamed or removed.
  quota @13 (bytes :UInt64) -> (directory :Directory);
  # What is written through it and its views, less what is removed through them, stays within `bytes`: else "full: quota ...".
  at @14 (generation :UInt64) -> (directory :Directory);
  # As it was at a snapshot (Volume.snapshot), to be read.

  enum Mode {
    read @0;
    write @1;
    append @2;
  }
  enum Create {
    never @0;
    ifMissing @1;
    exclusive @2;          # "exists: ..." when there is one
  }
}

interface File extends(ByteSource) {
  write @0 (offset :UInt64, bytes :Data) -> ();
  # At most 64 KiB. Behind the end: what lies between is zero.
  append @1 (bytes :Data) -> (offset :UInt64);
  truncate @2 (size :UInt64) -> ();
  # Also to more than it has: zeros.
  sync @3 () -> ();
  # Returns when all that was written before is durable.
  stat @4 () -> (stat :Stat);
  readOnly @5 () -> (file :File);
  appendOnly @6 () -> (file :File);
}

# --- the volume ---------------------------------------------------------------------------------------------------------

interface Volume {
  info @0 () -> (info :VolumeInfo);
  check @1 () -> (faults :UInt64);
  # Whether the catalog agrees with itself; each fault is a line of the node's log. Nothing else is served meanwhile.
  scrub @2 (bytesPerSecond :UInt64) -> ();
  # Reads all data and compares it with its checksums, in the background, at most so fast; 0 stops it.
  scrubbed @3 () -> (report :ScrubReport);
  format @4 (confirm :Text) -> ();
  # Makes the disk empty and ours, whatever was on it. `confirm` must be "erase everything".
  snapshot @5 (label :Text) -> (generation :UInt64);
  # All names and files as they are now, to be seen through at(generation), until it is dropped.
  snapshots @6 (after :UInt64, limit :UInt32) -> (snapshots :List(Snapshot), more :Bool);
  dropSnapshot @7 (generation :UInt64) -> ();
}

struct Snapshot {
  generation @0 :UInt64;
  label @1 :Text;
  made @2 :Time;
}

struct VolumeInfo {
  uuid @0 :Data;
  state @1 :State;
  reason @2 :Text;         # of a state that is not `mounted`
  totalBytes @3 :UInt64;   # for data
  freeBytes @4 :UInt64;
  reservedBytes @5 :UInt64; # of the free ones: for uploads that are open, or broken and kept
  blobs @6 :UInt64;
  names @7 :UInt64;        # of both trees, those that only snapshots show included
  snapshots @8 :UInt32;
  databaseBytes @9 :UInt64;
  databaseBytesMax @10 :UInt64;
  operations @11 :UInt64;  # since the boot
  commits @12 :UInt64;
  bytesRead @13 :UInt64;
  bytesWritten @14 :UInt64;
  errors @15 :UInt64;      # reads and writes that the disk failed
  damaged @16 :UInt64;     # blocks that did not hold what was written
  queueDepth @17 :UInt32;  # transfers with the disk just now
  latency @18 :List(UInt64); # operations by the time they took: below 16 us, 32 us, 64 us, ...; the last: all that took longer
  enum State {
    mounting @0;
    mounted @1;
    readOnly @2;           # the disk failed: nothing is written before the next boot
    foreign @3;            # not a volume of ours, or damaged, or of a later version: format() would erase it
  }
}

struct ScrubReport {
  running @0 :Bool;
  bytes @1 :UInt64;        # that were read and compared, in this or the last round
  bytesTotal @2 :UInt64;   # that are in use
  damaged @3 :List(Text);  # the first 100 blobs and files with a block that is not what was written
  damagedBlocks @4 :UInt64;
  began @5 :Time;
  ended @6 :Time;          # unknown while it runs
}

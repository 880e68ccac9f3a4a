# SPDX-License-Identifier: MIT OR Apache-2.0
# store.capnp: blobs named by what they hold, and names for them.
#
# A digest is 32 bytes of SHA-256 over the blob's bytes. A chunk is at most 64 KiB of Data. What was acknowledged
# is durable: finish(), bind() and remove() return only after the disk has flushed. A blob lives until its last name goes;
# one that never had a name lives until Store.remove().

@0xf062c3a68c3994db;

interface ByteSink {
  # Takes a stream by pushes. The caller bounds its own outstanding calls; they are served in order.
  write @0 (chunk :Data) -> ();
  done @1 () -> ();
}

interface ByteSource {
  # Bytes that do not change while this capability is held.
  read @0 (offset :UInt64, limit :UInt32) -> (chunk :Data);
  # At most `limit` bytes and at most 64 KiB; empty at or past the end.
  size @1 () -> (bytes :UInt64);
}

interface Upload extends(ByteSink) {
  # One blob on its way in. Dropping the capability before finish() throws away what was written.
  finish @0 () -> (digest :Data);
  # Fails unless exactly the announced number of bytes came. Returns when the blob is on the disk.
}

interface Store {
  put @0 (size :UInt64) -> (upload :Upload);
  # Reserves room for a blob of exactly `size` bytes. Failed, "full: ...": there is none. Overloaded: none just now, while
  # uploads and readers are open, or too many uploads at once.
  get @1 (digest :Data) -> (blob :ByteSource, size :UInt64);
  stat @2 (digest :Data) -> (size :UInt64, present :Bool);
  info @3 () -> (totalBytes :UInt64, freeBytes :UInt64, blobs :UInt64, uuid :Data);
  format @4 (confirm :Text) -> ();
  # Makes the disk empty and ours, whatever was on it. `confirm` must be "erase everything".
  remove @5 (digest :Data) -> (removed :Bool);
  # Forgets a blob that has no name. Fails while it has one: a blob with names goes with the last of them.
}

interface Namespace {
  # A name is 1 to 255 bytes of UTF-8 without control characters. '/' has no meaning to the store.
  bind @0 (name :Text, digest :Data) -> (previous :Data);
  # The name means this blob from now on: one atomic, durable step. `previous` is empty if the name was free.
  lookup @1 (name :Text) -> (digest :Data, size :UInt64, present :Bool);
  list @2 (prefix :Text, after :Text, limit :UInt32) -> (entries :List(NameEntry), more :Bool);
  # Names that begin with `prefix` and sort after `after`, in byte order.
  remove @3 (name :Text) -> (removed :Bool);
}

struct NameEntry {
  name @0 :Text;
  digest @1 :Data;
  size @2 :UInt64;
}

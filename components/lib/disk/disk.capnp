# SPDX-License-Identifier: MIT OR Apache-2.0
# disk.capnp: a disk as a capability, for whoever cannot be handed a contract: a thread, another domain.

@0xaab43017a95aa563;

interface Region {
  # Memory that is lent: an object of core/region.h, within this image only. It has no methods; a server looks up the span
  # that a call names. Rights stand in the region.
}

interface BlockDevice {
  # Sectors are of 512 bytes, whatever the disk; `sector` and `bytes` are multiples of logicalBytes. Calls end in any order,
  # and only when the disk has done with the memory, cancelled or not. Failed: i/o error; beyond the end; no right to the
  # region or not within it; a disk that is read only. Unimplemented: a disk that cannot. Overloaded: `depth` calls are out.
  info @0 () -> (sectors :UInt64, logicalBytes :UInt32, physicalBytes :UInt32, bytesMax :UInt32, depth :UInt16,
                 readOnly :Bool, id :Text, discardSectorsMax :UInt32, discardSectors :UInt32, zeroesSectorsMax :UInt32);
  # The last three: what discard() and writeZeroes() take at most, 0 where the disk has no such thing; and what it discards at
  # once: less, or across its borders, it may leave as it is.
  read @1 (sector :UInt64, bytes :UInt32, region :Region, offset :UInt64) -> ();
  # Into the region, which must be writable, at an offset that is a multiple of 4. At most bytesMax.
  write @2 (sector :UInt64, bytes :UInt32, region :Region, offset :UInt64) -> ();
  # From the region. Durable when a flush() that was called after this returned has returned.
  flush @3 () -> ();
  discard @4 (sector :UInt64, sectors :UInt32) -> ();
  # What they hold is undefined until they are written again.
  writeZeroes @5 (sector :UInt64, sectors :UInt32) -> ();
  # As write() does it, but the disk may give back the room.
}

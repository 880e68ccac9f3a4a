# SPDX-License-Identifier: MIT OR Apache-2.0
# node.capnp: what every image answers first.
#
# The bootstrap capability of an image's RPC port is a Node. From it a peer learns what runs here, which
# capabilities the profile lets a remote session reach (its `expose` lines), and the schemas to speak to them
# with; nothing else in the image can be named from outside.

@0x8d72f681f15a5bd9;

interface Node {
  info @0 () -> (profile :Text, version :Text, buildId :Text, platform :Text,
                 uptimeNs :UInt64, memoryBytes :UInt64, memoryUsed :UInt64, healthy :Bool,
                 illness :Text);
  # Who this is and how it is doing. `version` and `buildId` are those of the first console line.

  list @1 () -> (caps :List(CapInfo));
  # The capabilities that get() would hand to this session.

  get @2 (name :Text) -> (cap :Capability);
  # The capability exposed as `name`. Fails, "denied: ...", when the profile exposes none of that name.

  schema @3 (offset :UInt32, limit :UInt32) -> (data :Data, total :UInt32);
  # A piece of this image's schemas: one unpacked Cap'n Proto message, the compiler's CodeGeneratorRequest with
  # every node the image knows, of `total` bytes. At most 64 KiB come in one answer; fewer at the end.

  logs @4 (since :UInt64) -> (lines :List(Text), next :UInt64);
  # Log lines from number `since` on, as many as fit; ask again with `next`. Lines that the ring has already
  # dropped are skipped: the first line's number is `next` minus the number of lines.
}

struct CapInfo {
  name @0 :Text;
  interfaceId @1 :UInt64;   # the schema node's id
  interface @2 :Text;       # its short name, "Store"
}

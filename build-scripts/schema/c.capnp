# SPDX-License-Identifier: MIT OR Apache-2.0
# c.capnp: what a schema may say to the C generator (build-scripts/host/capnpc-c). Imported as "/c.capnp".

@0xe158a52aace24481;

annotation prefix @0x990318bc173a7789 (file) :Text;
# Goes before every C name of the file: "rpc" makes `struct Message` rpc_message.

annotation name @0xfd5201aef2468aff (struct, enum, interface, group, field, enumerant, method, const, param) :Text;
# The C name of one thing, where its own would clash: in snake case, without the names around it.

# SPDX-License-Identifier: MIT OR Apache-2.0
# boot.capnp: the resolved profile, as it stands inside the image (ELF note "capos", type 1). configure writes it;
# `capos image query` and the image itself read it.
@0xf86b822501bd6142;

struct BootPackage {
  profile @0 :Text;
  summary @1 :Text;
  version @2 :Text;
  platform @3 :Text;
  memoryBytes @4 :UInt64;
  supported @5 :Bool;
  components @6 :List(Component);  # in start order
  wires @7 :List(Wire);
  grants @8 :List(Grant);
  exposed @9 :List(Exposed);
  ports @10 :List(Port);
  insecure @11 :List(Text);        # components whose missing protection the profile accepts
  picture @12 :Text;               # picture.txt, for people

  struct Component {
    name @0 :Text;
    summary @1 :Text;
    memoryBytes @2 :UInt64;        # of the boot arena, by its own reckoning; 0: says nothing
    options @3 :List(Option);
  }
  struct Option {
    name @0 :Text;
    value @1 :Text;
    isDefault @2 :Bool;
  }
  struct Wire {
    from @0 :Text;                 # "net/lwip.netif"
    to @1 :Text;                   # "drv/virtio-net.port"
    contract @2 :Text;             # "netdev.v1"
  }
  struct Grant {
    from @0 :Text;                 # who holds it, under which name
    to @1 :Text;                   # who grants it
    contract @2 :Text;
    scope @3 :Text;                # "tcp/7000"
  }
  struct Exposed {
    name @0 :Text;                 # what a remote session asks for
    provider @1 :Text;
    interface @2 :Text;
  }
  struct Port {
    number @0 :UInt16;
    name @1 :Text;
  }
}

# SPDX-License-Identifier: MIT OR Apache-2.0
# network.capnp: the network as capabilities: who holds one may use that much of it, and may hand on less.
#
# Endpoints are text, "192.0.2.7:80"; a scope may have `*` for either part. Timeouts are milliseconds, 0 for none. A bound
# that is reached fails `overloaded`, a passed deadline fails `overloaded` with "timed out", a peer that is gone
# `disconnected`, what a scope does not cover "denied: ...". Dropping a capability closes what it stands for.

@0xd4c1a0f3b7e25986;

using C = import "/c.capnp";
$C.prefix("net");

interface NetworkManager {
  info @0 () -> (interface :InterfaceInfo);
  usage @1 () -> (sockets :UInt32, listeners :UInt32, udpSockets :UInt32, authorities :UInt32, waiting :UInt32);
  # What is held now, of all peers together.
  listenAuthority @2 (port :UInt16) -> (authority :TcpListenAuthority);
  # Only for a port that the profile grants.
  connectAuthority @3 (scope :Text) -> (authority :TcpConnectAuthority);
  # Only for a scope that one of the profile's grants covers.
  bindUdp @4 (port :UInt16, peer :Text) -> (socket :UdpSocket);
  # Only for a port that the profile grants; `peer` narrows with whom. One socket a port.
}

struct TcpLimits {
  # 0: as the authority has it. A larger value than the authority's is not taken: limits only shrink.
  connections @0 :UInt32;
  idleMs @1 :UInt32;
  totalMs @2 :UInt32;
}

interface TcpListenAuthority {
  narrow @0 (limits :TcpLimits) -> (authority :TcpListenAuthority);
  listen @1 (limits :TcpLimits) -> (listener :TcpListener);
}

interface TcpConnectAuthority {
  narrow @0 (scope :Text, limits :TcpLimits) -> (authority :TcpConnectAuthority);
  connect @1 (to :Text, limits :TcpLimits, timeoutMs :UInt32) -> (socket :TcpSocket);
  # Returns when the peer has answered.
}

interface TcpListener {
  accept @0 (timeoutMs :UInt32) -> (socket :TcpSocket);
  # Returns when a connection has come. Those that nobody accepts wait, as many as the backlog; one more is reset.
}

interface TcpSocket {
  read @0 (limit :UInt32, timeoutMs :UInt32) -> (data :Data, end :Bool);
  # What is there, at least a byte; `end` with no data when the peer sends no more.
  write @1 (data :Data, timeoutMs :UInt32) -> ();
  # Returns when all of it is in the send buffer. Writes are taken in order.
  shutdown @2 () -> ();
  # No more writes; the peer sees the end after what was written. Reading goes on.
  close @3 () -> ();
  # Returns when the peer has everything; fails when it does not take it.
  info @4 () -> (local :Text, peer :Text);
}

interface UdpSocket {
  send @0 (to :Text, data :Data) -> ();
  receive @1 (timeoutMs :UInt32) -> (from :Text, data :Data);
  info @2 () -> (port :UInt16, received :UInt64, sent :UInt64, dropped :UInt64);
}

struct InterfaceInfo {
  name @0 :Text;
  mac @1 :Data;
  mtu @2 :UInt16;
  linkUp @3 :Bool;
  address @4 :Text;
  netmask @5 :Text;
  gateway @6 :Text;
  lease @7 :LeaseState;
  leaseSeconds @8 :UInt32;
  framesIn @9 :UInt64;
  framesDropped @10 :UInt64;
  framesOut @11 :UInt64;
  tcpOpen @12 :UInt32;
  tcpMost @13 :UInt32;
  tcpAccepted @14 :UInt64;
  tcpConnected @15 :UInt64;
  tcpRefused @16 :UInt64;
  tcpReset @17 :UInt64;
  tcpTimedOut @18 :UInt64;
  tcpShed @19 :UInt64;
}

enum LeaseState { static @0; asking @1; bound @2; renewing @3; rebinding @4; }

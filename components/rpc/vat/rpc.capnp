# SPDX-License-Identifier: MIT OR Apache-2.0
# rpc.capnp: the messages that two vats exchange, level 1 of the Cap'n Proto RPC protocol.
#
# Written for this vat in our own words. Ids, ordinals and types are the protocol's, so the encoding is the one that
# every other implementation speaks; what level 1 does not use keeps its place as an AnyPointer. How each message is
# handled, and what the specification leaves open, is in docs/spec-notes/capnp-rpc.md.

@0xb312981b2552a250;

using C = import "/c.capnp";
$C.prefix("rpc");

struct Message {
  union {
    unimplemented @0 :Message;  # you sent this, and I do not speak it
    abort @1 :Exception;        # the last message on this connection
    call @2 :Call;
    return @3 :Return;
    finish @4 :Finish;
    resolve @5 :Resolve;
    release @6 :Release;
    obsoleteSave @7 :AnyPointer;
    bootstrap @8 :Bootstrap;
    obsoleteDelete @9 :AnyPointer;
    provide @10 :AnyPointer;    # level 3
    accept @11 :AnyPointer;     # level 3
    join @12 :AnyPointer;       # level 4
    disembargo @13 :Disembargo;
  }
}

struct Bootstrap {
  # Asks for the vat's first capability; answered by a Return.
  questionId @0 :UInt32;
  deprecatedObjectId @1 :AnyPointer;
}

struct Call {
  questionId @0 :UInt32;      # chosen by the caller; free again after both Return and Finish
  target @1 :MessageTarget;
  interfaceId @2 :UInt64;
  methodId @3 :UInt16;
  allowThirdPartyTailCall @8 :Bool;
  params @4 :Payload;
  sendResultsTo :union {
    caller @5 :Void;
    yourself @6 :Void;        # keep them: a Return with takeFromOtherQuestion will name them
    thirdParty @7 :AnyPointer; # level 3
  }
}

struct Return {
  answerId @0 :UInt32;
  releaseParamCaps @1 :Bool = true;
  # As if each capability of the params that the caller hosts had been released once.
  union {
    results @2 :Payload;
    exception @3 :Exception;
    canceled @4 :Void;
    resultsSentElsewhere @5 :Void;
    takeFromOtherQuestion @6 :UInt32;
    # The results are those of a call that the receiver of this Return was asked to keep.
    acceptFromThirdParty @7 :AnyPointer; # level 3
  }
}

struct Finish {
  # The question's id will not be used again; cancels when the answer has not come.
  questionId @0 :UInt32;
  releaseResultCaps @1 :Bool = true;
}

struct Resolve {
  # What an export that was sent as a promise turned out to be.
  promiseId @0 :UInt32;
  union {
    cap @1 :CapDescriptor;
    exception @2 :Exception;
  }
}

struct Release {
  id @0 :UInt32;
  referenceCount @1 :UInt32;
}

struct Disembargo {
  # Runs behind the calls that went to a promise and comes back to where they ended.
  target @0 :MessageTarget;
  context :union {
    senderLoopback @1 :UInt32;
    receiverLoopback @2 :UInt32;
    accept @3 :Void;          # level 3
    provide @4 :UInt32;       # level 3
  }
}

struct MessageTarget {
  union {
    importedCap @0 :UInt32;   # an export of the receiver
    promisedAnswer @1 :PromisedAnswer;
  }
}

struct Payload {
  content @0 :AnyPointer;
  capTable @1 :List(CapDescriptor);
}

struct CapDescriptor {
  union {
    none @0 :Void;
    senderHosted @1 :UInt32;
    senderPromise @2 :UInt32; # a Resolve will follow
    receiverHosted @3 :UInt32;
    receiverAnswer @4 :PromisedAnswer;
    thirdPartyHosted @5 :ThirdPartyCapDescriptor;
  }
  attachedFd @6 :UInt8 = 0xff;
}

struct PromisedAnswer {
  # A capability in the results of a question: follow the transform from their content.
  questionId @0 :UInt32;
  transform @1 :List(Op);
  struct Op {
    union {
      noop @0 :Void;
      getPointerField @1 :UInt16;
    }
  }
}

struct ThirdPartyCapDescriptor {
  id @0 :AnyPointer;
  vineId @1 :UInt32;          # an export of the sender that forwards: what level 1 uses
}

struct Exception {
  reason @0 :Text;
  obsoleteIsCallersFault @1 :Bool;
  obsoleteDurability @2 :UInt16;
  type @3 :Type;
  enum Type {
    failed @0;
    overloaded @1;
    disconnected @2;
    unimplemented @3;
  }
  trace @4 :Text;
}

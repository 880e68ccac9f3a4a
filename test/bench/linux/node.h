// SPDX-License-Identifier: MIT OR Apache-2.0
// node.h: a server on port 7000 whose bootstrap is a Node that gives one capability, whatever name it is asked for.
#pragma once
#include <capnp/ez-rpc.h>
#include <cstdio>
#include "svc/node/node.capnp.h"

class Node_server final : public Node::Server
{
  public:
    explicit Node_server(capnp::Capability::Client cap) : cap_(cap)
    {
    }

  private:
    kj::Promise<void> get(GetContext context) override
    {
        context.getResults().setCap(cap_);
        return kj::READY_NOW;
    }

    capnp::Capability::Client cap_;
};

[[noreturn]] inline void serve(capnp::Capability::Client cap)
{
    capnp::EzRpcServer server(kj::heap<Node_server>(cap), "0.0.0.0:7000");
    auto &scope = server.getWaitScope();
    printf("ready on %u\n", server.getPort().wait(scope));
    fflush(stdout);
    kj::NEVER_DONE.wait(scope);
}

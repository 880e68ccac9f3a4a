// SPDX-License-Identifier: MIT OR Apache-2.0
// echo.c++: what the image hello serves, by Linux and libcapnp.
#include "node.h"
#include "svc/echo/echo.capnp.h"

class Echo_server final : public Echo::Server
{
    kj::Promise<void> bytes(BytesContext context) override
    {
        context.getResults().setData(context.getParams().getData());
        return kj::READY_NOW;
    }
};

int main()
{
    serve(kj::heap<Echo_server>());
}

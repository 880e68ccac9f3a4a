/* SPDX-License-Identifier: MIT OR Apache-2.0
 * capnp_call.c: the two answers that generated dispatch gives by itself.
 */
#include "capnp_internal.h"

void capnp_call_malformed(struct call *call)
{
    if (call->params.message != NULL) {
        call->params.message->malformed = true;
    }
    call_fail(call, EXCEPTION_FAILED, "malformed parameters of method %u of interface 0x%llx", call->method_id,
              (unsigned long long)call->interface_id);
}

void capnp_call_unimplemented(struct call *call)
{
    call_fail(call, EXCEPTION_UNIMPLEMENTED, "no method %u of interface 0x%llx here", call->method_id,
              (unsigned long long)call->interface_id);
}

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * problem.c++: failures on standard error.
 */
#include "problem.h"

#include "capos.capnp.h"
#include "json.h"
#include "text.h"

#include <capnp/message.h>
#include <cstdio>

namespace capos
{

void say_failure(const Failure &failure, bool json)
{
    const std::string &path = failure.path;
    fflush(stdout);
    if (json) {
        capnp::MallocMessageBuilder message;
        auto problem = message.initRoot<Problem>();
        problem.setError(failure.kind.c_str());
        problem.setReason(failure.reason.c_str());
        if (!path.empty()) {
            problem.setPath(path.c_str());
        }
        fprintf(stderr, "%s\n", to_json_line(problem.asReader()).c_str());
        return;
    }
    std::string reason = (path.empty() ? "" : path + ": ") + failure.reason;
    fprintf(stderr, "capos: %s: %s\n", failure.kind.c_str(), plain(reason, path.empty() ? "\n" : "").c_str());
}

} // namespace capos

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * fail.c++: from exceptions to exit codes.
 */
#include "fail.h"

#include "text.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace capos
{

void refuse(const std::string &kind, const std::string &reason)
{
    throw Failure{Exit::REFUSED, kind, reason};
}

void misuse(const std::string &reason)
{
    throw Failure{Exit::USAGE, "usage", reason};
}

void unreachable(const std::string &kind, const std::string &reason)
{
    throw Failure{Exit::UNREACHABLE, kind, reason};
}

void fail_errno(const std::string &what)
{
    refuse("failed", what + ": " + strerror(errno));
}

bool flush_output()
{
    return fflush(stdout) == 0 && ferror(stdout) == 0;
}

void require_output()
{
    if (!flush_output()) {
        fail_errno("standard output");
    }
}

/* A peer names a refusal in the first word of its reason, "denied: ...", because Cap'n Proto's exception types have
 * no such word. */
static bool take_kind(std::string &reason, const char *kind)
{
    std::string prefix = std::string(kind) + ": ";
    if (reason.compare(0, prefix.size(), prefix) != 0) {
        return false;
    }
    reason.erase(0, prefix.size());
    return true;
}

static std::string reason_of(const kj::Exception &e)
{
    std::string reason = e.getDescription().cStr();
    /* libcapnp marks what came over the wire; who said it is clear to the user already. */
    while (take_kind(reason, "remote exception")) {
    }
    return reason.empty() ? "no reason given" : plain(reason); /* a peer's words: on one line, and for a terminal */
}

std::string without_expression(const std::string &reason)
{
    size_t expression = reason.find("): ");
    return expression == std::string::npos ? reason : reason.substr(expression + 3);
}

Failure failure_of(const kj::Exception &e)
{
    std::string reason = reason_of(e);
    for (const char *kind : {"denied", "not-found", "corrupt", "full", "exists", "bad-argument", "conflict", "busy",
                             "not-empty", "not-directory", "is-directory"}) {
        if (take_kind(reason, kind)) {
            return {Exit::REFUSED, kind, reason};
        }
    }
    switch (e.getType()) {
    case kj::Exception::Type::DISCONNECTED:
        return {Exit::UNREACHABLE, "disconnected", without_expression(reason)};
    case kj::Exception::Type::OVERLOADED:
        return {Exit::REFUSED, "overloaded", reason + "; try again later"};
    case kj::Exception::Type::UNIMPLEMENTED:
        return {Exit::REFUSED, "unimplemented", reason};
    case kj::Exception::Type::FAILED:
        break;
    }
    return {Exit::REFUSED, "failed", reason};
}

} // namespace capos

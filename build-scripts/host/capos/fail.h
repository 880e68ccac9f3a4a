/* SPDX-License-Identifier: MIT OR Apache-2.0
 * fail.h: the four ways that a command of capos ends.
 *
 * A failure is thrown as a Failure from wherever it is noticed and printed once, in main(). Its kind is a short
 * stable word that a script may test; its reason is a sentence for a person and says what to do.
 */
#pragma once

#include <kj/exception.h>
#include <string>

namespace capos
{

enum class Exit : int {
    DONE = 0,
    REFUSED = 1,     /* refused or failed */
    USAGE = 2,       /* the command line makes no sense */
    UNREACHABLE = 3, /* nobody there, or the conversation broke */
};

struct Failure {
    Exit exit;
    std::string kind;
    std::string reason;
    std::string path = {}; /* which of the node's files it is about; empty: none, or the reason says it */
};

/* The node was asked again and again, and had no room for it each time: it might have with less at once. */
struct Overload : Failure {
};

[[noreturn]] void refuse(const std::string &kind, const std::string &reason);
[[noreturn]] void misuse(const std::string &reason);
[[noreturn]] void unreachable(const std::string &kind, const std::string &reason);

/* "WHAT: why", with why from errno as it stands. */
[[noreturn]] void fail_errno(const std::string &what);

/* Standard output as far as it was printed; false, and for ever, when something of it was lost. */
bool flush_output();
void require_output();

/* What an exception of KJ or of the peer means to the user. */
Failure failure_of(const kj::Exception &e);

/* Runs `work`; what it throws is a Failure. */
template <typename Work> auto failing(Work work) -> decltype(work())
{
    try {
        return work();
    } catch (const kj::Exception &e) {
        throw failure_of(e);
    }
}

/* Runs `work`. What is refused goes to `failed`; a broken conversation, which ends everything, is thrown on. */
template <typename Work, typename Failed> void attempt(Work work, Failed failed)
{
    try {
        failing(work);
    } catch (const Failure &failure) {
        if (failure.exit != Exit::REFUSED) {
            throw;
        }
        failed(failure);
    }
}

/* Runs `work`; what fails in it is about `path`. */
template <typename Work> auto about(const std::string &path, Work work) -> decltype(work())
{
    try {
        return failing(work);
    } catch (Failure &failure) {
        failure.path = path;
        throw;
    }
}

/* The reason alone of a failed system call, which KJ reports as the C expression, a colon and the reason. */
std::string without_expression(const std::string &reason);

} // namespace capos

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * tally.h: what became of many files: each that failed is named when it does, the rest goes on, and at the end the
 * exit status is 1.
 */
#pragma once

#include "args.h"
#include "fail.h"
#include "progress.h"

#include <string>

namespace capos
{

class Tally
{
  public:
    explicit Tally(const Args &args) : json(args.has("--json"))
    {
    }

    void fail(const std::string &path, const Failure &failure);

    /* It is none of what the verb is for: a symbolic link, a device. */
    void skip(const std::string &path, const std::string &why)
    {
        fail(path, {Exit::REFUSED, "skipped", why});
    }

    /* Refuses, "incomplete", when something failed; `what` is what was not done to it. */
    void end(const std::string &what) const;

    Progress *progress = nullptr; /* taken away before a line is said */
    size_t failures = 0;

  private:
    const bool json;
};

} // namespace capos

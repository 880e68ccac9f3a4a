/* SPDX-License-Identifier: MIT OR Apache-2.0
 * together.h: many jobs with one node, several at once, so that it can share its commits among them.
 */
#pragma once

#include "fail.h"
#include "session.h"

#include <functional>
#include <map>

namespace capos
{

/* job(0), job(1), ... until one answers false. What one of them is refused is told to `failed`, and the others go on; when the
 * conversation breaks, that is thrown once all have ended. A node that is overloaded gets fewer at once: down to one, its job
 * is begun again later; only the last one's overload is a failure. */
void run_together(Session &session, const std::function<bool(size_t)> &job,
                  const std::function<void(size_t, const Failure &)> &failed);

/* A line before something that only one job may use at a time: they go in the order of their numbers. */
class Turns
{
  public:
    explicit Turns(Session &s) : session(s)
    {
    }
    void wait_for(size_t number);
    void next();

  private:
    Session &session;
    size_t now = 0;
    std::map<size_t, kj::Own<kj::PromiseFulfiller<void>>> waiting;
};

} // namespace capos

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * progress.h: how far a transfer is, on one line of a terminal's standard error.
 */
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace capos
{

class Progress
{
  public:
    /* Silent when `wanted` is false or standard error is no terminal. */
    Progress(const std::string &what, uint64_t total, bool wanted);
    ~Progress();

    void reached(uint64_t bytes);

    /* Takes the bar away: what is said next says more. One that is still there at the end, after a failure, stays. */
    void clear();
    double seconds() const;

  private:
    void draw(double at);

    const std::string what;
    const uint64_t total;
    const bool shown;
    const std::chrono::steady_clock::time_point start;
    uint64_t first = 0; /* where this run began: a resumed transfer is not credited with what was there */
    uint64_t bytes = 0;
    double drawn_at = -1;
};

/* "12.3 MiB" */
std::string size_text(double bytes);

} // namespace capos

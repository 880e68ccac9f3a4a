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
    /* Silent when `wanted` is false or standard error is no terminal. `files`: of a whole tree. */
    Progress(const std::string &what, uint64_t total, bool wanted, size_t files = 0);
    ~Progress();

    /* So many bytes more, or less: what is sent again is not counted twice. */
    void add(int64_t more);
    void file_done();

    /* So many bytes were there before: they count for how far it is, not for how fast. */
    void resumed(uint64_t there);

    /* A line beside the bar, which is drawn again. */
    void note(const std::string &said);

    /* Takes the bar away: what is said next says more. One that is still there at the end, after a failure, stays. */
    void clear();
    double seconds() const;

    /* That were moved, per second. */
    double rate() const;

  private:
    void changed();
    void draw(double at);

    const std::string what;
    const uint64_t total;
    const bool shown;
    const size_t files;
    const std::chrono::steady_clock::time_point start;
    uint64_t first = 0;
    uint64_t bytes = 0;
    size_t done = 0;
    double drawn_at = -1;
};

/* "12.3 MiB" */
std::string size_text(double bytes);

/* "1 file", "2 files" */
std::string count_text(uint64_t count, const char *one, const char *more);

} // namespace capos

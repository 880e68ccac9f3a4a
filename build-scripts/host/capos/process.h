/* SPDX-License-Identifier: MIT OR Apache-2.0
 * process.h: starting a node's process so that somebody learns how it ends.
 */
#pragma once

#include "keeper.h"

#include <string>
#include <vector>

namespace capos
{

struct Started {
    int pid;    /* of the node's process */
    int events; /* reads end-of-file once it has ended and its status is written */
};

/* Starts argv below a supervisor of its own, which does what the keeper does and writes DIR/status, "exit N" or "signal
 * N". The process's own output goes to DIR/qemu.log. `attached`: both die with the caller. `lifetime`: seconds until
 * the process is killed, 0 for never. */
Started start_supervised(const std::vector<std::string> &argv, const std::string &dir, bool attached, unsigned lifetime,
                         Keeper &keeper);

/* How a node ended, by what its supervisor and its console wrote. */
struct End {
    std::string state; /* stopped (the only clean one), refused, failed, panicked, reset, killed */
    std::string text;
};
End explain_end(const std::string &dir);

/* A process is named by its pid and the time of its start, field 22 of /proc/PID/stat: a pid alone may be another's by
 * now. */
std::string process_start_ticks(int pid);
bool process_alive(int pid, const std::string &start_ticks);

/* Signals the process that was started as `pid` at `start_ticks`, and never one that has its pid now. */
void signal_process(int pid, const std::string &start_ticks, int number);

/* Waits until the process is gone; false when it is still there after that many milliseconds. */
bool wait_gone(int pid, const std::string &start_ticks, int milliseconds);

} // namespace capos

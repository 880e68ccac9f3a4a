/* SPDX-License-Identifier: MIT OR Apache-2.0
 * keeper.h: what a supervisor does for its node while that runs.
 */
#pragma once

#include "machine.h"

#include <string>

namespace capos
{

/* For QEMU there is nothing to do but wait. All of it runs in the supervisor's process, after it has let go of its
 * caller's descriptors. */
class Keeper
{
  public:
    virtual ~Keeper() = default;

    /* Before the node's process is made; throws a Failure. */
    virtual void open()
    {
    }
    /* In the node's process, before it becomes the node. */
    virtual void in_child()
    {
    }
    /* The wait status of the node, once it has ended. */
    virtual int keep(int pid);
};

/* For a .sim: gives it a serial console like QEMU's, a log and a socket, and a network like QEMU's. */
class Sim_keeper : public Keeper
{
  public:
    explicit Sim_keeper(const Launch &launch);
    void open() override;
    void in_child() override;
    int keep(int pid) override;

  private:
    class Serial;
    const Launch &launch;
    int line[2] = {-1, -1}; /* ours and the node's end of its standard input and output */
    int listener = -1;
    int log = -1;
};

/* The .sim's command line, and the names of its wire's two ends. */
std::vector<std::string> sim_command(const Launch &launch);
std::string wire_here(const Launch &launch);
std::string wire_there(const Launch &launch);

} // namespace capos

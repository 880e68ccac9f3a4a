/* SPDX-License-Identifier: MIT OR Apache-2.0
 * wire.h: the network of a node that is a Linux process: libslirp, the user network that QEMU has built in.
 */
#pragma once

#include "machine.h"

#include <cstdint>
#include <deque>
#include <libslirp.h>
#include <list>
#include <poll.h>
#include <string>
#include <vector>

namespace capos
{

/* One frame a datagram between `here` and `there`, UNIX sockets. The node gets its address by DHCP; what comes in at a
 * host port of `ports` goes to it. Throws when a socket or a port is not to be had. */
class Wire
{
  public:
    Wire(const std::string &here, const std::string &there, const std::vector<Port_map> &ports);
    ~Wire();
    Wire(const Wire &) = delete;
    Wire &operator=(const Wire &) = delete;

    /* Adds what poll() shall watch and lowers its time-out; afterwards acts on what it found. */
    void fill(std::vector<pollfd> &fds, int &timeout_ms);
    void act(const std::vector<pollfd> &fds, bool poll_failed);

  private:
    struct Timer {
        SlirpTimerCb call;
        void *opaque;
        int64_t due_ms; /* -1: not set */
    };

    static SlirpCb callbacks();
    ssize_t send_frame(const void *frame, size_t size);
    bool try_send(const std::string &frame);
    void flush();
    void receive();
    void fire_timers();

    const std::string there;
    const std::string path;
    int fd = -1;
    SlirpCb calls;
    Slirp *slirp = nullptr;
    std::list<Timer> timers;
    std::deque<std::string> waiting; /* frames that the node's full socket has not taken yet */
    std::vector<pollfd> *filling = nullptr;
    const std::vector<pollfd> *polled = nullptr;
};

} // namespace capos

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * wire.c++: libslirp behind a pair of UNIX datagram sockets.
 *
 *  (1) A frame that the node's socket cannot take now waits, WAITING_MAX of them; what comes on top is dropped, as an
 *      overfull card would. slirp retransmits only after a long while, so dropping at once would stall it.
 *  (2) Everything happens in fill() and act(), in one thread: slirp's callbacks reach this object only from there.
 */
#include "wire.h"

#include "fail.h"

#include <cerrno>
#include <cstring>
#include <ctime>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace capos
{

static constexpr size_t WAITING_MAX = 512;
static constexpr size_t FRAME_MAX = 65536;
static constexpr int FRAMES_AT_ONCE = 64;

static int64_t now_ns()
{
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<int64_t>(now.tv_sec) * 1000000000 + now.tv_nsec;
}

static in_addr address_of(const char *text)
{
    in_addr address;
    inet_pton(AF_INET, text, &address);
    return address;
}

static sockaddr_un unix_address(const std::string &path)
{
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        refuse("failed", "the path is too long for a socket: " + path + " (--state DIR)");
    }
    memcpy(address.sun_path, path.c_str(), path.size() + 1);
    return address;
}

static int open_socket(const std::string &path)
{
    sockaddr_un address = unix_address(path);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    unlink(path.c_str());
    if (fd < 0 || bind(fd, reinterpret_cast<sockaddr *>(&address), sizeof address) != 0) {
        fail_errno(path);
    }
    return fd;
}

/* QEMU's addresses, so that an image finds the same network on both. */
static SlirpConfig slirp_config()
{
    SlirpConfig config = {};
    config.version = 1;
    config.in_enabled = true;
    config.vnetwork = address_of("10.0.2.0");
    config.vnetmask = address_of("255.255.255.0");
    config.vhost = address_of("10.0.2.2");
    config.vdhcp_start = address_of("10.0.2.15");
    config.vnameserver = address_of("10.0.2.3");
    return config;
}

SlirpCb Wire::callbacks()
{
    SlirpCb calls = {};
    calls.send_packet = [](const void *frame, size_t size, void *wire) {
        return static_cast<Wire *>(wire)->send_frame(frame, size);
    };
    calls.guest_error = [](const char *text, void *) { fprintf(stderr, "network: %s\n", text); };
    calls.clock_get_ns = [](void *) { return now_ns(); };
    calls.timer_new = [](SlirpTimerCb call, void *opaque, void *wire) -> void * {
        auto &timers = static_cast<Wire *>(wire)->timers;
        timers.push_back({call, opaque, -1});
        return &timers.back();
    };
    calls.timer_free = [](void *timer, void *wire) {
        static_cast<Wire *>(wire)->timers.remove_if([timer](const Timer &t) { return &t == timer; });
    };
    calls.timer_mod = [](void *timer, int64_t due_ms, void *) { static_cast<Timer *>(timer)->due_ms = due_ms; };
    calls.register_poll_fd = [](int, void *) {};
    calls.unregister_poll_fd = [](int, void *) {};
    calls.notify = [](void *) {};
    return calls;
}

Wire::Wire(const std::string &here, const std::string &node, const std::vector<Port_map> &ports)
    : there(node), path(here), fd(open_socket(here)), calls(callbacks())
{
    SlirpConfig config = slirp_config();
    unix_address(there);
    slirp = slirp_new(&config, &calls, this);
    for (const Port_map &port : ports) {
        if (slirp_add_hostfwd(slirp, 0, address_of("127.0.0.1"), static_cast<int>(port.host), config.vdhcp_start,
                              static_cast<int>(port.guest)) != 0) {
            fail_errno("port " + std::to_string(port.host) + " of 127.0.0.1");
        }
    }
}

Wire::~Wire()
{
    if (slirp != nullptr) {
        slirp_cleanup(slirp);
    }
    close(fd);
    unlink(path.c_str());
}

/* Whether the frame is done with: taken, or never to be. */
bool Wire::try_send(const std::string &frame)
{
    sockaddr_un address = unix_address(there);
    ssize_t sent = sendto(fd, frame.data(), frame.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                          reinterpret_cast<sockaddr *>(&address), sizeof address);
    return sent >= 0 || (errno != EAGAIN && errno != ENOBUFS);
}

ssize_t Wire::send_frame(const void *frame, size_t size)
{
    std::string copy(static_cast<const char *>(frame), size);
    if (!waiting.empty() || !try_send(copy)) {
        if (waiting.size() < WAITING_MAX) {
            waiting.push_back(std::move(copy)); /* (1) */
        }
    }
    return static_cast<ssize_t>(size);
}

void Wire::flush()
{
    while (!waiting.empty() && try_send(waiting.front())) {
        waiting.pop_front();
    }
}

void Wire::receive()
{
    static char frame[FRAME_MAX];
    for (int i = 0; i < FRAMES_AT_ONCE; i++) {
        ssize_t size = recv(fd, frame, sizeof frame, MSG_DONTWAIT);
        if (size <= 0) {
            return;
        }
        slirp_input(slirp, reinterpret_cast<uint8_t *>(frame), static_cast<int>(size));
    }
}

void Wire::fire_timers()
{
    int64_t now_ms = now_ns() / 1000000;
    for (Timer &timer : timers) {
        if (timer.due_ms >= 0 && timer.due_ms <= now_ms) {
            timer.due_ms = -1;
            timer.call(timer.opaque);
        }
    }
}

/* slirp has event bits of its own. */
static const struct {
    int slirp;
    short poll;
} EVENTS[] = {{SLIRP_POLL_IN, POLLIN},
              {SLIRP_POLL_OUT, POLLOUT},
              {SLIRP_POLL_PRI, POLLPRI},
              {SLIRP_POLL_ERR, POLLERR},
              {SLIRP_POLL_HUP, POLLHUP}};

static short to_poll(int events)
{
    int out = 0;
    for (auto event : EVENTS) {
        out |= (events & event.slirp) != 0 ? event.poll : 0;
    }
    return static_cast<short>(out);
}

static int from_poll(short revents)
{
    int out = 0;
    for (auto event : EVENTS) {
        out |= (revents & event.poll) != 0 ? event.slirp : 0;
    }
    return out;
}

void Wire::fill(std::vector<pollfd> &fds, int &timeout_ms)
{
    uint32_t timeout = static_cast<uint32_t>(timeout_ms);
    fds.push_back({fd, POLLIN, 0});
    filling = &fds;
    slirp_pollfds_fill(
        slirp, &timeout,
        [](int watched, int events, void *wire) {
            auto &list = *static_cast<Wire *>(wire)->filling;
            list.push_back({watched, to_poll(events), 0});
            return static_cast<int>(list.size()) - 1;
        },
        this);
    timeout_ms = waiting.empty() ? static_cast<int>(timeout) : 1;
    for (const Timer &timer : timers) {
        int64_t left = timer.due_ms < 0 ? timeout_ms : timer.due_ms - now_ns() / 1000000;
        timeout_ms = left < timeout_ms ? static_cast<int>(left < 0 ? 0 : left) : timeout_ms;
    }
}

void Wire::act(const std::vector<pollfd> &fds, bool poll_failed)
{
    polled = &fds;
    flush();
    receive();
    slirp_pollfds_poll(
        slirp, poll_failed ? 1 : 0,
        [](int index, void *wire) {
            return from_poll((*static_cast<Wire *>(wire)->polled)[static_cast<size_t>(index)].revents);
        },
        this);
    fire_timers();
}

} // namespace capos

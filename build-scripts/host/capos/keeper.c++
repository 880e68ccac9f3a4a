/* SPDX-License-Identifier: MIT OR Apache-2.0
 * keeper.c++: the machine around a .sim: its console and its network.
 *
 * The process's standard input and output are a socket to us. What it says goes to the log and to whoever is connected
 * to the console socket; what that one types goes to the process. As with QEMU there is one client at a time, and one
 * that does not read loses text instead of stalling the node.
 */
#include "keeper.h"

#include "fail.h"
#include "wire.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace capos
{

static constexpr int TICK_MS = 100;
static constexpr int CLEAN_CODES = 3; /* 0 clean, 1 test failed or refused, 2 panic */

int Keeper::keep(int pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

std::string wire_here(const Launch &launch)
{
    return launch.console.substr(0, launch.console.rfind('/')) + "/wire-host.sock";
}

std::string wire_there(const Launch &launch)
{
    return launch.console.substr(0, launch.console.rfind('/')) + "/wire-node.sock";
}

std::vector<std::string> sim_command(const Launch &launch)
{
    std::string program = launch.image[0] == '/' ? launch.image : "./" + launch.image;
    std::vector<std::string> argv = {program, "--memory", std::to_string(launch.memory_bytes / 1024) + "K"};
    if (!launch.disk.empty()) {
        argv.insert(argv.end(), {"--device", launch.disk_driver + ":" + launch.disk});
    }
    if (launch.net) {
        argv.insert(argv.end(), {"--net", "dgram:" + wire_there(launch) + "," + wire_here(launch)});
    }
    if (!launch.rng) {
        argv.push_back("--no-entropy");
    }
    if (!launch.append.empty()) {
        argv.insert(argv.end(), {"--cmdline", launch.append});
    }
    argv.insert(argv.end(), launch.extra.begin(), launch.extra.end());
    return argv;
}

Sim_keeper::Sim_keeper(const Launch &l) : launch(l)
{
}

void Sim_keeper::open()
{
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    memcpy(address.sun_path, launch.console.c_str(), launch.console.size() + 1); /* up.c++ has checked its length */
    unlink(launch.console.c_str());
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (bind(listener, reinterpret_cast<sockaddr *>(&address), sizeof address) != 0 || listen(listener, 1) != 0) {
        fail_errno(launch.console);
    }
    log = ::open(launch.log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (log < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line) != 0) {
        fail_errno(launch.log);
    }
}

void Sim_keeper::in_child()
{
    dup2(line[1], STDIN_FILENO);
    dup2(line[1], STDOUT_FILENO); /* standard error stays: a sanitizer's report is no console output */
}

class Sim_keeper::Serial
{
  public:
    Serial(int listener_fd, int line_fd, int log_fd) : listener(listener_fd), line(line_fd), log(log_fd)
    {
    }
    void fill(std::vector<pollfd> &fds) const
    {
        fds.push_back({client < 0 ? listener : -1, POLLIN, 0});
        fds.push_back({line, POLLIN, 0});
        fds.push_back({client, POLLIN, 0});
    }
    void act()
    {
        if (client < 0) {
            client = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        }
        from_node();
        from_client();
    }
    void from_node();

  private:
    void from_client();

    const int listener;
    const int line;
    const int log;
    int client = -1;
};

void Sim_keeper::Serial::from_node()
{
    char text[4096];
    ssize_t got = 0;
    while ((got = recv(line, text, sizeof text, MSG_DONTWAIT)) > 0) {
        ssize_t kept = write(log, text, static_cast<size_t>(got));
        ssize_t shown = client < 0 ? 0 : send(client, text, static_cast<size_t>(got), MSG_DONTWAIT | MSG_NOSIGNAL);
        static_cast<void>(kept + shown); /* a full disk or a deaf client must not stop the node */
    }
}

void Sim_keeper::Serial::from_client()
{
    char text[512];
    ssize_t got = client < 0 ? -1 : recv(client, text, sizeof text, MSG_DONTWAIT);
    if (got > 0) {
        ssize_t typed = send(line, text, static_cast<size_t>(got), MSG_DONTWAIT | MSG_NOSIGNAL);
        static_cast<void>(typed); /* a node that does not read its console loses what is typed */
    } else if (client >= 0 && (got == 0 || errno != EAGAIN)) {
        close(client);
        client = -1;
    }
}

/* As QEMU ends for the same code, so that there is one way to read it. */
static int as_qemu(int status)
{
    bool code = WIFEXITED(status) && WEXITSTATUS(status) < CLEAN_CODES;
    return code ? (2 * WEXITSTATUS(status) + 1) << 8 : status;
}

int Sim_keeper::keep(int pid)
{
    Serial serial(listener, line[0], log);
    close(line[1]);
    std::unique_ptr<Wire> wire;
    if (launch.net) {
        wire = std::make_unique<Wire>(wire_here(launch), wire_there(launch), launch.ports);
    }
    int status = 0;
    while (waitpid(pid, &status, WNOHANG) == 0) {
        std::vector<pollfd> fds;
        int timeout_ms = TICK_MS;
        serial.fill(fds);
        if (wire) {
            wire->fill(fds, timeout_ms);
        }
        int ready = poll(fds.data(), fds.size(), timeout_ms);
        serial.act();
        if (wire) {
            wire->act(fds, ready < 0);
        }
    }
    serial.from_node();
    unlink(wire_there(launch).c_str());
    return as_qemu(status);
}

} // namespace capos

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * console.c++: the serial console of a node.
 */
#include "console.h"

#include "fail.h"
#include "process.h"
#include "state.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>
#include <vector>

namespace capos
{

static constexpr int HALT_MS = 5000;
static constexpr int TERM_MS = 2000;
static constexpr int TICK_MS = 50;

Tail::Tail(const std::string &file) : path(file)
{
}

Tail::~Tail()
{
    if (fd >= 0) {
        close(fd);
    }
}

std::string Tail::more()
{
    if (fd < 0) {
        fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    }
    std::string out;
    char piece[4096];
    ssize_t got = 0;
    while (fd >= 0 && (got = read(fd, piece, sizeof piece)) > 0) {
        out.append(piece, static_cast<size_t>(got));
    }
    return out;
}

Console::Console(const std::string &socket_path) : fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0))
{
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    if (fd < 0 || socket_path.size() >= sizeof address.sun_path) {
        return;
    }
    memcpy(address.sun_path, socket_path.c_str(), socket_path.size() + 1);
    if (connect(fd, reinterpret_cast<sockaddr *>(&address), sizeof address) != 0) {
        close(fd);
        fd = -1;
    }
}

Console::~Console()
{
    if (fd >= 0) {
        close(fd);
    }
}

void Console::type(const std::string &text)
{
    /* A console that cannot take a line is stuck; whoever typed finds out by a deadline. */
    if (fd >= 0 && send(fd, text.data(), text.size(), MSG_NOSIGNAL) < 0 && errno != EAGAIN) {
        close(fd);
        fd = -1;
    }
}

void Console::drain()
{
    char piece[4096];
    while (fd >= 0) {
        ssize_t got = read(fd, piece, sizeof piece);
        if (got > 0) {
            continue;
        }
        if (got == 0 || errno != EAGAIN) {
            close(fd);
            fd = -1;
        }
        return;
    }
}

std::string last_lines(const std::string &text, unsigned count)
{
    std::vector<std::string> lines;
    std::string line;
    for (char c : text) {
        if (c == '\n') {
            lines.push_back(line);
            line.clear();
        } else if (c != '\r') {
            line += c;
        }
    }
    if (!line.empty()) {
        lines.push_back(line);
    }
    std::string out;
    for (size_t i = lines.size() > count ? lines.size() - count : 0; i < lines.size(); i++) {
        out += "\n    " + lines[i];
    }
    return out;
}

/* The terminal in character mode while the node is in the foreground: the image echoes what is typed. Ctrl-C stays a
 * signal. Does nothing when standard input is no terminal or is another job's. */
class Terminal
{
  public:
    Terminal() : ours(isatty(STDIN_FILENO) == 1 && tcgetpgrp(STDIN_FILENO) == getpgrp())
    {
        if (ours && tcgetattr(STDIN_FILENO, &before) == 0) {
            termios raw = before;
            raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
            tcsetattr(STDIN_FILENO, TCSANOW, &raw);
        }
    }
    ~Terminal()
    {
        if (ours) {
            tcsetattr(STDIN_FILENO, TCSANOW, &before);
        }
    }
    /* A background job that reads its terminal is stopped, so we do not. */
    bool readable() const
    {
        return ours || isatty(STDIN_FILENO) != 1;
    }

  private:
    const bool ours;
    termios before = {};
};

static volatile sig_atomic_t asked_to_stop;

static void note_signal(int)
{
    asked_to_stop = asked_to_stop + 1;
}

void catch_stop_signals()
{
    struct sigaction action = {};
    action.sa_handler = note_signal; /* without SA_RESTART: poll() is to return */
    for (int number : {SIGINT, SIGTERM, SIGHUP}) {
        sigaction(number, &action, nullptr);
    }
}

std::string Console_text::more()
{
    return plain.add(symbolizer.add(tail.more()));
}

void Console_text::print_more()
{
    std::string text = more();
    fwrite(text.data(), 1, text.size(), stdout);
    fflush(stdout);
}

bool stop_asked()
{
    return asked_to_stop > 0;
}

/* Whether standard input is still there. */
static bool forward_input(Console &console)
{
    char piece[512];
    ssize_t got = read(STDIN_FILENO, piece, sizeof piece);
    if (got > 0) {
        console.type(std::string(piece, static_cast<size_t>(got)));
    }
    return got > 0 || (got < 0 && errno == EINTR);
}

/* What a Ctrl-C does depends on how many there were and how long ago the first was. */
static void stop_by_steps(const Foreground &node, Console &console, int stops, int stopping_ms)
{
    if (stopping_ms == 0) {
        fprintf(stderr, "\nstopping; once more to kill\n");
        console.type("\nhalt\n");
    } else if (stops > 1 || stopping_ms >= HALT_MS + TERM_MS) {
        signal_process(node.pid, node.start_ticks, SIGKILL);
    } else if (stopping_ms >= HALT_MS) {
        signal_process(node.pid, node.start_ticks, SIGTERM);
    }
}

void run_foreground(const Foreground &node, Console_text &log)
{
    Terminal terminal;
    Console console(node.console);
    bool input = terminal.readable();
    int stopping_ms = -1;
    for (;;) {
        pollfd fds[3] = {{node.events, POLLIN, 0}, {console.fd, POLLIN, 0}, {input ? STDIN_FILENO : -1, POLLIN, 0}};
        int ready = poll(fds, 3, TICK_MS);
        log.print_more();
        if (ready > 0 && fds[0].revents != 0) {
            break;
        }
        console.drain();
        if (ready > 0 && fds[2].revents != 0) {
            input = forward_input(console);
        }
        if (asked_to_stop > 0) {
            stopping_ms = stopping_ms < 0 ? 0 : stopping_ms + TICK_MS;
            stop_by_steps(node, console, asked_to_stop, stopping_ms);
        }
    }
    log.print_more();
}

void stop_node(int pid, const std::string &start_ticks, const std::string &console_path)
{
    Console console(console_path);
    console.type("\nhalt\n");
    if (console.connected()) {
        for (int waited = 0; waited < HALT_MS; waited += TICK_MS) {
            console.drain();
            if (wait_gone(pid, start_ticks, TICK_MS)) {
                return;
            }
        }
    }
    for (int number : {SIGTERM, SIGKILL}) {
        signal_process(pid, start_ticks, number);
        if (wait_gone(pid, start_ticks, TERM_MS)) {
            return;
        }
    }
    refuse("failed", "process " + std::to_string(pid) + " does not die");
}

} // namespace capos

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * console.h: a node's serial console: its log as it grows, and a line to type into.
 */
#pragma once

#include "symbols.h"
#include "text.h"

#include <cstdint>
#include <string>

namespace capos
{

/* Follows a file that grows. */
class Tail
{
  public:
    explicit Tail(const std::string &file);
    ~Tail();
    Tail(const Tail &) = delete;
    Tail &operator=(const Tail &) = delete;

    /* What has come since the last call. */
    std::string more();

  private:
    const std::string path;
    int fd = -1;
};

/* What a node's console says, as a person may see it: with the names of a backtrace, and nothing that commands a
 * terminal. */
class Console_text
{
  public:
    Console_text(const std::string &log, const std::string &image)
        : tail(log), symbolizer(image), plain(CONSOLE_CONTROLS)
    {
    }
    std::string more();
    void print_more();

  private:
    Tail tail;
    Symbolizer symbolizer;
    Plain_stream plain;
};

/* The UNIX socket that leads to the image's COM1. There is one listener's place: a second client waits. */
class Console
{
  public:
    explicit Console(const std::string &socket_path);
    ~Console();
    Console(const Console &) = delete;
    Console &operator=(const Console &) = delete;

    bool connected() const
    {
        return fd >= 0;
    }
    void type(const std::string &text);

    /* Throws away what the image prints there: the log has it, and an unread socket would stall the image. */
    void drain();

    int fd;
};

/* The last lines of a text, each indented. */
std::string last_lines(const std::string &text, unsigned count);

/* From here on Ctrl-C, SIGTERM and SIGHUP are noted instead of ending us. To be called before there is a node that would
 * die with us. */
void catch_stop_signals();
bool stop_asked();

/* Connects the terminal with the node until it ends; `events` reads end-of-file then. Ctrl-C asks the image to halt;
 * a second one, or one that is not heard, ends the process `pid`. */
struct Foreground {
    int pid;
    std::string start_ticks;
    int events;
    std::string console;
};
void run_foreground(const Foreground &node, Console_text &log);

/* The same way down, from `fleet down`: halt on the console, then SIGTERM, then SIGKILL. */
void stop_node(int pid, const std::string &start_ticks, const std::string &console);

} // namespace capos

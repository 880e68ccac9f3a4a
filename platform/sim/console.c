/* SPDX-License-Identifier: MIT OR Apache-2.0
 * console.c: the machine's serial line: standard input and output, or one client at a time of a UNIX socket.
 *
 *  (1) Output waits for standard output, as a UART would. A socket client that does not read loses text instead; what was
 *      written before the first came is kept, the newest HISTORY bytes of it.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>
#include "core/point.h"
#include "lockstep.h"
#include "sim_private.h"

#define INPUT 1024u
#define HISTORY (64u * 1024u)

static struct {
    struct sim_fd input;    /* standard input, or the client */
    struct sim_fd listener; /* of the UNIX socket */
    bool socket;
    uint32_t line;
    char read[INPUT];
    size_t read_count;
    char history[HISTORY];
    size_t history_count;
    struct termios terminal; /* as it was */
} self = {.input = {.fd = -1}, .listener = {.fd = -1}};

/* --- output ---------------------------------------------------------------------------------------------------------- */

static void write_all(int fd, const char *text, size_t size)
{
    while (size > 0) {
        ssize_t done = write(fd, text, size);
        if (done < 0 && errno == EAGAIN) {
            (void)poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, 1000);
        } else if (done < 0 && errno != EINTR) {
            return; /* nobody reads any more */
        }
        text += done > 0 ? done : 0;
        size -= done > 0 ? (size_t)done : 0;
    }
}

static void history_add(const char *text, size_t size)
{
    if (size > HISTORY) {
        text += size - HISTORY;
        size = HISTORY;
    }
    if (size > HISTORY - self.history_count) {
        size_t drop = size - (HISTORY - self.history_count);
        memmove(self.history, self.history + drop, self.history_count - drop);
        self.history_count -= drop;
    }
    memcpy(self.history + self.history_count, text, size);
    self.history_count += size;
}

void plat_console_write(const char *text, size_t size)
{
    POINT();
    if (lockstep_on()) {
        lockstep_text(text, size);
    } else if (!self.socket) {
        write_all(STDOUT_FILENO, text, size);
    } else if (self.input.fd >= 0) {
        ssize_t done = send(self.input.fd, text, size, MSG_DONTWAIT | MSG_NOSIGNAL); /* (1) */
        (void)done;
    } else {
        history_add(text, size);
    }
}

/* --- input ----------------------------------------------------------------------------------------------------------- */

static void input_ready(struct sim_fd *fd, short revents)
{
    (void)revents;
    if (self.read_count == INPUT) {
        fd->events = 0; /* until the image has read */
        return;
    }
    ssize_t got = read(fd->fd, self.read + self.read_count, INPUT - self.read_count);
    if (got > 0) {
        self.read_count += (size_t)got;
        sim_line_raise(self.line);
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        if (self.socket) {
            close(fd->fd);
        }
        fd->fd = -1;
    }
}

void sim_console_input(const char *text, size_t size)
{
    size_t room = INPUT - self.read_count;

    size = size < room ? size : room; /* a UART drops what it has no room for */
    memcpy(self.read + self.read_count, text, size);
    self.read_count += size;
    sim_line_raise(self.line);
}

size_t plat_console_read(char *text, size_t size)
{
    size_t count = self.read_count < size ? self.read_count : size;

    memcpy(text, self.read, count);
    self.read_count -= count;
    memmove(self.read, self.read + count, self.read_count);
    self.input.events = POLLIN;
    return count;
}

status_t plat_console_irq(uint32_t *vector)
{
    self.line = sim_line_new(false);
    status_t s = plat_irq_wired(self.line, false, false, vector);
    if (s == ST_OK && !lockstep_on()) {
        sim_fd_add(&self.input);
        sim_fd_add(&self.listener);
    }
    return s;
}

/* --- where it goes --------------------------------------------------------------------------------------------------- */

static void client_came(struct sim_fd *fd, short revents)
{
    int client = accept4(fd->fd, NULL, NULL, SOCK_CLOEXEC);

    (void)revents;
    if (client < 0) {
        return;
    }
    if (self.input.fd >= 0) {
        close(client); /* one at a time */
        return;
    }
    self.input.fd = client;
    plat_console_write(self.history, self.history_count);
    self.history_count = 0;
}

static void open_socket(const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (strlen(path) >= sizeof name.sun_path) {
        sim_die("--console unix:%s: the path is too long", path);
    }
    strcpy(name.sun_path, path);
    unlink(path);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&name, sizeof name) != 0 || listen(fd, 1) != 0) {
        sim_die("--console unix:%s: %s", path, strerror(errno));
    }
    self.socket = true;
    self.listener = (struct sim_fd){.fd = fd, .events = POLLIN, .ready = client_came};
}

static void terminal_restore(void)
{
    tcsetattr(STDIN_FILENO, TCSANOW, &self.terminal);
}

/* The image edits lines itself. Output processing stays: the host's terminal wants a carriage return. */
static void terminal_raw(void)
{
    struct termios raw;

    if (tcgetattr(STDIN_FILENO, &self.terminal) != 0) {
        return;
    }
    raw = self.terminal;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    atexit(terminal_restore);
}

void sim_console_init(void)
{
    self.input = (struct sim_fd){.fd = -1, .events = POLLIN, .ready = input_ready};
    if (lockstep_on()) {
        return;
    }
    if (strncmp(sim_options.console, "unix:", 5) == 0) {
        open_socket(sim_options.console + 5);
    } else if (strcmp(sim_options.console, "stdio") == 0) {
        self.input.fd = STDIN_FILENO;
        terminal_raw();
    } else {
        sim_die("--console %s: it can be stdio or unix:PATH", sim_options.console);
    }
}

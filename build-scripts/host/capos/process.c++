/* SPDX-License-Identifier: MIT OR Apache-2.0
 * process.c++: the supervisor: a fork of capos that outlives it, or not, and knows how the node ended.
 *
 *      capos ----fork----> supervisor ----fork----> qemu
 *        ^   <---pipe: pid, then end-of-file---|
 *
 *  (1) The node never outlives its supervisor (PDEATHSIG): nothing runs that no record names.
 *  (2) The supervisor holds none of capos's descriptors but the pipe: a caller that reads capos's output, or waits
 *      for its lock, is not kept waiting by a detached node.
 *  (3) After fork there are only async-signal-safe calls and plain files: capos has no threads, but libraries may.
 */
#include "process.h"

#include "fail.h"
#include "state.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sstream>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace capos
{

static constexpr int EXEC_FAILED = 127;

static volatile sig_atomic_t node_pid; /* in the supervisor, for its signal handler */

static void kill_node(int)
{
    if (node_pid > 0) {
        kill(node_pid, SIGKILL);
    }
}

static void redirect(const char *file, int flags, int fd)
{
    int opened = open(file, flags, 0600);
    if (opened >= 0) {
        dup2(opened, fd);
    }
    if (opened > STDERR_FILENO) {
        close(opened);
    }
}

static void drop_descriptors(int keep, const std::string &log)
{
    redirect("/dev/null", O_RDONLY, STDIN_FILENO);
    redirect(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, STDOUT_FILENO);
    dup2(STDOUT_FILENO, STDERR_FILENO);
    for (int fd = STDERR_FILENO + 1; fd < 1024; fd++) {
        if (fd != keep) {
            close(fd);
        }
    }
}

[[noreturn]] static void become_node(const std::vector<std::string> &argv, int supervisor)
{
    std::vector<char *> raw;
    for (const std::string &word : argv) {
        raw.push_back(const_cast<char *>(word.c_str()));
    }
    raw.push_back(nullptr);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != supervisor) {
        _exit(EXEC_FAILED); /* it died before we could ask to be told */
    }
    signal(SIGPIPE, SIG_DFL);
    execvp(raw[0], raw.data());
    fprintf(stderr, "cannot run %s: %s\n", raw[0], strerror(errno));
    _exit(EXEC_FAILED);
}

static void write_status(const std::string &dir, int status)
{
    char text[64];
    bool exited = WIFEXITED(status);
    snprintf(text, sizeof text, "%s %d\n", exited ? "exit" : "signal", exited ? WEXITSTATUS(status) : WTERMSIG(status));
    write_file_atomically(dir + "/status", text);
}

struct Plan {
    const std::vector<std::string> &argv;
    const std::string &dir;
    bool attached;
    unsigned lifetime;
    Keeper &keeper;
};

/* The node's process; -1 when the keeper or fork cannot. What was wrong is in the log, which is our standard error. */
static int fork_node(const Plan &plan, int events)
{
    int self = getpid();
    try {
        plan.keeper.open();
    } catch (const Failure &failure) {
        fprintf(stderr, "%s\n", failure.reason.c_str());
        return -1;
    }
    int pid = fork();
    if (pid == 0) {
        close(events);
        plan.keeper.in_child();
        become_node(plan.argv, self);
    }
    return pid;
}

static int keep_node(const Plan &plan, int pid)
{
    try {
        return plan.keeper.keep(pid);
    } catch (const Failure &failure) {
        fprintf(stderr, "%s\n", failure.reason.c_str());
        kill_node(SIGTERM);
        return Keeper().keep(pid);
    }
}

[[noreturn]] static void supervise(const Plan &plan, int events)
{
    setsid(); /* Ctrl-C is capos's business: it asks the node to halt first */
    if (plan.attached) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
    }
    drop_descriptors(events, plan.dir + "/qemu.log");
    int pid = fork_node(plan, events);
    node_pid = pid;
    signal(SIGTERM, kill_node);
    signal(SIGALRM, kill_node);
    if (write(events, &pid, sizeof pid) != sizeof pid) {
        kill_node(SIGTERM);
    }
    if (pid > 0) {
        alarm(plan.lifetime);
        write_status(plan.dir, keep_node(plan, pid));
    }
    _exit(0);
}

Started start_supervised(const std::vector<std::string> &argv, const std::string &dir, bool attached, unsigned lifetime,
                         Keeper &keeper)
{
    int pipe_fd[2];
    if (pipe2(pipe_fd, O_CLOEXEC) != 0) {
        fail_errno("pipe");
    }
    fflush(stdout);
    int supervisor = fork();
    if (supervisor < 0) {
        fail_errno("fork");
    }
    if (supervisor == 0) {
        supervise({argv, dir, attached, lifetime, keeper}, pipe_fd[1]);
    }
    close(pipe_fd[1]);
    int pid = -1;
    if (read(pipe_fd[0], &pid, sizeof pid) != sizeof pid || pid < 0) {
        refuse("failed", "cannot start the node: " + read_file(dir + "/qemu.log").value_or("no process"));
    }
    return {pid, pipe_fd[0]};
}

static bool console_has(const std::string &dir, const std::string &text)
{
    return read_file(dir + "/serial.log").value_or("").find(text) != std::string::npos;
}

/* isa-debug-exit makes QEMU end with 2 * code + 1, so a clean end is 1. Status 0 is, with -no-reboot, a reset: that of a
 * triple fault or of the console's `reboot`. */
static End explain_exit(const std::string &dir, int code)
{
    std::string own = read_file(dir + "/qemu.log").value_or("");
    bool silent = read_file(dir + "/serial.log").value_or("").empty();
    if (code == EXEC_FAILED || (silent && !own.empty())) {
        return {"failed", own.substr(0, own.find_last_not_of('\n') + 1)};
    }
    if (own.find("terminating on signal") != std::string::npos) {
        return {"killed", "did not halt when asked, so QEMU was ended"};
    }
    std::string report = own.empty() ? "" : ": " + own.substr(0, own.find('\n'));
    switch (code) {
    case 0:
        return {"reset",
                "the machine was reset without a clean end: by a triple fault, or by `reboot` at its console" + report};
    case 1:
        return {"stopped", "clean shutdown"};
    case 3:
        return {console_has(dir, "refused") ? "refused" : "failed", "the image ended with code 1" + report};
    case 5:
        return {"panicked", "the image panicked" + report};
    default:
        return {"failed", "it ended with status " + std::to_string(code) + report};
    }
}

/* The process is gone a moment before its supervisor has written how. */
static std::string wait_status(const std::string &dir)
{
    std::optional<std::string> status;
    for (int tries = 0; tries < 50 && !(status = read_file(dir + "/status")); tries++) {
        usleep(10 * 1000);
    }
    return status.value_or("");
}

End explain_end(const std::string &dir)
{
    std::string status = wait_status(dir);
    int number = 0;
    if (sscanf(status.c_str(), "exit %d", &number) == 1) {
        return explain_exit(dir, number);
    }
    if (sscanf(status.c_str(), "signal %d", &number) == 1) {
        return {"killed", std::string("killed by signal ") + std::to_string(number)};
    }
    return {"killed", "killed together with its supervisor"};
}

std::string process_start_ticks(int pid)
{
    std::optional<std::string> stat = read_file("/proc/" + std::to_string(pid) + "/stat");
    if (!stat) {
        return "";
    }
    /* The command's name, field 2, is in parentheses and may hold anything: count from behind it. */
    std::istringstream fields(stat->substr(stat->rfind(')') + 1));
    std::string field;
    for (int number = 3; number <= 22; number++) {
        fields >> field;
    }
    return field;
}

/* A descriptor for the process and no other, or -1: the pid may by now be that of a stranger. By system calls, because
 * <sys/pidfd.h> of glibc 2.36 is none for C++. */
static int open_process(int pid, const std::string &start_ticks)
{
    int fd = pid <= 0 ? -1 : static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
    if (fd >= 0 && process_start_ticks(pid) != start_ticks) {
        close(fd);
        fd = -1;
    }
    return fd;
}

void signal_process(int pid, const std::string &start_ticks, int number)
{
    int fd = open_process(pid, start_ticks);
    if (fd >= 0) {
        syscall(SYS_pidfd_send_signal, fd, number, nullptr, 0);
        close(fd);
    }
}

bool wait_gone(int pid, const std::string &start_ticks, int milliseconds)
{
    int fd = open_process(pid, start_ticks);
    pollfd ended = {fd, POLLIN, 0};
    bool gone = fd < 0 || poll(&ended, 1, milliseconds) > 0;
    if (fd >= 0) {
        close(fd);
    }
    return gone;
}

bool process_alive(int pid, const std::string &start_ticks)
{
    return !wait_gone(pid, start_ticks, 0);
}

} // namespace capos

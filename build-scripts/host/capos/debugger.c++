/* SPDX-License-Identifier: MIT OR Apache-2.0
 * debugger.c++: `fleet up --debug`, which is `make debug`.
 *
 * An image runs twice as far as gdb can see: at its link address until it has its own page tables, and from then on
 * where it has moved itself. With base=fixed that place is known, so the symbols are loaded for both.
 */
#include "debugger.h"

#include "fail.h"
#include "port.h"
#include "symbols.h"

#include <csignal>
#include <cstdio>
#include <sys/wait.h>
#include <unistd.h>

namespace capos
{

/* platform/x86_64/early.c, IMAGE_REGION: where base=fixed puts the image. */
static const char FIXED_BASE[] = "0xffffe00000000000";

void prepare_debug(Launch &launch)
{
    launch.gdb = launch.gdb != 0 ? launch.gdb : free_port();
    launch.append += std::string(launch.append.empty() ? "" : " ") + "base=fixed";
}

void run_debugger(const Launch &launch)
{
    std::string symbols = symbols_of(launch.image);
    std::string moved = "add-symbol-file " + symbols + " -o " + FIXED_BASE;
    std::string connect = "target remote 127.0.0.1:" + std::to_string(launch.gdb);
    fflush(stdout);
    signal(SIGINT, SIG_IGN); /* Ctrl-C interrupts the image, through gdb */
    int pid = fork();
    if (pid == 0) {
        signal(SIGINT, SIG_DFL);
        execlp("gdb", "gdb", "-q", "-ex", "set confirm off", "-ex", moved.c_str(), "-ex", connect.c_str(), "-ex",
               "break panic", "-ex", "break panic_assert", symbols.c_str(), nullptr);
        _exit(127);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    if (pid < 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 127)) {
        refuse("failed", "cannot run gdb; `apt-get install gdb` brings it");
    }
}

} // namespace capos

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * port.c++: finding free ports, and who holds one that is not.
 */
#include "port.h"

#include "fail.h"
#include "state.h"

#include <arpa/inet.h>
#include <cstdio>
#include <dirent.h>
#include <netinet/in.h>
#include <sstream>
#include <sys/socket.h>
#include <unistd.h>

namespace capos
{

/* The port that was bound, or 0. */
static unsigned try_bind(unsigned port)
{
    sockaddr_in address = {};
    socklen_t size = sizeof address;
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(port));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;
    /* As QEMU does: connections of an earlier node in TIME_WAIT do not count. */
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    bool ok = bind(fd, reinterpret_cast<sockaddr *>(&address), size) == 0 && listen(fd, 1) == 0 &&
              getsockname(fd, reinterpret_cast<sockaddr *>(&address), &size) == 0;
    close(fd);
    return ok ? ntohs(address.sin_port) : 0;
}

unsigned free_port()
{
    unsigned port = try_bind(0);
    if (port == 0) {
        fail_errno("no free port on 127.0.0.1");
    }
    return port;
}

/* The inode of the socket that listens on the port, from /proc/net/tcp. */
static std::string listening_inode(unsigned port)
{
    char wanted[16];
    snprintf(wanted, sizeof wanted, ":%04X", port);
    std::istringstream table(read_file("/proc/net/tcp").value_or(""));
    std::string line;
    while (std::getline(table, line)) {
        std::istringstream fields(line);
        std::string slot, local, remote, state, skip, inode;
        fields >> slot >> local >> remote >> state;
        for (int i = 0; i < 5; i++) {
            fields >> skip;
        }
        fields >> inode;
        bool same = local.size() > 5 && local.substr(local.size() - 5) == wanted;
        if (same && state == "0A") {
            return inode;
        }
    }
    return "";
}

static bool holds_socket(const std::string &pid, const std::string &link)
{
    std::string dir_name = "/proc/" + pid + "/fd";
    DIR *dir = opendir(dir_name.c_str());
    bool found = false;
    while (dir != nullptr && !found) {
        struct dirent *entry = readdir(dir);
        if (entry == nullptr) {
            break;
        }
        char target[64] = {};
        std::string name = dir_name + "/" + entry->d_name;
        found = readlink(name.c_str(), target, sizeof target - 1) > 0 && link == target;
    }
    if (dir != nullptr) {
        closedir(dir);
    }
    return found;
}

/* " (by qemu-system-x86, pid 123)", or "" when the owner is another user's. */
static std::string owner_text(unsigned port)
{
    std::string inode = listening_inode(port);
    DIR *dir = inode.empty() ? nullptr : opendir("/proc");
    std::string found;
    while (dir != nullptr && found.empty()) {
        struct dirent *entry = readdir(dir);
        if (entry == nullptr) {
            break;
        }
        std::string pid = entry->d_name;
        if (pid[0] >= '1' && pid[0] <= '9' && holds_socket(pid, "socket:[" + inode + "]")) {
            std::string name = read_file("/proc/" + pid + "/comm").value_or("?\n");
            found = " by " + name.substr(0, name.find('\n')) + ", pid " + pid;
        }
    }
    if (dir != nullptr) {
        closedir(dir);
    }
    return found;
}

void require_free_port(unsigned port, const std::string &flag)
{
    if (try_bind(port) == 0) {
        refuse("failed", "port " + std::to_string(port) + " of 127.0.0.1 is in use" + owner_text(port) + "; " + flag +
                             " chooses another, and without it a free one is taken");
    }
}

} // namespace capos

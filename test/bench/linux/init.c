/* SPDX-License-Identifier: MIT OR Apache-2.0
 * init.c: the first process of the Linux guest: modules, the card, then one program (the arguments of the kernel's command line
 * behind `--`); when that ends the machine is switched off.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/module.h>
#include <net/if.h>
#include <net/route.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void complain(const char *what)
{
    printf("failed: init: %s: %s\n", what, strerror(errno));
    fflush(stdout);
}

/* /modules lists them in the order in which they need each other. */
static void load_modules(void)
{
    char line[128];
    FILE *list = fopen("/modules", "r");

    while (list != NULL && fgets(line, sizeof line, list) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        bool packed = strstr(line, ".ko.") != NULL;
        int fd = open(line, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || syscall(SYS_finit_module, fd, "", packed ? MODULE_INIT_COMPRESSED_FILE : 0) != 0) {
            complain(line);
        }
        close(fd);
    }
}

static void set_address(int fd, const char *card, unsigned long request, const char *address)
{
    struct ifreq r = {0};
    struct sockaddr_in a = {.sin_family = AF_INET};

    inet_pton(AF_INET, address, &a.sin_addr);
    strncpy(r.ifr_name, card, sizeof r.ifr_name - 1);
    memcpy(&r.ifr_addr, &a, sizeof a);
    if (ioctl(fd, request, &r) != 0) {
        complain("address");
    }
}

static void set_up(int fd, const char *card)
{
    struct ifreq r = {.ifr_flags = IFF_UP | IFF_RUNNING};

    strncpy(r.ifr_name, card, sizeof r.ifr_name - 1);
    if (ioctl(fd, SIOCSIFFLAGS, &r) != 0) {
        complain("card up");
    }
}

/* The addresses that QEMU's -netdev user gives by DHCP. */
static void network(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct rtentry route = {.rt_flags = RTF_UP | RTF_GATEWAY};
    struct sockaddr_in a = {.sin_family = AF_INET};

    set_up(fd, "lo");
    if (access("/sys/class/net/eth0", F_OK) == 0) {
        set_address(fd, "eth0", SIOCSIFADDR, "10.0.2.15");
        set_address(fd, "eth0", SIOCSIFNETMASK, "255.255.255.0");
        set_up(fd, "eth0");
        memcpy(&route.rt_dst, &a, sizeof a);
        memcpy(&route.rt_genmask, &a, sizeof a);
        inet_pton(AF_INET, "10.0.2.2", &a.sin_addr);
        memcpy(&route.rt_gateway, &a, sizeof a);
        if (ioctl(fd, SIOCADDRT, &route) != 0) {
            complain("route");
        }
    }
    close(fd);
}

int main(int argc, char **argv)
{
    if (mount("proc", "/proc", "proc", 0, "") != 0 || mount("sysfs", "/sys", "sysfs", 0, "") != 0 ||
        mount("devtmpfs", "/dev", "devtmpfs", 0, "") != 0) {
        complain("mount");
    }
    load_modules();
    network();
    printf("init\n");
    fflush(stdout);
    if (argc > 1 && fork() == 0) {
        execv(argv[1], argv + 1);
        complain(argv[1]);
        _exit(1);
    }
    while (wait(NULL) > 0 || errno == EINTR) {
    }
    sync();
    reboot(RB_POWER_OFF);
    return 1;
}

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * boot.c: QEMU, its console, and the verdict.
 *
 *      boot -> both lies told -> drivers found out what they must -> the console answers -> halt -> a clean end
 *
 *  (1) No panic, whatever was said; and the loop goes on, for the console answers.
 *  (2) A device that cannot be believed any more is said to be so and reset; one that only failed or was slow is not.
 *  (3) An image that refuses to boot without what its disk did not give has taken it well too, if the disk was found out.
 */
#include "boot.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "devices.h"
#include "lies.h"
#include "util.h"

#define WAIT_S 20 /* for anything: a machine may be busy */
#define TICK_MS 2 /* between two questions of the network */
#define CLEAN 1   /* QEMU's status, with isa-debug-exit: 2 * code + 1 */
#define REFUSED 3
#define TEXT_MAX (1u << 20)

struct boot {
    const struct boot_wanted *wanted;
    char folder[64];
    struct vhost disk, card;
    struct lie disk_lie, card_lie;
    pid_t pid;
    int keys, console; /* -1: it ended */
    char text[TEXT_MAX];
    size_t size;
    char why[160]; /* it did not take it well; "": not yet */
};

static void judge(struct boot *boot, const char *format, ...)
{
    va_list args;

    if (boot->why[0] != '\0') {
        return;
    }
    va_start(args, format);
    vsnprintf(boot->why, sizeof boot->why, format, args);
    va_end(args);
}

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* --- QEMU ------------------------------------------------------------------------------------------------------------ */

static _Noreturn void qemu_run(const struct boot *boot, const char *machine, int keys, int console)
{
    char image[512];
    char type[64];
    char disk[128];
    char card[128];
    bool pci = strcmp(machine, "microvm") != 0;

    snprintf(image, sizeof image, "%s/hostile/hostile.elf", boot->wanted->build);
    snprintf(type, sizeof type, "%s,accel=tcg,memory-backend=m", machine);
    snprintf(disk, sizeof disk, "socket,id=disk,path=%s/blk", boot->folder);
    snprintf(card, sizeof card, "socket,id=card,path=%s/net", boot->folder);
    const char *arguments[] = {"qemu-system-x86_64",
                               "-machine",
                               type,
                               "-cpu",
                               "max",
                               "-m",
                               "16",
                               "-nodefaults",
                               "-no-user-config",
                               "-display",
                               "none",
                               "-serial",
                               "stdio",
                               "-no-reboot",
                               "-kernel",
                               image,
                               "-device",
                               "isa-debug-exit,iobase=0xf4",
                               "-object",
                               "memory-backend-memfd,id=m,size=16M,share=on",
                               "-global",
                               "virtio-mmio.force-legacy=false",
                               "-chardev",
                               disk,
                               "-chardev",
                               card,
                               "-netdev",
                               "vhost-user,id=n,chardev=card",
                               "-device",
                               pci ? "vhost-user-blk-pci,chardev=disk,num-queues=1"
                                   : "vhost-user-blk,chardev=disk,num-queues=1",
                               "-device",
                               pci ? "virtio-net-pci,netdev=n,romfile=,vectors=0,mac=52:54:00:00:00:02"
                                   : "virtio-net-device,netdev=n,mac=52:54:00:00:00:02",
                               "-device",
                               pci ? "virtio-rng-pci" : "virtio-rng-device",
                               NULL};

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(keys, STDIN_FILENO);
    dup2(console, STDOUT_FILENO);
    dup2(console, STDERR_FILENO);
    execvp(arguments[0], (char **)(uintptr_t)arguments);
    _exit(127);
}

static void qemu_start(struct boot *boot, const char *machine)
{
    int keys[2];
    int console[2];

    if (pipe2(keys, O_CLOEXEC) != 0 || pipe2(console, O_CLOEXEC) != 0) {
        sim_fail("pipe: %s", strerror(errno));
    }
    boot->pid = fork();
    if (boot->pid < 0) {
        sim_fail("fork: %s", strerror(errno));
    }
    if (boot->pid == 0) {
        qemu_run(boot, machine, keys[0], console[1]);
    }
    close(keys[0]);
    close(console[1]);
    boot->keys = keys[1];
    boot->console = console[0];
}

static void console_read(struct boot *boot)
{
    ssize_t n = read(boot->console, boot->text + boot->size, TEXT_MAX - 1 - boot->size);

    if (n <= 0) {
        close(boot->console);
        boot->console = -1;
        return;
    }
    for (ssize_t i = 0; i < n; i++) { /* no NUL and no carriage return stand in the way of strstr */
        char c = boot->text[boot->size + (size_t)i];
        boot->text[boot->size + (size_t)i] = c == '\0' || c == '\r' ? ' ' : c;
    }
    boot->size += (size_t)n;
    boot->text[boot->size] = '\0';
}

static void type(struct boot *boot, const char *command)
{
    if (write(boot->keys, command, strlen(command)) < 0) {
        judge(boot, "its console takes no command: %s", strerror(errno));
    }
}

/* --- serving --------------------------------------------------------------------------------------------------------- */

struct watch {
    struct pollfd fd[8];
    struct vhost *vhost[8];
    struct ring *ring[8]; /* NULL: the socket */
    unsigned count;
};

static void watch_add(struct watch *watch, int fd, struct vhost *vhost, struct ring *ring)
{
    if (fd >= 0) {
        watch->fd[watch->count] = (struct pollfd){.fd = fd, .events = POLLIN};
        watch->vhost[watch->count] = vhost;
        watch->ring[watch->count++] = ring;
    }
}

static void watch_device(struct watch *watch, struct vhost *vhost)
{
    watch_add(watch, vhost->fd >= 0 ? vhost->fd : vhost->listener, vhost, NULL);
    for (unsigned i = 0; i < vhost->kind->rings; i++) {
        watch_add(watch, vhost->ring[i].kick, vhost, &vhost->ring[i]);
    }
}

static void serve_one(struct boot *boot, struct vhost *vhost, struct ring *ring)
{
    if (vhost == NULL) {
        console_read(boot);
    } else if (ring != NULL) {
        vhost_kicked(vhost, ring);
    } else if (vhost->fd < 0) {
        vhost_accept(vhost);
    } else {
        vhost_message(vhost);
    }
}

static void serve(struct boot *boot)
{
    struct watch watch = {.count = 0};

    watch_add(&watch, boot->console, NULL, NULL);
    watch_device(&watch, &boot->disk);
    watch_device(&watch, &boot->card);
    int ready = poll(watch.fd, watch.count, TICK_MS);
    /* One at a time: a message may close what the next would be about. */
    for (unsigned i = 0; i < watch.count && ready > 0; i++) {
        if (watch.fd[i].revents != 0) {
            serve_one(boot, watch.vhost[i], watch.ring[i]);
            if (watch.ring[i] == NULL && watch.vhost[i] != NULL) {
                return;
            }
        }
    }
    card_tick(&boot->card);
}

/* --- waiting --------------------------------------------------------------------------------------------------------- */

static bool over(const struct boot *boot)
{
    return boot->console < 0 || boot->why[0] != '\0';
}

static bool has_said(const struct boot *boot, size_t from, const char *text)
{
    return strstr(boot->text + from, text) != NULL;
}

static bool both_told(const struct boot *boot, size_t from, const char *text)
{
    (void)from;
    (void)text;
    return boot->disk_lie.told && boot->card_lie.told;
}

/* False: it was not, in good time or before QEMU's end. */
static bool await(struct boot *boot, bool (*until)(const struct boot *boot, size_t from, const char *text), size_t from,
                  const char *text)
{
    double end = now_s() + WAIT_S;

    while (!until(boot, from, text)) {
        if (over(boot) || now_s() > end) {
            return false;
        }
        serve(boot);
    }
    return true;
}

/* --- the verdict ----------------------------------------------------------------------------------------------------- */

/* What virtio_fail() says of the driver. */
static bool found_out(const struct boot *boot, size_t from, const char *device)
{
    char start[32];

    (void)from;
    snprintf(start, sizeof start, "drv/virtio-%s at ", device);
    for (const char *at = boot->text; (at = strstr(at, start)) != NULL; at++) {
        const char *said = strstr(at, "; reset, ");
        if (said != NULL && said < at + strcspn(at, "\n")) {
            return true;
        }
    }
    return false;
}

/* (2) */
static void judge_device(struct boot *boot, const struct vhost *vhost)
{
    const char *name = vhost->kind->name;
    enum outcome outcome = vhost->lie->kind->outcome;

    if (vhost->fault != NULL) {
        judge(boot, "%s: %s", name, vhost->fault);
    }
    if (!vhost->lie->told) {
        return;
    }
    if (outcome == FOUND_OUT && !await(boot, found_out, 0, name)) {
        judge(boot, "its driver did not find out what %s said", name);
    }
    if (outcome == STILL_USED && found_out(boot, 0, name)) {
        judge(boot, "its driver gave up %s, which was no more than unlucky", name);
    }
}

/* QEMU is served to its very end: it asks the devices for their rings' state on its way out. */
static int qemu_end(struct boot *boot)
{
    double end = now_s() + WAIT_S;
    int status = -1;

    while (waitpid(boot->pid, &status, WNOHANG) == 0) {
        if (now_s() > end) {
            judge(boot, "it does not end");
            kill(boot->pid, SIGKILL);
            end += WAIT_S;
        }
        serve(boot);
    }
    while (boot->console >= 0) {
        console_read(boot);
    }
    return status;
}

static void judge_end(struct boot *boot)
{
    int status = qemu_end(boot);
    int wanted = has_said(boot, 0, "boot refused") ? REFUSED : CLEAN;

    if (!WIFEXITED(status) || WEXITSTATUS(status) != wanted) {
        judge(boot, "QEMU ended with status 0x%x, not %d", (unsigned)status, wanted);
    }
}

static void judge_all(struct boot *boot)
{
    await(boot, both_told, 0, NULL);
    judge_device(boot, &boot->disk);
    judge_device(boot, &boot->card);
    if (boot->console >= 0 && !has_said(boot, 0, "boot refused")) {
        size_t from = boot->size;
        type(boot, "devices\n");
        if (!await(boot, has_said, from, "drv/virtio-rng")) {
            judge(boot, "its console does not answer");
        }
        type(boot, "halt\n");
    }
    judge_end(boot);
    if (has_said(boot, 0, "PANIC")) {
        boot->why[0] = '\0';
        judge(boot, "it panicked");
    }
}

/* --- one boot -------------------------------------------------------------------------------------------------------- */

static void device_open(struct boot *boot, struct vhost *vhost, struct lie *lie, const struct device_kind *kind,
                        struct random *random)
{
    char path[96];

    snprintf(path, sizeof path, "%s/%s", boot->folder, kind->name);
    vhost_open(vhost, kind, path);
    vhost->lie = lie;
    if (!lie_draw(lie, kind->name, boot->wanted->lie, random)) {
        (void)lie_draw(lie, kind->name, NULL, random);
    }
}

static void device_end(const struct boot *boot, struct vhost *vhost)
{
    char path[96];

    snprintf(path, sizeof path, "%s/%s", boot->folder, vhost->kind->name);
    (void)unlink(path);
    vhost_close(vhost);
}

/* Without what the workload says of itself. */
static void console_print(struct boot *boot)
{
    char *rest = boot->text;

    printf("--- console\n");
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        if (strstr(line, "@ ") == NULL && strcmp(line, "diag>  ") != 0) {
            printf("%s\n", line);
        }
    }
}

static const char *fate_of(const struct boot *boot, const struct vhost *vhost)
{
    return !vhost->lie->told ? " (not told)" : found_out(boot, 0, vhost->kind->name) ? " (found out)" : "";
}

bool boot_try(const struct boot_wanted *wanted, unsigned *told)
{
    static const char *const machines[] = {"q35", "q35", "pc", "microvm"};
    struct random random = random_stream(wanted->seed, 'lies', 0);
    struct boot *boot = sim_alloc(sizeof *boot);

    boot->wanted = wanted;
    snprintf(boot->folder, sizeof boot->folder, "/tmp/capos-hostile-XXXXXX");
    if (mkdtemp(boot->folder) == NULL) {
        sim_fail("%s: %s", boot->folder, strerror(errno));
    }
    const char *drawn = machines[random_below(&random, 4)];
    const char *machine = wanted->machine != NULL ? wanted->machine : drawn;
    device_open(boot, &boot->disk, &boot->disk_lie, &disk_kind, &random);
    device_open(boot, &boot->card, &boot->card_lie, &card_kind, &random);
    disk_init(&boot->disk);
    qemu_start(boot, machine);
    judge_all(boot);
    device_end(boot, &boot->disk);
    device_end(boot, &boot->card);
    (void)rmdir(boot->folder);
    free(boot->disk.own);
    close(boot->keys);
    *told += boot->disk_lie.told + boot->card_lie.told;
    bool kept = boot->why[0] == '\0';
    printf("seed %lu: %s, blk %s%s, net %s%s: %s\n", (unsigned long)wanted->seed, machine, boot->disk_lie.kind->name,
           fate_of(boot, &boot->disk), boot->card_lie.kind->name, fate_of(boot, &boot->card),
           kept ? "taken well" : boot->why);
    if (!kept) {
        console_print(boot);
    }
    free(boot);
    return kept;
}

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * main.c: the process: its command line, its signals, its devices, and then the image.
 */
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>
#include "core/image.h"
#include "lockstep.h"
#include "sim_private.h"
#include "sim_sanitizer.h"

#define EXIT_USAGE 64 /* as sysexits.h: no exit code of an image */

struct sim_options sim_options = {.entropy = true, .console = "stdio", .cmdline = ""};

struct sim_transport sim_transport; /* MMIO */

struct device_wanted {
    const char *model;
    const char *argument;
};

static struct {
    struct device_wanted device[SIM_DEVICES_MAX];
    unsigned device_count;
} self;

/* AddressSanitizer asks for this; nobody does without it. The image's memory is one mapping that lives as long as the
 * process, and its stacks are switched. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0:detect_stack_use_after_return=0";
}

static const char usage[] =
    "usage: %s [OPTION...]      this image as a process of this machine\n"
    "  --disk FILE              a virtio-blk device with this file behind it (sim: the coordinator)\n"
    "  --net dgram:LOCAL,REMOTE a virtio-net device; UNIX datagram sockets, as QEMU's -netdev dgram\n"
    "  --net udp:PORT,PORT      the same over UDP on 127.0.0.1: local port, remote port\n"
    "  --net tap:NAME           the same on a TAP interface of the host\n"
    "  --device MODEL[:TEXT]    any device model\n"
    "  --transport mmio|pci[:N] what the virtio devices are attached by (mmio); with N MSI-X vectors each at most, 0 a "
    "pin\n"
    "  --console stdio|unix:PATH\n"
    "  --memory SIZE            e.g. 16M; otherwise what the profile says\n"
    "  --cmdline TEXT           the machine's command line\n"
    "  --coordinator FD         run in lock-step: a socket to test/sim's coordinator; then --net sim, --disk sim:SIZE\n"
    "  --no-entropy             neither virtio-rng nor the CPU's random numbers\n"
    "models:";

static _Noreturn void refuse(const char *program, const char *what)
{
    if (what[0] != '\0') {
        fprintf(stderr, "%s: %s\n", program, what);
    }
    fprintf(stderr, usage, program);
    for (const struct sim_model *const *model = sim_models; *model != NULL; model++) {
        fprintf(stderr, " %s", (*model)->name);
    }
    fprintf(stderr, "\n");
    exit(EXIT_USAGE);
}

static void device_add(const char *program, const char *model, const char *argument)
{
    if (self.device_count == SIM_DEVICES_MAX) {
        refuse(program, "too many devices");
    }
    self.device[self.device_count++] = (struct device_wanted){model, argument};
}

static void device_option(const char *program, char *text)
{
    char *colon = strchr(text, ':');

    if (colon != NULL) {
        *colon = '\0';
    }
    device_add(program, text, colon != NULL ? colon + 1 : "");
}

/* Bytes, with K, M or G; 0: not a size. */
static size_t parse_size(const char *text)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 10);
    unsigned shift = 0;

    if (*end == 'K' || *end == 'M' || *end == 'G') {
        shift = *end == 'K' ? 10 : *end == 'M' ? 20 : 30;
        end++;
    }
    return *end == '\0' && text[0] != '-' && value < 1ull << 32 ? (size_t)value << shift : 0;
}

/* False: it is no transport. */
static bool parse_transport(const char *text)
{
    unsigned vectors = UINT_MAX;
    char rest;

    sim_transport = (struct sim_transport){.pci = strncmp(text, "pci", 3) == 0};
    if (strcmp(text, "mmio") == 0) {
        return true;
    }
    bool good = strcmp(text, "pci") == 0 || sscanf(text, "pci:%u%c", &vectors, &rest) == 1;
    sim_transport.vectors = vectors;
    return good;
}

static void option_value(const char *program, const char *option, char *value)
{
    if (strcmp(option, "--disk") == 0) {
        device_add(program, "virtio-blk", value);
    } else if (strcmp(option, "--net") == 0) {
        device_add(program, "virtio-net", value);
    } else if (strcmp(option, "--device") == 0) {
        device_option(program, value);
    } else if (strcmp(option, "--transport") == 0) {
        if (!parse_transport(value)) {
            refuse(program, "--transport can be mmio, pci, or pci:N");
        }
    } else if (strcmp(option, "--console") == 0) {
        sim_options.console = value;
    } else if (strcmp(option, "--coordinator") == 0) {
        lockstep_open(atoi(value));
    } else if (strcmp(option, "--cmdline") == 0) {
        sim_options.cmdline = value;
    } else if (strcmp(option, "--memory") == 0) {
        sim_options.memory_bytes = parse_size(value) & ~(size_t)4095;
        if (sim_options.memory_bytes == 0) {
            refuse(program, "--memory wants a size, e.g. 16M");
        }
    } else {
        refuse(program, "unknown option");
    }
}

static void parse(int argc, char **argv)
{
    sim_options.argv = argv;
    sim_options.memory_bytes = (size_t)image_info.memory_bytes & ~(size_t)4095;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            refuse(argv[0], "");
        } else if (strcmp(argv[i], "--no-entropy") == 0) {
            sim_options.entropy = false;
        } else if (i + 1 == argc) {
            refuse(argv[0], "the last option is unknown or lacks its value");
        } else {
            option_value(argv[0], argv[i], argv[i + 1]);
            i++;
        }
    }
}

static const struct sim_model *model_find(const char *name)
{
    for (const struct sim_model *const *model = sim_models; *model != NULL; model++) {
        if (strcmp((*model)->name, name) == 0) {
            return *model;
        }
    }
    return NULL;
}

static void device_start(const char *name, const char *argument)
{
    const struct sim_model *model = model_find(name);
    char why[256] = "";

    if (model == NULL) {
        sim_die("there is no device model '%s'", name);
    }
    if (!model->start(argument, why, sizeof why)) {
        sim_die("%s: %s", name, why);
    }
}

static void devices_start(void)
{
    for (unsigned i = 0; i < self.device_count; i++) {
        device_start(self.device[i].model, self.device[i].argument);
    }
    if (sim_options.entropy && model_find("virtio-rng") != NULL) {
        device_start("virtio-rng", "");
    }
}

/* --- signals --------------------------------------------------------------------------------------------------------- */

static void stop_asked(int number)
{
    (void)number;
    sim_stop_wanted();
}

static void faulted(int number, siginfo_t *info, void *context)
{
    const ucontext_t *at = context;
    char what[64];

    snprintf(what, sizeof what, "signal %d, address %p", number, info->si_addr);
    core_panic_trap(what, (uintptr_t)at->uc_mcontext.gregs[REG_RIP], (uintptr_t)at->uc_mcontext.gregs[REG_RBP]);
}

void sim_signals_init(void)
{
    static char stack[64 * 1024];
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    struct sigaction stop = {.sa_handler = stop_asked};
    struct sigaction fault = {.sa_sigaction = faulted, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigset_t blocked;

    sigemptyset(&blocked);
    sigaddset(&blocked, SIGINT);
    sigaddset(&blocked, SIGTERM);
    sigprocmask(SIG_BLOCK, &blocked, NULL); /* seen in sim_poll only */
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXCPU, SIG_DFL); /* ends us, whoever ignores it (lockstep.c) */
    sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof stack}, NULL);
    for (unsigned i = 0; i < sizeof faults / sizeof faults[0] && !SANITIZED; i++) {
        sigaction(faults[i], &fault, NULL);
    }
}

int main(int argc, char **argv)
{
    parse(argc, argv);
    (void)sim_clock_ns(); /* the machine is switched on */
    sim_signals_init();
    sim_memory_init();
    sim_console_init();
    devices_start();
    if (lockstep_on()) {
        lockstep_begin();
    }
    core_main();
}

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * whole.c: libFuzzer drives a whole image: an input is what a wire, a peer, a disk and devices do to it.
 *
 * The fuzzer's process never runs the image. For each way to begin there is a server: a process that has brought the image there
 * once and waits; each input is run by a fork of it, which leaves its coverage in shared memory.
 *
 *      fuzzer --go--> server --fork--> machine: the input, until it ends, breaks, or its power is cut
 *             <-how it ended--
 *
 *  (1) Only what an input makes the image do counts as covered: a machine begins with counters of zero.
 *  (2) A power cut ends the machine; the rest of the input goes to one that is switched on with the disk as it was left.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include "disk.h"
#include "world.h"

int machine_main(int argc, char **argv);
#define main machine_main
#include "main.c" /* of platform/sim: a process has one main, and that is libFuzzer's */
#undef main

#define INPUT_MAX 4096u
#define CUTS_MAX 2u
#define CPU_SECONDS_MAX 5 /* of one machine; milliseconds are usual */
#define BLANK_MARK "capos blank disk v1\n"

/* The linker's: the counters of the image's code. */
extern uint8_t __start___sancov_cntrs[], __stop___sancov_cntrs[];
/* What brings an image to where the third server waits: sessions that put something. */
extern const uint8_t warm_input[], warm_input_end[];

static const struct start {
    const char *transport;
    bool warm; /* it has booted, has an address, blobs and a session */
} starts[] = {{"mmio", false}, {"pci", false}, {"pci", true}};
#define STARTS (sizeof starts / sizeof starts[0])

static struct shared {
    struct disk disk;
    struct disk blank;
    struct disk at_start[STARTS]; /* it, when the server began to wait */
    uint8_t input[INPUT_MAX];
    size_t size;
    size_t left; /* of it, behind a power cut */
    uint8_t counters[];
} * shared;

static struct server {
    int go, back; /* -1: not there yet; pipes */
} servers[STARTS] = {{-1, -1}, {-1, -1}, {-1, -1}};

static unsigned mine; /* in a server: which */

static size_t counter_bytes(void)
{
    return (size_t)(__stop___sancov_cntrs - __start___sancov_cntrs);
}

static void disk_restore(struct disk *to, const struct disk *as)
{
    for (unsigned i = 0; i < DISK_PAGES; i++) {
        if (to->written[i] || as->written[i]) {
            memcpy(to->bytes + i * DISK_PAGE, as->bytes + i * DISK_PAGE, DISK_PAGE);
            to->written[i] = as->written[i];
        }
    }
}

/* --- a machine ------------------------------------------------------------------------------------------------------- */

static void process_limits(int cpu_seconds)
{
    struct rlimit limit = {(rlim_t)cpu_seconds, (rlim_t)cpu_seconds + 1};

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)setrlimit(RLIMIT_CPU, &limit);
}

void process_over(size_t left)
{
    shared->left = left;
    memcpy(shared->counters, __start___sancov_cntrs, counter_bytes());
    _exit(0);
}

static void machine_begins(void)
{
    process_limits(CPU_SECONDS_MAX);
    memset(__start___sancov_cntrs, 0, counter_bytes()); /* (1) */
    world_input(shared->input + (shared->size - shared->left), shared->left);
    world_rests = world_judge;
}

/* --- a server -------------------------------------------------------------------------------------------------------- */

static void nothing(void)
{
}

/* Returns in each machine. */
static void serve(void)
{
    const struct server *server = &servers[mine];
    int status = 0;
    char go;

    disk_restore(&shared->at_start[mine], &shared->disk);
    while (write(server->back, &status, sizeof status) == sizeof status && read(server->go, &go, 1) == 1) {
        pid_t child = fork();
        if (child == 0) {
            machine_begins();
            return;
        }
        if (child < 0 || waitpid(child, &status, 0) != child) {
            break;
        }
    }
    _exit(0);
}

static _Noreturn void server_run(const struct start *start)
{
    const char *argv[] = {"image", "--coordinator", "0",      "--transport", start->transport,
                          "--net", "sim",           "--disk", "sim",         NULL};

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    disk_restore(&shared->disk, &shared->blank);
    disk = &shared->disk;
    world_off = start->warm ? nothing : serve;
    world_rests = serve;
    if (start->warm) {
        world_input(warm_input, (size_t)(warm_input_end - warm_input));
    }
    _exit(machine_main(sizeof argv / sizeof argv[0] - 1, (char **)(uintptr_t)argv));
}

/* --- the fuzzer ------------------------------------------------------------------------------------------------------ */

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "whole: %s: %s\n", what, strerror(errno));
    _exit(3);
}

/* How the last machine of this server ended. */
static int status_of(const struct server *server)
{
    int status;
    ssize_t got;

    do { /* libFuzzer's alarm comes every now and then */
        got = read(server->back, &status, sizeof status);
    } while (got < 0 && errno == EINTR);
    if (got != sizeof status) {
        fail("a server is gone");
    }
    return status;
}

static void server_start(unsigned i)
{
    int go[2], back[2];

    if (pipe2(go, O_CLOEXEC) != 0 || pipe2(back, O_CLOEXEC) != 0) {
        fail("pipe");
    }
    pid_t child = fork();
    if (child < 0) {
        fail("fork");
    }
    servers[i] = child == 0 ? (struct server){go[0], back[1]} : (struct server){go[1], back[0]};
    close(child == 0 ? go[1] : go[0]);
    close(child == 0 ? back[0] : back[1]);
    if (child == 0) {
        mine = i;
        server_run(&starts[i]);
    }
    (void)status_of(&servers[i]); /* it waits */
}

static void shared_make(void)
{
    shared = mmap(NULL, sizeof *shared + counter_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        fail("memory");
    }
    memcpy(shared->blank.bytes, BLANK_MARK, sizeof BLANK_MARK - 1);
    shared->blank.written[0] = true;
}

static void counters_take(void)
{
    for (size_t i = 0; i < counter_bytes(); i++) {
        uint8_t count = shared->counters[i];
        __start___sancov_cntrs[i] = __start___sancov_cntrs[i] > count ? __start___sancov_cntrs[i] : count;
    }
}

/* Runs what is left of the input. */
static void machine_run(unsigned i)
{
    if (write(servers[i].go, "", 1) != 1) {
        fail("a server is gone");
    }
    int status = status_of(&servers[i]);
    if (status != 0) {
        fprintf(stderr, "whole: the machine (%s%s) ended with status 0x%x\n", starts[i].transport,
                starts[i].warm ? ", warm" : "", status);
        abort();
    }
    counters_take();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned chosen[8] = {0, 1, 2, 2, 2, 2, 2, 2};
    unsigned i = size > 0 ? chosen[data[0] % 8] : 0;

    if (size == 0 || size > INPUT_MAX) {
        return 0;
    }
    if (shared == NULL) {
        shared_make();
    }
    for (unsigned s = 0; s < STARTS; s++) {
        if (servers[s].go < 0) {
            server_start(s);
        }
    }
    memcpy(shared->input, data, size);
    disk_restore(&shared->disk, &shared->at_start[i]);
    shared->size = size;
    shared->left = size - 1;
    machine_run(i);
    for (unsigned cuts = 0; cuts < CUTS_MAX && shared->left > 0; cuts++) {
        machine_run(starts[i].warm ? 1 : i); /* (2) */
    }
    return 0;
}

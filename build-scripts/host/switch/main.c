/* SPDX-License-Identifier: MIT OR Apache-2.0
 * main.c: the switch as a program. Each port is a pair of UNIX datagram sockets, as QEMU's `-netdev dgram` has them: HERE is ours
 * and is made, THERE is the image's and may come, go and come again.
 *
 *  (1) What is told to the switch is a word, `key=value`, on the command line or as a line of standard input: what can be said
 *      before it runs can be changed while it runs, but ports are there from the beginning.
 *  (2) A frame that the one at a port cannot take now stays at the port; when nobody is there it is dropped and counted.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include "lan.h"

#define FRAMES_AT_ONCE 64 /* from one port, before the others have their turn */
#define LINE_MAX_BYTES 256u

struct end {
    char name[32];
    struct sockaddr_un here, there;
    int in;  /* bound to `here` */
    int out; /* connected to `there`, while somebody is there */
    bool connected;
};

static struct {
    struct lan lan;
    struct end end[LAN_PORTS];
    bool running; /* ports are fixed now (1) */
    bool stdin_open;
    char line[LINE_MAX_BYTES];
    size_t line_size;
} self;

static const char usage[] =
    "usage: switch port=NAME:HERE:THERE... [WORD...]   joins images by UNIX datagram sockets, and spoils what passes\n"
    "  port=NAME:HERE:THERE  a port: the socket that is made here, the one that the image has there\n"
    "  seed=N                what chance does, again the same\n"
    "  leases=1              answers DHCP: the first port is 10.9.0.10, the next 10.9.0.11\n"
    "  loss=N duplicate=N corrupt=N delay=N   chances in a million, per frame and receiver\n"
    "  delay_us=N            the longest delay, which lets other frames overtake\n"
    "  split=N               bit i: port i stands on the other side; 0: all are together\n"
    "  counters=1            says now what it says at the end\n"
    "All but ports may also come as lines of standard input, while it runs. It says `ready` when its sockets are "
    "there, and\n"
    "ends at SIGTERM or SIGINT. exit: 0 ended, 1 could not go on, 2 wrong usage\n";

static _Noreturn void refuse(const char *word)
{
    fprintf(stderr, "switch: '%s' is not understood\n%s", word, usage);
    exit(2);
}

static _Noreturn void stop(const char *what)
{
    fprintf(stderr, "switch: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* --- words ----------------------------------------------------------------------------------------------------------- */

static void print_counters(void)
{
    for (unsigned i = 0; i < self.lan.port_count; i++) {
        const struct lan_counters *c = &self.lan.port[i].count;
        printf("%s: in %lu out %lu short %lu long %lu bad-source %lu lost %lu split %lu full %lu duplicated %lu "
               "corrupted %lu "
               "delayed %lu refused %lu\n",
               self.end[i].name, (unsigned long)c->in, (unsigned long)c->out, (unsigned long)c->too_short,
               (unsigned long)c->too_long, (unsigned long)c->bad_source, (unsigned long)c->lost,
               (unsigned long)c->split, (unsigned long)c->full, (unsigned long)c->duplicated,
               (unsigned long)c->corrupted, (unsigned long)c->delayed, (unsigned long)c->refused);
    }
    fflush(stdout);
}

static bool address_set(struct sockaddr_un *address, const char *path, size_t size)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (size == 0 || size >= sizeof address->sun_path) {
        return false;
    }
    memcpy(address->sun_path, path, size);
    return true;
}

/* NAME:HERE:THERE */
static bool port_set(const char *text)
{
    const char *here = strchr(text, ':');
    const char *there = here != NULL ? strchr(here + 1, ':') : NULL;
    struct end *end = &self.end[self.lan.port_count];

    if (self.running || self.lan.port_count == LAN_PORTS || there == NULL || here == text ||
        (size_t)(here - text) >= sizeof end->name || !address_set(&end->here, here + 1, (size_t)(there - here - 1)) ||
        !address_set(&end->there, there + 1, strlen(there + 1))) {
        return false;
    }
    memcpy(end->name, text, (size_t)(here - text));
    (void)lan_port_add(&self.lan);
    return true;
}

static bool number_of(const char *text, uint64_t *value)
{
    char *end;

    errno = 0;
    *value = strtoull(text, &end, 0);
    return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0;
}

static bool number_set(const char *key, uint64_t value)
{
    struct wire_faults *faults = &self.lan.faults;
    const struct {
        const char *key;
        uint32_t *chance;
    } chances[] = {{"loss", &faults->loss},
                   {"duplicate", &faults->duplicate},
                   {"corrupt", &faults->corrupt},
                   {"delay", &faults->delay}};

    for (size_t i = 0; i < sizeof chances / sizeof chances[0]; i++) {
        if (strcmp(key, chances[i].key) == 0 && value <= CHANCE_ALWAYS) {
            *chances[i].chance = (uint32_t)value;
            return true;
        }
    }
    if (strcmp(key, "seed") == 0) {
        lan_seed(&self.lan, value);
    } else if (strcmp(key, "leases") == 0 && value <= 1) {
        self.lan.leases = value == 1;
    } else if (strcmp(key, "delay_us") == 0 && value <= 60000000) {
        faults->delay_ns_max = value * 1000;
    } else if (strcmp(key, "split") == 0 && value <= UINT32_MAX) {
        self.lan.split = (uint32_t)value;
    } else if (strcmp(key, "counters") == 0 && value == 1) {
        print_counters();
    } else {
        return false;
    }
    return true;
}

/* (1) */
static bool word_take(const char *word)
{
    const char *equals = strchr(word, '=');
    char key[16];
    uint64_t value;

    if (equals == NULL || (size_t)(equals - word) >= sizeof key) {
        return false;
    }
    memcpy(key, word, (size_t)(equals - word));
    key[equals - word] = '\0';
    if (strcmp(key, "port") == 0) {
        return port_set(equals + 1);
    }
    return number_of(equals + 1, &value) && number_set(key, value);
}

static void line_take(void)
{
    self.line[self.line_size] = '\0';
    self.line_size = 0;
    if (self.line[0] != '\0' && !word_take(self.line)) {
        fprintf(stderr, "switch: '%s' is not understood\n", self.line);
    }
}

static void stdin_take(void)
{
    char text[LINE_MAX_BYTES];
    ssize_t size = read(STDIN_FILENO, text, sizeof text);

    self.stdin_open = size > 0;
    for (ssize_t i = 0; i < size; i++) {
        if (text[i] == '\n' || self.line_size == sizeof self.line - 1) {
            line_take();
        } else {
            self.line[self.line_size++] = text[i];
        }
    }
}

/* --- sockets --------------------------------------------------------------------------------------------------------- */

static int socket_new(void)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        stop("socket");
    }
    return fd;
}

static void end_open(struct end *end)
{
    end->in = socket_new();
    end->out = socket_new();
    (void)unlink(end->here.sun_path);
    if (bind(end->in, (const struct sockaddr *)&end->here, sizeof end->here) != 0) {
        stop(end->here.sun_path);
    }
}

static void port_receive(unsigned port)
{
    static char frame[WIRE_FRAME_MAX + 1]; /* one more byte shows that a frame is too long */

    for (int i = 0; i < FRAMES_AT_ONCE; i++) {
        ssize_t size = recv(self.end[port].in, frame, sizeof frame, 0);
        if (size < 0) {
            return;
        }
        lan_receive(&self.lan, port, now_ns(), frame, (size_t)size);
    }
}

enum taken { TAKEN, NOT_NOW, NOBODY };

static enum taken frame_give(struct end *end, const struct lan_frame *frame)
{
    for (int i = 0; i < 2; i++) { /* the one whom we knew may be gone, and another there */
        if (!end->connected) {
            end->connected = connect(end->out, (const struct sockaddr *)&end->there, sizeof end->there) == 0;
        }
        if (!end->connected) {
            return NOBODY;
        }
        if (send(end->out, frame->bytes, frame->size, MSG_NOSIGNAL) >= 0) {
            return TAKEN;
        }
        if (errno == EAGAIN || errno == ENOBUFS) {
            return NOT_NOW;
        }
        end->connected = false;
    }
    return NOBODY;
}

/* (2) */
static void port_send(unsigned port)
{
    const struct lan_frame *frame;

    while ((frame = lan_next(&self.lan, port)) != NULL) {
        enum taken taken = frame_give(&self.end[port], frame);
        if (taken == NOT_NOW) {
            return;
        }
        lan_sent(&self.lan, port, taken == TAKEN);
    }
}

/* --- running --------------------------------------------------------------------------------------------------------- */

/* Two for each port, then standard input and signals. */
struct watch {
    struct pollfd fd[2 * LAN_PORTS + 2];
    unsigned count;
};

static void watch_fill(struct watch *watch, int signals)
{
    watch->count = 0;
    for (unsigned i = 0; i < self.lan.port_count; i++) {
        bool waits = lan_next(&self.lan, i) != NULL;
        watch->fd[watch->count++] = (struct pollfd){.fd = self.end[i].in, .events = POLLIN};
        watch->fd[watch->count++] = (struct pollfd){.fd = waits ? self.end[i].out : -1, .events = POLLOUT};
    }
    watch->fd[watch->count++] = (struct pollfd){.fd = self.stdin_open ? STDIN_FILENO : -1, .events = POLLIN};
    watch->fd[watch->count++] = (struct pollfd){.fd = signals, .events = POLLIN};
}

/* False: it is to end. */
static bool turn(struct watch *watch, int signals)
{
    uint64_t due_ns = lan_due(&self.lan);
    uint64_t now = now_ns();
    uint64_t left_ns = due_ns > now ? due_ns - now : 0;
    struct timespec left = {.tv_sec = (time_t)(left_ns / 1000000000), .tv_nsec = (long)(left_ns % 1000000000)};

    watch_fill(watch, signals);
    if (ppoll(watch->fd, watch->count, due_ns == LAN_NEVER ? NULL : &left, NULL) < 0 && errno != EINTR) {
        stop("poll");
    }
    if (watch->fd[watch->count - 2].revents != 0) {
        stdin_take();
    }
    for (unsigned i = 0; i < self.lan.port_count; i++) {
        if (watch->fd[2 * i].revents != 0) {
            port_receive(i);
        }
    }
    lan_tick(&self.lan, now_ns());
    for (unsigned i = 0; i < self.lan.port_count; i++) {
        port_send(i);
    }
    return watch->fd[watch->count - 1].revents == 0;
}

static int signals_open(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    int fd = sigprocmask(SIG_BLOCK, &set, NULL) == 0 ? signalfd(-1, &set, SFD_CLOEXEC) : -1;
    if (fd < 0) {
        stop("signals");
    }
    return fd;
}

int main(int argc, char **argv)
{
    static struct watch watch;

    lan_init(&self.lan);
    for (int i = 1; i < argc; i++) {
        if (!word_take(argv[i])) {
            refuse(argv[i]);
        }
    }
    if (self.lan.port_count == 0) {
        refuse("no port");
    }
    int signals = signals_open();
    for (unsigned i = 0; i < self.lan.port_count; i++) {
        end_open(&self.end[i]);
    }
    self.running = true;
    self.stdin_open = true;
    printf("ready\n");
    fflush(stdout);
    while (turn(&watch, signals)) {
    }
    print_counters();
    for (unsigned i = 0; i < self.lan.port_count; i++) {
        (void)unlink(self.end[i].here.sun_path);
    }
    return 0;
}

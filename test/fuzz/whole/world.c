/* SPDX-License-Identifier: MIT OR Apache-2.0
 * world.c: what stands behind the image's end of the coordinator's socket: the linker puts it there (--wrap).
 *
 *  (1) Time is the world's: it passes by EXCHANGE_NS when the image is told something, and jumps to the image's timer when there
 *      is nothing to tell.
 *  (2) The input is read a record at a time: an act, of which bit 7 says that the next follows at once; else the image first
 *      comes to rest.
 *  (3) The disk lives in memory that survives the process: a power cut is a new process and the rest of the input.
 */
#include "world.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "disk.h"
#include "lies.h"
#include "peer.h"
#include "sim_link.h"

#define EXCHANGE_NS 20000u
#define NEVER UINT64_MAX
#define EXCHANGES_MAX 6000u  /* of one process: an input is short */
#define REST_EXCHANGES 24u   /* that an image with nothing to do is watched, */
#define REST_NS 5000000000u  /* as long as its timers are not further away: TCP's run */
#define ACTS_MAX 100u        /* of one input and machine: what is behind them is not read */
#define LEASE_EXCHANGES 400u /* that an image may need for its address */
#define TURN_BOUND_NS 20000u /* as in test/sim: no turn is longer */
#define MAC 0x010000005452u  /* 52:54:00:00:00:01, first byte lowest */

static struct {
    const uint8_t *input, *end;
    struct sim_link to; /* what the image will be told gathers in `out` */
    uint64_t now_ns, timer_ns;
    unsigned exchanges, resting, acts;
    bool started, excused, judged;
    char said[4096]; /* the end of its console */
    size_t said_size;
} self;

void (*world_off)(void);
void (*world_rests)(void);

/* --- the end --------------------------------------------------------------------------------------------------------- */

void world_broken(const char *format, ...)
{
    va_list args;

    fprintf(stderr, "%.*s\n*** ", (int)self.said_size, self.said);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    _exit(1);
}

void world_excuse(void)
{
    self.excused = true;
}

static void console(const char *text, size_t size)
{
    if (getenv("WHOLE_VERBOSE") != NULL) {
        fwrite(text, 1, size, stderr);
    }
    if (size > sizeof self.said - self.said_size) {
        size_t keep = self.said_size / 2;
        memmove(self.said, self.said + self.said_size - keep, keep);
        self.said_size = keep;
    }
    size = size < sizeof self.said - self.said_size ? size : sizeof self.said - self.said_size;
    memcpy(self.said + self.said_size, text, size);
    self.said_size += size;
}

static void ended(const struct sim_message *message, const char *text)
{
    self.said[self.said_size < sizeof self.said ? self.said_size : sizeof self.said - 1] = '\0';
    if (message->kind == SIM_EXIT && self.excused && strstr(self.said, "*** panic") == NULL) {
        process_over(0); /* it refuses to boot with such a machine */
    }
    world_broken("the image ended by itself (%u): %.*s", message->kind, (int)message->size, text);
}

/* --- the input ------------------------------------------------------------------------------------------------------- */

void world_input(const uint8_t *bytes, size_t size)
{
    self.input = bytes;
    self.end = bytes + size;
}

uint8_t take8(void)
{
    return self.input < self.end ? *self.input++ : 0;
}

uint16_t take16(void)
{
    uint16_t low = take8();

    return (uint16_t)(low | take8() << 8);
}

const uint8_t *take_bytes(size_t *size)
{
    const uint8_t *bytes = self.input;

    *size = *size < (size_t)(self.end - self.input) ? *size : (size_t)(self.end - self.input);
    self.input += *size;
    return bytes;
}

/* --- what the image is told ------------------------------------------------------------------------------------------ */

void world_tell(struct sim_message message, const void *body)
{
    message.time_ns = self.now_ns;
    if (!sim_link_say(&self.to, &message, body)) {
        world_broken("no memory");
    }
}

void world_frame(const uint8_t *frame, size_t size)
{
    world_tell((struct sim_message){.kind = SIM_FRAME, .port = PORT_NET, .size = (uint32_t)size}, frame);
}

static void tell_wire(bool up)
{
    world_tell((struct sim_message){.kind = SIM_STATE, .port = PORT_NET, .a = up, .b = MAC}, NULL);
}

static void tell_disk(uint64_t sectors, bool read_only)
{
    world_tell((struct sim_message){.kind = SIM_STATE, .port = PORT_DISK, .a = sectors, .b = read_only}, NULL);
}

static void power_on(void)
{
    world_tell((struct sim_message){.kind = SIM_START, .flags = SIM_START_ENTROPY, .a = 1, .b = 1}, NULL);
    tell_wire(true);
    tell_disk(DISK_SECTORS, false);
}

/* --- what the image says --------------------------------------------------------------------------------------------- */

static void heard(const struct sim_message *message, const char *body)
{
    self.now_ns = message->time_ns > self.now_ns ? message->time_ns : self.now_ns;
    switch (message->kind) {
    case SIM_FRAME:
        peer_heard((const uint8_t *)body, message->size);
        return;
    case SIM_DISK:
        disk_asked(message, (const uint8_t *)body);
        return;
    case SIM_TEXT:
        console(body, message->size);
        return;
    case SIM_IDLE:
    case SIM_BUSY:
        self.timer_ns = message->kind == SIM_IDLE ? message->a : 0;
        if (message->b > TURN_BOUND_NS && self.exchanges > 0 && !self.excused) {
            world_broken("a turn of %lu ns", (unsigned long)message->b);
        }
        return;
    default:
        ended(message, body);
    }
}

bool __wrap_sim_link_send(struct sim_link *link, int pass);
bool __wrap_sim_link_send(struct sim_link *link, int pass)
{
    struct sim_message message;

    (void)pass;
    for (size_t at = 0; at < link->out.used; at += sizeof message + sim_padded(message.size)) {
        memcpy(&message, link->out.data + at, sizeof message);
        heard(&message, link->out.data + at + sizeof message);
    }
    link->out.used = 0;
    return true;
}

/* --- what happens next ----------------------------------------------------------------------------------------------- */

/* (3) */
static _Noreturn void cut(void)
{
    process_over((size_t)(self.end - self.input));
}

static void say(void)
{
    size_t size = take16() % 2048;
    const uint8_t *bytes = take_bytes(&size);

    peer_say(bytes, size);
}

static void change_state(void)
{
    uint8_t what = take8();

    world_excuse();
    if (what < 128) {
        tell_wire(what % 2 == 0);
    } else {
        tell_disk(take16(), what % 2 != 0);
    }
}

/* (2) True: the next one at once. */
static bool act(void)
{
    uint8_t what = take8();

    if (++self.acts == ACTS_MAX) {
        self.input = self.end;
        return false;
    }
    switch (what % 16) {
    default:
        say();
        break;
    case 7:
        cut();
    case 8:
        peer_segment();
        break;
    case 9:
        peer_any_frame();
        break;
    case 10:
        disk_edit((what & 64) != 0);
        break;
    case 11:
        disk_spoil();
        break;
    case 12:
        lie_take();
        break;
    case 13:
        self.now_ns += 1000000ull << take8() % 16;
        break;
    case 14:
        peer_close(take8() % 2 != 0);
        break;
    case 15:
        change_state();
        break;
    }
    return (what & 128) != 0;
}

/* What stands at the front and concerns the machine is so before it is switched on. */
static void set_up(void)
{
    while (self.input < self.end && *self.input % 16 >= 10 && *self.input % 16 <= 12) {
        (void)act();
    }
}

void world_judge(void)
{
    if (self.judged && !self.excused && !peer_knows()) {
        world_broken("the image does not answer any more");
    }
    if (self.judged || self.excused) {
        process_over(0);
    }
    self.judged = true;
    peer_ask();
}

/* Nothing is to be told. It may do what it put off. */
static void rest(void)
{
    if (++self.resting < REST_EXCHANGES && self.timer_ns < self.now_ns + REST_NS) {
        return;
    }
    self.resting = 0;
    world_rests();
}

/* A machine that has no address yet is not spoken to, for some time. */
static bool listens(void)
{
    return peer_leased() || self.exchanges > LEASE_EXCHANGES;
}

/* Something happens, or nothing. */
static void happen(void)
{
    if (!listens()) {
        return;
    }
    if (self.input == self.end) {
        rest();
        return;
    }
    self.resting = 0;
    while (act() && self.input < self.end) {
    }
}

/* What the image is told next. */
static void gather(void)
{
    if (!self.started) {
        self.started = true;
        world_off();
        set_up();
        power_on();
        return;
    }
    if (++self.exchanges > EXCHANGES_MAX) {
        process_over(0);
    }
    self.now_ns += EXCHANGE_NS;
    disk_answer();
    if (self.to.out.used == 0) {
        happen();
    }
    if (self.to.out.used == 0 && self.timer_ns != NEVER && self.timer_ns > self.now_ns) {
        self.now_ns = self.timer_ns; /* (1) */
    }
}

bool __real_sim_link_next(struct sim_link *link, struct sim_message *message, const char **body, int *passed);
bool __wrap_sim_link_next(struct sim_link *link, struct sim_message *message, const char **body, int *passed);
bool __wrap_sim_link_next(struct sim_link *link, struct sim_message *message, const char **body, int *passed)
{
    if (link->at == link->in.used) {
        struct sim_bytes read = link->in;
        gather();
        world_tell((struct sim_message){.kind = SIM_GO, .a = NEVER}, NULL);
        link->in = self.to.out;
        link->at = 0;
        self.to.out = (struct sim_bytes){.data = read.data, .size = read.size};
    }
    return __real_sim_link_next(link, message, body, passed);
}

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * store_load_choice.c: where a session's choices come from: its random numbers, or, with `chosen`, the console.
 *
 * `load D...` gives them, a number each, in the order in which they are asked for; those that it does not give are 0. When all
 * operations are over the session says `chose D/N` for each: what it took, of how many. So whoever types can go through
 * all there are, like an odometer.
 */
#define LOG_TAG "load"
#include "core/diag.h"
#include "core/log.h"
#include "store_load.h"

#define CHOICES_MAX 32u
#define RADIX_MAX 64u

_Static_assert(!STORE_LOAD_CHOSEN || STORE_LOAD_SESSIONS == 1, "chosen=yes is for one session");

static struct {
    unsigned digit[CHOICES_MAX], radix[CHOICES_MAX]; /* [L] */
    unsigned given, taken;                           /* [L] */
    void (*begin)(void);                             /* [I] */
} self;

static unsigned chosen(unsigned n) REQUIRES(LOOP)
{
    unsigned i = self.taken;

    ASSERT(i < CHOICES_MAX); /* fewer operations, then */
    self.taken++;
    self.radix[i] = n;
    self.digit[i] = i < self.given && self.digit[i] < n ? self.digit[i] : 0;
    return self.digit[i];
}

unsigned load_choice(struct session *s, unsigned n)
{
    return STORE_LOAD_CHOSEN ? chosen(n) : (unsigned)(load_session_random(s) % n);
}

unsigned load_choice_weighted(struct session *s, const uint8_t *weighted, unsigned count, unsigned kinds)
{
    return STORE_LOAD_CHOSEN ? chosen(kinds) : weighted[load_session_random(s) % count];
}

void load_choices_say(void)
{
    for (unsigned i = 0; i < self.taken; i++) {
        log_info("chose %u/%u", self.digit[i], self.radix[i]);
    }
}

static unsigned number(const char *text)
{
    unsigned value = 0;

    while (*text >= '0' && *text <= '9' && value < RADIX_MAX) {
        value = value * 10 + (unsigned)(*text++ - '0');
    }
    return value;
}

static void load(int argc, char **argv)
{
    room_assert_loop();
    if (self.given > 0 || self.taken > 0 || argc < 2 || argc - 1 > (int)CHOICES_MAX) {
        diag_print("load NUMBER... once: what the session is to choose, at most %u\n", CHOICES_MAX);
        return;
    }
    self.given = (unsigned)argc - 1;
    for (unsigned i = 0; i < self.given; i++) {
        self.digit[i] = number(argv[i + 1]);
    }
    self.begin();
}

bool load_choices_awaited(void (*begin)(void))
{
    static struct diag_command command = {
        .name = "load", .help = "what the workload chooses: load NUMBER...", .run = load};

    if (STORE_LOAD_CHOSEN) {
        self.begin = begin;
        diag_command_add(&command);
    }
    return STORE_LOAD_CHOSEN;
}

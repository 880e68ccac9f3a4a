/* SPDX-License-Identifier: MIT OR Apache-2.0
 * store_load_scrub.c: has the store look for damage while all sessions are at work, and once more at the end. What it finds is
 * what it cannot read (`@ lost`): nothing, unless the disk is to blame. Then its catalog must agree with itself (`@ fail`).
 */
#define LOG_TAG "load"
#include "core/log.h"
#include "lib/store/store.capnp.h"
#include "store_load.h"

#define RATE 1000000u /* bytes a second: as slow as the sessions are */
#define LAST_RATE 100000000u

static uint64_t rate(const struct session *s)
{
    return s->audit ? LAST_RATE : RATE;
}

/* It may be refused, and nothing is lost by it. */
static bool gave_up(struct session *s) REQUIRES(LOOP)
{
    if (!s->failed) {
        return false;
    }
    if (s->why == EXCEPTION_DISCONNECTED) {
        load_session_lost(s);
    } else {
        load_op_ended(s);
    }
    return true;
}

static bool running(const struct session *s) REQUIRES(LOOP)
{
    struct scrub_report_reader report = volume_scrubbed_results_get_report(volume_scrubbed_answer(&s->ask.call));
    uint64_t damaged = scrub_report_get_damaged_blocks(report);

    if (damaged > 0) {
        log_err("@ lost %llu blocks, says a scrub", (unsigned long long)damaged);
    }
    return scrub_report_get_running(report);
}

static void ended(struct session *s) REQUIRES(LOOP)
{
    if (!gave_up(s)) {
        load_op_ended(s);
    }
}

static void reported(struct session *s) REQUIRES(LOOP)
{
    if (gave_up(s)) {
        return;
    }
    if (running(s)) {
        load_op_ended(s);
        return;
    }
    volume_scrub_params_set_bytes_per_second(
        volume_scrub_begin(&s->ask.call, s->volume, load_ask_params(&s->ask), &load_ask_source), rate(s));
    load_ask_send(&s->ask, s->volume, ended);
}

static void report(struct session *s, void (*then)(struct session *s)) REQUIRES(LOOP)
{
    s->failed = false;
    (void)volume_scrubbed_begin(&s->ask.call, s->volume, load_ask_params(&s->ask), &load_ask_source);
    load_ask_send(&s->ask, s->volume, then);
}

void load_scrub_begin(struct session *s)
{
    report(s, reported);
}

static void checked(struct session *s) REQUIRES(LOOP)
{
    if (gave_up(s)) {
        return;
    }
    uint64_t faults = volume_check_results_get_faults(volume_check_answer(&s->ask.call));
    if (faults > 0) { /* a page that the disk gives back wrong is one too */
        log_err("@ lost %llu places of the catalog, says a check", (unsigned long long)faults);
    }
    load_op_ended(s);
}

static void waited(struct session *s) REQUIRES(LOOP)
{
    if (gave_up(s)) {
        return;
    }
    if (running(s)) {
        report(s, waited);
        return;
    }
    (void)volume_check_begin(&s->ask.call, s->volume, load_ask_params(&s->ask), &load_ask_source);
    load_ask_send(&s->ask, s->volume, checked);
}

void load_scrub_wait(struct session *s)
{
    report(s, waited);
}

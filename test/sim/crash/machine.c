/* SPDX-License-Identifier: MIT OR Apache-2.0
 * machine.c: stepping one image.
 */
#include "machine.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "random.h"
#include "util.h"

#define NEVER UINT64_MAX
#define DISK_NS 20000u
#define WAITING_MAX (sizeof((struct machine *)0)->waiting / sizeof(struct sim_message))

static void say(struct machine *machine, struct sim_message message, const void *body)
{
    message.time_ns = machine->now_ns;
    if (!sim_link_say(&machine->link, &message, body)) {
        sim_fail("no memory for a batch");
    }
}

static void broken(struct machine *machine, const char *what, const char *text, size_t size)
{
    if (machine->why[0] == '\0') {
        snprintf(machine->why, sizeof machine->why, "%s%.*s", what, (int)size, text);
    }
}

/* --- the disk -------------------------------------------------------------------------------------------------------- */

static bool inside(const struct view *disk, uint64_t sector, uint32_t size)
{
    uint64_t bytes = view_bytes(disk);

    return size % SECTOR == 0 && sector <= bytes / SECTOR && size <= bytes - sector * SECTOR;
}

/* Of a write that fails nothing is there, all, or any of its sectors. */
static bool lands(const struct failure *fails, uint32_t sector)
{
    uint64_t how = fails->chance % 4;

    return how == 1 || (how > 1 && random_mix(fails->chance + sector) % 2 == 0);
}

static void write_fails(struct machine *machine, const struct sim_message *asked, const char *body)
{
    for (uint32_t i = 0; i < asked->size / SECTOR; i++) {
        if (lands(&machine->fails, i)) {
            view_write(machine->disk, (asked->b + i) * SECTOR, body + i * SECTOR, SECTOR);
        }
    }
}

static void answer(struct machine *machine, const struct sim_message *asked, const char *body)
{
    struct sim_message reply = {.kind = SIM_DISK, .port = asked->port, .a = asked->a, .flags = SIM_DISK_OK};
    uint32_t size;

    if (asked->flags == SIM_DISK_READ) {
        memcpy(&size, body, sizeof size);
        if (!inside(machine->disk, asked->b, size)) {
            broken(machine, "reads beyond its disk", "", 0);
            return;
        }
        char *bytes = sim_alloc(size);
        view_read(machine->disk, asked->b * SECTOR, bytes, size);
        reply.size = size;
        say(machine, reply, bytes);
        free(bytes);
        return;
    }
    reply.flags = asked->reserved != 0 ? SIM_DISK_ERROR : SIM_DISK_OK;
    if (asked->flags == SIM_DISK_WRITE) {
        if (!inside(machine->disk, asked->b, asked->size)) {
            broken(machine, "writes beyond its disk", "", 0);
            return;
        }
        if (asked->reserved != 0) {
            write_fails(machine, asked, body);
        } else {
            view_write(machine->disk, asked->b * SECTOR, body, asked->size);
        }
    }
    say(machine, reply, NULL);
}

static void answer_all(struct machine *machine)
{
    machine->now_ns += machine->waiting_count > 0 ? DISK_NS : 0;
    for (unsigned i = 0; i < machine->waiting_count; i++) {
        answer(machine, &machine->waiting[i], machine->waiting_body[i]);
        free(machine->waiting_body[i]);
    }
    machine->waiting_count = 0;
}

/* Whose end was not told yet: whichever of the two comes last stays there. */
static bool meets_another(const struct machine *machine, const struct sim_message *write)
{
    for (unsigned i = 0; i < machine->waiting_count; i++) {
        const struct sim_message *other = &machine->waiting[i];
        if (other->flags == SIM_DISK_WRITE && other->b < write->b + write->size / SECTOR &&
            write->b < other->b + other->size / SECTOR) {
            return true;
        }
    }
    return false;
}

static void note(struct machine *machine, const struct sim_message *message, const char *body, bool fails)
{
    struct step step = {.kind = STEP_FLUSH, .batch = machine->batch, .sector = message->b};

    if (message->flags == SIM_DISK_FLUSH) {
        if (!fails) {
            journal_add(machine->journal, step, NULL);
        }
        return;
    }
    step.kind = STEP_WRITE;
    step.size = fails ? SECTOR : message->size;
    for (uint32_t at = 0; at < message->size; at += step.size) {
        step.sector = message->b + at / SECTOR;
        if (!fails || lands(&machine->fails, at / SECTOR)) {
            journal_add(machine->journal, step, body + at);
        }
    }
}

static void disk_asked(struct machine *machine, const struct sim_message *message, const char *body)
{
    if (machine->waiting_count == WAITING_MAX || message->flags > SIM_DISK_FLUSH) {
        broken(machine, "asks too much of its disk", "", 0);
        return;
    }
    if (message->flags == SIM_DISK_WRITE && meets_another(machine, message)) {
        broken(machine, "writes to one place twice at once: either may be the last", "", 0);
        return;
    }
    bool fails = message->flags != SIM_DISK_READ && ++machine->requests == machine->fails.request;
    if (message->flags != SIM_DISK_READ && machine->journal != NULL) {
        note(machine, message, body, fails);
    }
    char *kept = sim_alloc(message->size + 8u);
    memcpy(kept, body, message->size);
    machine->waiting[machine->waiting_count] = *message;
    machine->waiting[machine->waiting_count].reserved = fails;
    machine->waiting_body[machine->waiting_count++] = kept;
}

/* --- its console ----------------------------------------------------------------------------------------------------- */

static void choice_came(struct machine *machine, const char *line)
{
    struct choices *c = &machine->chose;
    const char *said = strstr(line, "chose ");

    if (said != NULL && c->count < sizeof c->digit / sizeof c->digit[0] &&
        sscanf(said, "chose %u/%u", &c->digit[c->count], &c->radix[c->count]) == 2) {
        c->count++;
    }
}

static void line_ended(struct machine *machine)
{
    const char *said;

    machine->line[machine->line_size] = '\0';
    choice_came(machine, machine->line);
    said = strstr(machine->line, "@ ");
    if (strncmp(machine->line, "PANIC", 5) == 0 ||
        (said != NULL && (strncmp(said, "@ fail", 6) == 0 || strncmp(said, "@ lost", 6) == 0))) {
        broken(machine, "", machine->line, machine->line_size);
    }
    machine->said_done |= said != NULL && strcmp(said, "@ done") == 0;
    if (said != NULL && machine->journal != NULL) {
        struct step step = {.kind = STEP_LINE, .batch = machine->batch, .size = (uint32_t)strlen(said + 2)};
        journal_add(machine->journal, step, said + 2);
    }
    machine->line_size = 0;
}

static void text_came(struct machine *machine, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '\n') {
            line_ended(machine);
        } else if (machine->line_size < sizeof machine->line - 1) {
            machine->line[machine->line_size++] = text[i];
        }
    }
}

/* --- stepping -------------------------------------------------------------------------------------------------------- */

/* True when its batch is over. */
static bool take(struct machine *machine, const struct sim_message *message, const char *body)
{
    machine->now_ns = message->time_ns > machine->now_ns ? message->time_ns : machine->now_ns;
    switch (message->kind) {
    case SIM_DISK:
        disk_asked(machine, message, body);
        return false;
    case SIM_TEXT:
        text_came(machine, body, message->size);
        return false;
    case SIM_FRAME:
        return false; /* nobody is there */
    case SIM_IDLE:
        machine->timer_ns = message->a;
        return true;
    case SIM_BUSY:
        machine->timer_ns = 0;
        return true;
    case SIM_BROKEN:
        broken(machine, "", body, message->size);
        return true;
    default:
        broken(machine, "it ended by itself", "", 0);
        return true;
    }
}

/* Tells it what there is, and takes what it does until it waits again. */
static void exchange(struct machine *machine)
{
    struct sim_message message;
    const char *body;
    int passed = -1;

    answer_all(machine);
    say(machine, (struct sim_message){.kind = SIM_GO, .a = NEVER}, NULL);
    machine->batch++;
    machine->steps++;
    bool there = sim_link_send(&machine->link, -1);
    do {
        there = there && sim_link_next(&machine->link, &message, &body, &passed);
    } while (there && !take(machine, &message, body));
    if (!there) {
        broken(machine, "its process is gone", "", 0);
    }
}

void machine_start(struct machine *machine, struct image *image, uint64_t seed, uint64_t disk_bytes)
{
    *machine = (struct machine){.link = {.fd = image_fork(image)}};
    say(machine, (struct sim_message){.kind = SIM_START, .flags = SIM_START_ENTROPY, .a = seed, .b = 1}, NULL);
    say(machine, (struct sim_message){.kind = SIM_STATE, .port = 0, .a = 1}, NULL);
    say(machine, (struct sim_message){.kind = SIM_STATE, .port = 1, .a = disk_bytes / SECTOR}, NULL);
    while (machine->waiting_count == 0 && machine->why[0] == '\0') {
        exchange(machine);
    }
}

void machine_type(struct machine *machine, const char *line)
{
    say(machine, (struct sim_message){.kind = SIM_INPUT, .size = (uint32_t)strlen(line)}, line);
}

bool machine_copy(struct machine *copy, struct machine *machine)
{
    int fd = image_fork_link(&machine->link);

    if (fd < 0) {
        return false;
    }
    *copy = *machine;
    copy->link = (struct sim_link){.fd = fd};
    for (unsigned i = 0; i < copy->waiting_count; i++) {
        copy->waiting_body[i] = sim_alloc(machine->waiting[i].size + 8u);
        memcpy(copy->waiting_body[i], machine->waiting_body[i], machine->waiting[i].size);
    }
    return true;
}

enum machine_end machine_run(struct machine *machine, uint64_t steps_max)
{
    for (uint64_t i = 0; i < steps_max; i++) {
        if (machine->why[0] != '\0') {
            return MACHINE_BROKEN;
        }
        if (machine->said_done) {
            return MACHINE_DONE;
        }
        if (machine->waiting_count == 0 && machine->timer_ns == NEVER) {
            break;
        }
        if (machine->waiting_count == 0 && machine->timer_ns > machine->now_ns) {
            machine->now_ns = machine->timer_ns;
        }
        exchange(machine);
    }
    snprintf(machine->why, sizeof machine->why, "it does not come to its end");
    return MACHINE_STUCK;
}

void machine_end(struct machine *machine)
{
    for (unsigned i = 0; i < machine->waiting_count; i++) {
        free(machine->waiting_body[i]);
    }
    machine->waiting_count = 0;
    sim_link_end(&machine->link);
}

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * console.c: the diagnostics console: a prompt, a line editor, and the table of commands.
 *
 *  (1) `shown` says that the prompt and the line so far stand on the screen's last line. Whoever writes something else ends
 *      that line first; the prompt comes back at the end of the turn, so a burst of log lines is not cut up.
 *  (2) What is typed is untrusted: bounded, printable, else dropped.
 */
#include "core/assert.h"
#include "core/fmt.h"
#include <string.h>
#include "../run/run_private.h"
#include "diag_private.h"
#include "plat/plat.h"

#define LINE_MAX 120u
#define ARGUMENTS_MAX 40
#define READ_MAX 256u /* characters a turn */

static struct {
    struct list commands;
    struct irq irq;
    struct work more;
    struct work prompt;
    bool started;
    bool shown; /* (1) */
    char line[LINE_MAX + 1];
    size_t length;
    char before[LINE_MAX + 1]; /* the last line, for arrow up */
    unsigned escape;           /* 0: none, 1: after ESC, 2: within ESC [ */
} self = {.commands = {&self.commands, &self.commands}};

void diag_command_add(struct diag_command *command)
{
    list_push_back(&self.commands, &command->node);
}

static void write_text(const char *text)
{
    plat_console_write(text, strlen(text));
}

/* (1) */
static void leave_prompt(void)
{
    if (self.shown) {
        self.shown = false;
        plat_console_write("\n", 1);
    }
}

static void prompt_later(void) REQUIRES(LOOP)
{
    if (self.started && !self.shown) {
        loop_at_turn_end(&self.prompt);
    }
}

static void show_prompt(struct work *work)
{
    room_assert_loop();
    (void)work;
    if (!self.shown) {
        self.shown = true;
        write_text("diag> ");
        plat_console_write(self.line, self.length);
    }
}

/* The room is known at run time only: the prompt returns by itself when the line came from the loop, else with the next
 * one that does. */
static void restore_prompt(void) NO_ROOM_ANALYSIS
{
    if (room_current() == ROOM_LOOP) {
        prompt_later();
    }
}

void console_line(const char *text, size_t size)
{
    leave_prompt();
    plat_console_write(text, size);
    restore_prompt();
}

void diag_print(const char *format, ...)
{
    char text[400];
    va_list args;

    va_start(args, format);
    size_t size = fmt_textv(text, sizeof text, format, args);
    va_end(args);
    if (size >= sizeof text) {
        size = sizeof text - 1; /* cut, but still a line: the prompt must not hang on it */
        text[size - 1] = '\n';
    }
    console_line(text, size);
}

static struct diag_command *command_find(const char *name)
{
    for (struct list *at = self.commands.next; at != &self.commands; at = at->next) {
        struct diag_command *command = CONTAINER_OF(at, struct diag_command, node);
        if (strcmp(command->name, name) == 0) {
            return command;
        }
    }
    return NULL;
}

static int split(char *line, char **argv)
{
    int argc = 0;

    while (argc < ARGUMENTS_MAX) {
        while (*line == ' ') {
            *line++ = '\0';
        }
        if (*line == '\0') {
            break;
        }
        argv[argc++] = line;
        while (*line != ' ' && *line != '\0') {
            line++;
        }
    }
    *line = '\0'; /* what is more than ARGUMENTS_MAX is dropped */
    return argc;
}

static void run_line(void) REQUIRES(LOOP)
{
    char *argv[ARGUMENTS_MAX];

    self.line[self.length] = '\0';
    if (self.length > 0) {
        memcpy(self.before, self.line, self.length + 1);
    }
    self.length = 0;
    self.shown = false;
    plat_console_write("\n", 1);
    int argc = split(self.line, argv);
    if (argc > 0) {
        struct diag_command *command = command_find(argv[0]);
        if (command != NULL) {
            command->run(argc, argv);
        } else {
            diag_print("no command '%s'; `help` lists them\n", argv[0]);
        }
    }
    prompt_later();
}

static void erase(size_t count)
{
    while (count > 0 && self.length > 0) {
        self.length--;
        count--;
        write_text("\b \b");
    }
}

static void type(char c)
{
    if (self.length < LINE_MAX) {
        self.line[self.length++] = c;
        plat_console_write(&c, 1);
    }
}

/* Ends of ESC [ x: only arrow up means something. */
static void escape_end(char c)
{
    self.escape = 0;
    if (c == 'A') {
        erase(LINE_MAX);
        for (const char *p = self.before; *p != '\0'; p++) {
            type(*p);
        }
    }
}

static bool escape_takes(char c)
{
    if (c == 0x1b) {
        self.escape = 1;
    } else if (self.escape == 1 && c == '[') {
        self.escape = 2;
    } else if (self.escape == 2 && ((c >= '0' && c <= '9') || c == ';')) {
        self.escape = 2; /* a parameter */
    } else if (self.escape == 2) {
        escape_end(c);
    } else {
        self.escape = 0;
        return false;
    }
    return true;
}

static void take(char c) REQUIRES(LOOP)
{
    show_prompt(&self.prompt);
    if (escape_takes(c)) {
        return;
    }
    if (c == '\r' || c == '\n') {
        run_line();
    } else if (c == 0x7f || c == '\b') {
        erase(1);
    } else if (c == 0x15 || c == 0x03) { /* ^U, ^C */
        erase(LINE_MAX);
    } else if (c >= 0x20 && c < 0x7f) { /* (2) */
        type(c);
    }
}

static void read_input(struct work *work)
{
    room_assert_loop();
    char text[READ_MAX];
    size_t count = plat_console_read(text, sizeof text);

    for (size_t i = 0; i < count && self.started; i++) {
        take(text[i]);
    }
    if (count == sizeof text) {
        loop_post(work);
    }
}

static void input_came(struct irq *irq)
{
    room_assert_loop();
    (void)irq;
    loop_post(&self.more);
}

void console_init(void)
{
    uint32_t vector;

    work_init(&self.more, read_input);
    work_init(&self.prompt, show_prompt);
    if (plat_console_irq(&vector) == ST_OK) {
        irq_attach(&self.irq, "console", input_came, vector, false);
    }
}

void console_start(void)
{
    self.started = true;
    prompt_later();
    loop_post(&self.more); /* what was typed before the interrupt was open */
}

static void run_help(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    for (struct list *at = self.commands.next; at != &self.commands; at = at->next) {
        const struct diag_command *command = CONTAINER_OF(at, struct diag_command, node);
        diag_print("  %-10s %s\n", command->name, command->help);
    }
}

struct diag_command diag_help_command = {.name = "help", .help = "this list", .run = run_help};

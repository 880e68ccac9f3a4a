/* SPDX-License-Identifier: MIT OR Apache-2.0
 * console_test.c: the prompt and the line editor: what a terminal shows after what was typed.
 */
#include "../diag/console.c"
#include "test.h"

static char shown[8192]; /* what was written, as it was written */
static size_t shown_size;
static const char *input; /* what the machine has to read */
static struct list posted = {&posted, &posted};
static struct list turn_end = {&turn_end, &turn_end};
static bool no_interrupt;
static char ran[200]; /* arguments of the last command, each in brackets */
static unsigned runs;

void plat_console_write(const char *text, size_t size)
{
    REQUIRE(size < sizeof shown - shown_size);
    memcpy(shown + shown_size, text, size);
    shown_size += size;
    shown[shown_size] = '\0';
}

size_t plat_console_read(char *text, size_t size)
{
    size_t length = strnlen(input, size);

    memcpy(text, input, length);
    input += length;
    return length;
}

status_t plat_console_irq(uint32_t *vector)
{
    *vector = 9;
    return no_interrupt ? ST_UNSUPPORTED : ST_OK;
}

void irq_attach(struct irq *irq, const char *name, void (*handle)(struct irq *irq), uint32_t vector, bool level)
{
    CHECK_STR(name, "console");
    CHECK(vector == 9 && !level);
    irq->handle = handle;
}

void work_init(struct work *work, void (*run)(struct work *work))
{
    work->run = run;
    list_init(&work->node);
}

void loop_post(struct work *work)
{
    if (list_empty(&work->node)) {
        list_push_back(&posted, &work->node);
    }
}

void loop_at_turn_end(struct work *work)
{
    if (list_empty(&work->node)) {
        list_push_back(&turn_end, &work->node);
    }
}

static void run_all(struct list *works)
{
    for (struct list *node = list_pop_front(works); node != NULL; node = list_pop_front(works)) {
        struct work *work = CONTAINER_OF(node, struct work, node);
        work->run(work);
    }
}

static void turn(void)
{
    run_all(&posted);
    run_all(&turn_end);
}

static void say_arguments(int argc, char **argv)
{
    runs++;
    ran[0] = '\0';
    for (int i = 0; i < argc; i++) {
        size_t length = strlen(ran);
        (void)fmt_text(ran + length, sizeof ran - length, "[%s]", argv[i]);
    }
}

static struct diag_command say = {.name = "say", .help = "says it", .run = say_arguments};

static void clear(void)
{
    shown_size = 0;
    shown[0] = '\0';
}

static void fresh(void)
{
    static const struct list none = {0};

    input = "";
    no_interrupt = false;
    clear();
    runs = 0;
    memset(&self, 0, sizeof self);
    say.node = none;
    list_init(&self.commands);
    test_room = ROOM_BOOT;
    console_init();
    diag_command_add(&diag_help_command);
    diag_command_add(&say);
    test_room = ROOM_LOOP;
    console_start();
    turn();
}

/* What is on the terminal's last line: "\b \b" and line ends carried out. */
static const char *last_line(void)
{
    static char line[1024];
    size_t at = 0;

    for (size_t i = 0; i < shown_size; i++) {
        if (shown[i] == '\n') {
            at = 0;
        } else if (shown[i] == '\b') {
            CHECK(at > strlen("diag> ")); /* never into the prompt */
            at--;
        } else {
            line[at++] = shown[i];
        }
    }
    while (at > 0 && line[at - 1] == ' ') {
        at--;
    }
    line[at] = '\0';
    return line;
}

static void keys(const char *text)
{
    input = text;
    self.irq.handle(&self.irq);
    turn();
}

static void test_prompt_comes_once(void)
{
    fresh();
    CHECK_STR(shown, "diag> ");
    turn();
    CHECK_STR(shown, "diag> ");
}

static void test_not_before_the_start(void)
{
    fresh();
    memset(&self, 0, sizeof self);
    list_init(&self.commands);
    clear();
    console_init();
    console_line("early\n", 6);
    turn();
    CHECK_STR(shown, "early\n"); /* no prompt in the middle of the boot */
    keys("say\n");
    CHECK_STR(shown, "early\n");
}

/* Typed while the machine booted: no interrupt tells of it any more. */
static void test_typed_early(void)
{
    fresh();
    input = "say early\n";
    console_start();
    turn();
    CHECK_STR(ran, "[say][early]");
}

static void test_command(void)
{
    fresh();
    keys("say a  bc \r");
    CHECK_STR(ran, "[say][a][bc]");
    CHECK_STR(shown, "diag> say a  bc \ndiag> ");
    keys("\n");
    keys("   \n");
    CHECK_EQ(runs, 1);
    clear();
    keys("sayy\n");
    CHECK_STR(shown, "sayy\nno command 'sayy'; `help` lists them\ndiag> ");
    clear();
    keys("help\n");
    CHECK(strstr(shown, "\n  help       this list\n  say        says it\ndiag> ") != NULL);
}

/* Two lines in one read are two commands. */
static void test_paste(void)
{
    fresh();
    keys("say 1\nsay 2\nsa");
    CHECK_EQ(runs, 2);
    CHECK_STR(ran, "[say][2]");
    CHECK_STR(last_line(), "diag> sa");
    keys("y 3\n");
    CHECK_STR(ran, "[say][3]");
}

static void test_arguments(void)
{
    fresh();
    keys("say 1 2 3 4 5 6 7\n");
    CHECK_STR(ran, "[say][1][2][3][4][5][6][7]");
    keys("say 1 2 3 4 5 6 7 8 9 1 2 3 4 5 6 7 8 9 1 2 3 4 5 6 7 8 9 1 2 3 4 5 6 7 8 9 1 2 3 4 5\n");
    /* what is too much is dropped, not stuck to the last */
    CHECK_STR(ran, "[say][1][2][3][4][5][6][7][8][9][1][2][3][4][5][6][7][8][9]"
                   "[1][2][3][4][5][6][7][8][9][1][2][3][4][5][6][7][8][9][1][2][3]");
}

static void test_erase(void)
{
    fresh();
    keys("\x7f\b");
    CHECK_STR(shown, "diag> "); /* nothing there */
    keys("sax\x7fy 1\b2\n");
    CHECK_STR(ran, "[say][2]");
    keys("say lost\x15say found\n");
    CHECK_STR(ran, "[say][found]");
    keys("say lost\x03say again\n");
    CHECK_STR(ran, "[say][again]");
    keys("abc\x15\x7f\x7f");
    CHECK_STR(last_line(), "diag>");
}

static void test_long_line(void)
{
    char text[400];

    fresh();
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    keys(text);
    CHECK_EQ(strlen(last_line()), strlen("diag> ") + LINE_MAX);
    keys("\x15say ok\n");
    CHECK_STR(ran, "[say][ok]");
}

/* More than one read takes: the rest comes with the next turn and nobody types again for it. */
static void test_long_input(void)
{
    char text[READ_MAX + 20];

    fresh();
    memset(text, '\n', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    memcpy(text + sizeof text - 9, "say end\n", 8);
    keys(text);
    CHECK_STR(ran, "[say][end]");
}

static void test_arrow_up(void)
{
    fresh();
    keys("say 1\n");
    keys("gone\x1b[A");
    CHECK_STR(last_line(), "diag> say 1");
    keys("2\n");
    CHECK_STR(ran, "[say][12]");
    keys("\n\x1b[A\n"); /* an empty line is not remembered */
    CHECK_STR(ran, "[say][12]");
    CHECK_EQ(runs, 3);
}

static void test_escapes(void)
{
    static const char *const nothing[] = {"\x1b[B", "\x1b[1;5C", "\x1b[3~", "\x1b[200~", "\x1b\x1b[D"};

    fresh();
    for (unsigned i = 0; i < sizeof nothing / sizeof nothing[0]; i++) {
        keys(nothing[i]);
        CHECK_STR(last_line(), "diag>");
    }
    keys("\x1bs");
    CHECK_STR(last_line(), "diag> s"); /* ESC alone means nothing */
    keys("ay \x01\x02\x80\xff\tx\n");  /* (2) */
    CHECK_STR(ran, "[say][x]");
}

/* (1) */
static void test_log_line_in_between(void)
{
    fresh();
    keys("sa");
    clear();
    console_line("one\n", 4);
    console_line("two\n", 4);
    CHECK_STR(shown, "\none\ntwo\n");
    turn();
    CHECK_STR(shown, "\none\ntwo\ndiag> sa"); /* what was typed is there again, once */
    keys("y\n");
    CHECK_STR(ran, "[say]");
}

/* A thread's line cannot post: the prompt waits for the loop's next one, or for a key. */
static void test_line_of_a_thread(void)
{
    fresh();
    clear();
    test_room = ROOM_THREAD;
    console_line("thread\n", 7);
    test_room = ROOM_LOOP;
    turn();
    CHECK_STR(shown, "\nthread\n");
    keys("s");
    CHECK_STR(shown, "\nthread\ndiag> s");
}

static void test_print(void)
{
    char text[600];

    fresh();
    clear();
    diag_print("%u of %s\n", 3u, "four");
    turn();
    CHECK_STR(shown, "\n3 of four\ndiag> ");
    clear();
    memset(text, 'y', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    diag_print("%s\n", text);
    turn();
    CHECK(shown_size < 450);         /* cut... */
    CHECK_STR(last_line(), "diag>"); /* ...but still a line */
}

static void test_no_interrupt(void)
{
    fresh();
    memset(&self, 0, sizeof self);
    list_init(&self.commands);
    no_interrupt = true;
    console_init();
    CHECK(self.irq.handle == NULL);
    console_start();
    turn();
}

int main(void)
{
    RUN(test_prompt_comes_once);
    RUN(test_not_before_the_start);
    RUN(test_typed_early);
    RUN(test_command);
    RUN(test_paste);
    RUN(test_arguments);
    RUN(test_erase);
    RUN(test_long_line);
    RUN(test_long_input);
    RUN(test_arrow_up);
    RUN(test_escapes);
    RUN(test_log_line_in_between);
    RUN(test_line_of_a_thread);
    RUN(test_print);
    RUN(test_no_interrupt);
    return test_end();
}

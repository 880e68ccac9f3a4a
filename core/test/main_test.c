/* SPDX-License-Identifier: MIT OR Apache-2.0
 * main_test.c: the boot's order and its ends, and when the image calls itself ready.
 */
#include "../run/main.c"
#include "test.h"

const struct image_info image_info = {.profile = "test", .version = "1.2", .platform = "none"};
static char order[32]; /* a letter a step */
static char lines[512];
static status_t start_status;
static enum plat_exit code;
static jmp_buf ended;
static struct work *first;
static uint64_t now_ns;

static void step(char c)
{
    size_t length = strlen(order);

    REQUIRE(length < sizeof order - 1);
    order[length] = c;
}

void log_plain(const char *line)
{
    REQUIRE(strlen(lines) + strlen(line) < sizeof lines);
    strcat(lines, line);
}

const char *image_build_id(void)
{
    return "0123";
}
void mem_init(void)
{
    step('m');
}
void cpu_boot(void)
{
    step('c');
}
void memory_usage(struct memory_usage *usage)
{
    *usage = (struct memory_usage){0};
}
const char *plat_name(void)
{
    return "test";
}
unsigned plat_cpu_count(void)
{
    return 1;
}
const char *plat_clock_source(void)
{
    return "test";
}
const char *plat_cmdline(void)
{
    return "words";
}
uint64_t plat_clock_ns(void)
{
    return now_ns;
}
void console_init(void)
{
    step('C');
}
void commands_init(void)
{
    step('d');
}
void console_start(void)
{
    step('p');
}
void work_init(struct work *work, void (*run)(struct work *work))
{
    work->run = run;
}
void loop_post_boot(struct work *work)
{
    first = work;
}
status_t components_start(void)
{
    step('s');
    return start_status;
}
void boot_seal(void)
{
    step('S');
}
_Noreturn void loop_run(void)
{
    step('L');
    longjmp(ended, 1);
}
_Noreturn void plat_exit(enum plat_exit with)
{
    code = with;
    step('x');
    longjmp(ended, 1);
}

static void boot(status_t status)
{
    memset(&self, 0, sizeof self);
    memset(order, 0, sizeof order);
    lines[0] = '\0';
    first = NULL;
    start_status = status;
    test_room = ROOM_BOOT;
    if (setjmp(ended) == 0) {
        core_main();
    }
}

static void test_order(void)
{
    boot(ST_OK);
    CHECK_STR(order, "mcCdsSL");               /* memory first; sealed when all have theirs, and before the loop */
    CHECK_STR(lines, "capos test 1.2 0123\n"); /* the first line of every boot */
    CHECK(!ready_reached());
    CHECK_STR(image_cmdline(), "words");
}

static void test_ready(void)
{
    static struct ready a, b;

    boot(ST_OK);
    ready_hold(&a); /* a component's, in BOOT */
    ready_hold(&b);
    CHECK_PANICS(ready_hold(&b));
    test_room = ROOM_LOOP;
    first->run(first);
    CHECK_STR(order, "mcCdsSLp"); /* the prompt waits for nobody */
    CHECK(!ready_reached());
    ready_release(&a);
    ready_release(&a); /* it came again: others are still waited for */
    CHECK(!ready_reached());
    now_ns = 61 * NS_PER_S + 5 * NS_PER_MS;
    ready_release(&b);
    CHECK(ready_reached());
    CHECK_STR(lines, "capos test 1.2 0123\nready test in 61.005 s\n");
    ready_release(&b);
    CHECK_STR(lines, "capos test 1.2 0123\nready test in 61.005 s\n"); /* once */
}

static void test_refused(void)
{
    boot(ST_UNSUPPORTED);
    CHECK_STR(order, "mcCdsx");
    CHECK_EQ(code, PLAT_EXIT_TEST_FAILED);
    CHECK_STR(lines, "capos test 1.2 0123\nboot refused\n");
    CHECK_STR(test_log_last, "the image does not start: UNSUPPORTED");
}

int main(void)
{
    RUN(test_order);
    RUN(test_ready);
    RUN(test_refused);
    return test_end();
}

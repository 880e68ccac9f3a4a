/* SPDX-License-Identifier: MIT OR Apache-2.0
 * log_test.c: the log ring drops whole lines, numbers them, cuts long ones, and lets no stranger's text move the cursor.
 */
#include "../diag/log.c"
#include "test.h"

static bool irq_on;
static char console[LINE_MAX + 1];

void console_line(const char *text, size_t size)
{
    CHECK(!irq_on); /* (3) */
    CHECK(size > 0 && size < sizeof console && text[size - 1] == '\n');
    memcpy(console, text, size);
    console[size] = '\0';
}
bool plat_irq_enabled(void)
{
    return irq_on;
}
void plat_irq_disable(void)
{
    irq_on = false;
}
void plat_irq_enable(void)
{
    irq_on = true;
}

static void start(void)
{
    memset(&self, 0, sizeof self);
    irq_on = false;
}

static void test_lines(void)
{
    char text[256];
    unsigned long next = 0;

    start();
    irq_on = true;
    test_clock_ns = 1234567890;
    log_line(LOG_ERR, "net", "code %d", 5);
    CHECK(irq_on);
    CHECK_STR(console, "[    1.234567] net: error: code 5\n");
    log_line(LOG_INFO, "net", "two\nlines \x1b[2J");
    CHECK_STR(console, "[    1.234567] net: two?lines ?[2J\n");
    log_plain("ready x in 0.000 s\n");
    CHECK_EQ(log_copy(0, text, sizeof text, &next), 3);
    CHECK_EQ(next, 3);
    CHECK_STR(text, "[    1.234567] net: error: code 5");
    CHECK_EQ(log_copy(2, text, sizeof text, &next), 1);
    CHECK_STR(text, "ready x in 0.000 s");
    CHECK_EQ(log_copy(3, text, sizeof text, &next), 0);
    CHECK_EQ(log_copy(0, text, 20, &next), 0); /* not even one whole line fits */
    CHECK_EQ(next, 0);
    CHECK_EQ(log_copy(0, text, 34, &next), 1); /* exactly one does */
    CHECK_EQ(next, 1);
}

static void test_ascii_only(void)
{
    start();
    test_clock_ns = 1234567890;
    log_line(LOG_INFO, "net", "%s",
             "\x9b"
             "2J \xc2\x9b"
             "2J\x7f");
    CHECK_STR(console, "[    1.234567] net: ?2J ??2J?\n");
}

static void test_long_line_is_cut(void)
{
    char long_text[1000];

    start();
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    log_line(LOG_INFO, "t", "%s", long_text);
    CHECK_EQ(strlen(console), LINE_MAX - 1);
    CHECK_EQ(console[LINE_MAX - 2], '\n');
    log_line(LOG_INFO, long_text, "%s", "never seen");
    CHECK_EQ(strlen(console), LINE_MAX - 1);
}

/* Fills the ring several times; what is copied must be the newest lines, whole, in order. */
static void test_wraps(void)
{
    static char text[RING_BYTES];
    unsigned long next = 0;

    start();
    for (unsigned long i = 0; i < 5000; i++) {
        char fill[200];
        size_t length = test_random() % sizeof fill;
        memset(fill, 'a', length);
        log_line(LOG_INFO, "t", "%lu:%.*s", i, (int)length, fill);
        CHECK(self.head - self.tail <= RING_BYTES); /* (2) */
        if (i % 100 != 99) {
            continue;
        }
        unsigned count = log_copy(0, text, sizeof text, &next);
        const char *line = text;
        CHECK(count > 0 && next == i + 1);
        for (unsigned long n = next - count; n < next; n++) {
            const char *number = strstr(line, "t: ");
            REQUIRE(number != NULL);
            CHECK_EQ(strtoul(number + 3, NULL, 10), n);
            line += strlen(line) + 1;
        }
    }
    CHECK(self.first > 1000);
}

int main(void)
{
    RUN(test_lines);
    RUN(test_ascii_only);
    RUN(test_long_line_is_cut);
    RUN(test_wraps);
    return test_end();
}

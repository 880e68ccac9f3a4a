/* SPDX-License-Identifier: MIT OR Apache-2.0
 * main.c: the checker of the store, for a workload that ran elsewhere: reads the console of an image with app/store-load from
 * standard input and asks whether what its sessions saw could have happened.
 */
#include <stdio.h>
#include <string.h>
#include "check_store.h"

static unsigned lines;

static int broken(const char *why)
{
    printf("broken: %s\n", why);
    return 1;
}

/* What the workload said in this line; NULL: nothing. */
static char *said_in(char *line)
{
    char *said = strstr(line, "@ ");

    line[strcspn(line, "\r\n")] = '\0';
    return said != NULL ? said + 2 : NULL;
}

int main(void)
{
    struct history *history = history_new();
    char line[512];
    char why[256] = "it never said `@ done`";
    bool done = false;

    while (!done && fgets(line, sizeof line, stdin) != NULL) {
        char *said = said_in(line);
        if (strncmp(line, "PANIC", 5) == 0 || (said != NULL && strncmp(said, "fail ", 5) == 0)) {
            return broken(line);
        }
        done = said != NULL && strcmp(said, "done") == 0;
        if (said != NULL && !done && !history_line(history, 0, 0, ++lines, said)) {
            return broken(said);
        }
    }
    enum verdict verdict = history_check(history, why, sizeof why);
    history_free(history);
    if (!done || verdict == VERDICT_BROKEN) {
        return broken(why);
    }
    printf("%u lines, %s\n", lines, verdict == VERDICT_KEPT ? "an order explains them" : "too many orders to try");
    return 0;
}

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * main.c: boots the image `hostile` in QEMU again and again beside a disk and a card of ours that lie.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "boot.h"
#include "util.h"

static const char usage[] = "usage: lie [OPTION...]   boots an image beside a disk and a card that each lie once\n"
                            "  --build DIR     where the image was built (default: build)\n"
                            "  --seed N        of the first boot (default 1)\n"
                            "  --lies N        boots until so many lies were told (default 10)\n"
                            "  --lie NAME      this one, where it can be told; else the seed draws\n"
                            "  --machine NAME  q35, pc or microvm; else the seed draws\n"
                            "exit: 0 all were taken well, 1 one was not, 2 wrong usage, 3 it could not go on\n";

static _Noreturn void refuse(void)
{
    fputs(usage, stderr);
    exit(2);
}

static uint64_t number(const char *text)
{
    uint64_t value;

    if (!sim_number(text, &value)) {
        refuse();
    }
    return value;
}

static void parse(int argc, char **argv, struct boot_wanted *wanted, uint64_t *lies)
{
    static const struct option options[] = {{"build", 1, NULL, 'b'},   {"seed", 1, NULL, 's'}, {"lies", 1, NULL, 'n'},
                                            {"machine", 1, NULL, 'm'}, {"lie", 1, NULL, 'l'},  {NULL, 0, NULL, 0}};
    int letter;

    while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (letter) {
        case 'b':
            wanted->build = optarg;
            break;
        case 's':
            wanted->seed = number(optarg);
            break;
        case 'n':
            *lies = number(optarg);
            break;
        case 'm':
            wanted->machine = optarg;
            break;
        case 'l':
            wanted->lie = optarg;
            break;
        default:
            refuse();
        }
    }
    if (optind != argc) {
        refuse();
    }
}

int main(int argc, char **argv)
{
    struct boot_wanted wanted = {.build = "build", .seed = 1};
    uint64_t lies = 10;
    unsigned told = 0;
    unsigned boots = 0;

    parse(argc, argv, &wanted, &lies);
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (; told < lies; boots++) {
        if (!boot_try(&wanted, &told)) {
            printf("again: build/test/hostile/lie --seed %lu%s%s\n", (unsigned long)wanted.seed,
                   wanted.lie != NULL ? " --lie " : "", wanted.lie != NULL ? wanted.lie : "");
            return 1;
        }
        wanted.seed++;
    }
    printf("%u lies in %u boots, all taken well\n", told, boots);
    return 0;
}

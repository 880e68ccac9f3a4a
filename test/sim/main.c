/* SPDX-License-Identifier: MIT OR Apache-2.0
 * main.c: the simulator's command line.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "fleet.h"
#include "record.h"
#include "run.h"

static const char usage[] =
    "usage: sim [OPTION...]   runs a fleet of images in one deterministic simulation\n"
    "  --build DIR      where the images were built (default: build)\n"
    "  --fleet FILE     which nodes there are\n"
    "  --seed N         of everything that is left to chance (default 1)\n"
    "  --faults LIST    which may happen: all, none, or names with commas (default all)\n"
    "  --timeline FILE  writes what happened, a line each (-: standard output)\n"
    "exit: 0 every promise was kept, 1 one was broken, 2 wrong usage, 3 the simulator could not go on\n";

static _Noreturn void refuse(const char *what, const char *which)
{
    fprintf(stderr, "sim: %s%s\n%s", what, which, usage);
    exit(2);
}

struct wanted {
    const char *build, *fleet, *timeline;
    uint64_t seed;
    uint32_t faults;
};

static uint64_t number(const char *text)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 0);

    if (*text == '\0' || *end != '\0') {
        refuse("not a number: ", text);
    }
    return value;
}

static void option(struct wanted *wanted, int letter)
{
    const char *unknown = "";

    switch (letter) {
    case 'b':
        wanted->build = optarg;
        return;
    case 'f':
        wanted->fleet = optarg;
        return;
    case 's':
        wanted->seed = number(optarg);
        return;
    case 't':
        wanted->timeline = optarg;
        return;
    case 'F':
        if (!faults_parse(optarg, &wanted->faults, &unknown)) {
            refuse("no such fault: ", unknown);
        }
        return;
    default:
        refuse("", "");
    }
}

static struct wanted parse(int argc, char **argv)
{
    static const struct option options[] = {
        {"build", 1, NULL, 'b'},  {"fleet", 1, NULL, 'f'}, {"seed", 1, NULL, 's'}, {"timeline", 1, NULL, 't'},
        {"faults", 1, NULL, 'F'}, {"help", 0, NULL, 'h'},  {NULL, 0, NULL, 0}};
    struct wanted wanted = {.build = "build", .seed = 1, .faults = (1u << FAULTS) - 1};
    int letter;

    while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1) {
        option(&wanted, letter);
    }
    if (wanted.fleet == NULL || optind != argc) {
        refuse("a --fleet FILE is needed", "");
    }
    return wanted;
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    struct wanted wanted = parse(argc, argv);
    static struct run run;
    struct record record = {0};
    double start = seconds();

    run.seed = wanted.seed;
    run.faults.wanted = wanted.faults;
    if (wanted.timeline != NULL) {
        record.text = strcmp(wanted.timeline, "-") == 0 ? stdout : fopen(wanted.timeline, "w");
        if (record.text == NULL) {
            sim_fail("cannot write %s", wanted.timeline);
        }
        run.record = &record;
    }
    fleet_read(&run, wanted.build, wanted.fleet);
    bool kept = run_all(&run);
    double took = seconds() - start;
    images_end();
    printf("%lu events, %.3f simulated seconds, %.3f real seconds, %.0f events a second\n",
           (unsigned long)run.event_count, (double)run.now_ns / (double)NS_PER_S, took, (double)run.event_count / took);
    if (!kept) {
        printf("broken: %s\n", run.violation);
    }
    printf("hash %016lX seed %lu\n", (unsigned long)run.hash, (unsigned long)run.seed);
    return kept ? 0 : 1;
}

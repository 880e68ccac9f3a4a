/* SPDX-License-Identifier: MIT OR Apache-2.0
 * main.c: the simulator's command line.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "image.h"
#include "simulate.h"
#include "util.h"

static const char usage[] =
    "usage: sim [OPTION...]   runs a fleet of images in one deterministic simulation\n"
    "  --build DIR      where the images were built (default: build)\n"
    "  --fleet FILE     which nodes there are\n"
    "  --seed N         of everything that is left to chance (default 1)\n"
    "  --faults LIST    which may happen: all, none, or names with commas (default all)\n"
    "  --transport T    what devices are attached by where the fleet does not say it: mmio, pci, pci:2, pci:1, pci:0\n"
    "                   (messages of a PCI function); default: each node's is drawn from the seed\n"
    "  --skip BITS      planned troubles that do not come, as --shrink says them\n"
    "  --timeline FILE  writes what happened, a line each (-: standard output); a name ending in .svg: draws it\n"
    "  --swarm N        N seeds from --seed on, in several processes; stops at the first that breaks a promise\n"
    "  --go-on          the swarm goes on instead, and says of each such seed which checker saw what\n"
    "  --jobs N         processes of the swarm (default: one for each CPU)\n"
    "  --shrink         leaves out of a failing run what it does not need, and shows what is left\n"
    "  --corpus FILE    runs every line `FLEET SEED FAULTS [TRANSPORT]` of it, which failed once\n"
    "exit: 0 every promise was kept, 1 one was broken or could not be decided, 2 wrong usage, 3 the simulator could "
    "not go on\n"
    "faults:";

static _Noreturn void refuse(const char *what, const char *which)
{
    fprintf(stderr, "%s%s%s%s", what[0] != '\0' ? "sim: " : "", what, which, what[0] != '\0' ? "\n" : "");
    fputs(usage, stderr);
    for (unsigned i = 0; i < FAULTS; i++) {
        fprintf(stderr, " %s", fault_names[i]);
    }
    fputs("\ncheckers:", stderr);
    for (unsigned i = BY_NOBODY + 1; i < CHECKERS; i++) {
        fprintf(stderr, " %s", checker_names[i]);
    }
    fputs("\n", stderr);
    exit(2);
}

struct command {
    struct wanted wanted;
    const char *timeline, *corpus;
    uint64_t swarm;
    unsigned jobs;
    bool shrink;
};

static uint64_t number(const char *text)
{
    uint64_t value;

    if (!sim_number(text, &value)) {
        refuse("not a number: ", text);
    }
    return value;
}

static void option(struct command *command, int letter)
{
    const char *unknown = "";

    switch (letter) {
    case 'b':
        command->wanted.build = optarg;
        return;
    case 'f':
        command->wanted.fleet = optarg;
        return;
    case 's':
        command->wanted.seed = number(optarg);
        return;
    case 'k':
        command->wanted.skip = number(optarg);
        return;
    case 't':
        command->timeline = optarg;
        return;
    case 'n':
        command->swarm = number(optarg);
        if (command->swarm == 0) {
            refuse("no swarm: ", optarg);
        }
        return;
    case 'j':
        command->jobs = (unsigned)number(optarg);
        return;
    case 'r':
        command->shrink = true;
        return;
    case 'g':
        command->wanted.go_on = true;
        return;
    case 'c':
        command->corpus = optarg;
        return;
    case 'T':
        command->wanted.transport = image_transport(optarg);
        if (command->wanted.transport == NULL) {
            refuse("no such transport: ", optarg);
        }
        return;
    case 'F':
        if (!faults_parse(optarg, &command->wanted.faults, &unknown)) {
            refuse("no such fault: ", unknown);
        }
        return;
    default:
        refuse("", "");
    }
}

static struct command parse(int argc, char **argv)
{
    static const struct option options[] = {
        {"build", 1, NULL, 'b'},    {"fleet", 1, NULL, 'f'},  {"seed", 1, NULL, 's'},  {"skip", 1, NULL, 'k'},
        {"timeline", 1, NULL, 't'}, {"swarm", 1, NULL, 'n'},  {"jobs", 1, NULL, 'j'},  {"shrink", 0, NULL, 'r'},
        {"corpus", 1, NULL, 'c'},   {"faults", 1, NULL, 'F'}, {"go-on", 0, NULL, 'g'}, {"transport", 1, NULL, 'T'},
        {"help", 0, NULL, 'h'},     {NULL, 0, NULL, 0}};
    struct command command = {.wanted = {.build = "build", .seed = 1, .faults = FAULTS_ALL}};
    int letter;

    command.jobs = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
    while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1) {
        option(&command, letter);
    }
    if ((command.wanted.fleet == NULL && command.corpus == NULL) || optind != argc) {
        refuse("a --fleet FILE is needed", "");
    }
    return command;
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Its last line is the one that other programs read. */
static bool run_one(struct command *command)
{
    struct record record = {0};
    double start = seconds();

    if (command->timeline != NULL) {
        if (!record_begin(&record, command->timeline)) {
            sim_fail("cannot write %s", command->timeline);
        }
        command->wanted.record = &record;
    }
    struct result result = simulate(&command->wanted);
    double took = seconds() - start;
    printf("%lu events, %.3f simulated seconds, %.3f real seconds, %.0f events a second\n",
           (unsigned long)result.events, (double)result.simulated_ns / 1e9, took, (double)result.events / took);
    printf("faults: ");
    print_faults(result.on);
    printf("\n");
    if (!result.kept) {
        printf("broken: %s\n", result.violation);
    }
    if (result.undecided) {
        printf("undecided: too much was under way at a time to search all orders\n");
    }
    printf("hash %016lX seed %lu\n", (unsigned long)result.hash, (unsigned long)result.seed);
    return result.kept && !result.undecided;
}

int main(int argc, char **argv)
{
    struct command command = parse(argc, argv);
    bool kept;

    if (command.swarm > 0) {
        kept = swarm(&command.wanted, command.swarm, command.jobs);
    } else if (command.shrink) {
        kept = !shrink(&command.wanted);
    } else if (command.corpus != NULL) {
        kept = corpus(&command.wanted, command.corpus);
    } else {
        kept = run_one(&command);
    }
    images_end();
    return kept ? 0 : 1;
}

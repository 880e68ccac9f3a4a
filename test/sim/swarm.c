/* SPDX-License-Identifier: MIT OR Apache-2.0
 * swarm.c: many seeds in several processes. Each has images of its own, and says a result for each seed through a pipe.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "image.h"
#include "simulate.h"
#include "util.h"

#define JOBS_MAX 64u

struct job {
    pid_t pid;
    int fd; /* -1: it has ended */
};

struct tally {
    uint64_t seeds, events, simulated_ns, undecided, broken;
    uint64_t fired[FAULTS];
    struct result failure; /* that of the lowest seed, among those that are known */
};

static _Noreturn void work(const struct wanted *wanted, uint64_t count, unsigned job, unsigned jobs, int fd)
{
    struct wanted one = *wanted;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (uint64_t i = job; i < count; i += jobs) {
        one.seed = wanted->seed + i;
        struct result result = simulate(&one);
        if (write(fd, &result, sizeof result) != (ssize_t)sizeof result) {
            break;
        }
    }
    images_end();
    _exit(0);
}

static void job_start(struct job *job, const struct wanted *wanted, uint64_t count, unsigned number, unsigned jobs)
{
    int ends[2];

    if (pipe(ends) != 0 || (job->pid = fork()) < 0) {
        sim_fail("a process for the swarm: %s", strerror(errno));
    }
    if (job->pid == 0) {
        close(ends[0]);
        work(wanted, count, number, jobs, ends[1]);
    }
    close(ends[1]);
    job->fd = ends[0];
}

static void count_in(const struct wanted *wanted, struct tally *tally, const struct result *result)
{
    tally->seeds++;
    tally->events += result->events;
    tally->simulated_ns += result->simulated_ns;
    tally->undecided += result->undecided;
    for (unsigned i = 0; i < FAULTS; i++) {
        tally->fired[i] += result->fired[i];
    }
    if (result->kept) {
        return;
    }
    if (wanted->go_on) {
        printf("seed %lu by %s: %s\n", (unsigned long)result->seed, checker_names[result->by], result->violation);
    }
    if (tally->broken++ == 0 || result->seed < tally->failure.seed) {
        tally->failure = *result;
    }
}

/* A result, or the job's end. Writes of less than PIPE_BUF bytes come whole. */
_Static_assert(sizeof(struct result) <= 4096, "PIPE_BUF");
static void job_says(const struct wanted *wanted, struct job *job, struct tally *tally)
{
    struct result result;
    ssize_t got = read(job->fd, &result, sizeof result);

    if (got == (ssize_t)sizeof result) {
        count_in(wanted, tally, &result);
        return;
    }
    int status = 0;
    close(job->fd);
    job->fd = -1;
    (void)waitpid(job->pid, &status, 0);
    if (status != 0 && tally->broken == 0) {
        sim_fail("a process of the swarm ended with status 0x%x; what it said stands above", (unsigned)status);
    }
}

static unsigned jobs_poll(const struct wanted *wanted, struct job *job, unsigned jobs, struct tally *tally)
{
    struct pollfd polled[JOBS_MAX];
    unsigned running = 0;

    for (unsigned i = 0; i < jobs; i++) {
        polled[i] = (struct pollfd){.fd = job[i].fd, .events = POLLIN};
        running += job[i].fd >= 0;
    }
    if (running == 0) {
        return 0;
    }
    (void)poll(polled, jobs, -1);
    for (unsigned i = 0; i < jobs; i++) {
        if (job[i].fd >= 0 && polled[i].revents != 0) {
            job_says(wanted, &job[i], tally);
        }
    }
    return running;
}

static void jobs_stop(struct job *job, unsigned jobs)
{
    for (unsigned i = 0; i < jobs; i++) {
        if (job[i].fd >= 0) {
            kill(job[i].pid, SIGKILL); /* ours, and not waited for yet: nobody else's number */
            close(job[i].fd);
            (void)waitpid(job[i].pid, NULL, 0);
        }
    }
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void print_tally(const struct tally *tally, double took)
{
    printf("%lu seeds, %lu events, %.0f simulated seconds, %.1f real seconds, %.0f events a second; %lu too wide to "
           "decide\n",
           (unsigned long)tally->seeds, (unsigned long)tally->events, (double)tally->simulated_ns / 1e9, took,
           (double)tally->events / took, (unsigned long)tally->undecided);
    printf("faults that happened:");
    for (unsigned i = 0; i < FAULTS; i++) {
        printf(" %s %lu", fault_names[i], (unsigned long)tally->fired[i]);
    }
    printf("\n");
}

bool swarm(const struct wanted *wanted, uint64_t count, unsigned jobs)
{
    struct job job[JOBS_MAX];
    struct tally tally = {0};
    double start = seconds();
    double told = start;

    jobs = jobs < 1 ? 1 : jobs > JOBS_MAX ? JOBS_MAX : jobs;
    for (unsigned i = 0; i < jobs; i++) {
        job_start(&job[i], wanted, count, i, jobs);
    }
    while ((tally.broken == 0 || wanted->go_on) && jobs_poll(wanted, job, jobs, &tally) > 0) {
        if (isatty(STDOUT_FILENO) && seconds() - told > 0.2) {
            told = seconds();
            printf("\r%lu of %lu seeds", (unsigned long)tally.seeds, (unsigned long)count);
            fflush(stdout);
        }
    }
    jobs_stop(job, jobs);
    printf(isatty(STDOUT_FILENO) ? "\r" : "");
    print_tally(&tally, seconds() - start);
    if (tally.broken > 0) {
        struct wanted failed = *wanted;
        failed.seed = tally.failure.seed;
        failed.faults = tally.failure.on;
        printf("broken: %s\n", tally.failure.violation);
        if (wanted->go_on) {
            printf("broken by %lu of %lu seeds, the first of them %lu\n", (unsigned long)tally.broken,
                   (unsigned long)tally.seeds, (unsigned long)failed.seed);
        }
        print_again(&failed);
    }
    return tally.broken == 0;
}

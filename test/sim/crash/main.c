/* SPDX-License-Identifier: MIT OR Apache-2.0
 * main.c: the crash explorer. It records what short sequences of operations do to the disk, cuts the power after every
 * step of it, makes every disk that such a cut may leave, lets a fork of a waiting image recover from each, and asks whether
 * what is then there can be explained by what had been acknowledged.
 *
 *  (1) All subsets of the open writes are tried when they are at most --subsets; else those in which one write is missing, and
 *      some are drawn. Torn writes are drawn.
 *  (2) A disk that was tried with the same acknowledgements is not tried again.
 *  (3) Recovery writes too: it is cut in the same way, DEPTH deep, some of its states drawn.
 *  (4) A workload that asks what to choose says afterwards what it was asked: the last choice that can be raised is, those behind
 *      it are forgotten, until none can be. So no sequence is left out, and how many choices there are is the workload's affair.
 *  (5) With --fail each sequence is recorded again for each write and FLUSH in it, which then fails, a write being there in some
 *      part; the power is cut after that.
 *  (6) Sequences begin on a volume that is made and mounted, as the audit's own image leaves it; with --from-blank before that.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "check_store.h"
#include "hash.h"
#include "log.h"
#include "machine.h"
#include "random.h"
#include "util.h"

#define DISK_MEGABYTES 12u /* of the sequences' own disk: about the least that the store takes */
#define BLANK_MARK "capos blank disk v1\n"
#define SUBSETS 4096u /* of the open writes at one cut; when there are more, an eighth of that is drawn */
#define TORN 2u       /* samples for each open write */
#define DEPTH 3u
#define PROGRESS 500u /* choices from one line about them to the next */
#define DEEPER 16u    /* one in so many states has its recovery cut */
#define STEPS_MAX 20000u
#define SEQUENCES_MAX 65536u
#define SEEN_SIZE (1u << 22)

struct wanted {
    const char *build, *image, *model; /* of its disk */
    const char *audit;                 /* the image that looks what is there */
    uint64_t megabytes;                /* of the disk */
    bool from_blank;                   /* (6) */
    uint64_t subsets;                  /* (1) */
    const char *log, *lines, *disk;    /* of a real machine, instead of an image's sequences */
    uint64_t first_seed, seeds, states, job, jobs;
    bool fail;           /* (5) */
    bool all;            /* sequences are counted up, not drawn (4) */
    const char *choices; /* this one alone */
};

static struct {
    struct wanted wanted;
    struct machine audit;             /* stands before its first look at the disk */
    uint64_t sequence[SEQUENCES_MAX]; /* hashes of those explored */
    unsigned sequence_count;
    uint64_t sequence_seed; /* whose was the last new one */
    uint64_t *seen;         /* hashes of states (2) */
    uint64_t states, again, cuts;
    uint64_t states_end; /* when this cut, or all, has had its share */
    bool all_done;       /* (4) */
    struct random random;
    struct view start; /* the disk that all begins with */
} self;

struct place { /* of a state, so that it can be found again */
    uint64_t seed;
    const char *typed; /* "load 1 0 2\n"; NULL: the sequence is drawn */
    size_t cut;
    unsigned depth;
    uint64_t failed; /* this request did (5); 0: none */
};

/* --- one state ------------------------------------------------------------------------------------------------------- */

static void lines_take(struct history *history, const struct journal *journal, size_t cut, unsigned node,
                       uint64_t *time)
{
    for (size_t i = 0; i < cut; i++) {
        if (journal->step[i].kind == STEP_LINE) {
            (void)history_line(history, node, 0, ++*time, journal->step[i].bytes);
        }
    }
}

static _Noreturn void found(const struct place *place, const char *why)
{
    printf("broken: %s\n", why);
    printf("at: request %lu failed (0: none), cut after step %zu, depth %u, state %lu\n", (unsigned long)place->failed,
           place->cut, place->depth, (unsigned long)self.states);
    printf("again: build/sim/explore --build %s ", self.wanted.build);
    if (self.wanted.log != NULL) {
        printf("--log %s --lines %s --disk %s", self.wanted.log, self.wanted.lines, self.wanted.disk);
    } else {
        printf("--image %s%s --first-seed %lu --seeds 1", self.wanted.image,
               strcmp(self.wanted.model, IMAGE_NVME) == 0 ? " --nvme" : "", (unsigned long)place->seed);
    }
    if (place->typed != NULL) {
        printf(" --choices \"%.*s\"", (int)strcspn(place->typed + 5, "\n"), place->typed + 5);
    }
    printf("%s%s --subsets %lu --states %lu\n", self.wanted.fail ? " --fail" : "",
           self.wanted.from_blank ? " --from-blank" : "", (unsigned long)self.wanted.subsets,
           (unsigned long)self.wanted.states);
    exit(1);
}

/* The disk of a recovery fails nowhere: there is no reason not to answer. A store that does not mount refuses everything. */
static void nothing_refused(const struct place *place, const struct journal *audit)
{
    for (size_t i = 0; i < audit->count; i++) {
        const struct step *line = &audit->step[i];
        if (line->kind == STEP_LINE && line->size > 2 &&
            memcmp(line->bytes + strcspn(line->bytes, "\n") - 2, " !", 2) == 0) {
            char why[128];
            snprintf(why, sizeof why, "the audit was refused: %.100s", line->bytes);
            found(place, why);
        }
    }
}

static void explain(const struct place *place, const struct journal *journal, size_t cut, const struct journal *audit)
{
    struct history *history = history_new();
    char why[256] = "";
    uint64_t time = 0;

    nothing_refused(place, audit);
    lines_take(history, journal, cut, 0, &time);
    lines_take(history, audit, audit->count, 1, &time);
    if (history_check(history, why, sizeof why) != VERDICT_KEPT) {
        found(place, why);
    }
    history_free(history);
}

static bool seen_before(uint64_t hash)
{
    hash |= hash == 0;
    for (uint64_t at = hash;; at++) {
        uint64_t *there = &self.seen[at & (SEEN_SIZE - 1)];
        if (*there == hash) {
            return true;
        }
        if (*there == 0) {
            *there = hash;
            return false;
        }
    }
}

static bool enough(void)
{
    return self.states >= self.states_end || self.states >= SEEN_SIZE / 2;
}

static void recover_deeper(struct place place, const struct view *disk, const struct journal *journal, size_t cut,
                           const struct journal *recovery);

/* `disk` is what the cut left. Recovers from a copy of it. */
static void try_state(const struct place *place, const struct view *disk, const struct journal *journal, size_t cut)
{
    struct machine machine;
    struct journal recovery = {0};

    if (enough()) {
        return;
    }
    if (!machine_copy(&machine, &self.audit)) {
        sim_fail("the waiting image does not fork");
    }
    self.states++;
    struct view working;
    view_of(&working, disk);
    machine.disk = &working;
    machine.journal = &recovery;
    if (machine_run(&machine, STEPS_MAX) != MACHINE_DONE) {
        found(place, machine.why);
    }
    explain(place, journal, cut, &recovery);
    machine_end(&machine);
    view_free(&working);
    if (place->depth + 1 < DEPTH && random_below(&self.random, DEEPER) == 0) {
        recover_deeper(*place, disk, journal, cut, &recovery);
    }
    journal_free(&recovery);
}

/* --- the disks that a cut may leave ---------------------------------------------------------------------------------- */

struct outcomes {
    struct place place;
    const struct journal *journal; /* whose lines are known, up to cut */
    size_t cut;
    const struct crash *crash;
    uint64_t known; /* what is acknowledged, as a number */
};

/* `write` has come as far as some sector; that one may hold anything. */
static void tear(const struct step *write, struct view *disk)
{
    uint32_t sectors = write->size / SECTOR;
    uint32_t whole = (uint32_t)random_below(&self.random, sectors);

    crash_apply(disk, write, whole * SECTOR);
    if (random_below(&self.random, 4) == 0) {
        char garbage[SECTOR];
        for (uint32_t i = 0; i < SECTOR; i++) {
            garbage[i] = (char)random_next(&self.random);
        }
        view_write(disk, (write->sector + whole) * SECTOR, garbage, SECTOR);
    }
}

/* The open writes of `mask` are there, `torn` (or none, when it is too high) in part. */
static void try_outcome(const struct outcomes *o, uint64_t mask, unsigned torn)
{
    const struct crash *crash = o->crash;

    struct view disk;

    view_of(&disk, &crash->safe);
    for (unsigned i = 0; i < crash->open_count; i++) {
        if (i == torn) {
            tear(crash->open[i], &disk);
        } else if ((mask >> i & 1) != 0) {
            crash_apply(&disk, crash->open[i], crash->open[i]->size);
        }
    }
    if (seen_before(hash_word(o->known, disk.sum))) {
        self.again++;
    } else {
        try_state(&o->place, &disk, o->journal, o->cut);
    }
    view_free(&disk);
}

static void try_all_subsets(const struct outcomes *o)
{
    for (uint64_t mask = 0; mask < 1ull << o->crash->open_count && !enough(); mask++) {
        try_outcome(o, mask, o->crash->open_count);
    }
}

/* One write that is missing while all others are there is what a missing FLUSH costs; chance would seldom draw that. */
static void try_some_subsets(const struct outcomes *o)
{
    unsigned n = o->crash->open_count;

    for (unsigned i = 0; i < n && !enough(); i++) {
        try_outcome(o, ~(1ull << i), n);
    }
    for (unsigned i = 0; i < (self.wanted.subsets + 7) / 8 && !enough(); i++) {
        try_outcome(o, random_next(&self.random), n);
    }
}

static void try_outcomes(const struct outcomes *o)
{
    unsigned n = o->crash->open_count;

    if (n < OPEN_MAX && 1ull << n <= self.wanted.subsets && self.states + (1ull << n) <= self.states_end) {
        try_all_subsets(o);
    } else {
        try_some_subsets(o);
    }
    for (unsigned i = 0; i < n * TORN && !enough(); i++) {
        if (o->crash->open[i % n]->size > SECTOR) {
            try_outcome(o, i < n ? UINT64_MAX : random_next(&self.random), i % n);
        }
    }
}

/* What was acknowledged up to the cut, as a number. */
static uint64_t known_hash(const struct journal *journal, size_t cut)
{
    uint64_t hash = 1;

    for (size_t i = 0; i < cut; i++) {
        if (journal->step[i].kind == STEP_LINE) {
            hash = hash_bytes(hash, journal->step[i].bytes, journal->step[i].size);
        }
    }
    return hash;
}

static void cut_here(const struct place *place, const struct view *base, const struct journal *journal, size_t cut,
                     const struct journal *known, size_t known_cut)
{
    struct crash crash;
    struct outcomes o = {
        .place = *place, .journal = known, .cut = known_cut, .crash = &crash, .known = known_hash(known, known_cut)};

    self.cuts++;
    crash_at(&crash, base, journal, cut);
    try_outcomes(&o);
    crash_free(&crash);
}

/* (3) One cut of the recovery's own writes. */
static void recover_deeper(struct place place, const struct view *disk, const struct journal *journal, size_t cut,
                           const struct journal *recovery)
{
    size_t at = 1 + (size_t)random_below(&self.random, recovery->count);

    if (recovery->count == 0) {
        return;
    }
    place.depth++;
    cut_here(&place, disk, recovery, at, journal, cut);
}

/* --- sequences ------------------------------------------------------------------------------------------------------- */

/* What the operations were, before the audit began. */
static uint64_t sequence_of(const struct journal *journal)
{
    return known_hash(journal, journal->count);
}

/* True when nobody has explored it, and it is this job's. */
static bool sequence_is_new(uint64_t sequence, uint64_t seed)
{
    for (unsigned i = 0; i < self.sequence_count; i++) {
        if (self.sequence[i] == sequence) {
            return false;
        }
    }
    if (self.sequence_count == SEQUENCES_MAX) {
        sim_fail("more sequences than can be told apart");
    }
    self.sequence[self.sequence_count++] = sequence;
    self.sequence_seed = seed;
    return sequence % self.wanted.jobs == self.wanted.job;
}

/* Every cut in the journal from the first on, from the disk that it began with. */
static void explore_cuts(struct place place, const struct journal *journal, size_t first)
{
    for (size_t cut = first; cut <= journal->count && !enough(); cut++) {
        place.cut = cut;
        cut_here(&place, &self.start, journal, cut, journal, cut);
    }
}

/* What the sequence that a seed leads to, or what is typed, does to its disk and says. */
static struct machine record(struct image *image, const struct place *place, struct failure fails,
                             struct journal *journal)
{
    struct machine machine;
    struct view disk;

    machine_start(&machine, image, place->seed, view_bytes(&self.start));
    view_of(&disk, &self.start);
    machine.disk = &disk;
    machine.journal = journal;
    machine.fails = fails;
    if (place->typed != NULL) {
        machine_type(&machine, place->typed);
    }
    if (machine_run(&machine, STEPS_MAX) != MACHINE_DONE) {
        found(place, machine.why);
    }
    machine_end(&machine);
    view_free(&disk);
    return machine;
}

/* (5) */
static void explore_failure(struct image *image, struct place place, uint64_t request)
{
    struct journal journal = {0};
    size_t first = 0;

    place.failed = request;
    (void)record(image, &place, (struct failure){request, random_next(&self.random)}, &journal);
    for (uint64_t before = 1; first < journal.count && before < request; first++) {
        before += journal.step[first].kind != STEP_LINE;
    }
    explore_cuts(place, &journal, first + 1);
    journal_free(&journal);
}

/* What it chose comes back. */
static struct choices explore_sequence(struct image *image, uint64_t seed, const char *typed)
{
    struct journal journal = {0};
    struct place place = {.seed = seed, .typed = typed};

    self.random = random_stream(seed, 'expl', 0);
    struct machine machine = record(image, &place, (struct failure){0}, &journal);
    if (sequence_is_new(sequence_of(&journal), seed)) {
        explore_cuts(place, &journal, 1);
        for (uint64_t request = 1; self.wanted.fail && request <= machine.requests && !enough(); request++) {
            explore_failure(image, place, request);
        }
    }
    journal_free(&journal);
    return machine.chose;
}

/* (4) False: these were the last. */
static bool choices_next(struct choices *c)
{
    while (c->count > 0) {
        if (++c->digit[c->count - 1] < c->radix[c->count - 1]) {
            return true;
        }
        c->count--;
    }
    return false;
}

static const char *choices_typed(const struct choices *c, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "load");

    for (unsigned i = 0; i < c->count; i++) {
        used += (size_t)snprintf(text + used, size - used, " %u", c->digit[i]);
    }
    snprintf(text + used, size - used, c->count > 0 ? "\n" : " 0\n");
    return text;
}

/* One that hears only some of what is typed would choose the same for ever. */
static void choices_taken(const struct choices *wanted, const struct choices *chose)
{
    for (unsigned i = 0; i < wanted->count; i++) {
        if (i >= chose->count || chose->digit[i] != wanted->digit[i]) {
            sim_fail("the image did not take choice %u as it was typed", i + 1);
        }
    }
}

static void explore_all(struct image *image)
{
    struct choices wanted, choices = {0};
    char text[128];
    uint64_t seed = self.wanted.first_seed;

    do {
        wanted = choices;
        choices = explore_sequence(image, seed, choices_typed(&wanted, text, sizeof text));
        choices_taken(&wanted, &choices);
        if (++seed % PROGRESS == 0) {
            fprintf(stderr, "%lu choices: %u sequences, %lu crash states\n",
                    (unsigned long)(seed - self.wanted.first_seed), self.sequence_count, (unsigned long)self.states);
        }
    } while (!enough() && !(self.all_done = !choices_next(&choices)));
}

static void explore_chosen(struct image *image)
{
    char text[128];

    if (snprintf(text, sizeof text, "load %s\n", self.wanted.choices) >= (int)sizeof text) {
        sim_fail("--choices: that is too many");
    }
    (void)explore_sequence(image, self.wanted.first_seed, text);
}

/* --- a log ----------------------------------------------------------------------------------------------------------- */

/* All of the log, done again, must be what the machine left. */
static void compare(const struct journal *journal, const char *left)
{
    struct view disk;
    char page[PAGE];

    view_of(&disk, &self.start);
    for (size_t i = 0; i < journal->count; i++) {
        if (journal->step[i].kind == STEP_WRITE) {
            crash_apply(&disk, &journal->step[i], journal->step[i].size);
        }
    }
    for (uint64_t at = 0; at < view_bytes(&disk); at += PAGE) {
        view_read(&disk, at, page, PAGE);
        if (memcmp(page, left + at, PAGE) != 0) {
            sim_fail("the log does not lead to what is at %lu on %s", (unsigned long)at, self.wanted.disk);
        }
    }
    view_free(&disk);
}

/* Every cut gets its share of the states; what one leaves goes to the next. */
static void explore_log(const char *left)
{
    struct journal journal = {0};
    struct place place = {0};
    struct view base;

    view_of(&base, &self.start);
    self.random = random_stream(self.wanted.first_seed, 'expl', 0);
    log_read(&journal, self.wanted.log, self.wanted.lines, view_bytes(&self.start) / SECTOR);
    compare(&journal, left);
    for (size_t cut = 1; cut <= journal.count; cut++) {
        self.states_end = self.wanted.states * cut / journal.count;
        place.cut = cut;
        crash_base(&base, &journal, cut);
        cut_here(&place, &base, &journal, cut, &journal, cut);
    }
    self.sequence_count = 1;
    view_free(&base);
    journal_free(&journal);
}

/* --- the command ----------------------------------------------------------------------------------------------------- */

static const char usage[] =
    "usage: explore [OPTION...]   cuts the power in short sequences of a store's operations, everywhere, in every way\n"
    "  --build DIR       where the images were built (default: build)\n"
    "  --image NAME      whose sequences: crash (two operations, the default) or crash-long (twelve)\n"
    "  --all             every sequence that there is; for images that ask what to choose: crash\n"
    "  --choices \"N...\"  of these, the one that this leads to\n"
    "  --nvme            the image's disk is NVMe\n"
    "  --audit NAME      the image that looks what a cut left (default crash-audit)\n"
    "  --megabytes N     of the disk (default: 12)\n"
    "  --subsets N       of the open writes at one cut; more are drawn from (default 4096)\n"
    "  --from-blank      begin before the store has made its volume, and cut that too\n"
    "  --fail            also: each write and FLUSH of a sequence fails once, and a write is there in some part\n"
    "  --first-seed N    of the sequences (default 1)\n"
    "  --seeds N         how many seeds to draw sequences from (default 400)\n"
    "  --states N        stop after so many crash states (default 50000)\n"
    "  --job I/N         only every N-th sequence, from the I-th on\n"
    "  --log FILE --lines FILE --disk FILE   instead: what a store in QEMU did to this disk, which was blank, as its\n"
    "                    blklogwrites driver wrote it, and the lines that a workload said, each behind the size of the "
    "log then\n"
    "exit: 0 every promise was kept, 1 one was broken, 2 wrong usage, 3 the explorer could not go on\n";

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

static void option(struct wanted *wanted, int letter)
{
    switch (letter) {
    case 'b':
        wanted->build = optarg;
        return;
    case 'i':
        wanted->image = optarg;
        return;
    case 'N':
        wanted->model = IMAGE_NVME;
        return;
    case 'A':
        wanted->audit = optarg;
        return;
    case 'm':
        wanted->megabytes = number(optarg);
        return;
    case 'F':
        wanted->fail = true;
        return;
    case 'S':
        wanted->subsets = number(optarg);
        return;
    case 'B':
        wanted->from_blank = true;
        return;
    case 'f':
        wanted->first_seed = number(optarg);
        return;
    case 's':
        wanted->seeds = number(optarg);
        return;
    case 'n':
        wanted->states = number(optarg);
        return;
    case 'l':
        wanted->log = optarg;
        return;
    case 'L':
        wanted->lines = optarg;
        return;
    case 'd':
        wanted->disk = optarg;
        return;
    case 'a':
        wanted->all = true;
        return;
    case 'c':
        wanted->choices = optarg;
        return;
    case 'j':
        if (sscanf(optarg, "%lu/%lu", &wanted->job, &wanted->jobs) == 2 && wanted->job < wanted->jobs) {
            return;
        }
        refuse();
    default:
        refuse();
    }
}

static void parse(struct wanted *wanted, int argc, char **argv)
{
    static const struct option options[] = {
        {"build", 1, NULL, 'b'},     {"image", 1, NULL, 'i'},      {"first-seed", 1, NULL, 'f'},
        {"seeds", 1, NULL, 's'},     {"states", 1, NULL, 'n'},     {"job", 1, NULL, 'j'},
        {"help", 0, NULL, 'h'},      {"log", 1, NULL, 'l'},        {"lines", 1, NULL, 'L'},
        {"disk", 1, NULL, 'd'},      {"nvme", 0, NULL, 'N'},       {"all", 0, NULL, 'a'},
        {"choices", 1, NULL, 'c'},   {"fail", 0, NULL, 'F'},       {"audit", 1, NULL, 'A'},
        {"megabytes", 1, NULL, 'm'}, {"from-blank", 0, NULL, 'B'}, {"subsets", 1, NULL, 'S'},
        {NULL, 0, NULL, 0}};
    int letter;

    *wanted = (struct wanted){.build = "build",
                              .image = "crash",
                              .audit = "crash-audit",
                              .model = IMAGE_VIRTIO_BLK,
                              .megabytes = DISK_MEGABYTES,
                              .subsets = SUBSETS,
                              .first_seed = 1,
                              .seeds = 400,
                              .states = 50000,
                              .jobs = 1};
    while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1) {
        option(wanted, letter);
    }
    if (optind != argc || (wanted->log == NULL) != (wanted->lines == NULL) ||
        (wanted->log == NULL) != (wanted->disk == NULL)) {
        refuse();
    }
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* A disk that nobody wrote to yet. */
static void blank_make(size_t size)
{
    if (size % PAGE != 0 || size / PAGE > VIEW_PAGES_MAX) {
        sim_fail("a disk of %zu bytes; at most %u pages of %u are looked at", size, VIEW_PAGES_MAX, PAGE);
    }
    view_blank(&self.start, size / PAGE);
    view_write(&self.start, 0, BLANK_MARK, sizeof BLANK_MARK - 1);
}

/* (6) */
static void volume_make(void)
{
    struct machine machine;

    if (!machine_copy(&machine, &self.audit)) {
        sim_fail("the waiting image does not fork");
    }
    machine.disk = &self.start;
    if (machine_run(&machine, STEPS_MAX) != MACHINE_DONE) {
        sim_fail("no volume is made: %s", machine.why);
    }
    machine_end(&machine);
}

static void explore(void)
{
    size_t size = 0;
    char *left = self.wanted.disk != NULL ? sim_read(self.wanted.disk, &size) : NULL;

    blank_make(left != NULL ? size : (size_t)self.wanted.megabytes << 20);
    self.seen = sim_alloc(SEEN_SIZE * sizeof *self.seen);
    self.states_end = self.wanted.states;
    machine_start(&self.audit, image_get(self.wanted.build, self.wanted.audit, IMAGE_VIRTIO_BLK, image_transports[0]),
                  1, view_bytes(&self.start));
    if (left != NULL) {
        explore_log(left);
        free(left);
        return;
    }
    if (!self.wanted.from_blank) {
        volume_make();
    }
    struct image *image = image_get(self.wanted.build, self.wanted.image, self.wanted.model, image_transports[0]);
    if (self.wanted.choices != NULL) {
        explore_chosen(image);
        return;
    }
    if (self.wanted.all) {
        explore_all(image);
        return;
    }
    for (uint64_t i = 0; i < self.wanted.seeds && !enough(); i++) {
        (void)explore_sequence(image, self.wanted.first_seed + i, NULL);
    }
}

static void say_how_far(void)
{
    if (self.wanted.all) {
        puts(self.all_done ? "these were all sequences" : "there are more sequences than --states allowed");
    } else if (self.wanted.log == NULL && self.wanted.choices == NULL) {
        printf("the last new sequence was that of seed %lu of %lu\n", (unsigned long)self.sequence_seed,
               (unsigned long)(self.wanted.first_seed + self.wanted.seeds - 1));
    }
}

int main(int argc, char **argv)
{
    parse(&self.wanted, argc, argv);
    double start = seconds();
    explore();
    double took = seconds() - start;
    images_end();
    printf(
        "%lu crash states of %lu cuts in %u sequences, every promise kept; %lu were the same as before; %.3f ms each\n",
        (unsigned long)self.states, (unsigned long)self.cuts, self.sequence_count, (unsigned long)self.again,
        took * 1000 / (double)(self.states + 1));
    say_how_far();
    return 0;
}

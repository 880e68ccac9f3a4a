/* SPDX-License-Identifier: MIT OR Apache-2.0
 * shrink.c: a failing seed with as little trouble as it needs: the mixture of transports, each kind of fault, then each planned
 * trouble, is left out when the run fails without it too. And the corpus: what failed once.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "image.h"
#include "simulate.h"
#include "util.h"

static bool fails(const struct wanted *wanted, char *violation, size_t size)
{
    struct result result = simulate(wanted);

    if (!result.kept) {
        snprintf(violation, size, "%s", result.violation);
    }
    return !result.kept;
}

bool shrink(const struct wanted *wanted)
{
    struct wanted less = *wanted;
    struct result first = simulate(wanted);
    char violation[512];

    if (first.kept) {
        printf("seed %lu keeps every promise: nothing to shrink\n", (unsigned long)wanted->seed);
        return false;
    }
    snprintf(violation, sizeof violation, "%s", first.violation);
    less.faults &= first.on;
    if (less.transport == NULL) {
        struct wanted plain = less;
        plain.transport = image_transports[0];
        less = fails(&plain, violation, sizeof violation) ? plain : less;
    }
    for (unsigned i = 0; i < FAULTS; i++) {
        struct wanted without = less;
        without.faults &= ~(1u << i);
        if (without.faults != less.faults && fails(&without, violation, sizeof violation)) {
            less = without;
        }
    }
    unsigned planned = simulate(&less).planned;
    for (unsigned i = 0; i < planned && i < 64; i++) {
        struct wanted without = less;
        without.skip |= 1ull << i;
        if (fails(&without, violation, sizeof violation)) {
            less = without;
        }
    }
    printf("broken: %s\n", violation);
    print_again(&less);
    return true;
}

/* One line of the corpus: what it asks for, in `old`; its fleet stands beside the corpus. False: it is empty. */
static bool corpus_line(const char *path, unsigned number, char *line, struct wanted *old, char fleet_path[4096])
{
    const char *slash = strrchr(path, '/');
    char fleet[256], faults[256], transport[32] = "", more[2];
    const char *unknown;

    line[strcspn(line, "#\n")] = '\0';
    int words = sscanf(line, "%255s %lu %255s %31s %1s", fleet, &old->seed, faults, transport, more);
    if (words == EOF) {
        return false;
    }
    if (words < 3 || words > 4) {
        sim_fail("%s:%u: a line is: FLEET SEED FAULTS [TRANSPORT]", path, number);
    }
    if (!faults_parse(faults, &old->faults, &unknown)) {
        sim_fail("%s:%u: no such fault: %s", path, number, unknown);
    }
    old->transport = image_transport(transport);
    if (transport[0] != '\0' && old->transport == NULL) {
        sim_fail("%s:%u: no such transport: %s", path, number, transport);
    }
    snprintf(fleet_path, 4096, "%.*s%s", slash != NULL ? (int)(slash - path + 1) : 0, path, fleet);
    old->fleet = fleet_path;
    return true;
}

bool corpus(const struct wanted *wanted, const char *path)
{
    FILE *file = fopen(path, "r");
    char line[1024], fleet_path[4096];
    unsigned count = 0;

    if (file == NULL) {
        sim_fail("%s: %s", path, strerror(errno));
    }
    for (unsigned number = 1; fgets(line, sizeof line, file) != NULL; number++) {
        struct wanted old = *wanted;
        if (!corpus_line(path, number, line, &old, fleet_path)) {
            continue;
        }
        struct result result = simulate(&old);
        count++;
        if (!result.kept) {
            printf("broken again: %s\n", result.violation);
            print_again(&old);
            fclose(file);
            return false;
        }
    }
    fclose(file);
    if (count == 0) {
        sim_fail("%s: no seed in it", path);
    }
    printf("%u old failures stay mended\n", count);
    return true;
}

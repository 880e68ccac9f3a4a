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

bool corpus(const struct wanted *wanted, const char *path)
{
    FILE *file = fopen(path, "r");
    char line[1024];
    unsigned count = 0;

    if (file == NULL) {
        sim_fail("%s: %s", path, strerror(errno));
    }
    while (fgets(line, sizeof line, file) != NULL) {
        char fleet[256];
        char faults[256];
        char transport[32] = "";
        struct wanted old = *wanted;
        const char *unknown;
        line[strcspn(line, "#\n")] = '\0';
        if (sscanf(line, "%255s %lu %255s %31s", fleet, &old.seed, faults, transport) < 3) {
            continue;
        }
        char fleet_path[4096];
        snprintf(fleet_path, sizeof fleet_path, "%.*s%s", (int)(strrchr(path, '/') - path + 1), path, fleet);
        old.fleet = fleet_path;
        if (!faults_parse(faults, &old.faults, &unknown)) {
            sim_fail("%s: no such fault: %s", path, unknown);
        }
        old.transport = image_transport(transport);
        if (transport[0] != '\0' && old.transport == NULL) {
            sim_fail("%s: no such transport: %s", path, transport);
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
    printf("%u old failures stay mended\n", count);
    return true;
}

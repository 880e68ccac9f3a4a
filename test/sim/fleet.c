/* SPDX-License-Identifier: MIT OR Apache-2.0
 * fleet.c: reading a fleet's file.
 */
#include "fleet.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "run.h"

struct place {
    const char *path;
    unsigned line;
};

/* What makes an image of a node. */
struct asked {
    const char *build, *transport, *disk;
};

static _Noreturn void wrong(const struct place *place, const char *what, const char *which)
{
    fprintf(stderr,
            "%s:%u: %s '%s'; a line is: node NAME PROFILE [disk=SIZE|nvme=SIZE|scsi=SIZE] [load|hostile|rude|small] "
            "[transport=T]\n",
            place->path, place->line, what, which);
    exit(2);
}

/* Bytes with K or M, a whole number of sectors; 0: it is none. */
static uint64_t parse_size(const char *text)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 10);

    value <<= *end == 'K' ? 10 : *end == 'M' ? 20 : 0;
    end += *end == 'K' || *end == 'M';
    return *end == '\0' && value % SECTOR == 0 && value <= 1ull << 30 ? value : 0;
}

/* Which model a word asks for; NULL: it is about no disk. */
static const char *disk_of(const char *word)
{
    return strncmp(word, "disk=", 5) == 0   ? IMAGE_VIRTIO_BLK
           : strncmp(word, "nvme=", 5) == 0 ? IMAGE_NVME
           : strncmp(word, "scsi=", 5) == 0 ? IMAGE_VIRTIO_SCSI
                                            : NULL;
}

static void node_word(struct run *run, struct node *node, const char *word, struct asked *asked,
                      const struct place *place)
{
    if (strcmp(word, "load") == 0) {
        node->load = true;
    } else if (strcmp(word, "hostile") == 0) {
        node->hostile = node->spoils = true;
    } else if (strcmp(word, "small") == 0) {
        node->small = true;
    } else if (strcmp(word, "rude") == 0) {
        node->hostile = true;
    } else if (strncmp(word, "transport=", 10) == 0 && image_transport(word + 10) != NULL) {
        asked->transport = image_transport(word + 10);
    } else if (disk_of(word) != NULL && node->disk == NULL && parse_size(word + 5) != 0) {
        asked->disk = disk_of(word);
        node->disk = disk_new(parse_size(word + 5) / SECTOR, random_stream(run->seed, 'disk', node->number));
    } else {
        wrong(place, "cannot use", word);
    }
}

static const char *transport_draw(const struct run *run, const struct node *node)
{
    struct random random = random_stream(run->seed, 'tran', node->number);

    return image_transports[random_below(&random, IMAGE_TRANSPORTS)];
}

static void node_add(struct run *run, struct asked asked, char **rest, const struct place *place)
{
    char *name = strtok_r(NULL, " \t\n", rest);
    char *profile = strtok_r(NULL, " \t\n", rest);

    if (name == NULL || profile == NULL || run->node_count == NODES_MAX) {
        wrong(place, run->node_count == NODES_MAX ? "too many nodes:" : "incomplete", name != NULL ? name : "");
    }
    for (unsigned i = 0; i < run->node_count; i++) {
        if (strcmp(run->node[i].name, name) == 0) {
            wrong(place, "two nodes", name);
        }
    }
    struct node *node = &run->node[run->node_count];
    node->run = run;
    node->number = run->node_count++;
    node->link_up = true;
    node->link.fd = -1;
    snprintf(node->name, sizeof node->name, "%s", name);
    memcpy(node->mac, (const uint8_t[6]){0x52, 0x54, 0, 0, 1, (uint8_t)node->number}, 6);
    for (char *word = strtok_r(NULL, " \t\n", rest); word != NULL; word = strtok_r(NULL, " \t\n", rest)) {
        node_word(run, node, word, &asked, place);
    }
    node->image = image_get(asked.build, profile, asked.disk,
                            asked.transport != NULL ? asked.transport : transport_draw(run, node));
}

void fleet_read(struct run *run, const char *build, const char *path, const char *transport)
{
    struct place place = {path, 0};
    FILE *file = fopen(path, "r");
    char line[1024];

    if (file == NULL) {
        sim_fail("%s: %s", path, strerror(errno));
    }
    while (fgets(line, sizeof line, file) != NULL) {
        char *rest = NULL;
        place.line++;
        line[strcspn(line, "#")] = '\0';
        char *word = strtok_r(line, " \t\n", &rest);
        if (word != NULL && strcmp(word, "node") != 0) {
            wrong(&place, "unknown", word);
        } else if (word != NULL) {
            node_add(run, (struct asked){.build = build, .transport = transport}, &rest, &place);
        }
    }
    fclose(file);
    if (run->node_count == 0) {
        wrong(&place, "no node in", path);
    }
}

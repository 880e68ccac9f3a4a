/* SPDX-License-Identifier: MIT OR Apache-2.0
 * disk_names.c: who has an object, asked of the catalog's tables as well as these can still be read.
 */
#include <stdio.h>
#include <string.h>
#include "disk_private.h"

#define SAID_AT_MOST 3u /* names of one object */

static void add(char *text, size_t size, const char *more)
{
    size_t at = strlen(text);

    (void)snprintf(text + at, size - at, "%s", more);
}

static sqlite3_stmt *ask(struct disk_file *file, const char *sql, uint64_t a, uint64_t b)
{
    sqlite3_stmt *row = NULL;

    if (!file->open || sqlite3_prepare_v2(file->catalog.db, sql, -1, &row, NULL) != SQLITE_OK) {
        return NULL;
    }
    (void)sqlite3_bind_int64(row, 1, (sqlite3_int64)a);
    if (sqlite3_bind_parameter_count(row) > 1) {
        (void)sqlite3_bind_int64(row, 2, (sqlite3_int64)b);
    }
    return row;
}

/* A directory and what is above it, as "/a/b", into the end of `path`; its beginning. */
static char *path_of(struct disk_file *file, uint64_t directory, char *end, const char *begin)
{
    for (unsigned depth = 0; depth < CATALOG_DEPTH_MAX && directory > CATALOG_NAMES; depth++) {
        sqlite3_stmt *row =
            ask(file, "SELECT parent, name FROM node WHERE id=?1 ORDER BY died DESC LIMIT 1", directory, 0);
        if (row == NULL || sqlite3_step(row) != SQLITE_ROW) {
            (void)sqlite3_finalize(row);
            break;
        }
        size_t length = (size_t)sqlite3_column_bytes(row, 1);
        if ((size_t)(end - begin) < length + 1) {
            (void)sqlite3_finalize(row);
            break;
        }
        end -= length;
        memcpy(end, sqlite3_column_text(row, 1), length);
        *--end = '/';
        directory = (uint64_t)sqlite3_column_int64(row, 0);
        (void)sqlite3_finalize(row);
    }
    return end;
}

/* A row of parent, name, died. */
static void add_row(struct disk_file *file, sqlite3_stmt *row, char *text, size_t size)
{
    char path[CATALOG_PATH_MAX + 1];
    uint64_t parent = (uint64_t)sqlite3_column_int64(row, 0);
    const char *name = (const char *)sqlite3_column_text(row, 1);
    char *end = path + sizeof path - 1;

    *end = 0;
    if (parent == CATALOG_NAMES) {
        add(text, size, "name '");
        add(text, size, name == NULL ? "" : name);
        add(text, size, "'");
    } else {
        add(text, size, path_of(file, parent, end, path));
        add(text, size, "/");
        add(text, size, name == NULL ? "" : name);
    }
    add(text, size, sqlite3_column_int64(row, 2) != INT64_MAX ? " (in a snapshot)" : "");
}

static void add_names(struct disk_file *file, const char *sql, uint64_t id, char *text, size_t size)
{
    sqlite3_stmt *row = ask(file, sql, id, 0);

    for (unsigned said = 0; row != NULL && sqlite3_step(row) == SQLITE_ROW; said++) {
        add(text, size, said > 0 ? ", " : "");
        if (said == SAID_AT_MOST) {
            add(text, size, "...");
            break;
        }
        add_row(file, row, text, size);
    }
    (void)sqlite3_finalize(row);
}

void disk_name_node(struct disk_file *file, uint64_t node, char *text, size_t size)
{
    *text = 0;
    add_names(file, "SELECT parent, name, died FROM node WHERE id=?1 ORDER BY died DESC", node, text, size);
}

void disk_name_object(struct disk_file *file, uint64_t object, char *text, size_t size)
{
    *text = 0;
    add_names(file, "SELECT parent, name, died FROM node WHERE object=?1 ORDER BY died DESC", object, text, size);
    if (*text != 0) {
        return;
    }
    sqlite3_stmt *row = ask(file, "SELECT lower(hex(digest)) FROM object WHERE id=?1", object, 0);
    const char *digest =
        row != NULL && sqlite3_step(row) == SQLITE_ROW ? (const char *)sqlite3_column_text(row, 0) : NULL;
    if (digest != NULL) {
        add(text, size, "blob ");
        add(text, size, digest);
        add(text, size, ", which has no name");
    }
    (void)sqlite3_finalize(row);
}

void disk_name_extent(struct disk_file *file, uint64_t extent, uint64_t block, char *text, size_t size)
{
    char who[DISK_WHY];
    sqlite3_stmt *row = ask(file,
                            "SELECT object, at+?2-skip FROM piece WHERE extent=?1 AND skip<=?2 AND skip+blocks>?2"
                            " LIMIT 3",
                            extent, block);

    *text = 0;
    while (row != NULL && sqlite3_step(row) == SQLITE_ROW) {
        char part[DISK_WHY];
        uint64_t object = (uint64_t)sqlite3_column_int64(row, 0);
        disk_name_object(file, object, who, sizeof who);
        (void)snprintf(part, sizeof part, "%sblock %lld of object %llu", *text != 0 ? "; " : "",
                       (long long)sqlite3_column_int64(row, 1), (unsigned long long)object);
        add(text, size, part);
        add(text, size, *who != 0 ? ": " : "");
        add(text, size, who);
    }
    (void)sqlite3_finalize(row);
}

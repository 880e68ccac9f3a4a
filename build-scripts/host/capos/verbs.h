/* SPDX-License-Identifier: MIT OR Apache-2.0
 * verbs.h: what capos can do. One line of the table in verbs.c++ a verb; one run_ function each.
 */
#pragma once

#include "args.h"

#include <string>
#include <vector>

namespace capos
{

struct Verb {
    const char *name;     /* one word or two: "call", "fleet up" */
    const char *synopsis; /* what comes behind the name */
    const char *summary;  /* one line */
    const char *text;     /* more, for `capos help VERB`; may be "" */
    size_t words_min;
    size_t words_max;
    std::vector<Flag> flags; /* besides those that every verb takes */
    void (*run)(const Args &args);
};

const std::vector<Verb> &verbs();
const std::vector<Flag> &common_flags();

void run_fleet_up(const Args &args);
void run_fleet_down(const Args &args);
void run_fleet_status(const Args &args);
void run_fleet_logs(const Args &args);
void run_node_ls(const Args &args);
void run_ls(const Args &args);
void list_capabilities(const Args &args); /* `ls` without a path */
void run_stat(const Args &args);
void run_mkdir(const Args &args);
void run_mv(const Args &args);
void run_rm(const Args &args);
void run_watch(const Args &args);
void run_snapshot(const Args &args);
void run_describe(const Args &args);
void run_call(const Args &args);
void run_put(const Args &args);
void run_get(const Args &args);
void put_tree(const Args &args); /* `put -r` */
void get_tree(const Args &args); /* `get -r` */
void run_export(const Args &args);
void run_import(const Args &args);
void run_logs(const Args &args);
void run_disk_create(const Args &args);
void run_disk_inspect(const Args &args);
void run_disk_check(const Args &args);
void run_disk_export(const Args &args);
void run_image_query(const Args &args);
void run_image_symbolize(const Args &args);
void run_help(const Args &args);

} // namespace capos

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * args.h: the command line: verbs, their flags, and what is left.
 */
#pragma once

#include <map>
#include <string>
#include <vector>

namespace capos
{

struct Flag {
    const char *name;  /* "--disk-size" */
    const char *value; /* what its value is called, or NULL for a flag that is just there */
    const char *text;  /* one line of help */
};

class Args
{
  public:
    /* Words and flags may come in any order; "--" ends the flags. Throws a misuse for a flag that is not in `known`,
     * for a missing value and for one that should not be. */
    Args(const std::vector<std::string> &line, const std::vector<Flag> &known);

    bool has(const char *flag) const;
    std::string get(const char *flag, const std::string &otherwise) const;
    const std::vector<std::string> &all(const char *flag) const;

    /* A whole number within bounds; misuse when it is none. */
    long number(const char *flag, long low, long high, long otherwise) const;

    std::vector<std::string> words;

  private:
    void take_flag(const std::vector<std::string> &line, size_t &at, const std::vector<Flag> &known);

    std::map<std::string, std::vector<std::string>> flags;
};

/* "256M" -> bytes. Misuse, naming `what`, when it is no size. */
unsigned long long parse_size(const std::string &text, const std::string &what);

} // namespace capos

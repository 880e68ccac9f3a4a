/* SPDX-License-Identifier: MIT OR Apache-2.0
 * args.c++: the command line.
 */
#include "args.h"

#include "fail.h"

#include <cerrno>
#include <cstdlib>

namespace capos
{

static const Flag *find_flag(const std::vector<Flag> &known, const std::string &name)
{
    for (const Flag &flag : known) {
        if (name == flag.name) {
            return &flag;
        }
    }
    return nullptr;
}

static std::string list_flags(const std::vector<Flag> &known)
{
    std::string list;
    for (const Flag &flag : known) {
        list += std::string(" ") + flag.name;
    }
    return list;
}

void Args::take_flag(const std::vector<std::string> &line, size_t &at, const std::vector<Flag> &known)
{
    size_t equals = line[at].find('=');
    std::string name = line[at].substr(0, equals);
    const Flag *flag = find_flag(known, name);
    if (flag == nullptr) {
        misuse("unknown option '" + name + "'; there are:" + list_flags(known));
    }
    if (flag->value == nullptr) {
        if (equals != std::string::npos) {
            misuse("'" + name + "' takes no value");
        }
        flags[name].push_back("");
        return;
    }
    if (equals != std::string::npos) {
        flags[name].push_back(line[at].substr(equals + 1));
        return;
    }
    if (++at >= line.size()) {
        misuse("'" + name + "' needs a value: " + name + " " + flag->value);
    }
    flags[name].push_back(line[at]);
}

Args::Args(const std::vector<std::string> &line, const std::vector<Flag> &known)
{
    bool flags_ended = false;
    for (size_t at = 0; at < line.size(); at++) {
        const std::string &word = line[at];
        if (flags_ended || word.size() < 2 || word[0] != '-') {
            words.push_back(word);
        } else if (word == "--") {
            flags_ended = true;
        } else {
            take_flag(line, at, known);
        }
    }
}

bool Args::has(const char *flag) const
{
    return flags.count(flag) != 0;
}

std::string Args::get(const char *flag, const std::string &otherwise) const
{
    auto found = flags.find(flag);
    return found == flags.end() ? otherwise : found->second.back();
}

const std::vector<std::string> &Args::all(const char *flag) const
{
    static const std::vector<std::string> none;
    auto found = flags.find(flag);
    return found == flags.end() ? none : found->second;
}

long Args::number(const char *flag, long low, long high, long otherwise) const
{
    if (!has(flag)) {
        return otherwise;
    }
    std::string text = get(flag, "");
    char *end = nullptr;
    errno = 0;
    long value = strtol(text.c_str(), &end, 10);
    if (text.empty() || *end != '\0' || errno != 0 || value < low || value > high) {
        misuse(std::string(flag) + " is '" + text + "', not a number from " + std::to_string(low) + " to " +
               std::to_string(high));
    }
    return value;
}

unsigned long long parse_size(const std::string &text, const std::string &what)
{
    char *end = nullptr;
    errno = 0;
    unsigned long long value = strtoull(text.c_str(), &end, 10);
    int shift = 0;
    if (*end != '\0') {
        static const std::string units = "KMG";
        size_t unit = units.find(*end);
        shift = unit == std::string::npos ? -1 : 10 * (static_cast<int>(unit) + 1);
        end++;
    }
    if (text.empty() || text[0] == '-' || *end != '\0' || errno != 0 || shift < 0 || value > (~0ULL >> shift)) {
        misuse(what + " is '" + text + "', not a size such as 4096, 512K, 256M or 2G");
    }
    return value << shift;
}

} // namespace capos

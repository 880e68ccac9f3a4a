/* SPDX-License-Identifier: MIT OR Apache-2.0
 * completion.c++: what completion.bash has to know, from the table that help is printed from.
 *
 * What a word may be is read off the synopsis: NODE, FLEET, VERB and names of files; and off the value of an option
 * where that lists its choices, "qemu|sim".
 */
#include "completion.h"

#include "verbs.h"

#include <cstdio>
#include <set>
#include <sstream>

namespace capos
{

static std::string kind_of(const std::string &word)
{
    static const struct {
        const char *part;
        const char *kind;
    } KINDS[] = {{"NODE", "node"}, {"FLEET", "fleet"}, {"VERB", "verb"},
                 {"FILE", "file"}, {"IMAGE", "file"},  {"LOG", "file"}};
    for (auto entry : KINDS) {
        if (word.find(entry.part) != std::string::npos) {
            return entry.kind;
        }
    }
    return "none";
}

/* "NODE PATH FILE|-" -> "node none file"; "[NODE]..." -> "node more" */
static std::string kinds_of(const std::string &synopsis)
{
    std::istringstream words(synopsis);
    std::string out;
    for (std::string word; words >> word;) {
        out += (out.empty() ? "" : " ") + kind_of(word);
        out += word.find("...") != std::string::npos ? " more" : "";
    }
    return out;
}

static std::string names_of(const std::vector<Flag> &flags)
{
    std::string out;
    for (const Flag &flag : flags) {
        out += std::string(" ") + flag.name;
    }
    return out;
}

static void print_verbs()
{
    printf("_capos_verb() {\n    case $1 in\n");
    for (const Verb &verb : verbs()) {
        printf("    '%s') words='%s' flags='%s%s' ;;\n", verb.name, kinds_of(verb.synopsis).c_str(),
               names_of(verb.flags).c_str(), names_of(common_flags()).c_str());
    }
    printf("    *) return 1 ;;\n    esac\n}\n");
}

static void print_words()
{
    std::string first;
    std::string second;
    for (const Verb &verb : verbs()) {
        std::string name = verb.name;
        size_t space = name.find(' ');
        std::string word = " " + name.substr(0, space);
        first += (first + " ").find(word + " ") == std::string::npos ? word : "";
        if (space != std::string::npos) {
            second += "    " + name.substr(0, space) + ") echo " + name.substr(space + 1) + " ;;&\n";
        }
    }
    printf("_capos_first() {\n    echo%s\n}\n_capos_second() {\n    case $1 in\n%s    esac\n}\n", first.c_str(),
           second.c_str());
}

static void print_values()
{
    printf("_capos_value() {\n    case $1 in\n");
    for (const Verb &verb : verbs()) {
        for (const Flag &flag : verb.flags) {
            std::string value = flag.value == nullptr ? "" : flag.value;
            if (value.find('|') == std::string::npos) {
                continue;
            }
            for (char &c : value) {
                c = c == '|' ? ' ' : c;
            }
            printf("    %s) choices='%s' ;;\n", flag.name, value.c_str());
        }
    }
    printf("    *) return 1 ;;\n    esac\n}\n");
}

void print_completion()
{
    print_verbs();
    print_words();
    print_values();
}

} // namespace capos

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * symbols.c++: reads a panic block as it passes, and asks addr2line.
 *
 * A backtrace is the lines of one 16-digit address each that follow `backtrace:`. They are return addresses, so the line
 * that is looked up is that of the call before; only the first one after a register dump is the faulting instruction.
 */
#include "symbols.h"

#include "fail.h"
#include "file.h"
#include "image.h"
#include "state.h"
#include "text.h"
#include "verbs.h"

#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <sstream>
#include <sys/wait.h>
#include <unistd.h>

namespace capos
{

static constexpr size_t LINE_MAX = 256; /* no line that means anything here is longer */
static constexpr unsigned LOOKUPS_MAX = 1000;

std::string symbols_of(const std::string &image)
{
    std::string debug = image.substr(0, image.rfind('.')) + ".debug";
    return access(debug.c_str(), R_OK) == 0 ? debug : image;
}

static std::string readable_symbols(const std::string &image)
{
    std::string symbols = image.empty() ? "" : symbols_of(image);
    return access(symbols.c_str(), R_OK) == 0 ? symbols : "";
}

Symbolizer::Symbolizer(const std::string &image)
    : symbols(readable_symbols(image)), build_id(symbols.empty() ? "" : build_id_of(symbols))
{
}

/* What the command prints; "" when it cannot be run. */
static std::string output_of(const char *const argv[])
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        fail_errno("pipe");
    }
    fflush(stdout);
    int pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        execvp(argv[0], const_cast<char *const *>(argv));
        _exit(127);
    }
    close(ends[1]);
    File from(ends[0], argv[0]);
    std::string out(64 * 1024, '\0');
    out.resize(from.read(out.data(), out.size()));
    waitpid(pid, nullptr, 0);
    return out;
}

/* The path as the source tree has it, not as the build folder had it. */
static std::string short_path(const std::string &place)
{
    size_t path = place.find(" at ");
    size_t best = std::string::npos;
    for (const char *folder : {"/components/", "/core/", "/platform/", "/build/"}) {
        size_t found = place.find(folder, path == std::string::npos ? 0 : path);
        best = found < best ? found : best;
    }
    return path == std::string::npos || best == std::string::npos ? place
                                                                  : place.substr(0, path + 4) + place.substr(best + 1);
}

/* addr2line: "0xADDRESS: function at file:line", then " (inlined by) ..." for each function that it stands in. */
std::string Symbolizer::name_of(unsigned long long address) const
{
    static const std::string INLINED = " (inlined by) ";
    char digits[24];
    snprintf(digits, sizeof digits, "%llx", address);
    const char *const argv[] = {"addr2line", "-aifpCe", symbols.c_str(), digits, nullptr};
    std::istringstream answer(output_of(argv));
    std::string name;
    for (std::string entry; std::getline(answer, entry);) {
        if (entry.compare(0, INLINED.size(), INLINED) == 0) {
            name += ", in " + short_path(entry.substr(INLINED.size()));
        } else {
            name = short_path(entry.substr(entry.find(": ") == std::string::npos ? 0 : entry.find(": ") + 2));
        }
    }
    return name.empty()     ? "(addr2line, of the package binutils, cannot be run)"
           : name[0] == '?' ? "(not in this image)"
                            : name;
}

static bool is_address(const std::string &line)
{
    return line.compare(0, 4, "  0x") == 0 && line.size() > 4 &&
           line.find_first_not_of("0123456789abcdef", 4) == std::string::npos;
}

/* What goes behind the line that has just ended. */
std::string Symbolizer::end_of_line()
{
    char id[64];
    if (!build_id.empty() && sscanf(line.c_str(), "capos %*s %*s %63s", id) == 1) {
        foreign = build_id != id;
    }
    exact = exact || line.compare(0, 6, "  rip ") == 0;
    if (inside && is_address(line) && !symbols.empty() && lookups < LOOKUPS_MAX) {
        lookups++;
        unsigned long long address = strtoull(line.c_str() + 2, nullptr, 16) - (exact ? 0 : 1);
        exact = false;
        return "  " + (foreign ? "(the image has been built anew since)" : name_of(address));
    }
    inside = line.compare(0, 10, "backtrace:") == 0 || (inside && is_address(line));
    return "";
}

std::string Symbolizer::add(const std::string &text)
{
    std::string out;
    for (char c : text) {
        if (c == '\n') {
            out += end_of_line();
            line.clear();
        } else if (c != '\r' && line.size() < LINE_MAX) {
            line += c;
        }
        out += returned ? "\r" : "";
        returned = c == '\r'; /* it waits for what goes before it */
        out += returned ? "" : std::string(1, c);
    }
    return out;
}

void run_image_symbolize(const Args &args)
{
    Symbolizer symbolizer(args.words[0]);
    std::string image = args.words[0];
    if (access(symbols_of(image).c_str(), R_OK) != 0) {
        fail_errno(image);
    }
    bool piped = args.words.size() < 2 || args.words[1] == "-";
    File log = piped ? File(STDIN_FILENO, "standard input") : File(args.words[1], O_RDONLY);
    std::string piece(64 * 1024, '\0');
    while (size_t got = log.read(piece.data(), piece.size())) {
        std::string out = plain(symbolizer.add(piece.substr(0, got)), CONSOLE_CONTROLS);
        fwrite(out.data(), 1, out.size(), stdout);
    }
}

} // namespace capos

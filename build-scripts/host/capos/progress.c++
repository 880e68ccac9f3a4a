/* SPDX-License-Identifier: MIT OR Apache-2.0
 * progress.c++: the progress bar.
 */
#include "progress.h"

#include "text.h"

#include <algorithm>
#include <cstdio>
#include <unistd.h>

namespace capos
{

static constexpr double REDRAW_SECONDS = 0.1;
static constexpr unsigned BAR_WIDTH = 28;

std::string size_text(double bytes)
{
    static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    unsigned step = 0;
    while (bytes >= 1024 && step < 4) {
        bytes /= 1024;
        step++;
    }
    char text[32];
    snprintf(text, sizeof text, step == 0 ? "%.0f %s" : "%.1f %s", bytes, unit[step]);
    return text;
}

std::string count_text(uint64_t count, const char *one, const char *more)
{
    return std::to_string(count) + " " + (count == 1 ? one : more);
}

Progress::Progress(const std::string &name, uint64_t size, bool wanted, size_t count)
    : what(name), total(size), shown(wanted && isatty(STDERR_FILENO) == 1), files(count),
      start(std::chrono::steady_clock::now())
{
}

Progress::~Progress()
{
    if (shown && drawn_at >= 0) {
        draw(seconds());
        fputc('\n', stderr);
    }
}

void Progress::clear()
{
    if (shown && drawn_at >= 0) {
        fprintf(stderr, "\r\033[K");
        fflush(stderr);
        drawn_at = -1;
    }
}

void Progress::note(const std::string &said)
{
    clear();
    fprintf(stderr, "capos: %s: %s\n", plain(what).c_str(), plain(said).c_str());
}

double Progress::seconds() const
{
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double Progress::rate() const
{
    double at = seconds();
    return at > 0 && bytes > first ? static_cast<double>(bytes - first) / at : 0; /* less: a resume was taken back */
}

void Progress::resumed(uint64_t there)
{
    first += there;
    add(static_cast<int64_t>(there));
}

void Progress::add(int64_t more)
{
    bytes += static_cast<uint64_t>(more);
    changed();
}

void Progress::file_done()
{
    done++;
    changed();
}

void Progress::changed()
{
    double at = seconds();
    if (shown && (drawn_at < 0 || at - drawn_at >= REDRAW_SECONDS)) {
        draw(at);
    }
}

void Progress::draw(double at)
{
    double part = total == 0 ? 1.0 : static_cast<double>(std::min(bytes, total)) / static_cast<double>(total);
    unsigned filled = static_cast<unsigned>(part * BAR_WIDTH);
    std::string bar = std::string(filled, '#') + std::string(BAR_WIDTH - filled, '.');
    std::string of_files = files == 0 ? "" : std::to_string(done) + " of " + std::to_string(files) + " files  ";
    fprintf(stderr, "\r%s [%s] %3.0f%%  %s%s  %s/s \033[K", plain(what).c_str(), bar.c_str(), part * 100,
            of_files.c_str(), size_text(static_cast<double>(bytes)).c_str(), size_text(rate()).c_str());
    fflush(stderr);
    drawn_at = at;
}

} // namespace capos

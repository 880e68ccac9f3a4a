/* SPDX-License-Identifier: MIT OR Apache-2.0
 * progress.c++: the progress bar.
 */
#include "progress.h"

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

Progress::Progress(const std::string &name, uint64_t size, bool wanted)
    : what(name), total(size), shown(wanted && isatty(STDERR_FILENO) == 1), start(std::chrono::steady_clock::now())
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

double Progress::seconds() const
{
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void Progress::reached(uint64_t now)
{
    if (bytes == 0) {
        first = now;
    }
    bytes = now;
    double at = seconds();
    if (shown && (drawn_at < 0 || at - drawn_at >= REDRAW_SECONDS)) {
        draw(at);
    }
}

void Progress::draw(double at)
{
    double part = total == 0 ? 1.0 : static_cast<double>(bytes) / static_cast<double>(total);
    unsigned filled = static_cast<unsigned>(part * BAR_WIDTH);
    double rate = at > 0 ? static_cast<double>(bytes - first) / at : 0;
    std::string bar = std::string(filled, '#') + std::string(BAR_WIDTH - filled, '.');
    fprintf(stderr, "\r%s [%s] %3.0f%%  %s  %s/s \033[K", what.c_str(), bar.c_str(), part * 100,
            size_text(static_cast<double>(bytes)).c_str(), size_text(rate).c_str());
    fflush(stderr);
    drawn_at = at;
}

} // namespace capos

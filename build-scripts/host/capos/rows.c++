/* SPDX-License-Identifier: MIT OR Apache-2.0
 * rows.c++: Stat and Time as rows.
 */
#include "rows.h"

#include "digest.h"
#include "transfer.h"

#include <cstdio>
#include <ctime>

namespace capos
{

static constexpr int64_t SECOND_NS = 1000000000;

static const char *clock_name(Time::Clock clock)
{
    switch (clock) {
    case Time::Clock::RTC:
        return "rtc";
    case Time::Clock::IMPORTED:
        return "imported";
    case Time::Clock::CLIENT:
        return "client";
    case Time::Clock::UNKNOWN:
        break;
    }
    return "unknown";
}

static std::string iso_text(int64_t nanoseconds)
{
    int64_t part = nanoseconds % SECOND_NS < 0 ? nanoseconds % SECOND_NS + SECOND_NS : nanoseconds % SECOND_NS;
    time_t seconds = static_cast<time_t>((nanoseconds - part) / SECOND_NS);
    struct tm utc = {};
    gmtime_r(&seconds, &utc);
    char date[32];
    char text[64];
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text, sizeof text, "%s.%09lldZ", date, static_cast<long long>(part));
    return text;
}

void fill_when(Time::Reader time, When::Builder when)
{
    std::string clock = clock_name(time.getClock());
    when.setClock(clock.c_str());
    if (clock != "unknown") {
        when.setTime(iso_text(time.getNanoseconds()).c_str());
    }
}

void fill_file(const std::string &name, Stat::Reader stat, FileRow::Builder row)
{
    row.setName(name.c_str());
    row.setKind(stat.getKind() == Stat::Kind::DIRECTORY ? "directory" : "file");
    row.setSize(static_cast<double>(stat.getSize()));
    fill_when(stat.getMade(), row.initMade());
    fill_when(stat.getChanged(), row.initChanged());
    row.setDigest(hex(bytes_of(stat.getDigest())).c_str());
    row.setId(stat.getId());
}

std::string when_text(When::Reader when)
{
    std::string time = when.getTime().cStr();
    if (!time.empty()) {
        time = time.substr(0, 10) + " " + time.substr(11, 8);
    }
    return (time.empty() ? "-" : time) + " (" + when.getClock().cStr() + ")";
}

} // namespace capos

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * rtc.c: the CMOS clock (MC146818), read once at boot.
 *
 *  (1) It is read twice and believed when both agree: an update in between would show. Never waits for one to pass.
 */
#include "clock.h"
#include "hw.h"

#define CMOS_SELECT 0x70u
#define CMOS_DATA 0x71u
#define REG_SECOND 0x00u
#define REG_MINUTE 0x02u
#define REG_HOUR 0x04u
#define REG_DAY 0x07u
#define REG_MONTH 0x08u
#define REG_YEAR 0x09u
#define REG_STATUS_A 0x0au
#define REG_STATUS_B 0x0bu
#define REG_CENTURY 0x32u
#define UPDATING 0x80u
#define BINARY 0x04u
#define HOURS_24 0x02u
#define AFTERNOON 0x80u
#define TRIES 16u

struct reading {
    uint8_t second, minute, hour, day, month, year, century;
};

static uint8_t cmos(uint8_t reg)
{
    hw_out8(CMOS_SELECT, reg);
    return hw_in8(CMOS_DATA);
}

static struct reading read_all(void)
{
    return (struct reading){cmos(REG_SECOND), cmos(REG_MINUTE), cmos(REG_HOUR),   cmos(REG_DAY),
                            cmos(REG_MONTH),  cmos(REG_YEAR),   cmos(REG_CENTURY)};
}

static bool same(const struct reading *a, const struct reading *b)
{
    return a->second == b->second && a->minute == b->minute && a->hour == b->hour && a->day == b->day &&
           a->month == b->month && a->year == b->year;
}

static bool read_stable(struct reading *r)
{
    for (unsigned i = 0; i < TRIES; i++) {
        if ((cmos(REG_STATUS_A) & UPDATING) != 0) {
            continue;
        }
        struct reading first = read_all();
        *r = read_all();
        if (same(&first, r)) {
            return true; /* (1) */
        }
    }
    return false;
}

static uint8_t plain(uint8_t value, bool binary)
{
    return binary ? value : (uint8_t)((value >> 4) * 10 + (value & 15));
}

/* Days from 1970-01-01 to the first day of a month (Gregorian; the year begins in March, so that leap days end it). */
static uint64_t days_before(unsigned year, unsigned month)
{
    unsigned y = month <= 2 ? year - 1 : year;
    unsigned m = month <= 2 ? month + 9 : month - 3;

    return 365ull * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 - 719468;
}

static uint8_t hour_of(uint8_t raw, uint8_t status, bool binary)
{
    uint8_t hour = plain(raw & (uint8_t)~AFTERNOON, binary);

    if ((status & HOURS_24) != 0) {
        return plain(raw, binary);
    }
    return (uint8_t)(hour % 12 + ((raw & AFTERNOON) != 0 ? 12 : 0));
}

uint64_t x86_rtc_seconds(void)
{
    struct reading r;
    uint8_t status = cmos(REG_STATUS_B);
    bool binary = (status & BINARY) != 0;

    if (!read_stable(&r)) {
        return 0;
    }
    unsigned century = plain(r.century, binary);
    unsigned year = (century >= 20 && century < 30 ? century * 100 : 2000) + plain(r.year, binary);
    unsigned month = plain(r.month, binary);
    unsigned day = plain(r.day, binary);
    unsigned hour = hour_of(r.hour, status, binary);
    unsigned minute = plain(r.minute, binary);
    unsigned second = plain(r.second, binary);
    if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60) {
        return 0; /* no clock there: ports read as ones */
    }
    return (days_before(year, month) + day - 1) * 86400 + hour * 3600ull + minute * 60ull + second;
}

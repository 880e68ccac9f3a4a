/* SPDX-License-Identifier: MIT OR Apache-2.0
 * text.c++: which bytes a terminal may see.
 */
#include "text.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace capos
{

const char CONSOLE_CONTROLS[] = "\n\r\t\b";

static constexpr uint32_t NO_CODE = 0xfffd;

static bool may_show(uint32_t code, size_t bytes)
{
    static const uint32_t SMALLEST[] = {0, 0, 0xa0, 0x800, 0x10000}; /* by length; below 0xa0 are more controls */
    bool directs = code == 0x61c || (code >= 0x200e && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
                   (code >= 0x2066 && code <= 0x2069);
    bool surrogate = code >= 0xd800 && code <= 0xdfff;
    return code >= SMALLEST[bytes] && code <= 0x10ffff && !directs && !surrogate;
}

Glyph glyph_at(const std::string &text, size_t at)
{
    unsigned char lead = static_cast<unsigned char>(text[at]);
    if (lead < 0x80) {
        return {1, lead >= ' ' && lead != 0x7f, false, lead};
    }
    if (lead < 0xc2 || lead > 0xf4) {
        return {1, false, false, NO_CODE};
    }
    size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    uint32_t code = lead & (0x7fU >> size);
    for (size_t i = 1; i < size; i++) {
        if (at + i == text.size()) {
            return {i, false, true, NO_CODE};
        }
        unsigned char next = static_cast<unsigned char>(text[at + i]);
        if ((next & 0xc0) != 0x80) {
            return {i, false, false, NO_CODE};
        }
        code = code << 6 | (next & 0x3fU);
    }
    bool shown = may_show(code, size);
    return {size, shown, false, shown || code <= 0xffff ? code : NO_CODE};
}

/* Up to the end, or to a cut character when `cut` wants to have that. */
static std::string filter(const std::string &text, const std::string &keep, std::string *cut)
{
    std::string out;
    for (size_t at = 0; at < text.size();) {
        Glyph glyph = glyph_at(text, at);
        if (glyph.cut && cut != nullptr) {
            *cut = text.substr(at);
            return out;
        }
        if (glyph.shown || keep.find(text[at]) != std::string::npos) {
            out.append(text, at, glyph.bytes);
        } else {
            out += '?';
        }
        at += glyph.bytes;
    }
    return out;
}

std::string plain(const std::string &text, const std::string &keep)
{
    return filter(text, keep, nullptr);
}

std::string plain_json(const std::string &json)
{
    std::string out;
    for (size_t at = 0; at < json.size();) {
        Glyph glyph = glyph_at(json, at);
        char escape[8];
        snprintf(escape, sizeof escape, "\\u%04x", glyph.code & 0xffffU);
        if (glyph.shown || json[at] == '\n') {
            out.append(json, at, glyph.bytes);
        } else {
            out += escape;
        }
        at += glyph.bytes;
    }
    return out;
}

/* The four digits behind the \u at `at`, or -1. */
static long unit_at(const std::string &json, size_t at)
{
    std::string digits = at < json.size() && json.compare(at, 2, "\\u") == 0 ? json.substr(at + 2, 4) : "";
    bool all = digits.size() == 4 && digits.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos;
    return all ? strtol(digits.c_str(), nullptr, 16) : -1;
}

static std::string utf8(uint32_t code)
{
    static const uint32_t LARGEST[] = {0x7f, 0x7ff, 0xffff, 0x10ffff};
    static const unsigned LEAD[] = {0, 0xc0, 0xe0, 0xf0};
    unsigned more = 0;
    while (code > LARGEST[more]) {
        more++;
    }
    std::string out(1, static_cast<char>(LEAD[more] | code >> (6 * more)));
    while (more-- > 0) {
        out += static_cast<char>(0x80 | (code >> (6 * more) & 0x3f));
    }
    return out;
}

std::string unescaped_json(const std::string &json)
{
    std::string out;
    for (size_t at = 0; at < json.size();) {
        long unit = unit_at(json, at);
        if (unit < 0 || unit == '"' || unit == '\\') {
            size_t size = json[at] != '\\' ? 1 : unit < 0 ? 2 : 6; /* an escaped backslash begins no escape */
            out += unit < 0 ? json.substr(at, size) : std::string("\\") + static_cast<char>(unit);
            at += size;
            continue;
        }
        long low = unit_at(json, at + 6);
        bool pair = unit >= 0xd800 && unit < 0xdc00 && low >= 0xdc00 && low < 0xe000;
        out += utf8(static_cast<uint32_t>(pair ? 0x10000 + (unit - 0xd800) * 0x400 + (low - 0xdc00) : unit));
        at += pair ? 12 : 6;
    }
    return out;
}

std::string Plain_stream::add(const std::string &piece)
{
    std::string text = cut + piece;
    cut.clear();
    return filter(text, keep, &cut);
}

} // namespace capos

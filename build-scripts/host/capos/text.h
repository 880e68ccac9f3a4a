/* SPDX-License-Identifier: MIT OR Apache-2.0
 * text.h: text of a node on the user's terminal.
 *
 * Whatever a node says (names, reasons, log lines, its console) may have been written by somebody hostile: an escape
 * sequence can clear the screen, forge lines, or make some terminals type. So it comes to the terminal only through here.
 */
#pragma once

#include <cstdint>
#include <string>

namespace capos
{

/* The character that begins at `at`. */
struct Glyph {
    size_t bytes;
    bool shown;    /* it may go to a terminal as it is */
    bool cut;      /* the text ends within it */
    uint32_t code; /* 0xfffd for what is no UTF-8 */
};
Glyph glyph_at(const std::string &text, size_t at);

/* The text with a '?' for every byte that is not part of a printable UTF-8 character; control characters in `keep` stay,
 * and so do no others. Marks that reverse the direction of writing count as not printable. */
std::string plain(const std::string &text, const std::string &keep = "");

/* JSON in which what is not printable stands as \u escapes. */
std::string plain_json(const std::string &json);

/* JSON without \u escapes but those of a quote and a backslash: JsonCodec of libcapnp 0.9 reads the digits a to f of one as
 * 0 to 5, and knows no pairs. */
std::string unescaped_json(const std::string &json);

/* plain() for text that comes in pieces: a character that is cut by the end of a piece waits for the next one. */
class Plain_stream
{
  public:
    explicit Plain_stream(const std::string &keep_controls) : keep(keep_controls)
    {
    }
    std::string add(const std::string &piece);

  private:
    const std::string keep;
    std::string cut;
};

/* What a serial console needs to move on its line, and nothing else. */
extern const char CONSOLE_CONTROLS[];

} // namespace capos

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * symbols.h: functions and lines for the addresses in a panic's backtrace.
 */
#pragma once

#include "args.h"

#include <string>

namespace capos
{

/* The file that still has the symbols that BUILD/P/P.elf was stripped of, or the image itself. */
std::string symbols_of(const std::string &image);

/* Console text passes through as it comes; behind each address of a backtrace goes where that is. */
class Symbolizer
{
  public:
    /* An image that is not there, or is another build than the one that speaks, leaves the text as it was. */
    explicit Symbolizer(const std::string &image);

    std::string add(const std::string &text);

  private:
    std::string end_of_line();
    std::string name_of(unsigned long long address) const;

    const std::string symbols; /* empty: there are none */
    const std::string build_id;
    std::string line; /* what has come of it */
    bool inside = false;
    bool exact = false; /* the next address is the faulting instruction, and no return address */
    bool foreign = false;
    bool returned = false; /* the last character was a carriage return */
    unsigned lookups = 0;  /* a hostile console shall not keep us busy for ever */
};

} // namespace capos

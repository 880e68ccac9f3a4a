/* SPDX-License-Identifier: MIT OR Apache-2.0
 * tally.c++: files that failed.
 */
#include "tally.h"

#include "problem.h"

namespace capos
{

void Tally::fail(const std::string &path, const Failure &failure)
{
    failures++;
    if (progress != nullptr) {
        progress->clear();
    }
    say_failure({failure.exit, failure.kind, failure.reason, path}, json);
}

void Tally::end(const std::string &what) const
{
    if (failures != 0) {
        refuse("incomplete", std::to_string(failures) + (failures == 1 ? " was not " : " were not ") + what +
                                 ", named above; the rest was");
    }
}

} // namespace capos

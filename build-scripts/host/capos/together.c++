/* SPDX-License-Identifier: MIT OR Apache-2.0
 * together.c++: lanes that take jobs until there are none.
 */
#include "together.h"

#include "fail.h"

#include <optional>
#include <vector>

namespace capos
{

static constexpr unsigned LANES = 8; /* half of what a node with its default options takes uploads at once */

class Crew
{
  public:
    Crew(const std::function<bool(size_t)> &j, const std::function<void(size_t, const Failure &)> &f)
        : job(j), failed(f)
    {
    }
    void lane();
    void end() const;

  private:
    size_t take();
    bool did(size_t number);
    bool step(size_t number);

    const std::function<bool(size_t)> &job;
    const std::function<void(size_t, const Failure &)> &failed;
    std::vector<size_t> returned; /* by lanes that ended because of an overload */
    std::optional<Failure> broken;
    size_t next = 0;
    unsigned running = 0;
    bool ended = false;
};

size_t Crew::take()
{
    if (returned.empty()) {
        return next++;
    }
    size_t number = returned.back();
    returned.pop_back();
    return number;
}

/* False: the node had no room for so many jobs, and this one was given back. */
bool Crew::did(size_t number)
{
    try {
        ended = !job(number) || ended;
    } catch (const Overload &) {
        if (running == 1) {
            throw;
        }
        returned.push_back(number);
        return false;
    }
    return true;
}

bool Crew::step(size_t number)
{
    bool stays = true;
    try {
        attempt([&]() { stays = did(number); }, [&](const Failure &failure) { failed(number, failure); });
    } catch (const Failure &failure) {
        broken = failure;
    }
    return stays;
}

void Crew::lane()
{
    bool stays = true;
    running++;
    while (stays && !broken && (!returned.empty() || !ended)) {
        stays = step(take());
    }
    running--;
}

void Crew::end() const
{
    if (broken) {
        throw *broken;
    }
}

void run_together(Session &session, const std::function<bool(size_t)> &job,
                  const std::function<void(size_t, const Failure &)> &failed)
{
    Crew crew(job, failed);
    session.run_lanes(LANES, [&]() { crew.lane(); });
    crew.end();
}

void Turns::wait_for(size_t number)
{
    if (number != now) {
        auto paf = kj::newPromiseAndFulfiller<void>();
        waiting[number] = kj::mv(paf.fulfiller);
        session.await_long(kj::mv(paf.promise));
    }
}

void Turns::next()
{
    auto found = waiting.find(++now);
    if (found != waiting.end()) {
        found->second->fulfill();
        waiting.erase(found);
    }
}

} // namespace capos

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * receive.c++: reads.
 */
#include "receive.h"

#include "fail.h"
#include "transfer.h"

#include <algorithm>

namespace capos
{

Blob open_file(Session &session, Directory::Client root, const std::string &path)
{
    auto answer = session.ask([&]() {
        auto request = root.getRequest();
        request.setPath(path.c_str());
        return request.send();
    });
    return {answer.getBlob(), answer.getStat().getSize(), bytes_of(answer.getStat().getDigest())};
}

void Reads::fill()
{
    while (asked < size && outstanding.size() < std::min(window, session.share_of(WINDOW))) {
        auto request = bytes.readRequest();
        uint32_t limit = static_cast<uint32_t>(std::min<uint64_t>(CHUNK, size - asked));
        request.setOffset(asked);
        request.setLimit(limit);
        outstanding.push_back(request.send());
        asked += limit;
    }
}

/* From the first byte that has not come. */
void Reads::begin_again()
{
    outstanding.clear();
    asked = got;
}

capnp::Response<ByteSource::ReadResults> Reads::take()
{
    fill();
    uint64_t due = std::min<uint64_t>(CHUNK, size - got);
    auto answer = session.await(kj::mv(outstanding.front()));
    outstanding.pop_front();
    uint64_t came = answer.getChunk().size();
    if (came == 0 || came > due) {
        refuse("failed", "the node answered a read of " + std::to_string(due) + " bytes with " + std::to_string(came));
    }
    got += came;
    if (came < due) {
        begin_again();
    }
    return answer;
}

/* A node without a buffer for so many answers at once is asked for fewer. */
capnp::Response<ByteSource::ReadResults> Reads::next()
{
    return session.patiently([&]() {
        try {
            return take();
        } catch (const kj::Exception &) {
            begin_again();
            window = std::max<size_t>(std::min(window, session.share_of(WINDOW)) / 2, 1);
            throw;
        }
    });
}

} // namespace capos

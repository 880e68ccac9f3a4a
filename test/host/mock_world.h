/* SPDX-License-Identifier: MIT OR Apache-2.0
 * mock_world.h: what the mock node's objects share: its faults and what it stores.
 */
#pragma once

#include "lib/store/store.capnp.h"

#include <capnp/blob.h>
#include <climits>
#include <cstdio>
#include <kj/async-io.h>
#include <map>
#include <openssl/sha.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

struct Item {
    bool directory;
    std::string digest;
    uint64_t id;
};

struct World {
    struct Kept {
        std::string label;
        std::map<std::string, Item> files;
    };
    std::map<std::string, Item> files = {{"", Item{true, "", 1}}};
    std::map<uint64_t, Kept> snapshots;
    std::vector<Watcher::Client> watchers;
    uint64_t next_id = 2;
    uint64_t next_generation = 7;
    long uploads = 0;
    long asked = 0; /* who it is, since the start */
    long bound = 0;
    std::map<std::string, long> faults;
    std::map<std::string, std::string> blobs;
    std::map<std::string, std::string> names;
    std::string schema;
    kj::Timer *timer = nullptr;
    long moved = 0;
    long breaks_at = 0;                      /* bytes moved, for break-every */
    int connection = -1;                     /* the last one, as the kernel knows it */
    std::map<std::string, std::string> kept; /* what came of uploads that broke */
    long writing = 0;

    long fault(const char *name) const
    {
        auto found = faults.find(name);
        return found == faults.end() ? 0 : found->second;
    }
    void move(size_t bytes)
    {
        moved += static_cast<long>(bytes);
        if (fault("die-after") != 0 && moved >= fault("die-after")) {
            _exit(0);
        }
        if (fault("break-every") != 0 && moved >= breaks_at + fault("break-every")) {
            breaks_at = fault("once") != 0 ? LONG_MAX / 2 : moved;
            shutdown(connection, SHUT_RDWR);
        }
        if (fault("tell") != 0 && moved >= fault("tell")) {
            faults["tell"] = 0;
            printf("moved\n");
            fflush(stdout);
        }
    }
    /* To every watch, whatever its path: that is the tests' affair. A watcher that is gone is nobody's. */
    void tell(const std::string &path)
    {
        for (auto &watcher : watchers) {
            auto request = watcher.changedRequest();
            request.initNames(1).set(0, fault("rude") != 0 ? "a\x1b[2J\nb" : path.c_str());
            request.setLost(fault("lost") != 0);
            request.send().detach([](kj::Exception &&) {});
        }
    }
    /* Whether this request is one of the first N that `overloaded-WHAT=N` refuses. */
    bool busy(const std::string &what)
    {
        auto found = faults.find("overloaded-" + what);
        return found != faults.end() && found->second-- > 0;
    }
    kj::Promise<void> pace() const
    {
        if (fault("slow") == 0) {
            return kj::READY_NOW;
        }
        return timer->afterDelay(fault("slow") * kj::MILLISECONDS);
    }
};

inline kj::Exception error(kj::Exception::Type type, const std::string &reason)
{
    return kj::Exception(type, __FILE__, __LINE__, kj::heapString(reason.c_str()));
}

inline kj::Exception too_busy()
{
    return error(kj::Exception::Type::OVERLOADED, "busy");
}

inline std::string bytes_of(capnp::Data::Reader data)
{
    return std::string(reinterpret_cast<const char *>(data.begin()), data.size());
}

inline capnp::Data::Reader data_of(const std::string &bytes)
{
    return capnp::Data::Reader(reinterpret_cast<const kj::byte *>(bytes.data()), bytes.size());
}

inline std::string sha256(const std::string &bytes)
{
    unsigned char out[SHA256_DIGEST_LENGTH];
    SHA256(reinterpret_cast<const unsigned char *>(bytes.data()), bytes.size(), out);
    return std::string(reinterpret_cast<char *>(out), sizeof out);
}

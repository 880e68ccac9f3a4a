// SPDX-License-Identifier: MIT OR Apache-2.0
// files.c++: Directory.list as the image store serves it, by Linux, ext4 and libcapnp; argument: the disk, as populate.c left it.
//
// What mounting it took is a section. A page is in the order of names, which a directory of ext4 has not: the directory is read and
// sorted when the first page is asked for, and remembered for the others. Each entry has its size and times.
#include <algorithm>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <kj/debug.h>
#include <string>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>
#include "lib/mark/mark.h"
#include "lib/store/store.capnp.h"
#include "node.h"

namespace
{

constexpr uint32_t PAGE_MAX = 100;

class Directory_server final : public Directory::Server
{
    void remember(const std::string &path)
    {
        DIR *folder = opendir(path.c_str());
        KJ_REQUIRE(folder != nullptr);
        names_.clear();
        while (const dirent *entry = readdir(folder)) {
            if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
                names_.emplace_back(entry->d_name);
            }
        }
        closedir(folder);
        std::sort(names_.begin(), names_.end());
    }
    static void set_time(Time::Builder time, const struct statx_timestamp &at)
    {
        time.setNanoseconds(at.tv_sec * 1000000000ll + at.tv_nsec);
        time.setClock(Time::Clock::RTC);
    }
    static void set_entry(DirectoryEntry::Builder entry, int folder, const std::string &name)
    {
        struct statx is;
        KJ_REQUIRE(statx(folder, name.c_str(), AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, &is) == 0);
        entry.setName(name);
        auto stat = entry.initStat();
        stat.setKind(S_ISDIR(is.stx_mode) ? Stat::Kind::DIRECTORY : Stat::Kind::FILE);
        stat.setSize(is.stx_size);
        stat.setId(is.stx_ino);
        set_time(stat.initMade(), is.stx_btime);
        set_time(stat.initChanged(), is.stx_mtime);
    }
    kj::Promise<void> list(ListContext context) override
    {
        auto params = context.getParams();
        std::string path = std::string("/mnt/") + params.getPath().cStr();
        if (params.getAfter().size() == 0) {
            remember(path);
        }
        auto first = std::upper_bound(names_.begin(), names_.end(), std::string(params.getAfter().cStr()));
        auto left = static_cast<size_t>(names_.end() - first);
        unsigned count = static_cast<unsigned>(std::min<size_t>(left, PAGE_MAX));
        auto entries = context.getResults().initEntries(count);
        int folder = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        for (unsigned i = 0; i < count; i++) {
            set_entry(entries[i], folder, first[i]);
        }
        ::close(folder);
        context.getResults().setMore(left > count);
        return kj::READY_NOW;
    }

    std::vector<std::string> names_;
};

} // namespace

int main(int argc, char **argv)
{
    MARK_BEGIN();
    int status = argc < 2 ? -1 : mount(argv[1], "/mnt", "ext4", 0, "");
    MARK_END();
    if (status != 0) {
        printf("failed: mount of the disk\n");
        return 1;
    }
    printf("section mount 1\n");
    serve(kj::heap<Directory_server>());
}

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * file.c++: files of the host.
 */
#include "file.h"

#include "fail.h"

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace capos
{

File::File(const std::string &name, int flags, mode_t mode)
    : path(name), fd(open(name.c_str(), flags | O_CLOEXEC, mode))
{
    if (fd < 0) {
        fail_errno(name);
    }
}

File::File(int open_fd, const std::string &what) : path(what), fd(open_fd)
{
}

File::File(File &&other) : path(other.path), fd(other.fd)
{
    other.fd = -1;
}

File::~File()
{
    if (fd > STDERR_FILENO) {
        close(fd);
    }
}

size_t File::read(void *bytes, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t got = ::read(fd, static_cast<char *>(bytes) + done, size - done);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            fail_errno(path);
        }
        if (got == 0) {
            break;
        }
        done += static_cast<size_t>(got);
    }
    return done;
}

void File::write(const void *bytes, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t put = ::write(fd, static_cast<const char *>(bytes) + done, size - done);
        if (put < 0 && errno != EINTR) {
            fail_errno(path);
        }
        done += put < 0 ? 0 : static_cast<size_t>(put);
    }
}

uint64_t File::size() const
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        fail_errno(path);
    }
    if (S_ISDIR(st.st_mode)) {
        refuse("failed", path + ": is a directory");
    }
    return static_cast<uint64_t>(st.st_size);
}

void File::sync()
{
    if (fsync(fd) != 0 && errno != EINVAL && errno != EROFS) {
        fail_errno(path);
    }
}

File spool_file()
{
    const char *dir = getenv("TMPDIR");
    std::string path = std::string(dir != nullptr && *dir != '\0' ? dir : "/tmp") + "/capos-spool-XXXXXX";
    int fd = mkostemp(path.data(), O_CLOEXEC);
    if (fd < 0) {
        fail_errno(path);
    }
    unlink(path.c_str());
    return File(fd, path + " ($TMPDIR names another place for it)");
}

} // namespace capos

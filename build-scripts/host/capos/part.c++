/* SPDX-License-Identifier: MIT OR Apache-2.0
 * part.c++: FILE.part, and how it becomes FILE.
 */
#include "part.h"

#include "fail.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace capos
{

std::string part_of(const std::string &name)
{
    return name + ".part";
}

bool is_stream(const std::string &name)
{
    struct stat st;
    return name == "-" || (stat(name.c_str(), &st) == 0 && !S_ISREG(st.st_mode));
}

/* Whoever had the lock before may have given the part its name meanwhile: then what is locked now is that file. */
static bool is_still_at(const File &file, const std::string &part)
{
    struct stat opened;
    struct stat found;
    return fstat(file.fd, &opened) == 0 && lstat(part.c_str(), &found) == 0 && opened.st_dev == found.st_dev &&
           opened.st_ino == found.st_ino;
}

File open_part(const std::string &name, const std::string &part)
{
    if (name == "-") {
        return File(STDOUT_FILENO, "standard output");
    }
    if (is_stream(name)) {
        return File(name, O_WRONLY);
    }
    File file(part, O_RDWR | O_CREAT | O_NOFOLLOW);
    if (flock(file.fd, LOCK_EX | LOCK_NB) != 0 || !is_still_at(file, part)) {
        refuse("failed", "another capos writes " + part + " just now; wait for it, or name another FILE");
    }
    return file;
}

void empty_part(File &file)
{
    if (ftruncate(file.fd, 0) != 0) {
        fail_errno(file.path);
    }
}

void put_in_place(File &file, const std::string &name, bool durable)
{
    if (durable) {
        file.sync();
    }
    if (rename(file.path.c_str(), name.c_str()) != 0) {
        fail_errno(name);
    }
    if (durable) {
        File(folder_of(name), O_RDONLY | O_DIRECTORY).sync();
    }
}

std::string folder_of(const std::string &name)
{
    size_t slash = name.rfind('/');
    return slash == std::string::npos ? "." : slash == 0 ? "/" : name.substr(0, slash);
}

} // namespace capos

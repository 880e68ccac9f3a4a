/* SPDX-License-Identifier: MIT OR Apache-2.0
 * sink.c++: FILE.part, and how it becomes FILE.
 */
#include "sink.h"

#include "fail.h"
#include "progress.h"
#include "state.h"
#include "transfer.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace capos
{

std::string part_of(const std::string &name)
{
    return name + ".part";
}

static std::string note_of(const std::string &part)
{
    return part + ".sha256";
}

static std::string folder_of(const std::string &name)
{
    size_t slash = name.rfind('/');
    return slash == std::string::npos ? "." : slash == 0 ? "/" : name.substr(0, slash);
}

/* A rename over a device would replace it. */
static bool is_stream(const std::string &name)
{
    struct stat st;
    return name == "-" || (stat(name.c_str(), &st) == 0 && !S_ISREG(st.st_mode));
}

static File open_sink(const std::string &name, const std::string &part)
{
    if (name == "-") {
        return File(STDOUT_FILENO, "standard output");
    }
    return is_stream(name) ? File(name, O_WRONLY) : File(part, O_RDWR | O_CREAT | O_NOFOLLOW);
}

Sink::Sink(const std::string &to, const std::string &p, const std::string &blob_digest, uint64_t blob_size,
           bool on_disk)
    : name(to), part(p), wanted(blob_digest), streams(is_stream(to)), durable(on_disk), file(open_sink(to, p))
{
    if (!streams) {
        begin_part(blob_size);
    }
}

/* The size is what the node says, so it may be anything. */
static void require_room(const std::string &folder, uint64_t bytes)
{
    struct statvfs fs;
    if (statvfs(folder.c_str(), &fs) == 0 && bytes / fs.f_frsize > fs.f_bavail) {
        refuse("failed", "no room in " + folder + " for the " + size_text(static_cast<double>(bytes)) + " to come, " +
                             size_text(static_cast<double>(fs.f_bavail) * static_cast<double>(fs.f_frsize)) +
                             " are free; name a FILE elsewhere");
    }
}

void Sink::begin_part(uint64_t blob_size)
{
    if (flock(file.fd, LOCK_EX | LOCK_NB) != 0) {
        refuse("failed", "another get writes " + file.path + " just now; wait for it, or name another FILE");
    }
    if (!wanted.empty() && read_file(note_of(part)).value_or("") == hex(wanted) + "\n") {
        resume(blob_size);
    } else if (ftruncate(file.fd, 0) != 0) {
        fail_errno(file.path);
    }
    require_room(folder_of(name), blob_size - at);
    write_file_atomically(note_of(part), hex(wanted) + "\n");
}

/* What is there goes through the digest like what comes: a damaged part is found at the end. */
void Sink::resume(uint64_t blob_size)
{
    std::string buffer(CHUNK, '\0');
    if (file.size() > blob_size && ftruncate(file.fd, 0) != 0) {
        fail_errno(file.path);
    }
    while (size_t got = file.read(buffer.data(), buffer.size())) {
        digest.add(buffer.data(), got);
        at += got;
    }
}

void Sink::write(capnp::Data::Reader chunk)
{
    digest.add(chunk.begin(), chunk.size());
    file.write(chunk.begin(), chunk.size());
    at += chunk.size();
}

/* The bytes are on the disk before the name is, and the name before we say so. */
void Sink::put_in_place()
{
    if (durable) {
        file.sync();
    }
    if (rename(part.c_str(), name.c_str()) != 0) {
        fail_errno(name);
    }
    unlink(note_of(part).c_str());
    if (durable) {
        File(folder_of(name), O_RDONLY | O_DIRECTORY).sync();
    }
}

std::string Sink::finish()
{
    std::string got = digest.finish();
    if (!wanted.empty() && got != wanted) {
        if (!streams) {
            unlink(part.c_str());
            unlink(note_of(part).c_str());
        }
        refuse("corrupt", "what came has sha256 " + hex(got) + ", not " + hex(wanted) + "; " +
                              (streams ? "do not use it" : "it was thrown away"));
    }
    if (!streams) {
        put_in_place();
    }
    return got;
}

} // namespace capos

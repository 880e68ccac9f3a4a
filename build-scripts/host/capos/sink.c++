/* SPDX-License-Identifier: MIT OR Apache-2.0
 * sink.c++: what came goes to its part, and what is there already is not asked for.
 */
#include "sink.h"

#include "fail.h"
#include "part.h"
#include "progress.h"
#include "state.h"
#include "transfer.h"

#include <sys/statvfs.h>
#include <unistd.h>

namespace capos
{

static std::string note_of(const std::string &part)
{
    return part + ".sha256";
}

Sink::Sink(const std::string &to, const std::string &p, const std::string &blob_digest, uint64_t blob_size,
           bool on_disk)
    : name(to), part(p), wanted(blob_digest), streams(is_stream(to)), durable(on_disk), file(open_part(to, p))
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
    if (!wanted.empty() && read_file(note_of(part)).value_or("") == hex(wanted) + "\n") {
        resume(blob_size);
    } else {
        empty_part(file);
    }
    require_room(folder_of(name), blob_size - at);
    write_file_atomically(note_of(part), hex(wanted) + "\n");
}

/* What is there goes through the digest like what comes: a damaged part is found at the end. */
void Sink::resume(uint64_t blob_size)
{
    std::string buffer(CHUNK, '\0');
    if (file.size() > blob_size) {
        empty_part(file);
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
        put_in_place(file, name, durable);
        unlink(note_of(part).c_str());
    }
    return got;
}

} // namespace capos

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * tar_read.c++: archives, read.
 */
#include "tar_read.h"

#include "directory.h"
#include "tar.h"
#include "text.h"
#include "transfer.h"

#include <archive_entry.h>
#include <memory>

namespace capos
{

[[noreturn]] static void refuse_archive(const File &file, struct archive *archive)
{
    const char *why = archive_error_string(archive);
    refuse("corrupt", file.path + " is no tar, or a compressed one (zcat FILE | capos import NODE -), or damaged: " +
                          plain(why == nullptr ? "no reason given" : why));
}

Tar_reader::Tar_reader(File &&in) : file(std::move(in)), archive(archive_read_new(), archive_read_free)
{
    use_utf8_names();
    if (!archive || archive_read_support_format_tar(archive.get()) != ARCHIVE_OK) {
        refuse("failed", "libarchive cannot read tar on this machine");
    }
    if (archive_read_open_fd(archive.get(), file.fd, CHUNK) != ARCHIVE_OK) { /* looks at the beginning */
        refuse_archive(file, archive.get());
    }
}

void Tar_reader::fail()
{
    refuse_archive(file, archive.get());
}

static std::string name_of(struct archive_entry *entry)
{
    const char *name = archive_entry_pathname_utf8(entry);
    name = name == nullptr ? archive_entry_pathname(entry) : name; /* no UTF-8: for the message */
    return name == nullptr ? "" : name;
}

/* (1) "./" in front, as `tar c .` writes it, and slashes at the end do not matter. */
static std::string path_of(const std::string &name)
{
    if (!name.empty() && name[0] == '/') {
        refuse("skipped", "an absolute name");
    }
    std::string path = name;
    while (path.compare(0, 2, "./") == 0) {
        path.erase(0, std::min(path.find_first_not_of('/', 1), path.size()));
    }
    return path == "." ? "" : node_path(path);
}

static void require_kind(struct archive_entry *entry)
{
    if (archive_entry_hardlink(entry) != nullptr) {
        refuse("skipped", "a hard link; a node has none");
    }
    switch (archive_entry_filetype(entry)) {
    case AE_IFREG:
        if (archive_entry_sparse_count(entry) > 0) {
            refuse("skipped", "a sparse file; a node has none");
        }
        break;
    case AE_IFDIR:
        break;
    case AE_IFLNK:
        refuse("skipped", "a symbolic link; a node has none");
    default:
        refuse("skipped", "neither file nor directory");
    }
}

static Tar_entry believed(struct archive_entry *entry, const std::string &name)
{
    require_kind(entry);
    Tar_entry out = {path_of(name), archive_entry_filetype(entry) == AE_IFDIR,
                     static_cast<uint64_t>(archive_entry_size(entry))};
    if (!out.directory && out.path.empty()) {
        refuse("skipped", "a file without a name");
    }
    return out;
}

/* (2) */
void Tar_reader::require_end_mark()
{
    if (archive_filter_bytes(archive.get(), 0) <= archive_read_header_position(archive.get())) {
        refuse("corrupt", file.path + " ends without its end mark: it was cut off");
    }
}

std::optional<Tar_entry> Tar_reader::next(const std::function<void(const std::string &, const Failure &)> &skipped)
{
    std::optional<Tar_entry> found;
    while (!found && !ended) {
        struct archive_entry *entry = nullptr;
        int status = archive_read_next_header(archive.get(), &entry);
        ended = status == ARCHIVE_EOF;
        if (ended) {
            require_end_mark();
            break;
        }
        if (status != ARCHIVE_OK && status != ARCHIVE_WARN) {
            fail();
        }
        std::string name = name_of(entry);
        attempt([&]() { found = believed(entry, name); }, [&](const Failure &failure) { skipped(name, failure); });
    }
    return found;
}

size_t Tar_reader::read(void *bytes, size_t size)
{
    size_t done = 0;
    while (done < size) {
        la_ssize_t got = archive_read_data(archive.get(), static_cast<char *>(bytes) + done, size - done);
        if (got < 0) {
            fail();
        }
        if (got == 0) {
            break;
        }
        done += static_cast<size_t>(got);
    }
    return done;
}

} // namespace capos

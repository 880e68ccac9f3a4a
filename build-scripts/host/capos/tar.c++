/* SPDX-License-Identifier: MIT OR Apache-2.0
 * tar.c++: a tar that is written.
 */
#include "tar.h"

#include "fail.h"
#include "part.h"

#include <archive.h>
#include <archive_entry.h>
#include <clocale>
#include <unistd.h>

namespace capos
{

static constexpr int64_t NS_PER_S = 1000000000;
static constexpr unsigned DIRECTORY_MODE = 0755;
static constexpr unsigned FILE_MODE = 0644;

static File open_output(const std::string &path)
{
    if (path == "-" && isatty(STDOUT_FILENO) == 1) {
        misuse("a tar does not go to a terminal; say which file to write");
    }
    return open_part(path, part_of(path));
}

Tar_writer::Tar_writer(const std::string &name)
    : path(name), streams(is_stream(name)), out(open_output(name)), tar(archive_write_new())
{
    use_utf8_names();
    if (!streams) {
        empty_part(out);
    }
    require(archive_write_set_format_pax_restricted(tar));
    require(archive_write_open_fd(tar, out.fd));
}

/* What was not finished gets no end mark, which freeing alone would write: whoever reads a pipe must see that it was cut. */
Tar_writer::~Tar_writer()
{
    if (!finished) {
        archive_write_fail(tar);
    }
    archive_write_free(tar);
    if (!finished && !streams) {
        unlink(out.path.c_str());
    }
}

void use_utf8_names()
{
    if (setlocale(LC_CTYPE, "C.UTF-8") == nullptr) {
        refuse("failed", "this machine has no locale C.UTF-8, which libarchive needs for names");
    }
}

void Tar_writer::require(long result)
{
    if (result < ARCHIVE_WARN) {
        const char *why = archive_error_string(tar);
        refuse("failed", out.path + ": " + (why == nullptr ? "cannot be written" : why));
    }
}

void Tar_writer::header(const std::string &name, unsigned type, uint64_t size, int64_t changed_ns)
{
    struct archive_entry *entry = archive_entry_new();
    int64_t seconds = changed_ns / NS_PER_S - (changed_ns % NS_PER_S < 0 ? 1 : 0);
    archive_entry_set_pathname_utf8(entry, name.c_str());
    archive_entry_set_filetype(entry, type);
    archive_entry_set_perm(entry, type == AE_IFDIR ? DIRECTORY_MODE : FILE_MODE);
    archive_entry_set_size(entry, static_cast<int64_t>(size));
    archive_entry_set_mtime(entry, seconds, static_cast<long>(changed_ns - seconds * NS_PER_S));
    int result = archive_write_header(tar, entry);
    archive_entry_free(entry);
    require(result);
}

void Tar_writer::directory(const std::string &name, int64_t changed_ns)
{
    header(name + "/", AE_IFDIR, 0, changed_ns);
}

void Tar_writer::file(const std::string &name, uint64_t size, int64_t changed_ns)
{
    header(name, AE_IFREG, size, changed_ns);
}

void Tar_writer::bytes(const void *data, size_t size)
{
    require(archive_write_data(tar, data, size));
}

void Tar_writer::finish()
{
    require(archive_write_close(tar));
    if (!streams) {
        put_in_place(out, path, true);
    }
    finished = true;
}

} // namespace capos

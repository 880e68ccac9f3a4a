/* SPDX-License-Identifier: MIT OR Apache-2.0
 * disk_export.c++: disk export: the files of a disk, and the blobs by their names, as a tar, as far as they can be read.
 *
 *  (1) A file is read twice: first to see whether all of it is there. One that is damaged gets another name. A disk that fails
 *      may give less at the second time: that is told too.
 *  (2) A flat name may have any character but control characters: as a file's name '/' and '%' are %2F and %25, and so is
 *      the first '.' of "." and "..".
 */
#include "capos.capnp.h"
#include "directory.h"
#include "disk.h"
#include "fail.h"
#include "json.h"
#include "part.h"
#include "problem.h"
#include "progress.h"
#include "tar.h"
#include "text.h"
#include "verbs.h"

#include <algorithm>
#include <optional>
#include <sys/stat.h>
#include <vector>

namespace capos
{

static constexpr unsigned DEPTH_MAX = 64; /* as in an image; a damaged disk may have directories in a circle */

struct Export {
    uint64_t generation;
    bool json;
    std::vector<char> buffer;
    std::vector<std::string> damaged;
    struct disk_say say; /* heard by the disk as long as it is open */
    Disk disk;
    std::optional<Tar_writer> tar; /* not begun before it is known that there is something for it */
    uint64_t files = 0;
    uint64_t directories = 0;
    uint64_t bytes = 0;
};

static void say_damaged(Export &ex, const std::string &what)
{
    ex.damaged.push_back(what);
    say_failure({Exit::REFUSED, "corrupt", what}, ex.json);
}

/* What the image's libraries find: that the log has lost its end is nothing that a file would show. */
static void hear_fault(void *context, const char *text)
{
    Export &ex = *static_cast<Export *>(context);
    if (std::find(ex.damaged.begin(), ex.damaged.end(), text) == ex.damaged.end()) {
        say_damaged(ex, text);
    }
}

/* --- files ---------------------------------------------------------------------------------------------------------- */

/* Calls `use` with each part. False: not all of it can be found. */
template <typename Use> static bool each_span(Export &ex, const struct disk_entry &entry, Use use)
{
    uint64_t at = 0;
    while (at < entry.size) {
        struct disk_span span;
        if (!disk_read_span(ex.disk.file, entry.object, at, ex.buffer.data(), &span) || span.size == 0) {
            return false;
        }
        use(span);
        at += span.size;
    }
    return true;
}

static void add_file(Export &ex, const std::string &path, const struct disk_entry &entry)
{
    uint64_t bad = 0;
    uint64_t bad_now = 0;
    bool found = each_span(ex, entry, [&](const struct disk_span &span) { bad += span.damaged; }); /* (1) */
    if (!found) {
        say_damaged(ex, path + ": where its bytes are cannot be read; left out");
        return;
    }
    std::string name = bad > 0 ? path + ".damaged" : path;
    if (bad > 0) {
        say_damaged(ex, path + ": " + std::to_string(bad) + " damaged blocks of 4 KiB, which are zero in " + name);
    }
    ex.tar->file(name, entry.size, entry.changed_ns);
    found = each_span(ex, entry, [&](const struct disk_span &span) {
        bad_now += span.damaged;
        ex.tar->bytes(ex.buffer.data(), span.size);
    });
    if (!found || bad_now > bad) {
        say_damaged(ex, name + ": could be read once, and not again: what is in the tar has zeros in it");
    }
    ex.files++;
    ex.bytes += entry.size;
}

/* --- directories ---------------------------------------------------------------------------------------------------- */

static std::string escaped(const std::string &name)
{
    std::string out;
    for (char c : name) {
        out += c == '/' ? "%2F" : c == '%' ? "%25" : std::string(1, c);
    }
    return name == "." || name == ".." ? "%2E" + name.substr(1) : out; /* (2) */
}

/* Everything in one directory; not at once in memory, it may have millions. `shown`: what is told when it
 * cannot be read; "": nothing. */
template <typename Use> static void each_entry(Export &ex, uint64_t directory, const std::string &shown, Use use)
{
    std::string after;
    auto page = std::make_unique<struct disk_page>();
    do {
        bool good = disk_list(ex.disk.file, directory, ex.generation, after.c_str(), page.get());
        for (uint32_t i = 0; i < page->count; i++) {
            after = page->entry[i].name;
            use(page->entry[i]);
        }
        if (!good && !shown.empty()) {
            say_damaged(ex, shown + ": its names" + (after.empty() ? "" : " behind '" + after + "'") +
                                " cannot be read; left out");
        }
    } while (page->more);
}

static void add_tree(Export &ex, uint64_t directory, const std::string &path, unsigned depth)
{
    if (depth > DEPTH_MAX) {
        say_damaged(ex, path + ": more directories in one another than there can be; left out");
        return;
    }
    each_entry(ex, directory, path.empty() ? "the directory at the top" : path, [&](const struct disk_entry &entry) {
        std::string name = join_path(path, entry.name);
        if (!is_name(entry.name)) {
            say_damaged(ex, name + ": this is no name; left out");
        } else if (entry.directory) {
            ex.tar->directory(name, entry.changed_ns);
            ex.directories++;
            add_tree(ex, entry.id, name, depth + 1);
        } else {
            add_file(ex, name, entry);
        }
    });
}

static void add_names(Export &ex, const std::string &dir)
{
    bool any = false;
    each_entry(ex, DISK_NAMES, "the names of blobs", [&](const struct disk_entry &entry) {
        if (!any) {
            ex.tar->directory(dir, 0);
            ex.directories++;
        }
        any = true;
        add_file(ex, dir + "/" + escaped(entry.name), entry);
    });
}

/* --- the verb ------------------------------------------------------------------------------------------------------- */

static void require_lasting(const Export &ex, const std::string &file, bool anyway)
{
    if (disk_doomed(ex.disk.file) && !anyway) {
        refuse("corrupt", file +
                              ": a format of it was cut: an image makes a new volume of it at its next boot, and does "
                              "not look at what it holds; --anyway exports that");
    }
}

static void require_snapshot(Export &ex, const std::string &file)
{
    auto page = std::make_unique<struct disk_page>();
    bool found = ex.generation == 0;
    if (!found && disk_snapshots(ex.disk.file, ex.generation - 1, page.get()) && page->count > 0) {
        found = page->entry[0].id == ex.generation;
    }
    if (!found) {
        refuse("not-found",
               file + " has no snapshot " + std::to_string(ex.generation) + "; `capos disk inspect` lists them");
    }
}

static void require_free_name(Export &ex, const std::string &dir)
{
    if (dir.empty() || dir == "." || dir == ".." || dir.find('/') != std::string::npos) {
        misuse("--names is '" + dir + "', not the name of a directory");
    }
    bool taken = false;
    each_entry(ex, DISK_FILES, "", /* what cannot be read is told when this is listed for good */
               [&](const struct disk_entry &entry) { taken = taken || entry.name == dir; });
    if (taken) {
        refuse("exists", "there is a file " + dir + "; --names DIR calls the directory of the blobs otherwise");
    }
}

static void print_exported(const Args &args, const Export &ex)
{
    capnp::MallocMessageBuilder message;
    auto out = message.initRoot<DiskExported>();
    out.setFile(args.words[0].c_str());
    out.setOut(args.words[1].c_str());
    out.setFiles(static_cast<double>(ex.files));
    out.setDirectories(static_cast<double>(ex.directories));
    out.setBytes(static_cast<double>(ex.bytes));
    fill_texts(ex.damaged, out.initDamaged(static_cast<unsigned>(ex.damaged.size())));
    if (args.words[1] == "-") {
        return;
    }
    if (ex.json) {
        print_json(out.asReader());
    } else {
        printf("%s: %s in %s, %s\n", plain(args.words[1]).c_str(), count_text(ex.files, "file", "files").c_str(),
               count_text(ex.directories, "directory", "directories").c_str(), size_text(out.getBytes()).c_str());
    }
}

static void open_contents(Export &ex, const std::string &file)
{
    char why[DISK_WHY];
    ex.say = {&ex, hear_fault, nullptr, nullptr};
    if (!disk_contents(ex.disk.file, &ex.say, why)) {
        refuse("corrupt", file + ": " + why);
    }
}

/* Also the device itself by another name of it. */
static bool is_same_file(const std::string &one, const std::string &other)
{
    struct stat a;
    struct stat b;
    if (stat(one.c_str(), &a) != 0 || stat(other.c_str(), &b) != 0) {
        return false;
    }
    bool same_device = S_ISBLK(a.st_mode) && S_ISBLK(b.st_mode) && a.st_rdev == b.st_rdev;
    return same_device || (a.st_dev == b.st_dev && a.st_ino == b.st_ino);
}

static void require_other_file(const std::string &disk, const std::string &out)
{
    if (is_same_file(disk, out) || is_same_file(disk, part_of(out))) {
        misuse("the tar would be written over " + disk + ", the disk itself; say another OUTFILE");
    }
}

void run_disk_export(const Args &args)
{
    const std::string &file = args.words[0];
    std::string names = args.get("--names", ".names");
    uint64_t generation = static_cast<uint64_t>(args.number("--at", 1, INT64_MAX, 0));
    Export ex = {generation, args.has("--json"), std::vector<char>(DISK_SPAN_BYTES), {}, {}, Disk(file), {}};
    require_idle(ex.disk, file);
    require_other_file(file, args.words[1]);
    require_lasting(ex, file, args.has("--anyway"));
    open_contents(ex, file);
    require_snapshot(ex, file);
    require_free_name(ex, names);
    ex.tar.emplace(args.words[1]);
    add_tree(ex, DISK_FILES, "", 0);
    add_names(ex, names);
    ex.tar->finish();
    print_exported(args, ex);
    if (!ex.damaged.empty()) {
        refuse("corrupt", file + ": not all could be read: " + std::to_string(ex.damaged.size()) + " damaged");
    }
}

} // namespace capos

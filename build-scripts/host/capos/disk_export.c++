/* SPDX-License-Identifier: MIT OR Apache-2.0
 * disk_export.c++: disk export: the files of a disk, and the blobs by their names, as a tar, as far as they can be read.
 *
 *  (1) A file is read twice: first to see whether all of it is there. One that is damaged gets another name.
 *  (2) A flat name may have any character but control characters: as a file's name '/' and '%' are %2F and %25, and so is
 *      the first '.' of "." and "..".
 */
#include "capos.capnp.h"
#include "disk.h"
#include "fail.h"
#include "json.h"
#include "progress.h"
#include "tar.h"
#include "text.h"
#include "verbs.h"

#include <cstring>
#include <vector>

namespace capos
{

static constexpr unsigned DEPTH_MAX = 64; /* as in an image; a damaged disk may have directories in a circle */

struct Export {
    Disk disk;
    Tar_writer tar;
    uint64_t generation;
    bool json;
    std::vector<char> buffer;
    std::vector<std::string> damaged;
    std::string path; /* that is being looked at */
    uint64_t files = 0;
    uint64_t directories = 0;
    uint64_t bytes = 0;
};

static void say_damaged(Export &ex, const std::string &what)
{
    ex.damaged.push_back(what);
    if (!ex.json) {
        fprintf(stderr, "capos: corrupt: %s\n", plain(what).c_str());
    }
}

static void hear_fault(void *context, const char *text)
{
    (void)context;
    (void)text; /* said once more, of the file that it hits */
}

/* --- files ---------------------------------------------------------------------------------------------------------- */

/* Calls `use` with each part, until one cannot be found. */
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
    uint64_t blocks = 0;
    bool found = each_span(ex, entry, [&](const struct disk_span &span) { blocks += span.damaged; }); /* (1) */
    if (!found) {
        say_damaged(ex, path + ": where its bytes are cannot be read; left out");
        return;
    }
    if (blocks > 0) {
        say_damaged(ex, path + ": " + std::to_string(blocks) + " damaged blocks of 4 KiB, which are zero in " + path +
                            ".damaged");
    }
    ex.tar.file(blocks > 0 ? path + ".damaged" : path, entry.size, entry.changed_ns);
    each_span(ex, entry, [&](const struct disk_span &span) { ex.tar.bytes(ex.buffer.data(), span.size); });
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

/* Everything in one directory; not at once in memory, it may have millions. */
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
        if (!good) {
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
        std::string name = (path.empty() ? "" : path + "/") + entry.name;
        if (entry.directory) {
            ex.tar.directory(name, entry.changed_ns);
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
            ex.tar.directory(dir, 0);
            ex.directories++;
        }
        any = true;
        add_file(ex, dir + "/" + escaped(entry.name), entry);
    });
}

/* --- the verb ------------------------------------------------------------------------------------------------------- */

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
    each_entry(ex, DISK_FILES, "the directory at the top",
               [&](const struct disk_entry &entry) { taken = taken || entry.name == dir; });
    ex.damaged.clear(); /* said when it is listed for good */
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
    auto texts = out.initDamaged(static_cast<unsigned>(ex.damaged.size()));
    for (unsigned i = 0; i < texts.size(); i++) {
        texts.set(i, ex.damaged[i].c_str());
    }
    if (args.words[1] == "-") {
        return;
    }
    if (ex.json) {
        print_json(out.asReader());
    } else {
        printf("%s: %.0f files in %.0f directories, %s\n", plain(args.words[1]).c_str(), out.getFiles(),
               out.getDirectories(), size_text(out.getBytes()).c_str());
    }
}

static void open_contents(const Export &ex, const std::string &file)
{
    static const struct disk_say say = {nullptr, hear_fault, nullptr, nullptr};
    char why[DISK_WHY];
    if (!disk_contents(ex.disk.file, &say, why)) {
        refuse("corrupt", file + ": " + why);
    }
}

void run_disk_export(const Args &args)
{
    const std::string &file = args.words[0];
    std::string names = args.get("--names", ".names");
    uint64_t generation = static_cast<uint64_t>(args.number("--at", 1, INT64_MAX, 0));
    Export ex = {
        Disk(file), Tar_writer(args.words[1]), generation, args.has("--json"), std::vector<char>(DISK_SPAN_BYTES), {},
        ""};
    require_idle(ex.disk, file);
    open_contents(ex, file);
    require_snapshot(ex, file);
    require_free_name(ex, names);
    add_tree(ex, DISK_FILES, "", 0);
    add_names(ex, names);
    ex.tar.finish();
    print_exported(args, ex);
    if (!ex.damaged.empty()) {
        refuse("corrupt", file + ": not all could be read: " + std::to_string(ex.damaged.size()) + " damaged");
    }
}

} // namespace capos

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * disk.c++: disk create, inspect and check: an image's disk as a file, without the image.
 */
#include "capos.capnp.h"
#include "digest.h"
#include "disk.h"
#include "fail.h"
#include "json.h"
#include "progress.h"
#include "text.h"
#include "verbs.h"

#include <cinttypes>
#include <unistd.h>
#include <vector>

namespace capos
{

static constexpr uint64_t BLOCK = 4096;
static constexpr uint64_t SIZE_MIN = 1024 * 1024;

/* --- the file ------------------------------------------------------------------------------------------------------- */

Disk::Disk(const std::string &path) : file(nullptr)
{
    char why[DISK_WHY];
    file = disk_file_open(path.c_str(), why);
    if (file == nullptr) {
        refuse("failed", why);
    }
}

Disk::~Disk()
{
    disk_file_close(file);
}

void require_idle(const Disk &disk, const std::string &path)
{
    if (disk_in_use(disk.file)) {
        refuse("busy", path + ": a virtual machine has it open, and may write to it; stop that first");
    }
}

/* --- progress ------------------------------------------------------------------------------------------------------- */

Stages::Stages(bool wanted) : shown(wanted && isatty(STDERR_FILENO) == 1)
{
}

Stages::~Stages()
{
    clear();
}

void Stages::reached(const char *what, uint64_t done, uint64_t all)
{
    unsigned percent = all == 0 ? 100 : static_cast<unsigned>(done * 100 / all);
    std::string now = std::string(what) + " " + std::to_string(percent) + " %";
    if (shown && now != last) {
        fprintf(stderr, "\r\033[K%s", now.c_str());
        last = now;
    }
}

void Stages::clear()
{
    if (!last.empty()) {
        fprintf(stderr, "\r\033[K");
        last.clear();
    }
}

/* --- create --------------------------------------------------------------------------------------------------------- */

void make_disk(const std::string &path, uint64_t bytes, bool format)
{
    char why[DISK_WHY];
    if (!disk_file_create(path.c_str(), bytes, format, why)) {
        refuse("failed", why);
    }
}

void run_disk_create(const Args &args)
{
    uint64_t bytes = parse_size(args.get("--size", "256M"), "--size") / BLOCK * BLOCK;
    if (bytes < SIZE_MIN) {
        misuse("--size is less than 1M");
    }
    make_disk(args.words[0], bytes, args.has("--format"));
    capnp::MallocMessageBuilder message;
    auto made = message.initRoot<DiskMade>();
    made.setFile(args.words[0].c_str());
    made.setBytes(static_cast<double>(bytes));
    made.setFormatted(args.has("--format"));
    if (args.has("--json")) {
        print_json(made.asReader());
    } else {
        printf("%s: %s, %s\n", plain(args.words[0]).c_str(), size_text(static_cast<double>(bytes)).c_str(),
               args.has("--format") ? "an empty volume" : "blank");
    }
}

/* --- inspect -------------------------------------------------------------------------------------------------------- */

static std::string uuid_text(const uint8_t uuid[16])
{
    std::string text = hex(std::string(reinterpret_cast<const char *>(uuid), 16));
    return text.substr(0, 8) + "-" + text.substr(8, 4) + "-" + text.substr(12, 4) + "-" + text.substr(16, 4) + "-" +
           text.substr(20);
}

static double bytes_of(uint64_t blocks)
{
    return static_cast<double>(blocks * BLOCK);
}

static void fill_copies(const struct disk_facts &facts, DiskFacts::Builder out)
{
    auto rows = out.initSuperblocks(2);
    for (unsigned i = 0; i < 2; i++) {
        rows[i].setState(facts.copy[i].state);
        rows[i].setVersion(facts.copy[i].version);
        rows[i].setGeneration(static_cast<double>(facts.copy[i].generation));
    }
}

static void fill_volume(const struct disk_facts &facts, DiskVolume::Builder out)
{
    out.setUuid(uuid_text(facts.uuid).c_str());
    out.setVersion(facts.version);
    out.setGeneration(static_cast<double>(facts.generation));
    out.setBytes(bytes_of(facts.blocks));
    out.setLogStart(static_cast<double>(facts.log_start));
    out.setLogBytes(bytes_of(facts.log_blocks));
    out.setMapStart(static_cast<double>(facts.index_start));
    out.setDatabaseRuns(static_cast<double>(facts.runs));
    out.setDataStart(static_cast<double>(facts.data_start));
    out.setDataBytes(bytes_of(facts.data_blocks));
}

static void fill_snapshots(const Disk &disk, DiskCatalog::Builder out)
{
    struct disk_page page;
    std::vector<struct disk_entry> all;
    char why[DISK_WHY];
    if (!disk_contents(disk.file, nullptr, why)) {
        return;
    }
    do {
        disk_snapshots(disk.file, all.empty() ? 0 : all.back().id, &page);
        all.insert(all.end(), page.entry, page.entry + page.count);
    } while (page.more);
    auto rows = out.initSnapshots(static_cast<unsigned>(all.size()));
    for (unsigned i = 0; i < rows.size(); i++) {
        rows[i].setGeneration(static_cast<double>(all[i].id));
        rows[i].setLabel(all[i].name);
    }
}

static void fill_catalog(const struct disk_facts &facts, DiskCatalog::Builder out)
{
    out.setLogPages(static_cast<double>(facts.log_frames));
    out.setDatabaseBytes(bytes_of(facts.database_pages));
    out.setDatabaseBytesMax(bytes_of(facts.database_pages_max));
    out.setObjects(static_cast<double>(facts.objects));
    out.setNames(static_cast<double>(facts.names));
    out.setFreeBytes(bytes_of(facts.free_blocks));
}

static void print_volume(DiskVolume::Reader v)
{
    printf("uuid         %s\n", v.getUuid().cStr());
    printf("version      %u, generation %.0f\n", v.getVersion(), v.getGeneration());
    printf("volume       %s\n", size_text(v.getBytes()).c_str());
    printf("log          %s, from block %.0f\n", size_text(v.getLogBytes()).c_str(), v.getLogStart());
    printf("page map     from block %.0f; database in %.0f runs\n", v.getMapStart(), v.getDatabaseRuns());
    printf("data         %s, from block %.0f\n", size_text(v.getDataBytes()).c_str(), v.getDataStart());
}

static void print_catalog(DiskCatalog::Reader c)
{
    printf("in the log   %.0f pages\n", c.getLogPages());
    printf("database     %s, of %s that it may have\n", size_text(c.getDatabaseBytes()).c_str(),
           size_text(c.getDatabaseBytesMax()).c_str());
    printf("free         %s of data\n", size_text(c.getFreeBytes()).c_str());
    printf("objects      %.0f\n", c.getObjects());
    printf("names        %.0f, of files, directories and blobs, those of snapshots too\n", c.getNames());
    for (auto snapshot : c.getSnapshots()) {
        printf("snapshot     %.0f %s\n", snapshot.getGeneration(), plain(snapshot.getLabel().cStr()).c_str());
    }
}

static void print_facts(DiskFacts::Reader facts)
{
    printf("%s: %s%s\n", plain(facts.getFile().cStr()).c_str(), facts.getWhat().cStr(),
           facts.getInUse() ? "; a virtual machine has it open" : "");
    printf("size         %s\n", size_text(facts.getBytes()).c_str());
    if (facts.hasVolume()) {
        printf("superblocks  %s, %s\n", facts.getSuperblocks()[0].getState().cStr(),
               facts.getSuperblocks()[1].getState().cStr());
        print_volume(facts.getVolume());
    }
    if (facts.hasCatalog()) {
        print_catalog(facts.getCatalog());
    }
}

void run_disk_inspect(const Args &args)
{
    Disk disk(args.words[0]);
    struct disk_facts facts;
    disk_look(disk.file, &facts);
    capnp::MallocMessageBuilder message;
    auto out = message.initRoot<DiskFacts>();
    out.setFile(args.words[0].c_str());
    out.setBytes(static_cast<double>(facts.bytes));
    out.setInUse(disk_in_use(disk.file));
    out.setKind(facts.kind);
    out.setWhat(facts.words);
    fill_copies(facts, out);
    if (facts.volume) {
        fill_volume(facts, out.initVolume());
    }
    if (facts.catalog) {
        fill_catalog(facts, out.initCatalog());
        fill_snapshots(disk, out.getCatalog());
    }
    if (args.has("--json")) {
        print_json(out.asReader());
    } else {
        print_facts(out.asReader());
    }
}

/* --- check ---------------------------------------------------------------------------------------------------------- */

struct Said {
    Stages stages;
    bool json;
    std::vector<std::string> faults;
    std::vector<std::string> notes;
};

static void take_fault(void *context, const char *text)
{
    Said &said = *static_cast<Said *>(context);
    said.stages.clear();
    if (said.json) {
        said.faults.push_back(text);
    } else {
        printf("%s\n", plain(text).c_str());
    }
}

static void take_note(void *context, const char *text)
{
    Said &said = *static_cast<Said *>(context);
    said.stages.clear();
    said.notes.push_back(text);
}

static void take_progress(void *context, const char *what, uint64_t done, uint64_t all)
{
    static_cast<Said *>(context)->stages.reached(what, done, all);
}

void fill_texts(const std::vector<std::string> &texts, capnp::List<capnp::Text>::Builder out)
{
    for (unsigned i = 0; i < out.size(); i++) {
        out.set(i, texts[i].c_str());
    }
}

static void print_checked(const std::string &path, const struct disk_checked &checked, const Said &said)
{
    capnp::MallocMessageBuilder message;
    auto out = message.initRoot<DiskChecked>();
    out.setFile(path.c_str());
    out.setFaults(static_cast<double>(checked.faults));
    out.setPages(static_cast<double>(checked.pages));
    out.setExtents(static_cast<double>(checked.extents));
    out.setDataBytes(bytes_of(checked.blocks));
    if (said.json) {
        fill_texts(said.faults, out.initFault(static_cast<unsigned>(said.faults.size())));
        fill_texts(said.notes, out.initNotes(static_cast<unsigned>(said.notes.size())));
        print_json(out.asReader());
        return;
    }
    for (const std::string &note : said.notes) {
        printf("(%s)\n", plain(note).c_str());
    }
    printf("%s: %s; %" PRIu64 " pages of the database and %s of data were compared with their checksums\n",
           plain(path).c_str(), checked.faults == 0 ? "sound" : count_text(checked.faults, "fault", "faults").c_str(),
           checked.pages, size_text(bytes_of(checked.blocks)).c_str());
}

void run_disk_check(const Args &args)
{
    Disk disk(args.words[0]);
    require_idle(disk, args.words[0]);
    Said said = {Stages(!args.has("--json")), args.has("--json"), {}, {}};
    struct disk_say say = {&said, take_fault, take_note, take_progress};
    struct disk_checked checked;
    disk_check(disk.file, &say, &checked);
    said.stages.clear();
    print_checked(args.words[0], checked, said);
    if (checked.faults > 0) {
        refuse("corrupt", args.words[0] + ": " + count_text(checked.faults, "fault", "faults") +
                              "; `capos disk export` saves what can be read");
    }
}

} // namespace capos

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * image.c++: ELF notes, and `image query`.
 *
 * The file is anybody's: every offset and size in it is checked against the file's end before it is followed, and the
 * message in the note is read under libcapnp's limits.
 */
#include "image.h"

#include "fail.h"
#include "json.h"
#include "progress.h"
#include "state.h"
#include "text.h"
#include "verbs.h"

#include <cstring>
#include <elf.h>
#include <sys/stat.h>

namespace capos
{

struct Note_key {
    std::string name;
    uint32_t type;
};
static const Note_key MANIFEST = {std::string("capos", 6), 1};
static const Note_key BUILD_ID = {std::string("GNU", 4), NT_GNU_BUILD_ID};
static constexpr off_t FILE_MAX = 256 << 20; /* the .sim of a large profile with sanitizers has a tenth */
static constexpr uint64_t READINGS_MAX = 32; /* pointers that share a list make a small message endless to print */

/* A T at that place of the file, or a refusal. */
template <typename T> static T at(const std::string &file, uint64_t offset)
{
    T out;
    if (offset > file.size() || file.size() - offset < sizeof out) {
        refuse("failed", "the ELF file is cut short");
    }
    memcpy(&out, file.data() + offset, sizeof out);
    return out;
}

static uint64_t round4(uint64_t n)
{
    return (n + 3) & ~3ULL;
}

/* The description of that note within the notes of [offset, end), or "". */
static std::string find_note(const std::string &file, uint64_t offset, uint64_t end, const Note_key &key)
{
    while (offset + sizeof(Elf64_Nhdr) <= end) {
        Elf64_Nhdr note = at<Elf64_Nhdr>(file, offset);
        uint64_t name = offset + sizeof note;
        uint64_t description = name + round4(note.n_namesz);
        uint64_t next = description + round4(note.n_descsz);
        if (next > end) {
            return "";
        }
        if (note.n_type == key.type && file.compare(name, note.n_namesz, key.name) == 0) {
            return file.substr(description, note.n_descsz);
        }
        offset = next;
    }
    return "";
}

static std::string read_note(const std::string &file, const std::string &path, const Note_key &key)
{
    if (file.size() < EI_NIDENT || memcmp(file.data(), ELFMAG, SELFMAG) != 0 || file[EI_CLASS] != ELFCLASS64) {
        refuse("failed", path + " is not an ELF file; images are BUILD/PROFILE/PROFILE.elf and .sim");
    }
    Elf64_Ehdr header = at<Elf64_Ehdr>(file, 0);
    for (unsigned i = 0; i < header.e_shnum; i++) {
        Elf64_Shdr section = at<Elf64_Shdr>(file, header.e_shoff + static_cast<uint64_t>(i) * sizeof(Elf64_Shdr));
        bool inside = section.sh_offset <= file.size() && section.sh_size <= file.size() - section.sh_offset;
        if (section.sh_type != SHT_NOTE || !inside) {
            continue;
        }
        std::string found = find_note(file, section.sh_offset, section.sh_offset + section.sh_size, key);
        if (!found.empty()) {
            return found;
        }
    }
    return "";
}

static std::string read_bounded(const std::string &name)
{
    struct stat st;
    if (stat(name.c_str(), &st) != 0) {
        fail_errno(name);
    }
    if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX) {
        refuse("failed", name + " is no file of at most 256 MiB, so no image");
    }
    std::optional<std::string> file = read_file(name);
    if (!file) {
        fail_errno(name);
    }
    return *file;
}

Image::Image(const std::string &name) : path(name)
{
    std::string manifest = read_note(read_bounded(name), name, MANIFEST);
    if (manifest.empty()) {
        refuse("failed", name + " is an ELF file without a capos note: not an image of ours");
    }
    words = kj::heapArray<capnp::word>(manifest.size() / sizeof(capnp::word));
    memcpy(words.begin(), manifest.data(), words.size() * sizeof(capnp::word));
    capnp::ReaderOptions limits;
    limits.traversalLimitInWords = READINGS_MAX * words.size() + 4096;
    message = std::make_unique<capnp::FlatArrayMessageReader>(words, limits);
    package(); /* damage shows here and not later */
}

BootPackage::Reader Image::package() const
{
    return message->getRoot<BootPackage>();
}

bool has_component(BootPackage::Reader package, const std::string &name)
{
    for (auto component : package.getComponents()) {
        if (name == component.getName().cStr()) {
            return true;
        }
    }
    return false;
}

std::string build_id_of(const std::string &path)
{
    std::string text;
    for (char byte : read_note(read_bounded(path), path, BUILD_ID)) {
        char digits[4];
        snprintf(digits, sizeof digits, "%02x", static_cast<unsigned>(static_cast<unsigned char>(byte)));
        text += digits;
    }
    return text;
}

static void print_package(BootPackage::Reader p)
{
    printf("%s %s: %s\n", plain(p.getProfile()).c_str(), plain(p.getVersion()).c_str(), plain(p.getSummary()).c_str());
    printf("platform %s, memory %s, %s\n", plain(p.getPlatform()).c_str(),
           size_text(static_cast<double>(p.getMemoryBytes())).c_str(), p.getSupported() ? "supported" : "experiment");
    for (auto component : p.getComponents()) {
        printf("component %-20s %s\n", plain(component.getName()).c_str(), plain(component.getSummary()).c_str());
        for (auto option : component.getOptions()) {
            printf("          %20s %s = %s%s\n", "", plain(option.getName()).c_str(), plain(option.getValue()).c_str(),
                   option.getIsDefault() ? "" : "  (set)");
        }
    }
    for (auto wire : p.getWires()) {
        printf("wire      %s -> %s (%s)\n", plain(wire.getFrom()).c_str(), plain(wire.getTo()).c_str(),
               plain(wire.getContract()).c_str());
    }
    for (auto grant : p.getGrants()) {
        printf("grant     %s -> %s (%s) %s\n", plain(grant.getFrom()).c_str(), plain(grant.getTo()).c_str(),
               plain(grant.getContract()).c_str(), plain(grant.getScope()).c_str());
    }
    for (auto exposed : p.getExposed()) {
        printf("expose    %s -> %s (%s)\n", plain(exposed.getName()).c_str(), plain(exposed.getProvider()).c_str(),
               plain(exposed.getInterface()).c_str());
    }
    for (auto port : p.getPorts()) {
        printf("port      %u %s\n", port.getNumber(), plain(port.getName()).c_str());
    }
    for (auto name : p.getInsecure()) {
        printf("insecure  %s\n", plain(name).c_str());
    }
}

void run_image_query(const Args &args)
{
    Image image(args.words[0]);
    if (args.has("--json")) {
        print_json(image.package());
    } else if (image.package().getPicture().size() != 0) {
        printf("%s", plain(image.package().getPicture(), "\n").c_str());
    } else {
        print_package(image.package());
    }
}

} // namespace capos

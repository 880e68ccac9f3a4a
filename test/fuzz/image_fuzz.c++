/* SPDX-License-Identifier: MIT OR Apache-2.0
 * image_fuzz.c++: what `capos image query FILE` makes of any file.
 *
 *  (1) A file is printed, or refused with a Failure or libcapnp's exception: nothing else happens.
 *  (2) What reaches the terminal is printable: no escape sequence of the file does.
 *
 * An input that is no ELF file is taken for the message inside of one, so that both parsers are tried.
 */
#include "../../build-scripts/host/capos/image.c++"

#include <cstdint>
#include <cstdlib>
#include <unistd.h>

static std::string file; /* what the disk would hold */

std::optional<std::string> capos::read_file(const std::string &)
{
    return file;
}

template <typename T> static std::string bytes_of(const T &value)
{
    return std::string(reinterpret_cast<const char *>(&value), sizeof value);
}

static std::string wrapped(const std::string &message)
{
    Elf64_Ehdr header = {};
    memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_shoff = sizeof header;
    header.e_shnum = 1;
    Elf64_Nhdr note = {6, static_cast<Elf64_Word>(message.size()), 1};
    Elf64_Shdr section = {};
    section.sh_type = SHT_NOTE;
    section.sh_offset = sizeof header + sizeof section;
    section.sh_size = sizeof note + 8 + ((message.size() + 3) & ~3ull);
    std::string padding(((message.size() + 3) & ~3ull) - message.size(), '\0');
    return bytes_of(header) + bytes_of(section) + bytes_of(note) + std::string("capos\0\0\0", 8) + message + padding;
}

/* What a run prints, with or without --json. */
static std::string printed(bool json)
{
    char *text = nullptr;
    size_t size = 0;
    FILE *kept = stdout;
    stdout = open_memstream(&text, &size);
    try {
        capos::Image image("/proc/self/exe");
        if (json) {
            capos::print_json(image.package());
        } else {
            capos::print_package(image.package());
            printf("%s", capos::plain(image.package().getPicture(), "\n").c_str());
        }
    } catch (const capos::Failure &) {
    } catch (const kj::Exception &) {
    }
    fclose(stdout);
    stdout = kept;
    std::string out(text, size);
    free(text);
    return out;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    file.assign(reinterpret_cast<const char *>(data), size);
    if (file.compare(0, SELFMAG, ELFMAG) != 0) {
        file = wrapped(file);
    }
    for (bool json : {false, true}) {
        unsigned before = 0;
        for (char c : printed(json)) {
            unsigned byte = static_cast<unsigned char>(c);
            bool c1 = before == 0xc2 && byte >= 0x80 && byte < 0xa0; /* controls again, as UTF-8 has them */
            if ((byte < ' ' && c != '\n') || byte == 0x7f || c1) {
                fprintf(stderr, "image_fuzz: (2) prints the byte %u\n", byte);
                abort();
            }
            before = byte;
        }
    }
    return 0;
}

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * transfer.c++: what put and get share.
 */
#include "transfer.h"

#include "json.h"
#include "progress.h"
#include "text.h"

#include <csignal>
#include <cstring>
#include <unistd.h>

namespace capos
{

std::string bytes_of(capnp::Data::Reader data)
{
    return std::string(reinterpret_cast<const char *>(data.begin()), data.size());
}

capnp::Data::Reader data_of(const std::string &bytes)
{
    return capnp::Data::Reader(reinterpret_cast<const kj::byte *>(bytes.data()), bytes.size());
}

void report(const Args &args, const char *verb, Transfer::Builder transfer)
{
    if (args.has("--json")) {
        print_json(transfer.asReader());
        return;
    }
    /* Standard output may be the file itself. */
    FILE *out = std::string(transfer.getFile().cStr()) == "-" ? stderr : stdout;
    double size = transfer.getSize();
    double rate = transfer.getSeconds() > 0 ? (size - transfer.getResumedAt()) / transfer.getSeconds() : 0;
    fprintf(out, "%s %s: %.0f bytes, sha256 %s, %s/s\n", verb, plain(transfer.getPath().cStr()).c_str(), size,
            transfer.getDigest().cStr(), size_text(rate).c_str());
}

static const char *sentence_of_end;

static void end_with_sentence(int number)
{
    ssize_t said = write(STDERR_FILENO, sentence_of_end, strlen(sentence_of_end));
    static_cast<void>(said); /* nobody to tell */
    raise(number);           /* SA_RESETHAND: this time it ends us, once we return */
}

void say_when_interrupted(const char *sentence)
{
    sentence_of_end = sentence;
    for (int number : {SIGINT, SIGTERM}) {
        struct sigaction action = {};
        sigaction(number, nullptr, &action);
        if (action.sa_handler != SIG_IGN) {
            action.sa_handler = end_with_sentence;
            action.sa_flags = static_cast<int>(SA_RESETHAND);
            sigaction(number, &action, nullptr);
        }
    }
}

} // namespace capos

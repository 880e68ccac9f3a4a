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
    double came = transfer.getSize() - transfer.getResumedAt();
    double rate = transfer.getSeconds() > 0 ? came / transfer.getSeconds() : 0;
    std::string from = transfer.getResumedAt() > 0
                           ? ", from byte " + std::to_string(static_cast<uint64_t>(transfer.getResumedAt())) + " on"
                           : "";
    fprintf(out, "%s %s: %.0f bytes, sha256 %s, %s\n", verb, plain(transfer.getPath().cStr()).c_str(),
            transfer.getSize(), transfer.getDigest().cStr(),
            transfer.getKnown() ? "which the node had" : (size_text(rate) + "/s" + from).c_str());
}

void report_tree(const Args &args, const char *verb, TreeTransfer::Builder tree)
{
    if (args.has("--json")) {
        print_json(tree.asReader());
        return;
    }
    FILE *out = std::string(tree.getFile().cStr()) == "-" ? stderr : stdout;
    double rate = tree.getSeconds() > 0 ? tree.getSize() / tree.getSeconds() : 0;
    std::string known = tree.getKnown() == 0 ? "" : ", " + std::to_string(tree.getKnown()) + " of them were there";
    fprintf(out, "%s %s: %s and %s, %s, %s/s%s\n", verb, plain(tree.getPath().cStr()).c_str(),
            count_text(tree.getFiles(), "file", "files").c_str(),
            count_text(tree.getDirectories(), "directory", "directories").c_str(), size_text(tree.getSize()).c_str(),
            size_text(rate).c_str(), known.c_str());
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

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * digest.c++: SHA-256 by libcrypto, which libcapnp-dev brings along.
 */
#include "digest.h"

#include "fail.h"

#include <cstdio>

namespace capos
{

static void require(int ok)
{
    if (ok != 1) {
        refuse("failed", "libcrypto cannot compute SHA-256 on this machine");
    }
}

Digest::Digest() : context(EVP_MD_CTX_new())
{
    require(context != nullptr && EVP_DigestInit_ex(context, EVP_sha256(), nullptr) == 1);
}

Digest::~Digest()
{
    EVP_MD_CTX_free(context);
}

void Digest::add(const void *bytes, size_t size)
{
    require(EVP_DigestUpdate(context, bytes, size));
}

std::string Digest::finish()
{
    unsigned char out[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    require(EVP_DigestFinal_ex(context, out, &size));
    return std::string(reinterpret_cast<char *>(out), size);
}

std::string hex(const std::string &bytes)
{
    std::string out;
    char pair[3];
    for (unsigned char byte : bytes) {
        snprintf(pair, sizeof pair, "%02x", byte);
        out += pair;
    }
    return out;
}

} // namespace capos

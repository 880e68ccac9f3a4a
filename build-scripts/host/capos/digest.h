/* SPDX-License-Identifier: MIT OR Apache-2.0
 * digest.h: SHA-256, fed in pieces.
 */
#pragma once

#include <cstddef>
#include <openssl/evp.h>
#include <string>

namespace capos
{

class Digest
{
  public:
    Digest();
    ~Digest();
    Digest(const Digest &) = delete;
    Digest &operator=(const Digest &) = delete;

    void add(const void *bytes, size_t size);

    /* The 32 bytes. Once, at the end. */
    std::string finish();

  private:
    EVP_MD_CTX *context;
};

std::string hex(const std::string &bytes);

} // namespace capos

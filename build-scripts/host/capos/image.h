/* SPDX-License-Identifier: MIT OR Apache-2.0
 * image.h: what an image file says about itself.
 */
#pragma once

#include "boot.capnp.h"

#include <capnp/serialize.h>
#include <memory>
#include <string>

namespace capos
{

class Image
{
  public:
    /* Reads the note "capos" of type 1 out of an ELF file. Refuses, saying what it found, when there is none. */
    explicit Image(const std::string &path);

    BootPackage::Reader package() const;

    const std::string path;

  private:
    kj::Array<capnp::word> words;
    std::unique_ptr<capnp::FlatArrayMessageReader> message;
};

/* The hex digits of an ELF file's build id, or "". */
std::string build_id_of(const std::string &path);

/* Whether the profile names this component. */
bool has_component(BootPackage::Reader package, const std::string &name);

} // namespace capos

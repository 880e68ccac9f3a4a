/* SPDX-License-Identifier: MIT OR Apache-2.0
 * json.h: messages of capos.capnp to JSON and back.
 */
#pragma once

#include "text.h"

#include <capnp/compat/json.h>
#include <cstdio>
#include <string>

namespace capos
{

template <typename Reader> std::string to_json(Reader value)
{
    capnp::JsonCodec codec;
    codec.setPrettyPrint(true);
    codec.setHasMode(capnp::HasMode::NON_NULL);
    return plain_json(codec.encode(value).cStr());
}

template <typename Builder> void from_json(const std::string &text, Builder out)
{
    std::string json = unescaped_json(text);
    capnp::JsonCodec().decode(kj::ArrayPtr<const char>(json.data(), json.size()), out);
}

template <typename Reader> void print_json(Reader value)
{
    printf("%s\n", to_json(value).c_str());
}

} // namespace capos

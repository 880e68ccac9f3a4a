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

/* On one line, for those who read line by line. */
template <typename Reader> std::string to_json_line(Reader value)
{
    capnp::JsonCodec codec;
    codec.setHasMode(capnp::HasMode::NON_NULL);
    return plain_json(codec.encode(value).cStr());
}

template <typename Reader> void print_json(Reader value)
{
    printf("%s\n", to_json(value).c_str());
}

/* {"NAME": [...]} written as its elements come: there may be more than one would keep. */
class Json_list
{
  public:
    explicit Json_list(const char *name)
    {
        printf("{\"%s\": [", name);
    }
    template <typename Reader> void add(Reader value)
    {
        printf("%s\n%s", first ? "" : ",", to_json_line(value).c_str());
        first = false;
    }
    void end()
    {
        printf("]}\n");
    }

  private:
    bool first = true;
};

} // namespace capos

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * model.h: the compiler's request as this generator sees it: every node by id, and its C name.
 */
#pragma once
#include <capnp/schema.capnp.h>
#include <cstdint>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

using capnp::schema::CodeGeneratorRequest;
using capnp::schema::Field;
using capnp::schema::Node;
using capnp::schema::Type;
using capnp::schema::Value;

/* What the author of a schema must mend; printed, and nothing is generated. */
struct Refused : std::runtime_error {
    using runtime_error::runtime_error;
};

/* "buildId" -> "build_id", "HTTPServer" -> "http_server". */
std::string snake(const std::string &name);
/* "build_id" -> "BUILD_ID". */
std::string upper(std::string name);
/* A member name that C would take for a keyword gets a "_". */
std::string member(const std::string &name);
std::string hex(uint64_t value);

class Model
{
  public:
    explicit Model(CodeGeneratorRequest::Reader request);
    Node::Reader node(uint64_t id) const;
    /* Whether the C header of this node's schema can be included: all but those under /capnp. */
    bool known(uint64_t id) const;
    /* "upload_finish_params" */
    const std::string &name(uint64_t id) const;
    /* The structs (groups and method params too), enums, interfaces and constants of a file, in order. */
    std::vector<uint64_t> declared(uint64_t file) const;
    /* The C name of a field, enumerant or method: its own or by $C.name. */
    template <typename T> std::string own_name(T thing) const
    {
        std::string given = annotated(thing.getAnnotations(), NAME);
        return given.empty() ? snake(thing.getName().cStr()) : given;
    }

  private:
    static constexpr uint64_t PREFIX = 0x990318bc173a7789, NAME = 0xfd5201aef2468aff;
    template <typename L> static std::string annotated(L annotations, uint64_t id)
    {
        for (auto a : annotations) {
            if (a.getId() == id) {
                return a.getValue().getText().cStr();
            }
        }
        return "";
    }
    void name_file(Node::Reader file, bool can_be_included);
    void name_node(uint64_t id, const std::string &name, uint64_t file);
    void name_nested(Node::Reader node, const std::string &scope, uint64_t file);
    void name_methods(Node::Reader node, const std::string &scope, uint64_t file);

    std::map<uint64_t, Node::Reader> nodes;
    std::map<uint64_t, std::string> names;
    std::map<uint64_t, std::vector<uint64_t>> order; /* by file */
    std::set<uint64_t> includable;
};

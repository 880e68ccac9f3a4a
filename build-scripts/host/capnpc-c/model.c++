/* SPDX-License-Identifier: MIT OR Apache-2.0
 * model.c++: nodes by id, and the rules by which they get their C names.
 */
#include "model.h"
#include <cctype>

std::string snake(const std::string &name)
{
    std::string out;
    for (size_t i = 0; i < name.size(); i++) {
        unsigned char c = static_cast<unsigned char>(name[i]);
        unsigned char before = i == 0 ? '_' : static_cast<unsigned char>(name[i - 1]);
        unsigned char after = i + 1 < name.size() ? static_cast<unsigned char>(name[i + 1]) : '_';
        if (isupper(c) && (islower(before) || isdigit(before) || (isupper(before) && islower(after)))) {
            out += '_';
        }
        out += static_cast<char>(tolower(c));
    }
    return out;
}

std::string upper(std::string name)
{
    for (char &c : name) {
        c = static_cast<char>(toupper(static_cast<unsigned char>(c)));
    }
    return name;
}

std::string member(const std::string &name)
{
    static const std::set<std::string> keywords = {
        "auto",     "bool",     "break",  "case",    "char",          "const",        "continue",
        "default",  "do",       "double", "else",    "enum",          "extern",       "false",
        "float",    "for",      "goto",   "if",      "inline",        "int",          "long",
        "register", "restrict", "return", "short",   "signed",        "sizeof",       "static",
        "struct",   "switch",   "true",   "typedef", "typeof",        "union",        "unsigned",
        "void",     "volatile", "while",  "nullptr", "constexpr",     "asm",          "alignas",
        "alignof",  "i386",     "linux",  "unix",    "static_assert", "thread_local", "typeof_unqual"};
    return keywords.count(name) ? name + "_" : name;
}

std::string hex(uint64_t value)
{
    char text[32];
    snprintf(text, sizeof(text), "0x%llx", static_cast<unsigned long long>(value));
    return text;
}

Model::Model(CodeGeneratorRequest::Reader request)
{
    for (auto node : request.getNodes()) {
        nodes.emplace(node.getId(), node);
    }
    std::set<uint64_t> foreign; /* imported by a name under /capnp: nobody generates those. */
    for (auto file : request.getRequestedFiles()) {
        for (auto import : file.getImports()) {
            if (std::string(import.getName().cStr()).rfind("/capnp/", 0) == 0) {
                foreign.insert(import.getId());
            }
        }
    }
    for (auto &entry : nodes) {
        if (entry.second.isFile()) {
            name_file(entry.second, foreign.count(entry.first) == 0);
        }
    }
}

Node::Reader Model::node(uint64_t id) const
{
    auto found = nodes.find(id);
    if (found == nodes.end()) {
        throw Refused("the compiler did not send node " + hex(id));
    }
    return found->second;
}

bool Model::known(uint64_t id) const
{
    return includable.count(id) != 0;
}

const std::string &Model::name(uint64_t id) const
{
    auto found = names.find(id);
    if (found == names.end()) {
        throw Refused("node " + hex(id) + " has no C name");
    }
    return found->second;
}

std::vector<uint64_t> Model::declared(uint64_t file) const
{
    auto found = order.find(file);
    return found == order.end() ? std::vector<uint64_t>() : found->second;
}

void Model::name_file(Node::Reader file, bool can_be_included)
{
    name_nested(file, annotated(file.getAnnotations(), PREFIX), file.getId());
    if (can_be_included) {
        for (uint64_t id : order[file.getId()]) {
            includable.insert(id);
        }
    }
}

static std::string join(const std::string &scope, const std::string &name)
{
    return scope.empty() ? name : scope + "_" + name;
}

void Model::name_nested(Node::Reader node, const std::string &scope, uint64_t file)
{
    for (auto nested : node.getNestedNodes()) {
        auto found = nodes.find(nested.getId());
        if (found == nodes.end() || found->second.isAnnotation()) {
            continue; /* Imported, and not used here. */
        }
        std::string given = annotated(found->second.getAnnotations(), NAME);
        name_node(nested.getId(), join(scope, given.empty() ? snake(nested.getName().cStr()) : given), file);
    }
}

void Model::name_node(uint64_t id, const std::string &name, uint64_t file)
{
    Node::Reader node = this->node(id);
    names[id] = name;
    order[file].push_back(id);
    if (node.isStruct()) {
        for (auto field : node.getStruct().getFields()) {
            if (field.isGroup()) {
                name_node(field.getGroup().getTypeId(), join(name, own_name(field)), file);
            }
        }
    }
    if (node.isInterface()) {
        name_methods(node, name, file);
    }
    name_nested(node, name, file);
}

/* Structs that a method's parentheses made have no scope of their own. */
void Model::name_methods(Node::Reader node, const std::string &scope, uint64_t file)
{
    for (auto method : node.getInterface().getMethods()) {
        std::string name = join(scope, own_name(method));
        uint64_t params = method.getParamStructType(), results = method.getResultStructType();
        if (nodes.count(params) && this->node(params).getScopeId() == 0) {
            name_node(params, name + "_params", file);
        }
        if (nodes.count(results) && this->node(results).getScopeId() == 0) {
            name_node(results, name + "_results", file);
        }
    }
}

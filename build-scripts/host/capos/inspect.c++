/* SPDX-License-Identifier: MIT OR Apache-2.0
 * inspect.c++: ls and describe: what a node offers, by the schema that the image hands out.
 */
#include "capos.capnp.h"
#include "json.h"
#include "session.h"
#include "text.h"
#include "value.h"
#include "verbs.h"

#include <set>

namespace capos
{

static std::string id_text(uint64_t id)
{
    char text[24];
    snprintf(text, sizeof text, "0x%016llx", static_cast<unsigned long long>(id));
    return text;
}

void list_capabilities(const Args &args)
{
    State state(args);
    Session session(find_target(state, args.words[0]), args);
    auto answer = session.list();
    capnp::MallocMessageBuilder message;
    auto rows = message.initRoot<CapRows>().initCaps(answer.getCaps().size());
    for (unsigned i = 0; i < rows.size(); i++) {
        rows[i].setName(answer.getCaps()[i].getName());
        rows[i].setInterface(answer.getCaps()[i].getInterface());
        rows[i].setId(id_text(answer.getCaps()[i].getInterfaceId()).c_str());
    }
    if (args.has("--json")) {
        print_json(message.getRoot<CapRows>().asReader());
        return;
    }
    for (auto row : rows.asReader()) {
        printf("%-16s %-16s %s\n", plain(row.getName()).c_str(), plain(row.getInterface()).c_str(), row.getId().cStr());
    }
}

/* Adds the type to `out`, once, if it has a schema of its own to be shown. */
static void add_type(capnp::Type type, std::set<uint64_t> &seen, std::vector<capnp::Schema> &out)
{
    while (type.isList()) {
        type = type.asList().getElementType();
    }
    if (type.isEnum() && seen.insert(type.asEnum().getProto().getId()).second) {
        out.push_back(type.asEnum());
    } else if (type.isStruct() && seen.insert(type.asStruct().getProto().getId()).second) {
        out.push_back(type.asStruct());
    }
}

/* Each type that the methods mention, once, and those that these mention. By a list and not by recursion: the schema
 * is the node's. */
static std::vector<capnp::Schema> mentioned_types(const std::vector<capnp::InterfaceSchema::Method> &methods)
{
    std::set<uint64_t> seen;
    std::vector<capnp::Schema> out;
    for (auto method : methods) {
        for (capnp::StructSchema side : {method.getParamType(), method.getResultType()}) {
            for (auto field : side.getFields()) {
                add_type(field.getType(), seen, out);
            }
        }
    }
    for (size_t i = 0; i < out.size(); i++) {
        if (!out[i].getProto().isStruct()) {
            continue;
        }
        for (auto field : out[i].asStruct().getFields()) {
            add_type(field.getType(), seen, out);
        }
    }
    return out;
}

template <typename Init> static void fill_fields(capnp::StructSchema schema, Init init)
{
    auto fields = schema.getFields();
    auto rows = init(fields.size());
    for (unsigned i = 0; i < rows.size(); i++) {
        rows[i].setName(fields[i].getProto().getName());
        rows[i].setType(type_text(fields[i].getType()).c_str());
    }
}

static void fill_method(capnp::InterfaceSchema::Method method, MethodRow::Builder row)
{
    row.setName(method.getProto().getName());
    row.setOrdinal(method.getOrdinal());
    row.setInterface(short_name(method.getContainingInterface()).c_str());
    fill_fields(method.getParamType(), [&](unsigned n) { return row.initParams(n); });
    fill_fields(method.getResultType(), [&](unsigned n) { return row.initResults(n); });
}

static void fill_type(capnp::Schema schema, StructRow::Builder row)
{
    row.setName(short_name(schema).c_str());
    if (schema.getProto().isStruct()) {
        fill_fields(schema.asStruct(), [&](unsigned n) { return row.initFields(n); });
        return;
    }
    auto values = schema.asEnum().getEnumerants();
    auto rows = row.initFields(values.size());
    for (unsigned i = 0; i < rows.size(); i++) {
        rows[i].setName(values[i].getProto().getName());
        rows[i].setType("");
    }
}

static void fill_description(const std::string &name, capnp::InterfaceSchema interface, Description::Builder out)
{
    std::vector<capnp::InterfaceSchema::Method> methods = methods_of(interface);
    std::vector<capnp::Schema> mentioned = mentioned_types(methods);
    out.setName(name.c_str());
    out.setInterface(short_name(interface).c_str());
    out.setId(id_text(interface.getProto().getId()).c_str());
    auto rows = out.initMethods(static_cast<unsigned>(methods.size()));
    for (unsigned i = 0; i < rows.size(); i++) {
        fill_method(methods[i], rows[i]);
    }
    auto structs = out.initStructs(static_cast<unsigned>(mentioned.size()));
    for (unsigned i = 0; i < structs.size(); i++) {
        fill_type(mentioned[i], structs[i]);
    }
}

static std::string fields_text(capnp::List<FieldRow>::Reader fields)
{
    std::string out;
    for (auto field : fields) {
        out += out.empty() ? "" : ", ";
        out += field.getName().cStr();
        if (field.getType().size() != 0) {
            out += std::string(" :") + field.getType().cStr();
        }
    }
    return "(" + out + ")";
}

static void print_description(Description::Reader d)
{
    printf("%s: interface %s %s\n", plain(d.getName()).c_str(), plain(d.getInterface()).c_str(), d.getId().cStr());
    for (auto method : d.getMethods()) {
        printf("  %s %s -> %s\n", plain(method.getName()).c_str(), plain(fields_text(method.getParams())).c_str(),
               plain(fields_text(method.getResults())).c_str());
    }
    for (auto type : d.getStructs()) {
        printf("  %s %s\n", plain(type.getName()).c_str(), plain(fields_text(type.getFields())).c_str());
    }
}

static std::vector<std::string> exposed_names(Session &session)
{
    std::vector<std::string> names;
    auto answer = session.list();
    for (auto cap : answer.getCaps()) {
        names.push_back(cap.getName().cStr());
    }
    return names;
}

void run_describe(const Args &args)
{
    State state(args);
    Session session(find_target(state, args.words[0]), args);
    std::vector<std::string> names = {args.words.begin() + 1, args.words.end()};
    if (names.empty()) {
        names = exposed_names(session);
    }
    capnp::MallocMessageBuilder message;
    auto caps = message.initRoot<Descriptions>().initCaps(static_cast<unsigned>(names.size()));
    for (unsigned i = 0; i < caps.size(); i++) {
        fill_description(names[i], session.interface_of(names[i]), caps[i]);
    }
    if (!args.has("--json")) {
        for (auto cap : caps.asReader()) {
            print_description(cap);
        }
    } else if (args.words.size() == 2) {
        print_json(caps[0].asReader());
    } else {
        print_json(message.getRoot<Descriptions>().asReader());
    }
}

} // namespace capos

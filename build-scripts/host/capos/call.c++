/* SPDX-License-Identifier: MIT OR Apache-2.0
 * call.c++: ls, describe, call: any capability of any image, by the schema that the image hands out.
 */
#include "capos.capnp.h"
#include "fail.h"
#include "json.h"
#include "session.h"
#include "value.h"
#include "verbs.h"

#include <capnp/serialize-text.h>
#include <set>

namespace capos
{

static std::string id_text(uint64_t id)
{
    char text[24];
    snprintf(text, sizeof text, "0x%016llx", static_cast<unsigned long long>(id));
    return text;
}

void run_ls(const Args &args)
{
    State state(args);
    Session session(find_target(state, args.words[0]), args);
    auto answer = session.await(session.node().listRequest().send());
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
        printf("%-16s %-16s %s\n", row.getName().cStr(), row.getInterface().cStr(), row.getId().cStr());
    }
}

/* Each type that a field mentions, once, and those that these mention. */
static void collect_types(capnp::Type type, std::set<uint64_t> &seen, std::vector<capnp::Schema> &out)
{
    while (type.isList()) {
        type = type.asList().getElementType();
    }
    if (type.isEnum() && seen.insert(type.asEnum().getProto().getId()).second) {
        out.push_back(type.asEnum());
    }
    if (!type.isStruct() || !seen.insert(type.asStruct().getProto().getId()).second) {
        return;
    }
    out.push_back(type.asStruct());
    for (auto field : type.asStruct().getFields()) {
        collect_types(field.getType(), seen, out);
    }
}

/* Methods of an interface and of all that it extends; a diamond is listed once. */
static void collect_methods(capnp::InterfaceSchema interface, std::set<uint64_t> &seen,
                            std::vector<capnp::InterfaceSchema::Method> &out)
{
    if (!seen.insert(interface.getProto().getId()).second) {
        return;
    }
    for (auto method : interface.getMethods()) {
        out.push_back(method);
    }
    for (auto base : interface.getSuperclasses()) {
        collect_methods(base, seen, out);
    }
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
    std::set<uint64_t> interfaces;
    std::set<uint64_t> types;
    std::vector<capnp::InterfaceSchema::Method> methods;
    std::vector<capnp::Schema> mentioned;
    collect_methods(interface, interfaces, methods);
    out.setName(name.c_str());
    out.setInterface(short_name(interface).c_str());
    out.setId(id_text(interface.getProto().getId()).c_str());
    auto rows = out.initMethods(static_cast<unsigned>(methods.size()));
    for (unsigned i = 0; i < rows.size(); i++) {
        fill_method(methods[i], rows[i]);
        for (capnp::StructSchema side : {methods[i].getParamType(), methods[i].getResultType()}) {
            for (auto field : side.getFields()) {
                collect_types(field.getType(), types, mentioned);
            }
        }
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
    printf("%s: interface %s %s\n", d.getName().cStr(), d.getInterface().cStr(), d.getId().cStr());
    for (auto method : d.getMethods()) {
        printf("  %s %s -> %s\n", method.getName().cStr(), fields_text(method.getParams()).c_str(),
               fields_text(method.getResults()).c_str());
    }
    for (auto type : d.getStructs()) {
        printf("%s %s\n", type.getName().cStr(), fields_text(type.getFields()).c_str());
    }
}

static std::vector<std::string> exposed_names(Session &session)
{
    std::vector<std::string> names;
    auto answer = session.await(session.node().listRequest().send());
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
    for (const std::string &name : names) {
        capnp::MallocMessageBuilder message;
        fill_description(name, session.interface_of(name), message.initRoot<Description>());
        if (args.has("--json")) {
            print_json(message.getRoot<Description>().asReader());
        } else {
            print_description(message.getRoot<Description>().asReader());
        }
    }
}

static capnp::InterfaceSchema::Method find_method(capnp::InterfaceSchema interface, const std::string &name)
{
    KJ_IF_MAYBE (method, interface.findMethodByName(name.c_str())) {
        return *method;
    }
    std::set<uint64_t> seen;
    std::vector<capnp::InterfaceSchema::Method> methods;
    std::string there;
    collect_methods(interface, seen, methods);
    for (auto method : methods) {
        there += std::string(" ") + method.getProto().getName().cStr();
    }
    refuse("unimplemented", short_name(interface) + " has no method '" + name + "'; it has:" + there);
}

/* The request is filled from text that a person typed: what the codec finds wrong is wrong usage, not a failure. */
static void fill_params(const std::string &text, Form form, capnp::DynamicStruct::Builder params)
{
    auto problem = kj::runCatchingExceptions([&]() {
        if (form == Form::JSON) {
            capnp::JsonCodec().decode(kj::ArrayPtr<const char>(text.data(), text.size()), params);
        } else {
            capnp::TextCodec().decode(text.c_str(), params);
        }
    });
    KJ_IF_MAYBE (e, problem) {
        misuse("cannot read the parameters " + text + ": " + failure_of(*e).reason + "; the method takes " +
               "what `capos describe` shows");
    }
}

void run_call(const Args &args)
{
    const std::string &what = args.words[1];
    size_t dot = what.rfind('.');
    if (dot == std::string::npos || dot == 0 || dot + 1 == what.size()) {
        misuse("'" + what + "' is not CAP.METHOD, as in store.info");
    }
    Form form = args.has("--json") ? Form::JSON : Form::TEXT;
    State state(args);
    Session session(find_target(state, args.words[0]), args);
    std::string name = what.substr(0, dot);
    auto interface = session.interface_of(name);
    auto method = find_method(interface, what.substr(dot + 1));
    auto cap = session.cap(name).castAs<capnp::DynamicCapability>(interface);
    auto request = cap.newRequest(method);
    fill_params(args.words.size() > 2 ? args.words[2] : form == Form::JSON ? "{}" : "()", form, request);
    kj::Promise<capnp::Response<capnp::DynamicStruct>> sent = request.send();
    auto answer = session.await(kj::mv(sent));
    capnp::DynamicStruct::Reader result = answer;
    printf("%s\n", value_text(result, form).c_str());
}

static void fill_row(const Args &args, const State &state, const std::string &name, NodeRow::Builder row)
{
    Node_record record = state.load(name).value_or(Node_record());
    row.setName(name.c_str());
    row.setRpc(record->getRpc());
    row.setState(record->getState());
    row.setProfile(record->getProfile());
    row.setReason(record->getStatus());
    if (record->getPid() == 0 || record->getRpc().size() == 0) {
        return;
    }
    try {
        Session session(find_target(state, name), args);
        auto info = session.info();
        row.setState("ready");
        row.setHealthy(info.getHealthy());
        row.setProfile(info.getProfile());
        row.setVersion(info.getVersion());
        row.setBuildId(info.getBuildId());
        row.setPlatform(info.getPlatform());
        row.setUptimeSeconds(static_cast<double>(info.getUptimeNs()) / 1e9);
        row.setMemoryBytes(static_cast<double>(info.getMemoryBytes()));
        row.setMemoryUsed(static_cast<double>(info.getMemoryUsed()));
    } catch (const Failure &failure) {
        row.setState("unreachable");
        row.setReason(failure.reason.c_str());
    }
}

static void print_rows(capnp::List<NodeRow>::Reader rows)
{
    printf("%-16s %-22s %-12s %-8s %10s  %-10s %s\n", "NAME", "ADDRESS", "STATE", "HEALTH", "UPTIME", "VERSION",
           "BUILD");
    for (auto row : rows) {
        bool up = std::string(row.getState().cStr()) == "ready";
        printf("%-16s %-22s %-12s %-8s %9.1fs  %-10s %.12s\n", row.getName().cStr(), row.getRpc().cStr(),
               row.getState().cStr(),
               !up                ? "-"
               : row.getHealthy() ? "ok"
                                  : "ill",
               row.getUptimeSeconds(), row.getVersion().cStr(), row.getBuildId().cStr());
        if (row.getReason().size() != 0) {
            printf("  %s\n", row.getReason().cStr());
        }
    }
}

void run_node_ls(const Args &args)
{
    State state(args);
    std::vector<std::string> names = state.names();
    capnp::MallocMessageBuilder message;
    auto rows = message.initRoot<NodeRows>().initNodes(static_cast<unsigned>(names.size()));
    for (unsigned i = 0; i < rows.size(); i++) {
        fill_row(args, state, names[i], rows[i]);
    }
    if (args.has("--json")) {
        print_json(message.getRoot<NodeRows>().asReader());
    } else {
        print_rows(rows.asReader());
    }
}

void run_logs(const Args &args)
{
    State state(args);
    Session session(find_target(state, args.words[0]), args);
    uint64_t next = 0;
    for (;;) {
        auto request = session.node().logsRequest();
        request.setSince(next);
        auto answer = session.await(request.send());
        for (auto line : answer.getLines()) {
            printf("%s\n", line.cStr());
        }
        fflush(stdout);
        bool end = answer.getNext() == next;
        next = answer.getNext();
        if (end && !args.has("-f")) {
            return;
        }
        if (end) {
            session.pause(500 * kj::MILLISECONDS);
        }
    }
}

} // namespace capos

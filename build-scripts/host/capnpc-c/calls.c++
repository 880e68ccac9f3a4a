/* SPDX-License-Identifier: MIT OR Apache-2.0
 * calls.c++: interfaces: a table of handlers and its dispatch for servers, begin and answer for askers.
 */
#include "emit.h"

/* An interface comes after those that it extends: its table holds theirs. */
void Header::interface(uint64_t id)
{
    if (!interfaces_done.insert(id).second) {
        return;
    }
    Node::Reader node = model.node(id);
    for (auto super : node.getInterface().getSuperclasses()) {
        for (uint64_t declared : model.declared(file.getId())) {
            if (declared == super.getId()) {
                interface(super.getId());
            }
        }
    }
    server_ops(node);
    for (uint32_t i = 0; i < node.getInterface().getMethods().size(); i++) {
        method(node, i);
    }
    serve(node);
}

/* C type of a method's params or results without _reader or _builder. StreamResult and others that nobody generates
 * are empty. */
static std::string part(const Model &model, uint64_t id)
{
    return model.known(id) ? "struct " + model.name(id) : "struct capnp_empty";
}

void Header::server_ops(Node::Reader node)
{
    const std::string &name = model.name(node.getId());
    std::set<std::string> members;
    claim("struct " + name + "_server_ops");
    put("/* LOOP, each. NULL: answers `unimplemented`. */\nstruct $0_server_ops {\n", {name});
    for (auto method : node.getInterface().getMethods()) {
        std::string own = member(model.own_name(method));
        if (!members.insert(own).second) {
            throw Refused(name + ": two methods are called " + own + " in C; give one a $C.name");
        }
        put("    void (*$0)(struct object *self, struct call *call, $1_reader params);\n",
            {own, part(model, method.getParamStructType())});
    }
    for (auto super : node.getInterface().getSuperclasses()) {
        put("    struct $0_server_ops super_$0;\n", {model.name(super.getId())});
    }
    if (node.getInterface().getMethods().size() + node.getInterface().getSuperclasses().size() == 0) {
        put("    char unused;\n");
    }
    put("};\n");
}

void Header::method(Node::Reader node, uint32_t index)
{
    auto method = node.getInterface().getMethods()[index];
    const std::string &interface = model.name(node.getId());
    std::string name = interface + "_" + model.own_name(method);
    uint64_t params_id = method.getParamStructType(), results_id = method.getResultStructType();
    std::string params = part(model, params_id), results = part(model, results_id);
    auto init = [&](uint64_t id, const char *payload) {
        return model.known(id) ? init_slot(id, std::string("capnp_payload_slot(") + payload + ")")
                               : std::string("capnp_init_struct(capnp_payload_slot(") + payload + "), 0, 0)";
    };
    function(params + "_builder", name + "_begin",
             "struct call *call, struct object *target, struct payload params, const struct call_source *source",
             "    capnp_call_init(call, target, " + upper(interface) + "_ID, " + std::to_string(index) +
                 ", params, source);\n    return (" + params + "_builder){" + init(params_id, "params") + "};\n");
    function(results + "_builder", name + "_results", "struct call *call, uint32_t words",
             "    return (" + results + "_builder){" + init(results_id, "call_results(call, words)") + "};\n",
             " REQUIRES(LOOP)");
    function(results + "_reader", name + "_answer", "const struct call *call",
             "    return (" + results + "_reader){capnp_read_struct(capnp_payload_ref(call->results))};\n");
    std::string shape = model.known(results_id) ? "&" + model.name(results_id) + "_shape" : "NULL";
    function("bool", name + "_answer_check", "const struct call *call",
             "    return capnp_check(capnp_payload_ref(call->results), " + shape + ");\n");
}

void Header::serve(Node::Reader node)
{
    const std::string &name = model.name(node.getId());
    auto methods = node.getInterface().getMethods();
    std::string params = "const struct " + name + "_server_ops *ops, struct object *self, struct call *call";
    std::string body = "    if (call->interface_id != " + upper(name) + "_ID) {\n        return ";
    for (auto super : node.getInterface().getSuperclasses()) {
        body += model.name(super.getId()) + "_serve(&ops->super_" + model.name(super.getId()) + ", self, call) || ";
    }
    body += "false;\n    }\n";
    if (methods.size() > 0) {
        body += "    struct capnp_ref params = capnp_payload_ref(call->params);\n    struct capnp_reader read;\n"
                "    switch (call->method_id) {\n";
    }
    for (uint32_t i = 0; i < methods.size(); i++) {
        uint64_t id = methods[i].getParamStructType();
        std::string own = member(model.own_name(methods[i]));
        body +=
            "    case " + std::to_string(i) + ":\n        if (ops->" + own + " == NULL) {\n" +
            "            return false;\n        }\n" + "        if (!capnp_check_read(params, " +
            (model.known(id) ? "&" + model.name(id) + "_shape" : "NULL") +
            ", &read)) {\n            capnp_call_malformed(call);\n            return true;\n        }\n        ops->" +
            own + "(self, call, (" + part(model, id) + "_reader){read});\n        return true;\n";
    }
    if (methods.size() > 0) {
        body += "    default:\n        break;\n    }\n";
    }
    put("/* False: the call is of none of these interfaces or methods, and still to be answered. */\n");
    std::string used =
        methods.size() + node.getInterface().getSuperclasses().size() > 0 ? "" : "    (void)ops;\n    (void)self;\n";
    function("bool", name + "_serve", params, used + body + "    return false;\n", " REQUIRES(LOOP)");
    function("void", name + "_dispatch", params,
             "    if (!" + name + "_serve(ops, self, call)) {\n        capnp_call_unimplemented(call);\n    }\n",
             " REQUIRES(LOOP)");
}

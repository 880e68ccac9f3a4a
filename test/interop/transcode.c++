/* SPDX-License-Identifier: MIT OR Apache-2.0
 * transcode.c++: a plug-in of the capnp compiler: C that copies each struct field by field through generated code.
 *
 * Writes NAME.transcode.c with a table of cases (shim.h). Names come from the generator's own model.
 */
#include "../../build-scripts/host/capnpc-c/model.h"
#include <capnp/serialize.h>
#include <fstream>
#include <iostream>

static std::string out;

static void put(const std::string &line)
{
    out += line + "\n";
}

static bool is_cap(Type::Reader type)
{
    return type.isInterface() || (type.isAnyPointer() && type.getAnyPointer().isUnconstrained() &&
                                  type.getAnyPointer().getUnconstrained().isCapability());
}

/* What reads and writes one element of a list of values. */
static std::string element_access(Type::Reader type)
{
    switch (type.which()) {
    case Type::BOOL:
        return "bool";
    case Type::INT8:
    case Type::UINT8:
        return "u8";
    case Type::INT16:
    case Type::UINT16:
    case Type::ENUM:
        return "u16";
    case Type::INT32:
    case Type::UINT32:
    case Type::FLOAT32:
        return "u32";
    case Type::INT64:
    case Type::UINT64:
    case Type::FLOAT64:
        return "u64";
    default:
        return "";
    }
}
static std::string element_name(Type::Reader type)
{
    std::string access = element_access(type);
    return access == "bool"  ? "CAPNP_BIT"
           : access == "u8"  ? "CAPNP_BYTE"
           : access == "u16" ? "CAPNP_TWO_BYTES"
           : access == "u32" ? "CAPNP_FOUR_BYTES"
           : access == "u64" ? "CAPNP_EIGHT_BYTES"
           : type.isVoid()   ? "CAPNP_VOID"
                             : "CAPNP_POINTER";
}

static void list_elements(const Model &model, Type::Reader element, const std::string &from, const std::string &to,
                          int depth);

/* Copies what the pointer `ref` leads to into `slot`, by type. */
static void pointer(const Model &model, Type::Reader type, const std::string &ref, const std::string &slot, int depth)
{
    std::string d = std::to_string(depth);
    if (type.isText()) {
        put("capnp_set_text(" + slot + ", capnp_read_text(" + ref + "));");
    } else if (type.isData()) {
        put("capnp_set_data(" + slot + ", capnp_read_data(" + ref + "));");
    } else if (type.isStruct()) {
        std::string name = model.name(type.getStruct().getTypeId());
        put("transcode_" + name + "(" + name + "_of(" + ref + "), " + name + "_init_at(" + slot + "));");
    } else if (type.isList()) {
        Type::Reader element = type.getList().getElementType();
        if (element.isStruct()) {
            std::string name = model.name(element.getStruct().getTypeId());
            put("struct " + name + "_readers from" + d + " = " + name + "_list_of(" + ref + ");");
            put("struct " + name + "_builders to" + d + " = " + name + "_list_init(" + slot + ", from" + d +
                ".l.count);");
        } else {
            std::string kind = element_name(element);
            put("struct capnp_list from" + d + " = capnp_read_list(" + ref + ", " + kind + ");");
            put("struct capnp_list_builder to" + d + " = capnp_init_list(" + slot + ", " + kind + ", from" + d +
                ".count);");
        }
        list_elements(model, element, "from" + d, "to" + d, depth);
    } else {
        put("capnp_set_any(" + slot + ", " + ref + ");");
    }
}

static void list_elements(const Model &model, Type::Reader element, const std::string &from, const std::string &to,
                          int depth)
{
    std::string i = "i" + std::to_string(depth), access = element_access(element);
    if (element.isVoid()) {
        put("(void)" + from + ";\n(void)" + to + ";");
        return;
    }
    std::string count = element.isStruct() ? from + ".l.count" : from + ".count";
    put("for (uint32_t " + i + " = 0; " + i + " < " + count + "; " + i + "++) {");
    if (!access.empty()) {
        put("capnp_list_put_" + access + "(" + to + ", " + i + ", capnp_list_" + access + "(" + from + ", " + i +
            "));");
    } else if (element.isStruct()) {
        std::string name = model.name(element.getStruct().getTypeId());
        put("transcode_" + name + "(" + name + "_at(" + from + ", " + i + "), " + name + "_builder_at(" + to + ", " +
            i + "));");
    } else {
        std::string ref = "capnp_list_ref(" + from + ", " + i + ")";
        put("if (capnp_kind(" + ref + ") != CAPNP_KIND_NULL) {");
        pointer(model, element, ref, "capnp_list_slot(" + to + ", " + i + ")", depth + 1);
        put("}");
    }
    put("}");
}

static void slot(const Model &model, Field::Reader field, const std::string &owner)
{
    Type::Reader type = field.getSlot().getType();
    std::string name = model.own_name(field);
    std::string getter = owner + "_get_" + name, setter = owner + "_set_" + name, init = owner + "_init_" + name;
    bool member = field.getDiscriminantValue() != Field::NO_DISCRIMINANT;
    if (type.isVoid()) {
        if (member) {
            put(setter + "(b);");
        }
        return;
    }
    if (is_cap(type)) {
        put(setter + "(b, NULL);");
        return;
    }
    if (!element_access(type).empty()) {
        std::string bits = type.isFloat32() || type.isFloat64() ? "_bits" : "";
        put(setter + bits + "(b, " + getter + bits + "(r));");
        return;
    }
    if (member) { /* Chosen, even if it is null. */
        put("capnp_put_u16(b.s, " + owner + "_tag_at, " + std::to_string(field.getDiscriminantValue()) + ");");
    }
    put("if (" + owner + "_has_" + name + "(r)) {");
    if (type.isText() || type.isData()) {
        put(setter + "(b, " + getter + "(r));");
    } else if (type.isStruct()) {
        put("transcode_" + model.name(type.getStruct().getTypeId()) + "(" + getter + "(r), " + init + "(b));");
    } else if (type.isList()) {
        Type::Reader element = type.getList().getElementType();
        std::string count = getter + "(r)" + (element.isStruct() ? ".l.count" : ".count");
        std::string n = element.isStruct() ? "struct " + model.name(element.getStruct().getTypeId()) : "";
        put((n.empty() ? std::string("struct capnp_list") : n + "_readers") + " from = " + getter + "(r);");
        put((n.empty() ? std::string("struct capnp_list_builder") : n + "_builders") + " to = " + init + "(b, " +
            count + ");");
        list_elements(model, element, "from", "to", 0);
    } else {
        put(setter + "(b, " + getter + "(r));");
    }
    put("}");
}

static void structure(const Model &model, Node::Reader node)
{
    std::string name = model.name(node.getId());
    auto s = node.getStruct();
    for (auto field : s.getFields()) {
        if (field.isGroup()) {
            structure(model, model.node(field.getGroup().getTypeId()));
        }
    }
    put("enum { " + name + "_tag_at = " + std::to_string(s.getDiscriminantOffset() * 2) + " };");
    put("static void transcode_" + name + "(struct " + name + "_reader r, struct " + name + "_builder b)\n{");
    put("(void)r; (void)b;");
    auto one = [&](Field::Reader field) {
        if (field.isGroup()) {
            std::string inner = model.name(field.getGroup().getTypeId());
            std::string verb = field.getDiscriminantValue() == Field::NO_DISCRIMINANT ? "_edit_" : "_init_";
            std::string own = model.own_name(field);
            put("transcode_" + inner + "(" + name + "_get_" + own + "(r), " + name + verb + own + "(b));");
        } else {
            slot(model, field, name);
        }
    };
    for (auto field : s.getFields()) {
        if (field.getDiscriminantValue() == Field::NO_DISCRIMINANT) {
            one(field);
        }
    }
    if (s.getDiscriminantCount() > 0) {
        put("switch (" + name + "_get_which(r)) {");
        for (auto field : s.getFields()) {
            if (field.getDiscriminantValue() != Field::NO_DISCRIMINANT) {
                put("case " + upper(name + "_which_" + model.own_name(field)) + ": {");
                one(field);
                put("break;\n}");
            }
        }
        put("}");
    }
    put("}");
}

int main()
{
    capnp::ReaderOptions options;
    options.traversalLimitInWords = 1 << 30;
    capnp::StreamFdMessageReader message(0, options);
    auto request = message.getRoot<CodeGeneratorRequest>();
    Model model(request);
    for (auto file : request.getRequestedFiles()) {
        std::string name = file.getFilename().cStr(), cases, prototypes;
        out.clear();
        for (uint64_t id : model.declared(file.getId())) {
            Node::Reader node = model.node(id);
            if (!node.isStruct() || node.getStruct().getIsGroup()) {
                continue;
            }
            std::string c = model.name(id);
            prototypes += "static void transcode_" + c + "(struct " + c + "_reader r, struct " + c + "_builder b);\n";
            structure(model, node);
            put("static void case_" + c + "(struct payload from, struct payload to)\n{\ntranscode_" + c + "(" + c +
                "_read(from), " + c + "_init(to));\n}");
            cases += "{\"" + c + "\", " + hex(id) + "ull, " + c + "_check, case_" + c + "},\n";
        }
        std::ofstream file_out(name + ".transcode.c");
        file_out << "/* Generated by test/interop/transcode.c++. */\n#include \"shim.h\"\n#include INTEROP_HEADER\n"
                 << prototypes << out << "const struct interop_case interop_cases[] = {\n"
                 << cases << "};\n"
                 << "const unsigned interop_case_count = sizeof(interop_cases) / sizeof(interop_cases[0]);\n";
    }
    return 0;
}

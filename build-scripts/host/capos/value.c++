/* SPDX-License-Identifier: MIT OR Apache-2.0
 * value.c++: printing values and types.
 *
 * capnp::TextCodec writes a capability as "<external capability>" and JsonCodec throws at one; most answers of an
 * image are capabilities, so the printing is ours. Depth is bounded by the reader's own nesting limit.
 */
#include "value.h"

#include "text.h"

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <set>

namespace capos
{

using capnp::DynamicValue;

/* What is not printable is escaped, so that the text can be shown and read back. */
static std::string escape_of(const std::string &text, size_t at, const Glyph &glyph, Form form)
{
    char escape[8];
    std::string out;
    if (text[at] == '\n') {
        return "\\n";
    }
    if (form == Form::JSON) {
        snprintf(escape, sizeof escape, "\\u%04x", glyph.code & 0xffffU);
        return escape;
    }
    for (size_t i = 0; i < glyph.bytes; i++) {
        snprintf(escape, sizeof escape, "\\x%02x", static_cast<unsigned>(static_cast<unsigned char>(text[at + i])));
        out += escape;
    }
    return out;
}

static std::string quoted(const std::string &text, Form form)
{
    std::string out = "\"";
    for (size_t at = 0; at < text.size();) {
        Glyph glyph = glyph_at(text, at);
        out += text[at] == '"' || text[at] == '\\' ? "\\" : "";
        out += glyph.shown ? text.substr(at, glyph.bytes) : escape_of(text, at, glyph, form);
        at += glyph.bytes;
    }
    return out + "\"";
}

static std::string data_text(capnp::Data::Reader data, Form form)
{
    std::string out = form == Form::JSON ? "[" : "0x\"";
    char piece[8];
    for (size_t i = 0; i < data.size(); i++) {
        const char *format = form == Form::TEXT ? "%02x" : i == 0 ? "%u" : ", %u";
        snprintf(piece, sizeof piece, format, data[i]);
        out += piece;
    }
    return out + (form == Form::JSON ? "]" : "\"");
}

static std::string float_text(double value, Form form)
{
    if (form == Form::JSON && !std::isfinite(value)) {
        return std::isnan(value) ? "\"NaN\"" : value > 0 ? "\"Infinity\"" : "\"-Infinity\"";
    }
    return kj::str(value).cStr();
}

static std::string integer_text(const std::string &digits, capnp::Type type, Form form)
{
    bool wide = type.isInt64() || type.isUInt64();
    return form == Form::JSON && wide ? "\"" + digits + "\"" : digits;
}

static std::string typed_text(const DynamicValue::Reader &value, capnp::Type type, Form form);

static std::string list_text(const capnp::DynamicList::Reader &list, Form form)
{
    std::string out = "[";
    for (auto element : list) {
        out += out.size() > 1 ? ", " : "";
        out += typed_text(element, list.getSchema().getElementType(), form);
    }
    return out + "]";
}

static std::string enum_text(const capnp::DynamicEnum &value, Form form)
{
    KJ_IF_MAYBE (enumerant, value.getEnumerant()) {
        std::string name = enumerant->getProto().getName().cStr();
        return form == Form::JSON ? quoted(name, form) : plain(name);
    }
    return std::to_string(value.getRaw()); /* newer than the schema */
}

static std::string struct_text(const capnp::DynamicStruct::Reader &value, Form form)
{
    std::string out;
    auto add = [&](capnp::StructSchema::Field field) {
        std::string name = field.getProto().getName().cStr();
        out += out.empty() ? "" : ", ";
        out += form == Form::JSON ? quoted(name, form) + ": " : plain(name) + " = ";
        out += typed_text(value.get(field), field.getType(), form);
    };
    for (auto field : value.getSchema().getNonUnionFields()) {
        if (value.has(field)) {
            add(field);
        }
    }
    KJ_IF_MAYBE (field, value.which()) {
        add(*field);
    }
    return form == Form::JSON ? "{" + out + "}" : "(" + out + ")";
}

static std::string interface_text(const std::string &name, Form form)
{
    return form == Form::JSON ? "{\"interface\": " + quoted(name, form) + "}" : "<" + plain(name) + ">";
}

/* Integers come out of a DynamicValue as the widest of their sign, so the declared type decides how JSON sees them. */
static std::string typed_text(const DynamicValue::Reader &value, capnp::Type type, Form form)
{
    switch (value.getType()) {
    case DynamicValue::UNKNOWN:
        return form == Form::JSON ? "null" : "unknown";
    case DynamicValue::VOID:
        return form == Form::JSON ? "null" : "void";
    case DynamicValue::BOOL:
        return value.as<bool>() ? "true" : "false";
    case DynamicValue::INT:
        return integer_text(std::to_string(value.as<int64_t>()), type, form);
    case DynamicValue::UINT:
        return integer_text(std::to_string(value.as<uint64_t>()), type, form);
    case DynamicValue::FLOAT:
        return float_text(value.as<double>(), form);
    case DynamicValue::TEXT:
        return quoted(value.as<capnp::Text>().cStr(), form);
    case DynamicValue::DATA:
        return data_text(value.as<capnp::Data>(), form);
    case DynamicValue::LIST:
        return list_text(value.as<capnp::DynamicList>(), form);
    case DynamicValue::ENUM:
        return enum_text(value.as<capnp::DynamicEnum>(), form);
    case DynamicValue::STRUCT:
        return struct_text(value.as<capnp::DynamicStruct>(), form);
    case DynamicValue::CAPABILITY:
        return interface_text(type_text(type), form);
    case DynamicValue::ANY_POINTER:
        return interface_text(value.as<capnp::AnyPointer>().isCapability() ? "Capability" : "AnyPointer", form);
    }
    return "";
}

std::string value_text(const DynamicValue::Reader &value, Form form)
{
    return typed_text(value, capnp::Type(capnp::schema::Type::VOID), form);
}

std::string short_name(const capnp::Schema &schema)
{
    auto proto = schema.getProto();
    return proto.getDisplayName().cStr() + proto.getDisplayNamePrefixLength();
}

std::vector<capnp::InterfaceSchema::Method> methods_of(capnp::InterfaceSchema interface)
{
    std::set<uint64_t> seen = {interface.getProto().getId()};
    std::vector<capnp::InterfaceSchema> all = {interface};
    std::vector<capnp::InterfaceSchema::Method> out;
    for (size_t i = 0; i < all.size(); i++) {
        for (auto method : all[i].getMethods()) {
            out.push_back(method);
        }
        for (auto base : all[i].getSuperclasses()) {
            if (seen.insert(base.getProto().getId()).second) {
                all.push_back(base);
            }
        }
    }
    return out;
}

std::string type_text(capnp::Type type)
{
    static const char *const plain[] = {"Void",   "Bool",   "Int8",   "Int16",   "Int32",   "Int64", "UInt8",
                                        "UInt16", "UInt32", "UInt64", "Float32", "Float64", "Text",  "Data"};
    if (type.isList()) {
        return "List(" + type_text(type.asList().getElementType()) + ")";
    }
    if (type.isStruct()) {
        return short_name(type.asStruct());
    }
    if (type.isEnum()) {
        return short_name(type.asEnum());
    }
    if (type.isInterface()) {
        return short_name(type.asInterface());
    }
    if (type.isAnyPointer()) {
        return type.whichAnyPointerKind() == capnp::schema::Type::AnyPointer::Unconstrained::CAPABILITY ? "Capability"
                                                                                                        : "AnyPointer";
    }
    return plain[static_cast<size_t>(type.which())];
}

} // namespace capos

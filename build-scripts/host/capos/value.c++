/* SPDX-License-Identifier: MIT OR Apache-2.0
 * value.c++: printing values and types.
 *
 * capnp::TextCodec writes a capability as "<external capability>" and JsonCodec throws at one; most answers of an
 * image are capabilities, so the printing is ours. Depth is bounded by the reader's own nesting limit.
 */
#include "value.h"

#include <cmath>
#include <cstdint>
#include <cstdio>

namespace capos
{

using capnp::DynamicValue;

static std::string quoted(kj::StringPtr text, Form form)
{
    std::string out = "\"";
    for (char c : text) {
        unsigned char byte = static_cast<unsigned char>(c);
        char escape[8];
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (c == '\n') {
            out += "\\n";
        } else if (byte < 0x20 || byte == 0x7f) {
            snprintf(escape, sizeof escape, form == Form::JSON ? "\\u%04x" : "\\x%02x", byte);
            out += escape;
        } else {
            out += c;
        }
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
        return form == Form::JSON ? "\"" + name + "\"" : name;
    }
    return std::to_string(value.getRaw()); /* newer than the schema */
}

static std::string struct_text(const capnp::DynamicStruct::Reader &value, Form form)
{
    std::string out;
    auto add = [&](capnp::StructSchema::Field field) {
        std::string name = field.getProto().getName().cStr();
        out += out.empty() ? "" : ", ";
        out += form == Form::JSON ? "\"" + name + "\": " : name + " = ";
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
    return form == Form::JSON ? "{\"interface\": \"" + name + "\"}" : "<" + name + ">";
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
        return quoted(value.as<capnp::Text>(), form);
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

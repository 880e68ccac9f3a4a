/* SPDX-License-Identifier: MIT OR Apache-2.0
 * types.c++: C types, enums, constants, and the shapes that capnp_check compares messages with.
 */
#include "emit.h"
#include <capnp/any.h>
#include <capnp/message.h>
#include <cstring>

unsigned scalar_bits(Type::Reader type)
{
    switch (type.which()) {
    case Type::BOOL:
        return 1;
    case Type::INT8:
    case Type::UINT8:
        return 8;
    case Type::INT16:
    case Type::UINT16:
    case Type::ENUM:
        return 16;
    case Type::INT32:
    case Type::UINT32:
    case Type::FLOAT32:
        return 32;
    case Type::INT64:
    case Type::UINT64:
    case Type::FLOAT64:
        return 64;
    default:
        return 0;
    }
}

template <typename To, typename From> static To bits_of(From value)
{
    To bits;
    static_assert(sizeof(bits) == sizeof(value), "a pattern, not a conversion");
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

uint64_t scalar_value(Value::Reader value)
{
    switch (value.which()) {
    case Value::BOOL:
        return value.getBool();
    case Value::INT8:
        return static_cast<uint8_t>(value.getInt8());
    case Value::INT16:
        return static_cast<uint16_t>(value.getInt16());
    case Value::INT32:
        return static_cast<uint32_t>(value.getInt32());
    case Value::INT64:
        return static_cast<uint64_t>(value.getInt64());
    case Value::UINT8:
        return value.getUint8();
    case Value::UINT16:
        return value.getUint16();
    case Value::UINT32:
        return value.getUint32();
    case Value::UINT64:
        return value.getUint64();
    case Value::FLOAT32:
        return bits_of<uint32_t>(value.getFloat32());
    case Value::FLOAT64:
        return bits_of<uint64_t>(value.getFloat64());
    case Value::ENUM:
        return value.getEnum();
    default:
        return 0;
    }
}

bool is_pointer(Type::Reader type)
{
    return scalar_bits(type) == 0 && !type.isVoid();
}

bool is_known_struct(const Model &model, Type::Reader type)
{
    return type.isStruct() && model.known(type.getStruct().getTypeId());
}

bool is_cap(Type::Reader type)
{
    return type.isInterface() || (type.isAnyPointer() && type.getAnyPointer().isUnconstrained() &&
                                  type.getAnyPointer().getUnconstrained().isCapability());
}

const char *element_name(const Model &, Type::Reader element)
{
    switch (scalar_bits(element)) {
    case 1:
        return "CAPNP_BIT";
    case 8:
        return "CAPNP_BYTE";
    case 16:
        return "CAPNP_TWO_BYTES";
    case 32:
        return "CAPNP_FOUR_BYTES";
    case 64:
        return "CAPNP_EIGHT_BYTES";
    default:
        break;
    }
    return element.isVoid() ? "CAPNP_VOID" : element.isStruct() ? "CAPNP_STRUCT" : "CAPNP_POINTER";
}

void Header::types(uint64_t id)
{
    Node::Reader node = model.node(id);
    const std::string &name = model.name(id);
    if (node.isEnum()) {
        enumeration(node);
    }
    if (node.isInterface()) {
        claim(upper(name) + "_ID");
        put("#define $0_ID $1ull\n#define $0_NAME \"$2\"\n",
            {upper(name), hex(id), node.getDisplayName().cStr() + node.getDisplayNamePrefixLength()});
    }
    if (!node.isStruct()) {
        return;
    }
    claim("struct " + name + "_reader");
    put("struct $0_reader {\n    struct capnp_reader s;\n};\nstruct $0_builder {\n    struct capnp_builder s;\n};\n",
        {name});
    if (!node.getStruct().getIsGroup()) {
        put("struct $0_readers {\n    struct capnp_list l;\n};\nstruct $0_builders {\n    struct capnp_list_builder "
            "l;\n};\n"
            "static const struct capnp_shape $0_shape;\n",
            {name});
    }
    if (node.getStruct().getDiscriminantCount() > 0) {
        which_enum(node);
    }
}

void Header::enumeration(Node::Reader node)
{
    const std::string &name = model.name(node.getId());
    claim("enum " + name);
    put("enum $0 {\n", {name});
    unsigned value = 0;
    for (auto enumerant : node.getEnum().getEnumerants()) {
        std::string constant = upper(name + "_" + model.own_name(enumerant));
        claim(constant);
        put("    $0 = $1,\n", {constant, std::to_string(value++)});
    }
    put("};\n");
}

void Header::which_enum(Node::Reader node)
{
    const std::string &name = model.name(node.getId());
    claim("enum " + name + "_which");
    put("enum $0_which {\n", {name});
    for (auto field : node.getStruct().getFields()) {
        if (field.getDiscriminantValue() != Field::NO_DISCRIMINANT) {
            std::string constant = upper(name + "_which_" + model.own_name(field));
            claim(constant);
            put("    $0 = $1,\n", {constant, std::to_string(field.getDiscriminantValue())});
        }
    }
    put("};\n");
}

void Header::includes()
{
    for (auto import : file.getImports()) {
        std::string name = import.getName().cStr();
        if (name.rfind("/capnp/", 0) == 0 || model.declared(import.getId()).empty()) {
            continue;
        }
        put("#include \"$0.h\"\n", {name[0] == '/' ? name.substr(1) : name});
    }
}

/* A pointer value as a one-segment message, in a table. */
std::string Header::words(const std::string &name, Type::Reader, Value::Reader value)
{
    capnp::MallocMessageBuilder message(1 << 17, capnp::AllocationStrategy::FIXED_SIZE);
    auto root = message.getRoot<capnp::AnyPointer>();
    switch (value.which()) {
    case Value::TEXT:
        root.setAs<capnp::Text>(value.getText());
        break;
    case Value::DATA:
        root.setAs<capnp::Data>(value.getData());
        break;
    case Value::LIST:
        root.set(value.getList());
        break;
    case Value::STRUCT:
        root.set(value.getStruct());
        break;
    case Value::ANY_POINTER:
        root.set(value.getAnyPointer());
        break;
    default:
        return "";
    }
    auto segments = message.getSegmentsForOutput();
    if (segments.size() != 1) {
        throw Refused(name + ": the value is too large");
    }
    claim(name);
    put("static const uint64_t $0[] = {", {name});
    for (const capnp::word &word : segments[0]) {
        uint64_t bits;
        memcpy(&bits, &word, sizeof(bits));
        put("$0ull, ", {hex(bits)});
    }
    put("};\n");
    return name;
}

static std::string quoted(const char *text)
{
    std::string out = "\"";
    for (; *text != 0; text++) {
        char escaped[8];
        unsigned char c = static_cast<unsigned char>(*text);
        snprintf(escaped, sizeof(escaped), c < ' ' || c > '~' || c == '"' || c == '\\' || c == '?' ? "\\%03o" : "%c",
                 c);
        out += escaped;
    }
    return out + "\"";
}

void Header::constant(Node::Reader node)
{
    std::string name = upper(model.name(node.getId()));
    Type::Reader type = node.getConst().getType();
    Value::Reader value = node.getConst().getValue();
    claim(name);
    if (type.isText()) {
        put("#define $0 $1\n", {name, quoted(value.getText().cStr())});
    } else if (type.isFloat32() || type.isFloat64()) {
        put("#define $0_BITS $1$2\n", {name, hex(scalar_value(value)), type.isFloat32() ? "u" : "ull"});
    } else if (type.isBool()) {
        put("#define $0 $1\n", {name, value.getBool() ? "true" : "false"});
    } else if (scalar_bits(type) > 0) {
        static const char *const c_types[] = {"int8_t",  "int16_t",  "int32_t",  "int64_t",
                                              "uint8_t", "uint16_t", "uint32_t", "uint64_t"};
        std::string c_type =
            type.isEnum() ? (model.known(type.getEnum().getTypeId()) ? "enum " + model.name(type.getEnum().getTypeId())
                                                                     : "uint16_t")
                          : c_types[type.which() - Type::INT8];
        put("#define $0 (($1)$2ull)\n", {name, c_type, hex(scalar_value(value))});
    } else if (is_pointer(type) && !is_cap(type)) {
        std::string table = words(name + "_WORDS", type, value);
        bool typed = is_known_struct(model, type);
        std::string c_type =
            typed ? "struct " + model.name(type.getStruct().getTypeId()) + "_reader" : "struct capnp_ref";
        std::string ref = "capnp_constant(" + table + ")";
        function(c_type, snake(model.name(node.getId())), "void",
                 typed ? "    return (" + c_type + "){capnp_read_struct(" + ref + ")};\n"
                       : "    return " + ref + ";\n");
    }
}

/* The initialiser of a struct capnp_type; helper constants that it needs are put before. */
std::string Header::type_shape(Type::Reader type, const std::string &base)
{
    if (type.isText()) {
        return "{.kind = CAPNP_TYPE_TEXT}";
    }
    if (type.isData()) {
        return "{.kind = CAPNP_TYPE_DATA}";
    }
    if (is_cap(type)) {
        return "{.kind = CAPNP_TYPE_CAP}";
    }
    if (type.isStruct()) {
        uint64_t id = type.getStruct().getTypeId();
        return "{.kind = CAPNP_TYPE_STRUCT" + (model.known(id) ? ", .shape = &" + model.name(id) + "_shape}" : "}");
    }
    if (!type.isList()) {
        return "{.kind = CAPNP_TYPE_ANY}";
    }
    Type::Reader element = type.getList().getElementType();
    std::string out = std::string("{.kind = CAPNP_TYPE_LIST, .element = ") + element_name(model, element);
    if (is_known_struct(model, element)) {
        out += ", .shape = &" + model.name(element.getStruct().getTypeId()) + "_shape";
    } else if (is_pointer(element) && !element.isStruct()) {
        std::string inner = type_shape(element, base);
        std::string name = base + "_type_" + std::to_string(++shapes);
        claim(name);
        put("static const struct capnp_type $0 = $1;\n", {name, inner});
        out += ", .inner = &" + name;
    }
    return out + "}";
}

/* Pointers of a struct and of the groups in it, each with what must be chosen for it to exist. */
void Header::members(Node::Reader node, const std::string &when, const std::string &base, std::string &list)
{
    auto structure = node.getStruct();
    for (auto field : structure.getFields()) {
        std::string here = when;
        bool matters = field.isGroup() || is_pointer(field.getSlot().getType());
        if (matters && field.getDiscriminantValue() != Field::NO_DISCRIMINANT) {
            here = base + "_when_" + std::to_string(++shapes);
            claim(here);
            put("static const struct capnp_when $0 = {.outer = $1, .offset = $2, .tag = $3};\n",
                {here, when.empty() ? "NULL" : "&" + when, std::to_string(structure.getDiscriminantOffset() * 2),
                 std::to_string(field.getDiscriminantValue())});
        }
        if (field.isGroup()) {
            members(model.node(field.getGroup().getTypeId()), here, base, list);
        } else if (matters) {
            std::string type = type_shape(field.getSlot().getType(), base);
            list += "    {.when = " + (here.empty() ? "NULL" : "&" + here) +
                    ", .pointer = " + std::to_string(field.getSlot().getOffset()) + ", .type = " + type + "},\n";
        }
    }
}

void Header::shape(Node::Reader node)
{
    const std::string &name = model.name(node.getId());
    std::string list;
    shapes = 0;
    members(node, "", name, list);
    claim(name + "_shape");
    if (list.empty()) {
        put("static const struct capnp_shape $0_shape = {NULL, 0};\n", {name});
        return;
    }
    put("static const struct capnp_member $0_members[] = {\n$1};\n"
        "static const struct capnp_shape $0_shape = {$0_members, sizeof($0_members) / sizeof($0_members[0])};\n",
        {name, list});
}

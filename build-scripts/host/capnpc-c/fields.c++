/* SPDX-License-Identifier: MIT OR Apache-2.0
 * fields.c++: the functions of a struct: one getter and the builders of each field.
 *
 * A member of a union reads as its default while another is chosen; every way of building one chooses it.
 */
#include "emit.h"

static std::string number(uint64_t value)
{
    return std::to_string(value);
}

void Header::structure(Node::Reader node)
{
    const std::string &name = model.name(node.getId());
    auto structure = node.getStruct();
    if (!structure.getIsGroup()) {
        shape(node);
        whole(node);
    }
    function("struct " + name + "_reader", name + "_as_reader", "struct " + name + "_builder b",
             "    return (struct " + name + "_reader){capnp_builder_reader(b.s)};\n");
    if (structure.getDiscriminantCount() > 0) {
        function("enum " + name + "_which", name + "_get_which", "struct " + name + "_reader r",
                 "    return (enum " + name + "_which)capnp_get_u16(r.s, " +
                     number(structure.getDiscriminantOffset() * 2) + ");\n");
    }
    for (auto one : structure.getFields()) {
        field(node, one);
    }
}

/* The struct as a whole: at a payload, at an AnyPointer, in lists. */
void Header::whole(Node::Reader node)
{
    const std::string &name = model.name(node.getId());
    std::string reader = "struct " + name + "_reader", builder = "struct " + name + "_builder";
    function(reader, name + "_of", "struct capnp_ref ref", "    return (" + reader + "){capnp_read_struct(ref)};\n");
    function(reader, name + "_read", "struct payload p",
             "    return (" + reader + "){capnp_read_struct(capnp_payload_ref(p))};\n");
    function("bool", name + "_check", "struct payload p",
             "    return capnp_check(capnp_payload_ref(p), &" + name + "_shape);\n");
    function(builder, name + "_init_at", "struct capnp_slot slot",
             "    return (" + builder + "){" + init_slot(node.getId(), "slot") + "};\n");
    function(builder, name + "_init", "struct payload p",
             "    return (" + builder + "){" + init_slot(node.getId(), "capnp_payload_slot(p)") + "};\n");
    function("uint32_t", name + "_count", "struct " + name + "_readers l", "    return l.l.count;\n");
    function(reader, name + "_at", "struct " + name + "_readers l, uint32_t i",
             "    return (" + reader + "){capnp_list_struct(l.l, i)};\n");
    function("uint32_t", name + "_builder_count", "struct " + name + "_builders l", "    return l.l.count;\n");
    function(builder, name + "_builder_at", "struct " + name + "_builders l, uint32_t i",
             "    return (" + builder + "){capnp_list_builder_struct(l.l, i)};\n");
    function("struct " + name + "_readers", name + "_list_of", "struct capnp_ref ref",
             "    return (struct " + name + "_readers){capnp_read_list(ref, CAPNP_STRUCT)};\n");
    auto s = node.getStruct();
    function("struct " + name + "_builders", name + "_list_init", "struct capnp_slot slot, uint32_t count",
             "    return (struct " + name + "_builders){capnp_init_struct_list(slot, count, " +
                 number(s.getDataWordCount()) + ", " + number(s.getPointerCount()) + ")};\n");
}

std::string Header::init_slot(uint64_t id, const std::string &slot)
{
    auto structure = model.node(id).getStruct();
    return "capnp_init_struct(" + slot + ", " + number(structure.getDataWordCount()) + ", " +
           number(structure.getPointerCount()) + ")";
}

void Header::field(Node::Reader node, Field::Reader field)
{
    Place place;
    place.owner = model.name(node.getId());
    place.name = model.own_name(field);
    place.from = "r.s";
    place.offset = field.isSlot() ? field.getSlot().getOffset() : 0;
    place.slot = place.edit = "capnp_slot(b.s, " + number(place.offset) + ")";
    if (field.getDiscriminantValue() != Field::NO_DISCRIMINANT) {
        std::string tag =
            number(node.getStruct().getDiscriminantOffset() * 2) + ", " + number(field.getDiscriminantValue());
        place.from = "capnp_member(r.s, " + tag + ")";
        place.choose = "    capnp_put_u16(b.s, " + tag + ");\n";
        place.edit = "capnp_member_slot(b.s, " + number(place.offset) + ", " + tag + ")";
    }
    if (field.isGroup()) {
        group(node, field, place);
    } else {
        slot(field, place);
    }
}

/* Statements that set every field of a group to its default. */
std::string Header::clear(Node::Reader node)
{
    std::string out;
    auto structure = node.getStruct();
    if (structure.getDiscriminantCount() > 0) {
        out += "    capnp_put_u16(b.s, " + number(structure.getDiscriminantOffset() * 2) + ", 0);\n";
    }
    for (auto field : structure.getFields()) {
        if (field.isGroup()) {
            out += clear(model.node(field.getGroup().getTypeId()));
            continue;
        }
        auto slot = field.getSlot();
        unsigned bits = scalar_bits(slot.getType());
        if (is_pointer(slot.getType())) {
            out += "    capnp_set_null(capnp_slot(b.s, " + number(slot.getOffset()) + "));\n";
        } else if (bits == 1) {
            out += "    capnp_put_bool(b.s, " + number(slot.getOffset()) + ", false);\n";
        } else if (bits > 0) {
            out += "    capnp_put_u" + number(bits) + "(b.s, " + number(slot.getOffset() * (bits / 8)) + ", 0);\n";
        }
    }
    return out;
}

void Header::group(Node::Reader node, Field::Reader field, const Place &place)
{
    Node::Reader inner = model.node(field.getGroup().getTypeId());
    std::string name = model.name(inner.getId());
    std::string builder = "struct " + name + "_builder";
    std::string param = "struct " + place.owner + "_builder b";
    structure(inner);
    function("struct " + name + "_reader", place.owner + "_get_" + place.name, "struct " + place.owner + "_reader r",
             "    return (struct " + name + "_reader){" + place.from + "};\n");
    function(builder, place.owner + "_init_" + place.name, param,
             clear(inner) + place.choose + "    return (" + builder + "){b.s};\n");
    std::string edit = "    return (" + builder + "){b.s};\n";
    if (!place.choose.empty()) {
        edit = "    if (capnp_get_u16(capnp_builder_reader(b.s), " +
               number(node.getStruct().getDiscriminantOffset() * 2) + ") != " + number(field.getDiscriminantValue()) +
               ") {\n        return " + place.owner + "_init_" + place.name + "(b);\n    }\n" + edit;
    }
    function(builder, place.owner + "_edit_" + place.name, param, edit);
}

void Header::slot(Field::Reader field, const Place &place)
{
    auto slot = field.getSlot();
    Type::Reader type = slot.getType();
    if (type.isVoid()) {
        if (!place.choose.empty()) {
            function("void", place.owner + "_set_" + place.name, "struct " + place.owner + "_builder b", place.choose);
        }
        return;
    }
    if (!is_pointer(type)) {
        scalar(place, type, slot.getDefaultValue());
        return;
    }
    std::string table;
    if (slot.getHadExplicitDefault() && !is_cap(type)) {
        table = words(place.owner + "_default_" + place.name, type, slot.getDefaultValue());
    }
    pointer(place, type, table);
}

void Header::scalar(const Place &place, Type::Reader type, Value::Reader value)
{
    static const char *const c_types[] = {"",        "bool",    "int8_t",   "int16_t",  "int32_t",
                                          "int64_t", "uint8_t", "uint16_t", "uint32_t", "uint64_t"};
    unsigned bits = scalar_bits(type);
    uint64_t default_bits = scalar_value(value);
    std::string flip = default_bits == 0 ? "" : " ^ " + hex(default_bits) + (bits == 64 ? "ull" : "u");
    std::string reader = "struct " + place.owner + "_reader r", builder = "struct " + place.owner + "_builder b, ";
    if (bits == 1) {
        std::string at = number(place.offset);
        function("bool", place.owner + "_get_" + place.name, reader,
                 "    return " + std::string(default_bits ? "!" : "") + "capnp_get_bool(" + place.from + ", " + at +
                     ");\n");
        function("void", place.owner + "_set_" + place.name, builder + "bool value",
                 place.choose + "    capnp_put_bool(b.s, " + at + ", " + (default_bits ? "!" : "") + "value);\n");
        return;
    }
    if (type.isFloat32() || type.isFloat64()) {
        floating(place, bits, flip);
        return;
    }
    std::string raw = "uint" + number(bits) + "_t";
    std::string c_type = raw;
    if (!type.isEnum()) {
        c_type = c_types[type.which()];
    } else if (model.known(type.getEnum().getTypeId())) {
        c_type = "enum " + model.name(type.getEnum().getTypeId());
    }
    std::string at = number(place.offset * (bits / 8));
    function(c_type, place.owner + "_get_" + place.name, reader,
             "    return (" + c_type + ")(capnp_get_u" + number(bits) + "(" + place.from + ", " + at + ")" + flip +
                 ");\n");
    function("void", place.owner + "_set_" + place.name, builder + c_type + " value",
             place.choose + "    capnp_put_u" + number(bits) + "(b.s, " + at + ", (" + raw + ")((" + raw + ")value" +
                 flip + "));\n");
}

/* As bits everywhere, as numbers where the compiler may use their registers. */
void Header::floating(const Place &place, unsigned bits, const std::string &flip)
{
    std::string raw = "uint" + number(bits) + "_t", real = bits == 32 ? "float" : "double";
    std::string at = number(place.offset * (bits / 8));
    std::string getter = place.owner + "_get_" + place.name, setter = place.owner + "_set_" + place.name;
    std::string reader = "struct " + place.owner + "_reader r", builder = "struct " + place.owner + "_builder b, ";
    function(raw, getter + "_bits", reader,
             "    return capnp_get_u" + number(bits) + "(" + place.from + ", " + at + ")" + flip + ";\n");
    function("void", setter + "_bits", builder + raw + " value",
             place.choose + "    capnp_put_u" + number(bits) + "(b.s, " + at + ", value" + flip + ");\n");
    put("#if CAPNP_FLOATS\n");
    function(real, getter, reader, "    return capnp_" + real + "(" + getter + "_bits(r));\n");
    function("void", setter, builder + real + " value",
             "    " + setter + "_bits(b, capnp_" + real + "_bits(value));\n");
    put("#endif\n");
}

void Header::pointer(const Place &place, Type::Reader type, const std::string &table)
{
    std::string reader = "struct " + place.owner + "_reader r", builder = "struct " + place.owner + "_builder b";
    std::string getter = place.owner + "_get_" + place.name, setter = place.owner + "_set_" + place.name;
    std::string index = number(place.offset);
    std::string ref = table.empty() ? "capnp_get_ref(" + place.from + ", " + index + ")"
                                    : "capnp_get_ref_or(" + place.from + ", " + index + ", " + table + ")";
    function("bool", place.owner + "_has_" + place.name, reader,
             "    return capnp_has(" + place.from + ", " + index + ");\n");
    if (is_known_struct(model, type)) {
        struct_field(place, type.getStruct().getTypeId(), table);
    } else if (type.isList()) {
        list_field(place, type.getList().getElementType(), table);
    } else if (type.isText() || type.isData()) {
        std::string kind = type.isText() ? "text" : "data";
        function("struct capnp_" + kind, getter, reader, "    return capnp_read_" + kind + "(" + ref + ");\n");
        function("void", setter, builder + ", struct capnp_" + kind + " value",
                 place.choose + "    capnp_set_" + kind + "(" + place.slot + ", value);\n");
        function("struct capnp_bytes", place.owner + "_init_" + place.name, builder + ", uint32_t size",
                 place.choose + "    return capnp_init_" + kind + "(" + place.slot + ", size);\n");
    } else if (is_cap(type)) {
        function("struct object *", getter, reader, "    return capnp_read_cap(" + ref + ");\n");
        function("void", setter, builder + ", struct object *value",
                 place.choose + "    capnp_set_cap(" + place.slot + ", value);\n");
    } else {
        function("struct capnp_ref", getter, reader, "    return " + ref + ";\n");
        function("struct capnp_slot", place.owner + "_slot_" + place.name, builder,
                 place.edit == place.slot ? "    return " + place.slot + ";\n" : "    return " + place.edit + ";\n");
        function("void", setter, builder + ", struct capnp_ref value",
                 place.choose + "    capnp_set_any(" + place.slot + ", value);\n");
    }
}

void Header::struct_field(const Place &place, uint64_t id, const std::string &table)
{
    std::string type = "struct " + model.name(id);
    std::string builder = "struct " + place.owner + "_builder b";
    std::string from = table.empty()
                           ? "capnp_get_ref(" + place.from + ", " + number(place.offset) + ")"
                           : "capnp_get_ref_or(" + place.from + ", " + number(place.offset) + ", " + table + ")";
    auto structure = model.node(id).getStruct();
    function(type + "_reader", place.owner + "_get_" + place.name, "struct " + place.owner + "_reader r",
             "    return (" + type + "_reader){capnp_read_struct(" + from + ")};\n");
    function(type + "_builder", place.owner + "_init_" + place.name, builder,
             place.choose + "    return (" + type + "_builder){" + init_slot(id, place.slot) + "};\n");
    function(type + "_builder", place.owner + "_edit_" + place.name, builder,
             "    return (" + type + "_builder){capnp_edit_struct(" + place.edit + ", " +
                 number(structure.getDataWordCount()) + ", " + number(structure.getPointerCount()) + ", " +
                 (table.empty() ? "NULL" : table) + ")};\n");
    function("void", place.owner + "_set_" + place.name, builder + ", " + type + "_reader value",
             place.choose + "    capnp_set_struct(" + place.slot + ", value.s);\n");
}

void Header::list_field(const Place &place, Type::Reader element, const std::string &table)
{
    bool typed = is_known_struct(model, element);
    std::string owner = place.owner, builder = "struct " + owner + "_builder b";
    std::string name = typed ? model.name(element.getStruct().getTypeId()) : "";
    std::string list = typed ? "struct " + name + "_readers" : "struct capnp_list";
    std::string built = typed ? "struct " + name + "_builders" : "struct capnp_list_builder";
    std::string kind = element_name(model, element), index = number(place.offset);
    std::string ref = table.empty() ? "capnp_get_ref(" + place.from + ", " + index + ")"
                                    : "capnp_get_ref_or(" + place.from + ", " + index + ", " + table + ")";
    std::string read = "capnp_read_list(" + ref + ", " + kind + ")";
    std::string edit = "capnp_edit_list(" + place.edit + ", " + kind + ", " + (table.empty() ? "NULL" : table) + ")";
    std::string init = "capnp_init_list(" + place.slot + ", " + kind + ", count)";
    if (typed) {
        auto structure = model.node(element.getStruct().getTypeId()).getStruct();
        std::string sizes = number(structure.getDataWordCount()) + ", " + number(structure.getPointerCount());
        init = "capnp_init_struct_list(" + place.slot + ", count, " + sizes + ")";
        edit = "capnp_edit_struct_list(" + place.edit + ", " + sizes + ", " + (table.empty() ? "NULL" : table) + ")";
    }
    auto value = [&](const std::string &what, const std::string &type) {
        return "    return " + (typed ? "(" + type + "){" + what + "}" : what) + ";\n";
    };
    function(list, owner + "_get_" + place.name, "struct " + owner + "_reader r", value(read, list));
    if (typed || !element.isStruct()) {
        function(built, owner + "_init_" + place.name, builder + ", uint32_t count", place.choose + value(init, built));
        function(built, owner + "_edit_" + place.name, builder, value(edit, built));
    }
    function("void", owner + "_set_" + place.name, builder + ", " + list + " value",
             place.choose + "    capnp_set_list(" + place.slot + ", value" + (typed ? ".l" : "") + ", " + kind +
                 ");\n");
}

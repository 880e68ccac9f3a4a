/* SPDX-License-Identifier: MIT OR Apache-2.0
 * schemas.c++: prints a random schema, without the file's id: a few structs and enums whose names begin with R and the seed.
 * usage: schemas SEED
 */
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

static std::mt19937_64 chance;

static unsigned pick(unsigned below)
{
    return static_cast<unsigned>(chance() % below);
}

static const char *const scalars[] = {"Void",  "Bool",   "Int8",   "Int16",  "Int32",   "Int64",
                                      "UInt8", "UInt16", "UInt32", "UInt64", "Float32", "Float64"};

/* Structs that use each other, and enums. */
struct Schema {
    std::string name;
    unsigned structs = 1 + pick(4);
    unsigned enums = 1 + pick(2);

    std::string struct_name(unsigned i) const
    {
        return name + "S" + std::to_string(i);
    }
    std::string type(unsigned depth) const
    {
        switch (pick(depth > 2 ? 8 : 10)) {
        case 0:
        case 1:
        case 2:
            return scalars[pick(12)];
        case 3:
            return name + "E" + std::to_string(pick(enums));
        case 4:
            return "Text";
        case 5:
            return "Data";
        case 6:
            return struct_name(pick(structs));
        case 7:
            return depth > 0 && pick(2) ? "Text" : pick(3) ? "AnyPointer" : name + "G(Text, Data)";
        default: {
            std::string element = type(depth + 1);
            return "List(" + (element.rfind("AnyPointer", 0) == 0 ? "Text" : element) + ")";
        }
        }
    }
    /* A default, for types that may well have one. */
    static std::string value(const std::string &type)
    {
        if (pick(3)) {
            return "";
        }
        if (type == "Bool") {
            return " = true";
        }
        if (type == "Text") {
            return " = \"a default\"";
        }
        if (type == "Data") {
            return " = 0x\"01 02 03\"";
        }
        if (type == "List(UInt16)") {
            return " = [1, 2, 3]";
        }
        if (type == "Float32" || type == "Float64") {
            return " = -1.25";
        }
        if (type.rfind("Int", 0) == 0) {
            return " = -" + std::to_string(1 + pick(100));
        }
        return type.rfind("UInt", 0) == 0 ? " = " + std::to_string(1 + pick(200)) : "";
    }
    void fields(unsigned count, unsigned &ordinal, unsigned depth, bool in_union) const
    {
        std::string indent(4 * depth, ' ');
        for (unsigned i = 0; i < count; i++) {
            unsigned group = ordinal;
            if (depth < 4 && pick(8) == 0) {
                bool named_union = pick(2) == 0;
                printf("%sg%u :%s {\n", indent.c_str(), group, named_union ? "union" : "group");
                fields((named_union ? 2u : 1u) + pick(3), ordinal, depth + 1, named_union);
                printf("%s}\n", indent.c_str());
            } else {
                std::string t = type(0);
                printf("%sf%u @%u :%s%s;\n", indent.c_str(), ordinal, ordinal, t.c_str(), value(t).c_str());
                ordinal++;
            }
        }
        if (!in_union && depth < 4 && pick(3) == 0) {
            printf("%sunion {\n", indent.c_str());
            fields(2 + pick(4), ordinal, depth + 1, true);
            printf("%s}\n", indent.c_str());
        }
    }
    void print() const
    {
        for (unsigned i = 0; i < enums; i++) {
            printf("enum %sE%u { ", name.c_str(), i);
            for (unsigned v = 0; v < 2 + i; v++) {
                printf("v%u @%u; ", v, v);
            }
            printf("}\n");
        }
        printf("struct %sG(A, B) { a @0 :A; b @1 :B; }\n", name.c_str());
        for (unsigned i = 0; i < structs; i++) {
            unsigned ordinal = 0;
            printf("struct %s {\n", struct_name(i).c_str());
            fields(pick(12), ordinal, 1, false);
            printf("}\n");
        }
    }
};

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: schemas SEED\n");
        return 2;
    }
    chance.seed(strtoul(argv[1], nullptr, 10));
    Schema schema;
    schema.name = std::string("R") + argv[1];
    schema.print();
    return 0;
}

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * main.c++: capnpc-c, a plug-in of the capnp compiler: one C header of static functions and constants for each schema.
 *
 *     capnp compile -I build-scripts/schema -I components --src-prefix=components -o build/capnpc-c:OUT components/A/B/C.capnp
 *
 * writes OUT/A/B/C.capnp.h. What the names are made of and what stands in a header: components/lib/capnp/README.md.
 */
#include "emit.h"
#include <capnp/serialize.h>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sys/stat.h>

Header::Header(const Model &model, CodeGeneratorRequest::RequestedFile::Reader file) : model(model), file(file)
{
}

void Header::put(const char *format, std::initializer_list<std::string> values)
{
    for (const char *c = format; *c != 0; c++) {
        if (*c == '$' && c[1] >= '0' && c[1] <= '9') {
            text += values.begin()[*++c - '0'];
        } else {
            text += *c;
        }
    }
}

void Header::claim(const std::string &name)
{
    if (!claimed.insert(name).second) {
        throw Refused(std::string(file.getFilename().cStr()) + ": two things are called '" + name +
                      "' in C; give one of them another name: using C = import \"/c.capnp\"; ... $C.name(\"other\")");
    }
}

void Header::function(const std::string &type, const std::string &name, const std::string &params,
                      const std::string &body, const char *room)
{
    claim(name);
    bool pointer = type.back() == '*';
    text += "static inline " + type + (pointer ? "" : " ") + name + "(" + params + ")" + room + "\n{\n" + body + "}\n";
}

std::string Header::generate()
{
    std::vector<uint64_t> declared = model.declared(file.getId());
    put("/* Generated from $0 by capnpc-c. Do not edit. */\n#pragma once\n#include \"lib/capnp/capnp.h\"\n\n",
        {file.getFilename().cStr()});
    for (uint64_t id : declared) {
        types(id);
    }
    /* After our types, so that two files may import each other. */
    includes();
    for (uint64_t id : declared) {
        Node::Reader node = model.node(id);
        if (node.isConst()) {
            constant(node);
        } else if (node.isStruct() && !node.getStruct().getIsGroup()) {
            structure(node);
        }
    }
    for (uint64_t id : declared) {
        if (model.node(id).isInterface()) {
            interface(id);
        }
    }
    return text;
}

/* Makes the folders on the way to a file. */
static void make_folders(const std::string &path)
{
    for (size_t i = path.find('/', 1); i != std::string::npos; i = path.find('/', i + 1)) {
        mkdir(path.substr(0, i).c_str(), 0777); /* There already, or the write below says why not. */
    }
}

static void write_file(const std::string &path, const std::string &text)
{
    make_folders(path);
    std::ofstream out(path, std::ios::binary);
    out << text;
    if (!out.flush()) {
        throw Refused("cannot write " + path + ": " + strerror(errno));
    }
}

int main()
{
    try {
        capnp::ReaderOptions options;
        options.traversalLimitInWords = 1 << 30; /* It comes from the compiler. */
        capnp::StreamFdMessageReader message(0, options);
        auto request = message.getRoot<CodeGeneratorRequest>();
        Model model(request);
        for (auto file : request.getRequestedFiles()) {
            write_file(std::string(file.getFilename().cStr()) + ".h", Header(model, file).generate());
        }
    } catch (const Refused &refused) {
        std::cerr << "capnpc-c: " << refused.what() << "\n";
        return 1;
    } catch (const kj::Exception &exception) {
        std::cerr << "capnpc-c: " << exception.getDescription().cStr() << "\n";
        return 1;
    }
    return 0;
}

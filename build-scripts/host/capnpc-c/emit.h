/* SPDX-License-Identifier: MIT OR Apache-2.0
 * emit.h: the text of one header as it grows.
 */
#pragma once
#include "model.h"
#include <initializer_list>

class Header
{
  public:
    Header(const Model &model, CodeGeneratorRequest::RequestedFile::Reader file);
    std::string generate();

  private:
    /* Appends `format` with $0 to $9 replaced. */
    void put(const char *format, std::initializer_list<std::string> values = {});
    /* Refuses a C name that this header has given out already. */
    void claim(const std::string &name);
    /* "static inline TYPE NAME(PARAMS)\n{\nBODY}\n" */
    void function(const std::string &type, const std::string &name, const std::string &params, const std::string &body,
                  const char *room = "");

    /* types.c++ */
    void types(uint64_t id);
    void enumeration(Node::Reader node);
    void which_enum(Node::Reader node);
    void includes();
    void constant(Node::Reader node);
    void shape(Node::Reader node);
    void members(Node::Reader node, const std::string &when, const std::string &base, std::string &list);
    std::string type_shape(Type::Reader type, const std::string &base);
    std::string words(const std::string &name, Type::Reader type, Value::Reader value);

    /* fields.c++ */
    struct Place {          /* a field, where it stands */
        std::string owner;  /* C name of the struct or group */
        std::string name;   /* C name of the field */
        std::string from;   /* the reader to look in */
        std::string choose; /* the statement that chooses it in its union, or nothing */
        std::string slot;   /* the slot to build in */
        std::string edit;   /* the slot to go on in */
        uint32_t offset;    /* as in the schema */
    };
    void structure(Node::Reader node);
    void whole(Node::Reader node);
    void field(Node::Reader node, Field::Reader field);
    void group(Node::Reader node, Field::Reader field, const Place &place);
    std::string clear(Node::Reader node);
    void slot(Field::Reader field, const Place &place);
    void scalar(const Place &place, Type::Reader type, Value::Reader value);
    void floating(const Place &place, unsigned bits, const std::string &flip);
    void pointer(const Place &place, Type::Reader type, const std::string &words);
    void struct_field(const Place &place, uint64_t id, const std::string &words);
    void list_field(const Place &place, Type::Reader element, const std::string &words);
    std::string init_slot(uint64_t id, const std::string &slot);

    /* calls.c++ */
    void interface(uint64_t id);
    void server_ops(Node::Reader node);
    void method(Node::Reader node, uint32_t index);
    void serve(Node::Reader node);

    const Model &model;
    CodeGeneratorRequest::RequestedFile::Reader file;
    std::string text;
    std::set<std::string> claimed;
    std::set<uint64_t> interfaces_done;
    unsigned shapes = 0; /* helper constants so far */
};

/* enum capnp_element of a list's elements. */
const char *element_name(const Model &model, Type::Reader element);
/* Bits that a scalar takes, 0: void or a pointer. */
unsigned scalar_bits(Type::Reader type);
uint64_t scalar_value(Value::Reader value);
bool is_pointer(Type::Reader type);
/* A struct whose C type exists. */
bool is_known_struct(const Model &model, Type::Reader type);
bool is_cap(Type::Reader type);

/* SPDX-License-Identifier: MIT OR Apache-2.0
 * reference.c++: random messages of the reference implementation against ours, byte for byte in canonical form.
 *
 * For each struct of a schema: libcapnp builds a random message in segments of random size; C checks it, makes its
 * canonical form, reads it field by field and builds it anew; libcapnp reads that. All canonical forms must be the same.
 * usage: reference REQUEST ROUNDS SEED    (REQUEST: output of capnp compile -o-)
 */
#include "shim.h"
#include <capnp/any.h>
#include <capnp/dynamic.h>
#include <capnp/message.h>
#include <capnp/schema-loader.h>
#include <capnp/serialize-packed.h>
#include <capnp/serialize.h>
#include <cstring>
#include <fcntl.h>
#include <iostream>
#include <kj/io.h>
#include <random>

using namespace capnp;

static std::mt19937_64 chance;
static unsigned long left; /* things that may still be put into a message */

static unsigned pick(unsigned below)
{
    return static_cast<unsigned>(chance() % below);
}

static void fill(DynamicStruct::Builder builder, unsigned depth);
static void fill_list(DynamicList::Builder list, unsigned depth);

static std::string random_text()
{
    std::string text;
    for (unsigned n = pick(20); n > 0; n--) {
        text += static_cast<char>('a' + pick(26));
    }
    return text;
}
static unsigned random_count(Type element)
{
    unsigned most = element.isBool() ? 130 : element.isVoid() ? 40 : element.isStruct() || element.isList() ? 4 : 9;
    return left == 0 ? 0 : pick(most);
}

static DynamicValue::Reader random_scalar(Type type)
{
    uint64_t bits = pick(4) ? chance() : pick(3);
    switch (type.which()) {
    case schema::Type::BOOL:
        return (bits & 1) != 0;
    case schema::Type::INT8:
        return static_cast<int8_t>(bits);
    case schema::Type::INT16:
        return static_cast<int16_t>(bits);
    case schema::Type::INT32:
        return static_cast<int32_t>(bits);
    case schema::Type::INT64:
        return static_cast<int64_t>(bits);
    case schema::Type::UINT8:
        return static_cast<uint8_t>(bits);
    case schema::Type::UINT16:
        return static_cast<uint16_t>(bits);
    case schema::Type::UINT32:
        return static_cast<uint32_t>(bits);
    case schema::Type::UINT64:
        return bits;
    case schema::Type::FLOAT32:
        return static_cast<float>(static_cast<int32_t>(bits)) / 8;
    case schema::Type::FLOAT64:
        return static_cast<double>(static_cast<int64_t>(bits)) / 8;
    case schema::Type::ENUM:
        return DynamicEnum(type.asEnum(), static_cast<uint16_t>(bits));
    default:
        return VOID;
    }
}

static void fill_any(AnyPointer::Builder any)
{
    if (pick(2)) {
        any.setAs<Text>(random_text());
    } else {
        auto list = any.initAs<List<uint16_t>>(pick(9));
        for (auto i : kj::indices(list)) {
            list.set(i, static_cast<uint16_t>(chance()));
        }
    }
}

static void fill_field(DynamicStruct::Builder builder, StructSchema::Field field, unsigned depth)
{
    Type type = field.getType();
    if (field.getProto().isGroup()) {
        fill(builder.init(field).as<DynamicStruct>(), depth);
    } else if (type.isStruct()) {
        fill(builder.init(field).as<DynamicStruct>(), depth + 1);
    } else if (type.isList()) {
        fill_list(builder.init(field, random_count(type.asList().getElementType())).as<DynamicList>(), depth + 1);
    } else if (type.isText()) {
        builder.set(field, Text::Reader(random_text().c_str()));
    } else if (type.isData()) {
        std::string bytes = random_text();
        builder.set(field, Data::Reader(reinterpret_cast<const byte *>(bytes.data()), bytes.size()));
    } else if (type.isAnyPointer()) {
        fill_any(builder.init(field).as<AnyPointer>());
    } else if (!type.isInterface()) {
        builder.set(field, random_scalar(type));
    }
}

static bool too_much(Type type, unsigned depth)
{
    return (type.isStruct() || type.isList()) && (depth > 6 || left == 0);
}

static bool skipped(StructSchema::Field field, unsigned depth)
{
    Type type = field.getType();
    if (field.getProto().isGroup()) {
        return false;
    }
    /* Capabilities have no canonical form; AnyStruct, AnyList and Capability stay null. */
    bool odd = type.isInterface() || (type.isList() && type.asList().getElementType().isInterface());
    if (type.isAnyPointer()) {
        auto any = field.getProto().getSlot().getType().getAnyPointer();
        odd = any.isUnconstrained() && !any.getUnconstrained().isAnyKind();
    }
    return odd || too_much(type, depth) || pick(3) == 0;
}

static void fill(DynamicStruct::Builder builder, unsigned depth)
{
    left -= left > 0;
    for (auto field : builder.getSchema().getNonUnionFields()) {
        if (!skipped(field, depth)) {
            fill_field(builder, field, depth);
        }
    }
    auto members = builder.getSchema().getUnionFields();
    if (members.size() > 0) {
        auto field = members[pick(members.size())];
        if (!skipped(field, depth)) {
            fill_field(builder, field, depth);
        }
    }
}

static void fill_list(DynamicList::Builder list, unsigned depth)
{
    Type element = list.getSchema().getElementType();
    for (unsigned i = 0; i < list.size(); i++) {
        if (too_much(element, depth) || (pick(8) == 0 && !element.isVoid())) {
            continue;
        }
        if (element.isStruct()) {
            fill(list[i].as<DynamicStruct>(), depth + 1);
        } else if (element.isList()) {
            fill_list(list.init(i, random_count(element.asList().getElementType())).as<DynamicList>(), depth + 1);
        } else if (element.isText()) {
            list.set(i, Text::Reader(random_text().c_str()));
        } else if (element.isData()) {
            list.set(i, Data::Reader(reinterpret_cast<const byte *>("data"), pick(5)));
        } else if (!element.isInterface() && !element.isAnyPointer()) {
            list.set(i, random_scalar(element));
        }
    }
}

static bool same(kj::ArrayPtr<const word> a, const interop_words &b)
{
    return a.size() == b.count && memcmp(a.begin(), b.words, a.size() * sizeof(word)) == 0;
}

/* Whether both pack these words into the same bytes. */
static bool packed_alike(kj::ArrayPtr<const word> words)
{
    kj::VectorOutputStream expected;
    {
        _::PackedOutputStream packer(expected);
        packer.write(words.begin(), words.size() * sizeof(word));
    }
    uint32_t size = 0;
    auto in = reinterpret_cast<const uint64_t *>(words.begin());
    const uint8_t *ours = interop_pack(in, static_cast<uint32_t>(words.size()), &size);
    auto theirs = expected.getArray();
    return ours != nullptr && theirs.size() == size && memcmp(ours, theirs.begin(), size) == 0;
}

/* One message. Returns what is wrong with it, or NULL. */
static const char *compare(const interop_case &one, StructSchema schema)
{
    left = 150;
    MallocMessageBuilder builder(1 + pick(40),
                                 pick(2) ? AllocationStrategy::FIXED_SIZE : AllocationStrategy::GROW_HEURISTICALLY);
    fill(builder.initRoot<DynamicStruct>(schema), 0);
    kj::Vector<interop_words> segments;
    for (auto segment : builder.getSegmentsForOutput()) {
        segments.add(
            interop_words{reinterpret_cast<const uint64_t *>(segment.begin()), static_cast<uint32_t>(segment.size())});
    }
    auto expected = builder.getRoot<AnyStruct>().asReader().canonicalize();
    static interop_result result;
    const char *problem =
        interop_run(&one, segments.begin(), static_cast<uint32_t>(segments.size()), 1 + pick(60), &result);
    if (problem != nullptr) {
        return problem;
    }
    if (!same(expected, result.canonical)) {
        return "the canonical forms differ";
    }
    if (!same(expected, result.transcoded_canonical)) {
        return "read and built again by C it differs";
    }
    if (!packed_alike(expected)) {
        return "the packed forms differ";
    }
    kj::Vector<kj::ArrayPtr<const word>> made;
    for (uint32_t i = 0; i < result.transcoded_count; i++) {
        made.add(reinterpret_cast<const word *>(result.transcoded[i].words), result.transcoded[i].count);
    }
    SegmentArrayMessageReader reader(made.asPtr());
    if (kj::str(reader.getRoot<DynamicStruct>(schema)) != kj::str(builder.getRoot<DynamicStruct>(schema).asReader())) {
        return "libcapnp reads something else in what C built";
    }
    auto again = reader.getRoot<AnyStruct>().canonicalize();
    return same(again, result.canonical) ? nullptr : "libcapnp's canonical form of what C built differs";
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        std::cerr << "usage: reference REQUEST ROUNDS SEED\n";
        return 2;
    }
    kj::AutoCloseFd fd(open(argv[1], O_RDONLY));
    if (fd.get() < 0) {
        std::cerr << argv[1] << ": cannot open\n";
        return 2;
    }
    ReaderOptions options;
    options.traversalLimitInWords = 1 << 30;
    StreamFdMessageReader request(fd.get(), options);
    SchemaLoader loader;
    for (auto node : request.getRoot<schema::CodeGeneratorRequest>().getNodes()) {
        loader.load(node);
    }
    unsigned long rounds = strtoul(argv[2], nullptr, 10), seed = strtoul(argv[3], nullptr, 10), compared = 0;
    for (unsigned i = 0; i < interop_case_count; i++) {
        for (unsigned long round = 0; round < rounds; round++, compared++) {
            chance.seed(seed * 1000003 + i * 1009 + round);
            const char *problem = compare(interop_cases[i], loader.get(interop_cases[i].id).asStruct());
            if (problem != nullptr) {
                std::cerr << "FAIL " << interop_cases[i].name << " seed " << seed << " round " << round << ": "
                          << problem << "\n";
                return 1;
            }
        }
    }
    std::cout << compared << " messages of " << interop_case_count << " structs are the same\n";
    return compared == 0;
}

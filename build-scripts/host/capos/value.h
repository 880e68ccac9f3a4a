/* SPDX-License-Identifier: MIT OR Apache-2.0
 * value.h: any Cap'n Proto value and any type, as a person reads them.
 */
#pragma once

#include <capnp/dynamic.h>
#include <string>
#include <vector>

namespace capos
{

enum class Form { TEXT, JSON };

/* TEXT: Cap'n Proto text on one line, Data as 0x"..", a capability as <Interface>.
 * JSON: as capnp::JsonCodec has it (64-bit integers as strings, Data as an array of bytes), and a capability as
 * {"interface": "Name"}, which JsonCodec refuses to write. */
std::string value_text(const capnp::DynamicValue::Reader &value, Form form);

/* The methods of an interface and of all that it extends, a diamond's once. */
std::vector<capnp::InterfaceSchema::Method> methods_of(capnp::InterfaceSchema interface);

/* A type as in a schema: "List(Text)", "Store". */
std::string type_text(capnp::Type type);

/* "Upload", of a schema whose display name is "a/b/store.capnp:Upload". */
std::string short_name(const capnp::Schema &schema);

} // namespace capos

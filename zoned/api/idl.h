// The interface definition (https://varlink.org/Interface-Definition): its text, as data, and the
// check of parameters against it. The subset read here: named struct types, bool, int, float,
// string, object, arrays, string maps, nullables, methods and errors.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/result.h"

namespace api {

struct Type {
  enum class Wrapper { kNullable, kArray, kMap };
  enum class Kind { kBool, kInt, kFloat, kString, kObject, kNamed };
  std::vector<Wrapper> wrappers;  // from the outside in
  Kind kind = Kind::kBool;
  std::string name;  // kNamed
};

struct Field {
  std::string name;
  Type type;
};
using Fields = std::vector<Field>;

struct Method {
  std::string name;  // without the interface
  Fields parameters;
  Fields results;
};

struct Interface {
  std::string name;
  std::map<std::string, Fields> types;
  std::map<std::string, Method> methods;
  std::map<std::string, Fields> errors;
};

// The text of io.zoned.varlink, embedded when built.
std::string_view interface_text();

// kInvalid with the line number. A named type that is not defined is an error too.
base::Result<Interface> parse_interface(std::string_view text);

struct BadMember {
  std::string path;  // "assignments[2]", "zone.pid"
  std::string why;   // "missing", "unknown", "not a string"
};
// Checks an object against fields: every member known, every one that is not nullable there, each
// of its type; ints fit 64 bits; strings hold no NUL. Empty when all is well.
std::optional<BadMember> check_members(const Interface& interface, const Fields& fields,
                                       const nlohmann::json& object);

}  // namespace api

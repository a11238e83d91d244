#include "zoned/api/idl.h"

#include <cstdint>
#include <limits>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/strings.h"

namespace api {
namespace {

using base::Code;
using base::make_error;
using nlohmann::json;

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  base::Result<Interface> parse() {
    Interface interface;
    TRY(expect("interface"));
    TRY_AS(interface.name, word());
    while (!at_end()) TRY(member(&interface));
    TRY(check_names(interface));
    return interface;
  }

 private:
  base::Error fault(const std::string& what) const {
    return make_error(Code::kInvalid, "interface, line " + std::to_string(line_) + ": " + what);
  }

  void skip_space() {
    while (at_ < text_.size()) {
      char c = text_[at_];
      if (c == '#') {
        while (at_ < text_.size() && text_[at_] != '\n') ++at_;
      } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
        if (c == '\n') ++line_;
        ++at_;
      } else {
        return;
      }
    }
  }

  bool at_end() {
    skip_space();
    return at_ == text_.size();
  }

  bool take(std::string_view token) {
    skip_space();
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }

  base::Status expect(std::string_view token) {
    if (!take(token)) return fault("expected " + base::quoted(token));
    return {};
  }

  base::Result<std::string> word() {
    skip_space();
    size_t start = at_;
    auto part = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             c == '_' || c == '.' || c == '-';
    };
    while (at_ < text_.size() && part(text_[at_])) ++at_;
    if (at_ == start) return fault("expected a name");
    return std::string(text_.substr(start, at_ - start));
  }

  base::Result<Type> type() {
    Type type;
    while (true) {
      if (take("?")) {
        type.wrappers.push_back(Type::Wrapper::kNullable);
      } else if (take("[]")) {
        type.wrappers.push_back(Type::Wrapper::kArray);
      } else if (take("[string]")) {
        type.wrappers.push_back(Type::Wrapper::kMap);
      } else {
        break;
      }
    }
    TRY_AS(type.name, word());
    static constexpr std::pair<std::string_view, Type::Kind> kBuiltin[] = {
        {"bool", Type::Kind::kBool},     {"int", Type::Kind::kInt},
        {"float", Type::Kind::kFloat},   {"string", Type::Kind::kString},
        {"object", Type::Kind::kObject},
    };
    type.kind = Type::Kind::kNamed;
    for (const auto& [name, kind] : kBuiltin) {
      if (type.name == name) type.kind = kind;
    }
    return type;
  }

  base::Result<Fields> fields() {
    Fields fields;
    TRY(expect("("));
    if (take(")")) return fields;
    do {
      Field field;
      TRY_AS(field.name, word());
      for (const Field& other : fields) {
        if (other.name == field.name) return fault("member " + base::quoted(field.name) + " twice");
      }
      TRY(expect(":"));
      TRY_AS(field.type, type());
      fields.push_back(std::move(field));
    } while (take(","));
    TRY(expect(")"));
    return fields;
  }

  base::Status member(Interface* interface) {
    TRY_AS(std::string keyword, word());
    TRY_AS(std::string name, word());
    TRY_AS(Fields first, fields());
    bool fresh = true;
    if (keyword == "method") {
      TRY(expect("->"));
      TRY_AS(Fields results, fields());
      Method method = {name, std::move(first), std::move(results)};
      fresh = interface->methods.emplace(name, std::move(method)).second;
    } else if (keyword == "type") {
      fresh = interface->types.emplace(name, std::move(first)).second;
    } else if (keyword == "error") {
      fresh = interface->errors.emplace(name, std::move(first)).second;
    } else {
      return fault("expected type, method or error, not " + base::quoted(keyword));
    }
    if (!fresh) return fault(keyword + " " + base::quoted(name) + " twice");
    return {};
  }

  base::Status check_names(const Interface& interface) const {
    std::vector<const Fields*> all;
    for (const auto& item : interface.types) all.push_back(&item.second);
    for (const auto& item : interface.errors) all.push_back(&item.second);
    for (const auto& item : interface.methods) {
      all.push_back(&item.second.parameters);
      all.push_back(&item.second.results);
    }
    for (const Fields* fields : all) {
      for (const Field& field : *fields) {
        if (field.type.kind == Type::Kind::kNamed && !interface.types.contains(field.type.name))
          return make_error(Code::kInvalid,
                            "interface: type " + base::quoted(field.type.name) + " is not defined");
      }
    }
    return {};
  }

  std::string_view text_;
  size_t at_ = 0;
  int line_ = 1;
};

// One value still to be checked. A list of these instead of recursion: the nesting of hostile input
// costs no stack.
struct Item {
  const json* value;
  const Type* type;
  size_t wrapper;  // how many of the type's wrappers are done
  std::string path;
};

bool nullable(const Type& type) {
  return !type.wrappers.empty() && type.wrappers[0] == Type::Wrapper::kNullable;
}

std::optional<BadMember> expand_object(const Fields& fields, const json& object,
                                       const std::string& prefix, std::vector<Item>* items) {
  std::string dot = prefix.empty() ? "" : prefix + ".";
  size_t found = 0;
  for (const Field& field : fields) {
    auto it = object.find(field.name);
    if (it != object.end()) {
      ++found;
      items->push_back({&*it, &field.type, 0, dot + field.name});
    } else if (!nullable(field.type)) {
      return BadMember{dot + field.name, "missing"};
    }
  }
  if (found == object.size()) return std::nullopt;
  for (const auto& item : object.items()) {
    bool known = false;
    for (const Field& field : fields) known = known || field.name == item.key();
    if (!known) return BadMember{dot + item.key(), "unknown"};
  }
  return std::nullopt;
}

std::optional<BadMember> check_plain(const Item& item) {
  const json& value = *item.value;
  auto bad = [&](bool wrong, const char* why) -> std::optional<BadMember> {
    if (wrong) return BadMember{item.path, why};
    return std::nullopt;
  };
  switch (item.type->kind) {
    case Type::Kind::kBool:
      return bad(!value.is_boolean(), "not a bool");
    case Type::Kind::kInt:
      if (value.is_number_unsigned())
        return bad(value.get<uint64_t>() > uint64_t{std::numeric_limits<int64_t>::max()},
                   "out of range");
      return bad(!value.is_number_integer(), "not an int");
    case Type::Kind::kFloat:
      return bad(!value.is_number(), "not a number");
    case Type::Kind::kString:
      if (!value.is_string()) return BadMember{item.path, "not a string"};
      return bad(value.get_ref<const std::string&>().find('\0') != std::string::npos,
                 "holds a NUL");
    case Type::Kind::kObject:
    case Type::Kind::kNamed:
      return bad(!value.is_object(), "not an object");
  }
  return BadMember{item.path, "not a value"};
}

// Takes the next wrapper off.
std::optional<BadMember> unwrap(const Item& item, std::vector<Item>* items) {
  const json& value = *item.value;
  size_t inner = item.wrapper + 1;
  switch (item.type->wrappers[item.wrapper]) {
    case Type::Wrapper::kNullable:
      if (!value.is_null()) items->push_back({&value, item.type, inner, item.path});
      return std::nullopt;
    case Type::Wrapper::kArray:
      if (!value.is_array()) return BadMember{item.path, "not an array"};
      for (size_t i = 0; i < value.size(); ++i)
        items->push_back({&value[i], item.type, inner, item.path + "[" + std::to_string(i) + "]"});
      return std::nullopt;
    case Type::Wrapper::kMap:
      if (!value.is_object()) return BadMember{item.path, "not an object"};
      for (auto it = value.begin(); it != value.end(); ++it) {
        if (it.key().find('\0') != std::string::npos) return BadMember{item.path, "holds a NUL"};
        items->push_back({&it.value(), item.type, inner, item.path + "." + it.key()});
      }
      return std::nullopt;
  }
  return BadMember{item.path, "not a value"};
}

}  // namespace

base::Result<Interface> parse_interface(std::string_view text) { return Parser(text).parse(); }

std::optional<BadMember> check_members(const Interface& interface, const Fields& fields,
                                       const json& object) {
  if (!object.is_object()) return BadMember{"parameters", "not an object"};
  std::vector<Item> items;
  if (auto bad = expand_object(fields, object, "", &items)) return bad;
  while (!items.empty()) {
    Item item = std::move(items.back());
    items.pop_back();
    std::optional<BadMember> bad;
    if (item.wrapper < item.type->wrappers.size()) {
      bad = unwrap(item, &items);
    } else {
      bad = check_plain(item);
      if (!bad && item.type->kind == Type::Kind::kNamed)
        bad = expand_object(interface.types.at(item.type->name), *item.value, item.path, &items);
    }
    if (bad) return bad;
  }
  return std::nullopt;
}

}  // namespace api

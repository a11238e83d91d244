#include "zoned/core/spec_document.h"

#include <algorithm>
#include <string>
#include <type_traits>
#include <utility>

#include "base/strings.h"
#include "zoned/core/spec_keys.h"
#include "zoned/core/spec_toml.h"

namespace core {
namespace {

using base::Code;
using base::make_error;
using base::Status;

base::Error at_place(const ConfigDocument& document, const ConfigPlace& place, base::Error error) {
  error.message.insert(0, place_text(document, place));
  return error;
}

// "web.toml:3:14: key 'cpu-shares': 0 is out of range 1..65535".
base::Error bad_value(const ConfigDocument& document, const ConfigEntry& entry, base::Error error) {
  return at_place(document, entry.value_place,
                  std::move(error).context("key " + quote(path_text(entry.path))));
}

// A table, list or element: nothing to set, but it must be one.
Status check_holder(const ConfigEntry& entry, KeyMatch::Kind kind) {
  bool list = kind == KeyMatch::Kind::kList;
  const auto* texts = std::get_if<std::vector<std::string>>(&entry.value);
  bool good =
      list ? std::holds_alternative<ConfigList>(entry.value) || (texts != nullptr && texts->empty())
           : std::holds_alternative<ConfigTable>(entry.value);
  if (good) return {};
  return make_error(Code::kInvalid,
                    std::string("must be ") + (list ? "an array of tables" : "a table") + ", not " +
                        kind_text(entry.value),
                    list ? "write [[" + entry.path.back() + "]]" : "");
}

template <typename Spec>
Status take_entry(Spec& spec, const ConfigDocument& document, const ConfigEntry& entry) {
  KeyMatch match = match_key<Spec>(entry.path);
  if (match.kind == KeyMatch::Kind::kUnknown)
    return at_place(document, entry.key_place, unknown_key<Spec>(entry.path));
  if (match.list_depth > 0 && match.ref.index >= kMaxListElements)
    return at_place(document, entry.key_place,
                    make_error(Code::kInvalid, "more than " + std::to_string(kMaxListElements) +
                                                   " elements of " + quote(entry.path[0])));
  if (match.kind != KeyMatch::Kind::kKey) {
    Status holder = check_holder(entry, match.kind);
    return holder ? Status() : bad_value(document, entry, std::move(holder).error());
  }
  const Key<Spec>& key = keys_of<Spec>()[match.row];
  auto value = check_value(key.info, entry.value);
  if (!value) return bad_value(document, entry, std::move(value).error());
  Status set = key.set(spec, match.ref, *value);
  if (set) return {};
  return bad_value(document, entry, std::move(set).error());
}

// Each element of a list has the keys that it must have.
template <typename Spec>
Status check_required(const ConfigDocument& document) {
  for (const ConfigEntry& entry : document.entries) {
    KeyMatch match = match_key<Spec>(entry.path);
    if (match.kind != KeyMatch::Kind::kElement) continue;
    for (const Key<Spec>& key : keys_of<Spec>()) {
      ConfigPath path = path_of(key.info, match.ref);
      if (!key.info.required || !has_prefix(path, entry.path)) continue;
      if (find_entry(document, path) != nullptr) continue;
      return at_place(
          document, entry.value_place,
          make_error(Code::kInvalid, "table " + quote(path_text(entry.path)) + ": key " +
                                         quote(path.back()) + " is missing"));
    }
  }
  return {};
}

// The second of two elements that share the member, by index.
template <typename List, typename Member>
Status check_unique(const ConfigDocument& document, const List& list, Member member,
                    const std::string& list_name, const std::string& key_name) {
  for (size_t i = 0; i < list.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (list[i].*member != list[j].*member) continue;
      ConfigPath path = {list_name, std::to_string(i), key_name};
      const ConfigEntry* entry = find_entry(document, path);
      base::Error error = make_error(Code::kInvalid, quote(list[i].*member) + " is given twice");
      if (entry == nullptr) return error;
      return bad_value(document, *entry, std::move(error));
    }
  }
  return {};
}

// Also a name that is given and another's that follows from its index.
Status check_ports_differ(const ConfigDocument& document, const ZoneSpec& spec) {
  for (size_t i = 0; i < spec.net.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (port_name(spec, i) != port_name(spec, j)) continue;
      const ConfigEntry* entry = find_entry(document, {"net", std::to_string(i)});
      return at_place(document, entry != nullptr ? entry->value_place : ConfigPlace(),
                      make_error(Code::kInvalid, "two ports are named " + quote(port_name(spec, i)),
                                 "give one of them a name"));
    }
  }
  return {};
}

// Also a key that is given with its default: its writer expects an effect.
Status check_brand(const ConfigDocument& document, const ZoneSpec& spec) {
  for (const ConfigEntry& entry : document.entries) {
    KeyMatch match = match_key<ZoneSpec>(entry.path);
    if (match.kind != KeyMatch::Kind::kKey) continue;
    std::optional<Brand> brand = keys_of<ZoneSpec>()[match.row].info.brand;
    if (!brand || *brand == spec.brand) continue;
    bool vm = spec.brand == Brand::kVm;
    return at_place(document, entry.key_place,
                    make_error(Code::kInvalid,
                               "key " + quote(path_text(entry.path)) + ": zones of brand " +
                                   (vm ? "vm" : "native") + " do not take it",
                               vm ? "a guest is configured from inside; its machine by [vm], "
                                    "[[disk]] and [[net]]"
                                  : "it is for brand = \"vm\""));
  }
  return {};
}

// A disk has an image, and no two share one.
Status check_disks(const ConfigDocument& document, const ZoneSpec& spec) {
  for (size_t i = 0; i < spec.disk.size(); ++i) {
    const DiskSpec& disk = spec.disk[i];
    auto refuse = [&](const std::string& message, const std::string& hint) {
      const ConfigEntry* entry = find_entry(document, {"disk", std::to_string(i)});
      return at_place(document, entry != nullptr ? entry->value_place : ConfigPlace(),
                      make_error(Code::kInvalid, message, hint));
    };
    if (disk.path.empty() && disk.media != "cd")
      return refuse("table 'disk." + std::to_string(i) + "': key 'path' is missing",
                    "only a CD drive may be empty");
    for (size_t j = 0; j < i; ++j)
      if (!disk.path.empty() && spec.disk[j].path == disk.path)
        return refuse("two disks have the image " + quote(disk.path), "give each one of its own");
  }
  return {};
}

Status check_whole(const ConfigDocument& document, const ZoneSpec& spec) {
  size_t bytes = 0;
  for (const auto& [name, value] : spec.env) bytes += name.size() + value.size() + 2;
  if (bytes > kMaxArgumentBytes) {
    const ConfigEntry* env = find_entry(document, {"env"});
    return at_place(
        document, env != nullptr ? env->key_place : ConfigPlace(),
        make_error(Code::kInvalid, "key 'env': the variables have " + std::to_string(bytes) +
                                       " bytes, more than " + std::to_string(kMaxArgumentBytes)));
  }
  TRY(check_unique(document, spec.fs, &FsSpec::dir, "fs", "dir"));
  TRY(check_brand(document, spec));
  TRY(check_disks(document, spec));
  TRY(check_ports_differ(document, spec));
  return check_unique(document, spec.admin, &AdminSpec::user, "admin", "user");
}

Status check_whole(const ConfigDocument&, const PoolSpec&) { return {}; }

// "[capped-cpu]" or "[[fs]]" of the table that holds the row's keys; empty for the root.
std::string header_of(const KeyInfo& info) {
  ConfigPath path = base::split(info.name, '.');
  path.pop_back();
  if (path.empty()) return {};
  if (path.back() != "N") return "[" + key_text(path) + "]\n";
  path.pop_back();
  return "[[" + key_text(path) + "]]\n";
}

// "key = value" unless the value is the default.
template <typename Spec>
std::string format_line(const Key<Spec>& key, const Spec& spec, const KeyRef& ref) {
  ConfigValue value = key.get(spec, ref);
  if (std::holds_alternative<std::monostate>(value) || value == default_of(key)) return {};
  return key_text({path_of(key.info, ref).back()}) + " = " + format_value(key.info, value) + "\n";
}

}  // namespace

template <typename Spec>
base::Result<Spec> spec_from_document(std::string_view name, const ConfigDocument& document) {
  TRY(base::check_name(std::is_same_v<Spec, ZoneSpec> ? "zone" : "pool", name));
  Spec spec;
  spec.name = name;
  for (const ConfigEntry& entry : document.entries) TRY(take_entry(spec, document, entry));
  TRY(check_required<Spec>(document));
  TRY(check_whole(document, spec));
  size_t bytes = format_spec(spec).size();
  if (bytes > kMaxConfigBytes)
    return at_place(document, {1, 1},
                    make_error(Code::kInvalid, "the configuration has " + std::to_string(bytes) +
                                                   " bytes in canonical form, more than " +
                                                   std::to_string(kMaxConfigBytes)));
  return spec;
}

template <typename Spec>
std::string format_spec(const Spec& spec) {
  std::span<const Key<Spec>> keys = keys_of<Spec>();
  std::string out;
  for (size_t begin = 0; begin < keys.size();) {
    // The rows of one table, which the table of keys lists together.
    std::string header = header_of(keys[begin].info);
    size_t end = begin + 1;
    while (end < keys.size() && header_of(keys[end].info) == header) ++end;
    bool is_list = header.starts_with("[[");
    std::vector<KeyRef> elements = {KeyRef()};
    if (is_list) elements = refs_of(keys[begin], spec);
    for (const KeyRef& element : elements) {
      std::string lines;
      for (size_t row = begin; row < end; ++row) {
        std::vector<KeyRef> refs = {element};
        if (!is_list) refs = refs_of(keys[row], spec);
        for (const KeyRef& ref : refs) lines += format_line(keys[row], spec, ref);
      }
      if (lines.empty()) continue;
      if (!header.empty() && !out.empty()) out += '\n';
      out += header + lines;
    }
    begin = end;
  }
  return out;
}

template base::Result<ZoneSpec> spec_from_document(std::string_view, const ConfigDocument&);
template base::Result<PoolSpec> spec_from_document(std::string_view, const ConfigDocument&);
template std::string format_spec(const ZoneSpec& spec);
template std::string format_spec(const PoolSpec& spec);

}  // namespace core

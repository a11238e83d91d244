#include "zoned/core/spec_keys.h"

#include <algorithm>
#include <optional>
#include <type_traits>
#include <utility>

#include "base/strings.h"

namespace core {
namespace {

using base::Code;
using base::make_error;
using std::string_view;
using Texts = std::vector<std::string>;

// "0", "17": an index as path_of writes it.
std::optional<size_t> index_of(const std::string& segment) {
  auto index = base::parse_uint(segment, 0, 99999);
  if (!index || std::to_string(*index) != segment) return std::nullopt;
  return static_cast<size_t>(*index);
}

// True when the path fits as many leading segments of the row's name as it has; fills in ref.
bool fits(const Texts& pattern, const ConfigPath& path, KeyRef& ref) {
  if (path.empty() || path.size() > pattern.size()) return false;
  for (size_t i = 0; i < path.size(); ++i) {
    if (pattern[i] == "N") {
      auto index = index_of(path[i]);
      if (!index) return false;
      ref.index = *index;
    } else if (pattern[i] == "NAME") {
      ref.name = path[i];
    } else if (pattern[i] != path[i]) {
      return false;
    }
  }
  return true;
}

void add_candidates(Texts& candidates, string_view name, const ConfigPath& path) {
  Texts pattern = base::split(name, '.');
  ConfigPath filled;
  for (size_t i = 0; i < pattern.size() && pattern[i] != "NAME"; ++i) {
    bool given = i < path.size() && index_of(path[i]).has_value();
    filled.push_back(pattern[i] != "N" ? pattern[i] : given ? path[i] : "0");
    std::string candidate = path_text(filled);
    if (std::find(candidates.begin(), candidates.end(), candidate) == candidates.end())
      candidates.push_back(candidate);
  }
}

}  // namespace

template <typename Spec>
std::vector<KeyRef> refs_of(const Key<Spec>& key, const Spec& spec) {
  return key.refs != nullptr ? key.refs(spec) : std::vector<KeyRef>(1);
}

template <typename Spec>
ConfigValue default_of(const Key<Spec>& key) {
  Spec spec;
  // A fresh element in each list: its keys have defaults too.
  if constexpr (std::is_same_v<Spec, ZoneSpec>) {
    spec.fs.resize(1);
    spec.admin.resize(1);
    spec.net.resize(1);
    spec.firewall.resize(1);
    spec.disk.resize(1);
  }
  return key.get(spec, {});
}

ConfigPath path_of(const KeyInfo& info, const KeyRef& ref) {
  ConfigPath path = base::split(info.name, '.');
  for (std::string& segment : path) {
    if (segment == "N") segment = std::to_string(ref.index);
    if (segment == "NAME") segment = ref.name;
  }
  return path;
}

template <typename Spec>
KeyMatch match_key(const ConfigPath& path) {
  std::span<const Key<Spec>> keys = keys_of<Spec>();
  for (size_t row = 0; row < keys.size(); ++row) {
    Texts pattern = base::split(keys[row].info.name, '.');
    KeyMatch match;
    if (!fits(pattern, path, match.ref)) continue;
    match.row = row;
    if (pattern.size() > 1 && pattern[1] == "N" && path.size() > 1) match.list_depth = 2;
    if (path.size() == pattern.size())
      match.kind = KeyMatch::Kind::kKey;
    else if (pattern[path.size()] == "N")
      match.kind = KeyMatch::Kind::kList;
    else if (pattern[path.size() - 1] == "N")
      match.kind = KeyMatch::Kind::kElement;
    else
      match.kind = KeyMatch::Kind::kTable;
    return match;
  }
  return {};
}

template <typename Spec>
base::Error unknown_key(const ConfigPath& path) {
  constexpr size_t kMaxGuess = 64;
  std::string word = path_text(path);
  std::string near;
  if (word.size() <= kMaxGuess) {
    Texts candidates;
    for (const Key<Spec>& key : keys_of<Spec>()) {
      // "ncpus" for "capped-cpu.ncpus".
      Texts segments = base::split(key.info.name, '.');
      if (near.empty() && path.size() == 1 && segments.size() == 2 && segments[1] == word)
        near = key.info.name;
      add_candidates(candidates, key.info.name, path);
    }
    if (near.empty()) near = base::nearest(word, candidates);
  }
  return make_error(Code::kInvalid, "unknown key " + quote(word),
                    near.empty() ? "" : "did you mean " + quote(near) + "?");
}

template std::vector<KeyRef> refs_of(const Key<ZoneSpec>& key, const ZoneSpec& spec);
template std::vector<KeyRef> refs_of(const Key<PoolSpec>& key, const PoolSpec& spec);
template ConfigValue default_of(const Key<ZoneSpec>& key);
template ConfigValue default_of(const Key<PoolSpec>& key);
template KeyMatch match_key<ZoneSpec>(const ConfigPath& path);
template KeyMatch match_key<PoolSpec>(const ConfigPath& path);
template base::Error unknown_key<ZoneSpec>(const ConfigPath& path);
template base::Error unknown_key<PoolSpec>(const ConfigPath& path);

}  // namespace core

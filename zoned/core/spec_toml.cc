#include "zoned/core/spec_toml.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "zoned/core/spec_document.h"
#include "zoned/core/spec_keys.h"

namespace core {
std::string format_zone(const ZoneSpec& spec) { return format_spec(spec); }
std::string format_pool(const PoolSpec& spec) { return format_spec(spec); }

std::vector<std::string> changed_keys(const ZoneSpec& a, const ZoneSpec& b) {
  std::vector<std::string> changed;
  for (const Key<ZoneSpec>& key : keys_of<ZoneSpec>()) {
    for (const ZoneSpec* spec : {&a, &b}) {
      for (const KeyRef& ref : refs_of(key, *spec)) {
        if (key.get(a, ref) == key.get(b, ref)) continue;
        std::string name = path_text(path_of(key.info, ref));
        if (std::find(changed.begin(), changed.end(), name) == changed.end())
          changed.push_back(name);
      }
    }
  }
  return changed;
}

bool is_live_key(std::string_view name) {
  ConfigPath path = base::split(name, '.');
  KeyMatch match = match_key<ZoneSpec>(path);
  if (match.kind == KeyMatch::Kind::kUnknown) return false;
  if (match.kind == KeyMatch::Kind::kKey) return keys_of<ZoneSpec>()[match.row].info.live;
  for (const Key<ZoneSpec>& key : keys_of<ZoneSpec>())
    if (has_prefix(path_of(key.info, match.ref), path) && !key.info.live) return false;
  return true;
}

}  // namespace core

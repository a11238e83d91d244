#include "zoned/core/config_document.h"
#include "zoned/core/spec_document.h"
#include "zoned/core/spec_toml.h"

namespace core {
namespace {

template <typename Spec>
base::Result<Spec> parse_spec(std::string_view name, std::string_view text, std::string_view file) {
  TRY_AS(ConfigDocument document, parse_document(text, file));
  return spec_from_document<Spec>(name, document);
}

}  // namespace

base::Result<ZoneSpec> parse_zone(std::string_view name, std::string_view text,
                                  std::string_view file) {
  return parse_spec<ZoneSpec>(name, text, file);
}

base::Result<PoolSpec> parse_pool(std::string_view name, std::string_view text,
                                  std::string_view file) {
  return parse_spec<PoolSpec>(name, text, file);
}

}  // namespace core

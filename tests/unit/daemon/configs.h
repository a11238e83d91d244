// Configuration for tests, read in this process.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/unit/daemon/temporary.h"
#include "zoned/core/spec_toml.h"
#include "zoned/daemon/registry.h"

namespace zoned::testing {

inline ZoneConfig zone_config(const std::string& name, const std::string& text) {
  return {text, must(core::parse_zone(name, text, name + ".toml"))};
}
inline PoolConfig pool_config(const std::string& name, const std::string& text) {
  return {text, must(core::parse_pool(name, text, name + ".toml"))};
}

class PlainReader : public ConfigReader {
 public:
  std::vector<base::Result<core::ConfigDocument>> documents(
      const std::vector<core::ConfigText>& texts) override {
    std::vector<base::Result<core::ConfigDocument>> documents;
    for (const core::ConfigText& text : texts)
      documents.push_back(core::parse_document(text.text, text.file));
    return documents;
  }
  base::Result<nlohmann::json> json(const std::string& text) override {
    return nlohmann::json::parse(text, nullptr, false);
  }
};

}  // namespace zoned::testing

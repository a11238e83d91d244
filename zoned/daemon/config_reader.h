// Who reads texts that lie in our folders.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/result.h"
#include "zoned/core/config_document.h"
#include "zoned/core/parse_text.h"

namespace zoned {

class ConfigReader {
 public:
  virtual ~ConfigReader() = default;
  // TOML texts; the answers in the same order. Blocks: for start-up alone.
  virtual std::vector<base::Result<core::ConfigDocument>> documents(
      const std::vector<core::ConfigText>& texts) = 0;
  // Any JSON text. Blocks likewise.
  virtual base::Result<nlohmann::json> json(const std::string& text) = 0;
};

}  // namespace zoned

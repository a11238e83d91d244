#include "zoned/core/parse_text.h"

#include <cstdint>

#include "zoned/core/parse_value.h"

namespace core {
namespace {

void put_field(std::string_view field, std::string* out) {
  for (size_t i = 0; i < sizeof(uint32_t); ++i)
    out->push_back(static_cast<char>(static_cast<unsigned char>(field.size() >> (8 * i))));
  *out += field;
}

std::string one_field(RequestKind kind, std::string_view field) {
  std::string out(1, kind);
  put_field(field, &out);
  return out;
}

}  // namespace

std::string call_request(std::string_view message) { return one_field(kCall, message); }
std::string json_request(std::string_view text) { return one_field(kJson, text); }

std::string documents_request(const std::vector<ConfigText>& texts) {
  std::string out(1, kDocuments);
  for (const ConfigText& text : texts) {
    put_field(text.file, &out);
    put_field(text.text, &out);
  }
  return out;
}

std::string encodings_request(const ConfigText& text) {
  std::string out = one_field(kEncodings, text.file);
  put_field(text.text, &out);
  return out;
}

std::string edit_request(bool pool, std::string_view name, std::string_view text,
                         const std::vector<std::string>& assignments) {
  std::string out(1, pool ? kEditPool : kEditZone);
  put_field(name, &out);
  put_field(text, &out);
  for (const std::string& assignment : assignments) put_field(assignment, &out);
  return out;
}

}  // namespace core

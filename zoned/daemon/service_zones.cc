#include "zoned/daemon/service_zones.h"

#include <string_view>

#include "base/strings.h"
#include "zoned/daemon/read_down_cell.h"

namespace zoned {

using base::Code;
using base::make_error;
using base::Status;

Status check_free_name(const std::string& name) {
  constexpr std::string_view kDigits = "0123456789";
  constexpr std::string_view kNameService = "-dns";
  std::string_view stem = name;
  size_t number = stem.find_last_not_of(kDigits) + 1;
  bool numbered = number < stem.size() && number > 0 && stem[number - 1] == '-';
  if (numbered) stem = stem.substr(0, number - 1);
  if (reader_of(name).empty() &&
      !(stem.size() > kNameService.size() && stem.ends_with(kNameService)))
    return {};
  return make_error(Code::kInvalid,
                    "zone " + base::quoted(name) + ": such names are for zones that serve others",
                    "choose one that does not end in '-down', '-dns' or '-dns-NUMBER'");
}

Status check_not_serving(Registry* registry, const Zone& zone) {
  if (!is_read_down(zone)) return {};
  const std::string reader = reader_of(zone.name);
  const Zone* served = registry->find(reader);
  if (served == nullptr || !served->record) return {};
  return make_error(Code::kState,
                    "zone " + base::quoted(zone.name) + " belongs to zone " + base::quoted(reader) +
                        ", which runs",
                    "it hands that zone what it reads of others, and goes when zone " +
                        base::quoted(reader) + " is halted");
}

}  // namespace zoned

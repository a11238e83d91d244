#include "cli/stat_table.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "base/strings.h"
#include "cli/context.h"
#include "cli/table.h"

namespace cli {
namespace {

using nlohmann::json;

json sorted(const json& reply, const char* member) {
  json list = reply.value(member, json::array());
  std::sort(list.begin(), list.end(),
            [](const json& a, const json& b) { return text_of(a, "name") < text_of(b, "name"); });
  return list;
}

std::string cpus(double value) {
  char text[32];
  snprintf(text, sizeof text, "%.2f", value);
  return text;
}

std::string size(const json& object, const char* member) {
  auto value = int_of(object, member, -1);
  return value < 0 ? "-" : base::format_size(static_cast<uint64_t>(value));
}

constexpr auto kRight = Table::Align::kRight;

std::string pool_table(const json& pools) {
  Table table({{"POOL"},
               {"ZONES", kRight},
               {"SHARES", kRight},
               {"CPU", kRight},
               {"SHARE", kRight},
               {"ENTITLED", kRight},
               {"USED", kRight},
               {"MEMORY", kRight},
               {"PROCS", kRight}});
  for (const json& pool : pools) {
    table.add({text_of(pool, "name"), std::to_string(int_of(pool, "zones")),
               std::to_string(int_of(pool, "shares")), seconds(number_of(pool, "cpu_seconds")),
               percent(number_of(pool, "cpu_share")), cpus(number_of(pool, "cpu_entitled")),
               cpus(number_of(pool, "cpu_used")), size(pool, "memory_bytes"),
               std::to_string(int_of(pool, "processes"))});
  }
  return table.text();
}

std::string zone_table(const json& zones) {
  Table table({{"ZONE"},
               {"CPU", kRight},
               {"SHARE", kRight},
               {"ENTITLED", kRight},
               {"USED", kRight},
               {"MEMORY", kRight},
               {"LIMIT", kRight},
               {"PROCS", kRight},
               {"READ", kRight},
               {"WRITE", kRight},
               {"RX", kRight},
               {"TX", kRight}});
  for (const json& zone : zones) {
    table.add({text_of(zone, "name"), seconds(number_of(zone, "cpu_seconds")),
               percent(number_of(zone, "cpu_share")), cpus(number_of(zone, "cpu_entitled")),
               cpus(number_of(zone, "cpu_used")), size(zone, "memory_bytes"),
               size(zone, "memory_limit_bytes"), std::to_string(int_of(zone, "processes")),
               size(zone, "io_read_bytes"), size(zone, "io_write_bytes"),
               size(zone, "net_rx_bytes"), size(zone, "net_tx_bytes")});
  }
  return table.text();
}

}  // namespace

std::string stat_tables(const json& reply) {
  return pool_table(sorted(reply, "pools")) + "\n" + zone_table(sorted(reply, "zones"));
}

json stat_json(const json& reply) {
  constexpr std::array kMembers = {"name",           "cpu_seconds",  "cpu_share",   "cpu_entitled",
                                   "cpu_used",       "memory_bytes", "processes",   "io_read_bytes",
                                   "io_write_bytes", "net_rx_bytes", "net_tx_bytes"};
  json out;
  for (const char* kind : {"zones", "pools"}) {
    out[kind] = sorted(reply, kind);
    for (json& entry : out[kind]) {
      for (const char* member : kMembers) {
        if (!entry.contains(member)) entry[member] = nullptr;
      }
    }
  }
  return out;
}

}  // namespace cli

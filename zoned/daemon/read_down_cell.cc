#include "zoned/daemon/read_down_cell.h"

#include <fcntl.h>

#include <string_view>

#include "base/files.h"
#include "base/process.h"
#include "base/unix_socket.h"
#include "zoned/core/cell_tree.h"
#include "zoned/core/reader_cell.h"
#include "zoned/core/spec_toml.h"
#include "zoned/daemon/instance.h"

namespace zoned {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;
using base::UniqueFd;

namespace {

constexpr std::string_view kSource = "cell:read-down";  // no source that can be asked for
constexpr std::string_view kSuffix = "-down";
constexpr const char* kProgram = "zone-readdown";

}  // namespace

bool is_read_down(const Zone& zone) { return zone.file.source == kSource; }

std::string read_down_of(const std::string& reader) { return reader + std::string(kSuffix); }

std::string reader_of(const std::string& server) {
  return server.ends_with(kSuffix) ? server.substr(0, server.size() - kSuffix.size())
                                   : std::string();
}

std::string read_down_socket(const std::string& server) { return "zones/" + server + ".control"; }

ZoneConfig read_down_config(const Zone& reader) {
  constexpr uint64_t kProcesses = 4;
  constexpr uint64_t kMemory = 256 << 20;
  ZoneConfig config;
  core::ZoneSpec& spec = config.spec;
  spec.name = read_down_of(reader.name);
  spec.pool = reader.spec.pool;
  spec.restart = core::Restart::kAlways;
  spec.stop_timeout_ms = 0;
  spec.read_only_root = true;
  spec.exports = std::vector<std::string>();
  spec.processes = kProcesses;
  spec.memory_physical = kMemory;
  config.text = "# Hands zone " + reader.name +
                " what it may read of others; made and removed by zoned.\n" +
                core::format_zone(spec);
  return config;
}

ZoneFile read_down_file(const Zone& reader, ZoneFile file) {
  file.state = State::kInstalled;
  file.source = kSource;
  file.label = reader.label.encode();
  return file;
}

Result<UniqueFd> read_down_tree(const std::string& lib) {
  TRY_AS(std::string programs, program_folder());
  core::CellRecipe recipe;
  recipe.name = "readdown";
  recipe.programs = {programs + "/" + kProgram};
  TRY_AS(UniqueFd cells, base::make_dirs(AT_FDCWD, lib + "/cells", 0700));
  return core::cell_tree(cells.get(), recipe);
}

Status confine_read_down(core::ZonePlan* plan) {
  TRY_AS(std::string programs, program_folder());
  core::confine_reader(programs + "/" + kProgram, plan);
  return {};
}

Result<UniqueFd> listen_read_down(const Registry& registry, const std::string& zone) {
  return base::listen_unix(registry.run_dir(), read_down_socket(zone), SOCK_SEQPACKET);
}

// Its number can't have been used again unseen: the start time is compared after the file was opened.
Result<UniqueFd> user_namespace_of(const RuntimeRecord& record) {
  TRY_AS(UniqueFd ns,
         base::open_at(AT_FDCWD, "/proc/" + std::to_string(record.pid) + "/ns/user", O_RDONLY));
  TRY_AS(uint64_t start, base::start_time_of(record.pid));
  if (start != record.start_time) return make_error(Code::kState, "its first process has ended");
  return ns;
}

}  // namespace zoned

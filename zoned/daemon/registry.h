// All zones and pools of this instance, in memory and on disk. The one place that writes zone and
// pool files; it knows nothing of processes.
#pragma once

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "labels/encodings.h"
#include "zoned/api/paths.h"
#include "zoned/daemon/config_reader.h"
#include "zoned/daemon/zone.h"

namespace zoned {

// Text and what it says; whoever makes one has checked that they are the same.
using ZoneConfig = core::Configured<core::ZoneSpec>;
using PoolConfig = core::Configured<core::PoolSpec>;

class Registry {
 public:
  // Opens (makes) the three folders, 0700; RUN is 0711: its socket is for everybody.
  static base::Result<std::unique_ptr<Registry>> open(const api::Paths& paths);

  // Reads every file, texts by the reader. A file that can't be read or parsed is reported in problems
  // and skipped: one bad zone must not keep the others down. Records of zones without configuration
  // are kept too.
  // encodings: names of labels, for as long as the registry lives.
  base::Status load(const labels::Encodings* encodings, ConfigReader* reader,
                    std::vector<std::string>* problems);

  const labels::Encodings& encodings() const { return *encodings_; }
  // Labels (registry_labels.cc). A zone's label is decided once, at its creation, and kept in binary
  // (ZoneFile::label); afterwards the name in the configuration only has to mean the same.
  //
  // kInvalid for the first zone whose stored label these encodings don't allow: zone, label, the
  // configuration's file and line, and why. encodings_file names the encodings in the error.
  base::Status check_labels(std::string_view encodings_file) const;
  // The label that a zone with this configuration has: of a new one (zone is null) what `label` says,
  // else the default; of another its own. kState: `label` means another one and the zone holds
  // something already. kInvalid: no such label, or outside of the accreditation range.
  base::Result<labels::Label> label_for(const core::ZoneSpec& spec, const Zone* zone) const;
  // kState when `label` of the configuration means another label than the zone's: somebody has edited
  // the file of a zone that holds something. Such a zone neither boots nor is installed.
  base::Status check_label_text(const Zone& zone) const;

  const api::Paths& paths() const { return paths_; }
  int run_dir() const { return run_.get(); }
  // Folder of a zone below LIB/zones (made if absent): zone.json, root/ or vm/, log/.
  base::Result<base::UniqueFd> zone_dir(const std::string& name, bool create) const;
  // What a vm zone was installed as (vmzone/vm_folder.h names the files): LIB/zones/NAME/vm, 0700.
  // kNotFound when it is not installed.
  base::Result<base::UniqueFd> vm_dir(const std::string& name) const;
  int zones_dir() const { return lib_zones_.get(); }

  Zone* find(std::string_view name);
  // kNotFound: "zone 'x': no such zone"; the same answer as for a hidden one.
  base::Result<Zone*> get(std::string_view name);
  std::map<std::string, std::unique_ptr<Zone>, std::less<>>& zones() { return zones_; }
  Pool* find_pool(std::string_view name);
  std::map<std::string, Pool, std::less<>>& pools() { return pools_; }

  // A new zone with its files (not for ephemeral ones: only memory). kExists.
  base::Result<Zone*> create_zone(const std::string& name, const ZoneConfig& config,
                                  bool ephemeral);
  // Replaces the configuration: written durably, then taken.
  base::Status set_config(Zone* zone, const ZoneConfig& config);
  // Writes zone.json durably and takes the state. Ephemeral zones: memory only.
  base::Status set_file(Zone* zone, const ZoneFile& file);
  // Removes the zone's configuration and memory and moves its folder to the trash. Marked before the
  // first effect: load() ends a removal that was cut short. The name in the trash, empty if none.
  base::Result<std::string> remove_zone(const std::string& name);
  // Moves `dir`/name aside to LIB/trash, whence a child removes it. Absent: an empty name.
  base::Result<std::string> discard(int dir, const std::string& name);
  int trash_dir() const { return trash_.get(); }
  int images_dir() const { return images_.get(); }
  void drop_zone(const std::string& name) { zones_.erase(zones_.find(name)); }

  base::Status create_pool(const std::string& name, const PoolConfig& config);
  base::Status set_pool(Pool* pool, const PoolConfig& config);
  base::Status remove_pool(const std::string& name);

  // Runtime state in RUN/zones, not synced.
  base::Status write_record(const Zone& zone) const;
  // plan: core::to_json() of a zone plan.
  base::Status write_plan(const std::string& zone, const nlohmann::json& plan) const;
  void remove_record(const std::string& name) const;
  // RUN/zones/NAME.restart: the zone waits to be booted again by its restart policy.
  base::Status set_waiting(const std::string& name, bool waiting) const;
  std::vector<std::string> waiting() const;
  // RUN/zones/NAME.ports: the ports of the running zone are being made what its configuration says.
  base::Status set_changing(const std::string& name, bool changing) const;
  bool changing(const std::string& name) const;
  // The plan that the zone was booted with; read back if memory has dropped it.
  base::Result<std::shared_ptr<const core::ZonePlan>> plan_of(Zone* zone);
  // Keeps the plan in memory among the most recently used.
  void remember_plan(Zone* zone, std::shared_ptr<const core::ZonePlan> plan);

 private:
  base::Result<labels::Label> new_label(const core::ZoneSpec& spec, const Zone* zone) const;
  explicit Registry(api::Paths paths) : paths_(std::move(paths)) {}
  void end_removals(std::vector<std::string>* problems);
  void end_creations();
  base::Result<std::string> end_removal(const std::string& name);
  using Take = std::function<base::Status(const core::ConfigText&, const core::ConfigDocument&)>;
  base::Status load_texts(int dir, ConfigReader* reader, std::vector<std::string>* problems,
                          const Take& take);
  base::Status load_zone(const core::ConfigText& text, const core::ConfigDocument& document);
  base::Status load_record(const std::string& file, ConfigReader* reader);
  base::Status load_pool(const core::ConfigText& text, const core::ConfigDocument& document);
  // LIB/zones/NAME/relabel holds the label that the zone is about to get with its next configuration.
  base::Status begin_relabelling(const Zone& zone, const labels::Label& label) const;
  base::Status end_relabelling(Zone* zone);

  api::Paths paths_;
  base::UniqueFd etc_zones_;
  base::UniqueFd etc_pools_;
  base::UniqueFd lib_zones_;
  base::UniqueFd trash_;   // LIB/trash
  base::UniqueFd images_;  // LIB/images
  base::UniqueFd run_;
  base::UniqueFd run_zones_;
  std::map<std::string, std::unique_ptr<Zone>, std::less<>> zones_;
  std::map<std::string, Pool, std::less<>> pools_;
  std::list<std::string> recent_plans_;
  const labels::Encodings* encodings_ = nullptr;
  bool unsynced_ = false;  // load() has made files
};

// [[admin]] users looked up; a user that the host does not know is an error.
base::Result<std::vector<Grant>> resolve_grants(const core::ZoneSpec& spec);

}  // namespace zoned

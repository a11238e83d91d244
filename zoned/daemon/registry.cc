#include "zoned/daemon/registry.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/strings.h"
#include "labels/label.h"
#include "vmzone/vm_folder.h"
#include "zoned/core/plan_json.h"
#include "zoned/core/spec_document.h"
#include "zoned/core/spec_toml.h"
#include "zoned/daemon/authorise.h"
#include "zoned/daemon/fault.h"
#include "zoned/daemon/users.h"

namespace zoned {

using base::Code;
using base::Durability;
using base::make_error;
using base::Result;
using base::Status;
using base::UniqueFd;

namespace {

constexpr size_t kPlansInMemory = 256;
constexpr const char* kRemoving = "removing";  // in a zone's folder: the zone is to go
constexpr std::string_view kToml = ".toml";
constexpr std::string_view kJson = ".json";
constexpr std::string_view kPlan = ".plan";
constexpr std::string_view kRestart = ".restart";
constexpr std::string_view kPorts = ".ports";

std::string stem(const std::string& file, std::string_view suffix) {
  return file.ends_with(suffix) ? file.substr(0, file.size() - suffix.size()) : std::string();
}

Result<UniqueFd> folder(const std::string& path, mode_t mode) {
  TRY_AS(UniqueFd fd, base::make_dirs(AT_FDCWD, path, mode));
  struct stat st = {};
  if (fstat(fd.get(), &st) != 0) return base::sys_error("stat " + base::quoted(path, 400));
  if (st.st_uid != geteuid())
    return make_error(Code::kDenied, base::quoted(path, 400) + " belongs to another user");
  if ((st.st_mode & 07777) != mode && fchmod(fd.get(), mode) != 0)
    return base::sys_error("chmod " + base::quoted(path, 400));
  return fd;
}

// Leftovers of writes that a kill cut short (base::replace_file).
void remove_temporaries(int dir) {
  auto names = base::list_dir(dir);
  if (!names) return;
  for (const std::string& name : *names)
    if (name.starts_with('.') && name.ends_with(".tmp")) unlinkat(dir, name.c_str(), 0);
}

Status remove_file(int dir, const std::string& name) {
  if (unlinkat(dir, name.c_str(), 0) != 0 && errno != ENOENT)
    return base::sys_error("remove " + base::quoted(name, 200));
  if (fsync(dir) != 0) return base::sys_error("fsync the folder of " + base::quoted(name, 200));
  return {};
}

std::string zone_subject(std::string_view name) { return "zone " + base::quoted(name); }

}  // namespace

Result<std::vector<Grant>> resolve_grants(const core::ZoneSpec& spec) {
  std::vector<Grant> grants;
  for (const core::AdminSpec& admin : spec.admin) {
    auto uid = uid_of_user(admin.user);
    if (!uid)
      return make_error(Code::kInvalid, zone_subject(spec.name) + ": admin: " + uid.error().message,
                        uid.error().hint);
    auto has = [&admin](const char* auth) {
      return std::find(admin.auths.begin(), admin.auths.end(), auth) != admin.auths.end();
    };
    grants.push_back({*uid, has("login"), has("manage")});
  }
  return grants;
}

Result<std::unique_ptr<Registry>> Registry::open(const api::Paths& paths) {
  std::unique_ptr<Registry> registry(new Registry(paths));
  TRY(folder(paths.etc, 0700));
  TRY(folder(paths.lib, 0700));
  TRY_AS(registry->etc_zones_, folder(paths.etc + "/zones", 0700));
  TRY_AS(registry->etc_pools_, folder(paths.etc + "/pools", 0700));
  TRY_AS(registry->lib_zones_, folder(paths.lib + "/zones", 0700));
  TRY_AS(registry->trash_, folder(paths.lib + "/trash", 0700));
  TRY_AS(registry->images_, folder(paths.lib + "/images", 0700));
  TRY_AS(registry->run_, folder(paths.run, 0711));
  TRY_AS(registry->run_zones_, folder(paths.run + "/zones", 0700));
  return registry;
}

Status Registry::load_texts(int dir, ConfigReader* reader, std::vector<std::string>* problems,
                            const Take& take) {
  constexpr size_t kAtOnce = 512;
  remove_temporaries(dir);
  TRY_AS(auto names, base::list_dir(dir));
  std::erase_if(names, [](const std::string& name) { return stem(name, kToml).empty(); });
  for (size_t begin = 0; begin < names.size(); begin += kAtOnce) {
    std::vector<core::ConfigText> texts;
    for (size_t i = begin; i < std::min(names.size(), begin + kAtOnce); ++i) {
      auto text = base::read_file(dir, names[i], core::kMaxConfigBytes);
      if (text)
        texts.push_back({names[i], *std::move(text)});
      else
        problems->push_back(text.error().message);
    }
    auto documents = reader->documents(texts);
    for (size_t i = 0; i < texts.size(); ++i) {
      Status taken = documents[i] ? take(texts[i], *documents[i]) : Status(documents[i].error());
      if (!taken) problems->push_back(taken.error().message);
    }
  }
  return {};
}

Status Registry::load(const labels::Encodings* encodings, ConfigReader* reader,
                      std::vector<std::string>* problems) {
  encodings_ = encodings;
  end_removals(problems);
  TRY(load_texts(
      etc_pools_.get(), reader, problems,
      [this](const auto& text, const auto& document) { return load_pool(text, document); }));
  pools_.try_emplace("default").first->second.spec.name = "default";
  TRY(load_texts(
      etc_zones_.get(), reader, problems,
      [this](const auto& text, const auto& document) { return load_zone(text, document); }));
  end_creations();
  for (const auto& [name, zone] : zones_)
    if (Status same = check_label_text(*zone); !same) {
      zone->wrong_label = true;
      problems->push_back(same.error().message);
    }
  if (std::exchange(unsynced_, false) && syncfs(lib_zones_.get()) != 0)
    return base::sys_error("sync " + base::quoted(paths_.lib, 400));
  remove_temporaries(run_zones_.get());
  TRY_AS(auto records, base::list_dir(run_zones_.get()));
  for (const std::string& name : records) {
    if (stem(name, kJson).empty()) continue;
    if (Status status = load_record(name, reader); !status)
      problems->push_back(status.error().message);
  }
  return {};
}

Status Registry::load_pool(const core::ConfigText& text, const core::ConfigDocument& document) {
  std::string name = stem(text.file, kToml);
  TRY_AS(core::PoolSpec spec, core::spec_from_document<core::PoolSpec>(name, document));
  Pool& pool = pools_[name];
  pool.spec = std::move(spec);
  pool.config = text.text;
  pool.file = true;
  return {};
}

Status Registry::load_zone(const core::ConfigText& text, const core::ConfigDocument& document) {
  std::string name = stem(text.file, kToml);
  auto zone = std::make_unique<Zone>();
  zone->name = name;
  TRY_AS(zone->spec, core::spec_from_document<core::ZoneSpec>(name, document));
  zone->config = text.text;
  auto grants = resolve_grants(zone->spec);
  if (grants) zone->grants = *std::move(grants);  // else: nobody but root, which is safe
  TRY_AS(UniqueFd dir, zone_dir(name, true));
  remove_temporaries(dir.get());
  if (base::exists_at(dir.get(), "zone.json")) {
    auto state = base::read_file(dir.get(), "zone.json");
    if (!state) return std::move(state).error().context(zone_subject(name));
    auto parsed = zone_file_from_text(*state);
    if (!parsed) return std::move(parsed).error().context(zone_subject(name));
    zone->file = *std::move(parsed);
  } else {
    // A person put the file there: the zone is configured.
    ZoneFile fresh;
    fresh.id = random_id();
    TRY_AS(labels::Label label, label_for(zone->spec, nullptr));
    fresh.label = label.encode();
    // Thousands may come at once: load() syncs them together.
    TRY(base::replace_file(dir.get(), "zone.json", to_text(fresh), Durability::kRuntime));
    unsynced_ = true;
    zone->file = fresh;
  }
  TRY_AS(zone->label, labels::Label::decode(zone->file.label));
  TRY(end_relabelling(zone.get()));
  zone->state = zone->file.state;
  zones_[name] = std::move(zone);
  return {};
}

Status Registry::load_record(const std::string& file, ConfigReader* reader) {
  std::string name = stem(file, kJson);
  auto damaged = [&](base::Error error) {
    // Without it the zone counts as unknown: recovery ends whatever is left of it.
    remove_record(name);
    return std::move(error).context("runtime record of " + zone_subject(name));
  };
  auto text = base::read_file(run_zones_.get(), file);
  if (!text) return damaged(std::move(text).error());
  auto record = runtime_record_from_text(*text);
  if (!record) return damaged(std::move(record).error());
  if (record->zone != name) return damaged(make_error(Code::kInvalid, "names another zone"));
  Zone* zone = find(name);
  if (zone == nullptr) {
    auto made = std::make_unique<Zone>();
    made->name = name;
    // A boot whose configuration is gone can only be ended.
    made->ephemeral = true;
    made->config = record->config;
    made->file.id = record->ephemeral ? record->id : random_id();
    if (auto label = labels::Label::decode(record->label)) made->label = *label;
    made->file.label = made->label.encode();
    made->spec.name = name;
    if (record->ephemeral) {
      auto document = std::move(reader->documents({{name, record->config}}).front());
      auto spec = document ? core::spec_from_document<core::ZoneSpec>(name, *document)
                           : Result<core::ZoneSpec>(std::move(document).error());
      if (spec) made->spec = *std::move(spec);
    }
    zone = made.get();
    zones_[name] = std::move(made);
  }
  zone->boots = record->boots;
  zone->record = *std::move(record);
  zone->state = zone->record->pid == 0 ? State::kReady : State::kRunning;
  return {};
}

Result<UniqueFd> Registry::zone_dir(const std::string& name, bool create) const {
  TRY(base::check_name("zone", name));
  if (create) return base::make_dirs(lib_zones_.get(), name, 0700);
  return base::open_at(lib_zones_.get(), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

Result<UniqueFd> Registry::vm_dir(const std::string& name) const {
  TRY_AS(UniqueFd dir, zone_dir(name, false));
  return base::open_at(dir.get(), vmzone::kVmFolder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

Zone* Registry::find(std::string_view name) {
  auto it = zones_.find(name);
  return it == zones_.end() ? nullptr : it->second.get();
}

Result<Zone*> Registry::get(std::string_view name) {
  Zone* zone = find(name);
  if (zone == nullptr) return no_such_zone(name);
  return zone;
}

Pool* Registry::find_pool(std::string_view name) {
  auto it = pools_.find(name);
  return it == pools_.end() ? nullptr : &it->second;
}

Result<Zone*> Registry::create_zone(const std::string& name, const ZoneConfig& config,
                                    bool ephemeral) {
  TRY(base::check_name("zone", name));
  if (find(name) != nullptr)
    return make_error(Code::kExists, zone_subject(name) + " exists already");
  auto zone = std::make_unique<Zone>();
  zone->name = name;
  zone->spec = config.spec;
  TRY_AS(zone->grants, resolve_grants(zone->spec));
  zone->config = config.text;
  zone->ephemeral = ephemeral;
  zone->consoles = false;
  zone->file.id = random_id();
  TRY_AS(zone->label, label_for(zone->spec, nullptr));
  zone->file.label = zone->label.encode();
  if (ephemeral) {
    zone->file.state = State::kInstalled;
  } else {
    TRY_AS(UniqueFd dir, zone_dir(name, true));
    // The configuration last: without it the folder is nothing.
    Status written =
        base::replace_file(dir.get(), "zone.json", to_text(zone->file), Durability::kDisk);
    if (written)
      written = base::replace_file(etc_zones_.get(), name + std::string(kToml), config.text,
                                   Durability::kDisk);
    if (!written) {
      unlinkat(dir.get(), "zone.json", 0);
      unlinkat(lib_zones_.get(), name.c_str(), AT_REMOVEDIR);
      return std::move(written).error().context(zone_subject(name));
    }
  }
  zone->state = zone->file.state;
  Zone* made = zone.get();
  zones_[name] = std::move(zone);
  return made;
}

Status Registry::set_config(Zone* zone, const ZoneConfig& config) {
  TRY_AS(auto grants, resolve_grants(config.spec));
  TRY_AS(labels::Label label, label_for(config.spec, zone));
  const bool relabelled = label != zone->label;
  if (relabelled) TRY(begin_relabelling(*zone, label));
  if (!zone->ephemeral)
    TRY(base::replace_file(etc_zones_.get(), zone->name + std::string(kToml), config.text,
                           Durability::kDisk));
  zone->spec = config.spec;
  zone->wrong_label = false;
  zone->grants = std::move(grants);
  zone->config = config.text;
  return relabelled ? end_relabelling(zone) : Status();
}

Status Registry::set_file(Zone* zone, const ZoneFile& file) {
  if (!zone->ephemeral) {
    TRY_AS(UniqueFd dir, zone_dir(zone->name, true));
    TRY(base::replace_file(dir.get(), "zone.json", to_text(file), Durability::kDisk));
  }
  zone->file = file;
  if (!zone->record) zone->state = file.state;
  return {};
}

Result<std::string> Registry::discard(int dir, const std::string& name) {
  std::string aside = random_id();
  if (renameat(dir, name.c_str(), trash_.get(), aside.c_str()) == 0) return aside;
  if (errno == ENOENT) return std::string();
  return base::sys_error("move " + base::quoted(name) + " to the trash");
}

Result<std::string> Registry::end_removal(const std::string& name) {
  TRY(fault_point("delete.config.before"));
  TRY(remove_file(etc_zones_.get(), name + std::string(kToml)));
  TRY(fault_point("delete.config.after"));
  TRY(fault_point("delete.folder.before"));
  TRY_AS(std::string aside, discard(lib_zones_.get(), name));
  TRY(fault_point("delete.folder.after"));
  TRY(set_waiting(name, false));
  return aside;
}

Result<std::string> Registry::remove_zone(const std::string& name) {
  TRY_AS(UniqueFd dir, zone_dir(name, true));
  TRY(fault_point("delete.state.before"));
  TRY(base::replace_file(dir.get(), kRemoving, "", Durability::kDisk));
  Status marked = fault_point("delete.state.after");
  auto aside = marked ? end_removal(name) : Result<std::string>(std::move(marked).error());
  if (aside) {
    zones_.erase(name);
  } else if (base::exists_at(etc_zones_.get(), name + std::string(kToml))) {
    unlinkat(dir.get(), kRemoving, 0);  // refused as a whole: the next start must not end it
  }
  return aside;
}

void Registry::end_removals(std::vector<std::string>* problems) {
  auto names = base::list_dir(lib_zones_.get());
  if (!names) return problems->push_back(names.error().message);
  for (const std::string& name : *names) {
    if (!base::exists_at(lib_zones_.get(), name + "/" + kRemoving)) continue;
    auto ended = end_removal(name);
    if (!ended) problems->push_back(ended.error().message);
  }
}

// A folder that holds zone.json alone, of a zone without configuration: create_zone() was cut short.
void Registry::end_creations() {
  auto names = base::list_dir(lib_zones_.get());
  if (!names) return;
  for (const std::string& name : *names) {
    if (base::exists_at(etc_zones_.get(), name + std::string(kToml))) continue;
    auto dir = base::open_at(lib_zones_.get(), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!dir) continue;
    remove_temporaries(dir->get());
    auto files = base::list_dir(dir->get());
    if (!files || (!files->empty() && *files != std::vector<std::string>{"zone.json"})) continue;
    unlinkat(dir->get(), "zone.json", 0);
    unlinkat(lib_zones_.get(), name.c_str(), AT_REMOVEDIR);
  }
}

Status Registry::create_pool(const std::string& name, const PoolConfig& config) {
  TRY(base::check_name("pool", name));
  Pool* existing = find_pool(name);
  if (existing != nullptr && existing->file)
    return make_error(Code::kExists, "pool " + base::quoted(name) + " exists already");
  TRY(base::replace_file(etc_pools_.get(), name + std::string(kToml), config.text,
                         Durability::kDisk));
  Pool& pool = pools_[name];
  pool.spec = config.spec;
  pool.config = config.text;
  pool.file = true;
  return {};
}

Status Registry::set_pool(Pool* pool, const PoolConfig& config) {
  const std::string name = pool->spec.name;
  TRY(base::replace_file(etc_pools_.get(), name + std::string(kToml), config.text,
                         Durability::kDisk));
  pool->spec = config.spec;
  pool->config = config.text;
  pool->file = true;
  return {};
}

Status Registry::remove_pool(const std::string& name) {
  TRY(remove_file(etc_pools_.get(), name + std::string(kToml)));
  pools_.erase(name);
  if (name == "default") pools_[name].spec.name = name;
  return {};
}

Status Registry::write_record(const Zone& zone) const {
  return base::replace_file(run_zones_.get(), zone.name + std::string(kJson), to_text(*zone.record),
                            Durability::kRuntime);
}

Status Registry::write_plan(const std::string& zone, const nlohmann::json& plan) const {
  return base::replace_file(run_zones_.get(), zone + std::string(kPlan), plan.dump(),
                            Durability::kRuntime);
}

void Registry::remove_record(const std::string& name) const {
  for (std::string_view suffix : {kPorts, kPlan, kJson})
    unlinkat(run_zones_.get(), (name + std::string(suffix)).c_str(), 0);
}

Status Registry::set_changing(const std::string& name, bool changing) const {
  std::string file = name + std::string(kPorts);
  if (changing) return base::replace_file(run_zones_.get(), file, "", Durability::kRuntime);
  unlinkat(run_zones_.get(), file.c_str(), 0);
  return {};
}

bool Registry::changing(const std::string& name) const {
  return base::exists_at(run_zones_.get(), name + std::string(kPorts));
}

Status Registry::set_waiting(const std::string& name, bool waiting) const {
  std::string file = name + std::string(kRestart);
  if (waiting) return base::replace_file(run_zones_.get(), file, "", Durability::kRuntime);
  unlinkat(run_zones_.get(), file.c_str(), 0);
  return {};
}

std::vector<std::string> Registry::waiting() const {
  std::vector<std::string> zones;
  auto names = base::list_dir(run_zones_.get());
  if (!names) return zones;
  for (const std::string& name : *names)
    if (std::string zone = stem(name, kRestart); !zone.empty()) zones.push_back(zone);
  return zones;
}

void Registry::remember_plan(Zone* zone, std::shared_ptr<const core::ZonePlan> plan) {
  zone->plan = std::move(plan);
  std::erase(recent_plans_, zone->name);
  recent_plans_.push_front(zone->name);
  if (recent_plans_.size() <= kPlansInMemory) return;
  if (Zone* oldest = find(recent_plans_.back())) oldest->plan.reset();
  recent_plans_.pop_back();
}

Result<std::shared_ptr<const core::ZonePlan>> Registry::plan_of(Zone* zone) {
  if (zone->plan) return zone->plan;
  TRY_AS(std::string text, base::read_file(run_zones_.get(), zone->name + std::string(kPlan)));
  auto value = nlohmann::json::parse(text, nullptr, false);
  if (value.is_discarded())
    return make_error(Code::kIo, zone_subject(zone->name) + ": its stored plan is unreadable");
  TRY_AS(core::ZonePlan plan, core::zone_plan_from_json(value));
  remember_plan(zone, std::make_shared<const core::ZonePlan>(std::move(plan)));
  return zone->plan;
}

}  // namespace zoned

#include "zoned/daemon/daemon.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "base/files.h"
#include "base/log.h"
#include "base/strings.h"
#include "base/unix_socket.h"
#include "zoned/daemon/audit_journal.h"

namespace zoned {

using base::Code;
using base::make_error;
using base::Status;
using base::UniqueFd;

namespace {

constexpr unsigned kFirstKeepers = 4;
// Keepers answer in milliseconds; one that does not come up must not keep the others' zones waiting.
constexpr std::chrono::seconds kRecoveryPatience{10};

Status check_programs(const std::string& folder) {
  for (const char* name : {"zone-keeper", "zone-init", "zone-unpack", "zone-import", "zone-parse",
                           "zone-readdown", "zone-dhcp6"})
    if (access((folder + "/" + name).c_str(), R_OK | X_OK) != 0)
      return base::sys_error("program " + base::quoted(folder + "/" + name, 400))
          .with_hint("zoned's programs must lie in one folder");
  return {};
}

// A descriptor per zone: as many as we may have.
void raise_descriptor_limit() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
    base::log_ignored("raise the limit of descriptors", base::sys_error("setrlimit"));
}

}  // namespace

Daemon::Daemon() = default;
Daemon::~Daemon() {
  server_.reset();  // answers refer to what is below
  api_.reset();
  parsers_.reset();
  if (ids_) ids_->release(parser_ids_);
}

base::Result<std::unique_ptr<Daemon>> Daemon::create(const std::string& root, Task task) {
  std::unique_ptr<Daemon> daemon(new Daemon());
  TRY(daemon->build(root, task));
  return daemon;
}

Status Daemon::build(const std::string& root, Task task) {
  if (geteuid() != 0) return make_error(Code::kDenied, "zoned needs root");
  root_ = root;
  paths_ = api::paths_for(root);
  TRY_AS(std::string programs, program_folder());
  TRY(check_programs(programs));
  raise_descriptor_limit();
  umask(022);
  TRY_AS(registry_, Registry::open(paths_));
  TRY_AS(Instance instance, Instance::lock(paths_.run, registry_->run_dir()));
  instance_ = std::make_unique<Instance>(std::move(instance));
  cap_log(registry_->run_dir());
  host_ = core::detect_host();
  TRY(core::require_host(host_));
  TRY_AS(ids_, core::IdRegistry::open(instance_->lock_path()));
  TRY_AS(loop_, base::EventLoop::create());
  TRY_AS(parser_ids_, ids_->lease());
  parsers_ =
      std::make_unique<Parsers>(loop_.get(), &children_, programs + "/zone-parse", parser_ids_);
  TRY(parsers_->open());
  TRY(read_state(task));
  TRY_AS(auto roots, resource::detect_roots());
  TRY_AS(cgroups_,
         resource::open_cgroups(roots, subtree_name(root_), resource::block_device_of(paths_.lib)));
  shares_ = std::make_unique<Shares>(registry_.get(), cgroups_.get());
  TRY_AS(networks_, Networks::open(root_, registry_.get(), loop_.get(), &children_, &events_,
                                   parsers_.get(), &*encodings_));
  TRY(read_settings());
  parsers_->close_reader();
  trees_ = std::make_unique<TreeLabels>(paths_, &*encodings_);
  TRY(open_keepers(programs));
  open_audit();
  guests_ = std::make_unique<Guests>(loop_.get(), registry_.get(), keepers_.get(), &events_);
  prepared_ = std::make_unique<Prepared>(loop_.get(), keepers_.get(), ids_.get(),
                                         networks_->instance(), prepared_each_);
  parts_ = {loop_.get(), registry_.get(), cgroups_.get(), ids_.get(),      keepers_.get(),
            &children_,  &events_,        shares_.get(),  networks_.get(), guests_.get(),
            &host_,      &*encodings_,    users_.get(),   audit_.get(),    parsers_.get()};
  parts_.trees = trees_.get();
  parts_.prepared = prepared_.get();
  TRY_AS(transfers_, Transfers::open(parts_, programs + "/zone-unpack"));
  parts_.transfers = transfers_.get();
  transfers_->require_second(two_person_);
  runtime_ = std::make_unique<Runtime>(parts_);
  names_ =
      std::make_unique<NameService>(loop_.get(), registry_.get(), networks_.get(), keepers_.get(),
                                    [this](Zone* zone) { boot_name_service(zone); });
  networks_->set_name_hooks({[this](const netns::Network& network, uint32_t label, bool keep) {
                               return names_->server(network, label, keep);
                             },
                             [this] { names_->refresh(); }});
  open_read_down();
  installer_ = std::make_unique<Installer>(parts_, programs);
  DaemonHooks hooks{[this](Callback done) { stop_all(std::move(done)); },
                    [this](const Callback& done) { upgrade(done); }};
  api_ = std::make_unique<Api>(parts_, runtime_.get(), installer_.get(), audit_.get(),
                               std::move(hooks));
  return {};
}

void Daemon::open_audit() {
  AuditLog::Options options;
  options.name_of = [this](const labels::Label& label) { return encodings_->name_of(label); };
  options.clearance_name_of = [this](const labels::Label& label) {
    return encodings_->clearance_name_of(label);
  };
  options.keep = audit_keep_;
  options.note = [this](const api::AuditHead& head) {
    cap_log(registry_->run_dir());
    note_audit_head(root_, head);
  };
  audit_ = std::make_unique<AuditLog>(loop_.get(), paths_.lib, std::move(options));
  attempts_ = std::make_unique<Attempts>(
      loop_.get(), audit_.get(), [this](const std::string& zone) { return registry_->find(zone); });
  networks_->set_attempt_hook([this](const std::string& zone, const std::string& reason) {
    attempts_->note("Packet", zone, reason);
  });
}

void Daemon::boot_name_service(Zone* zone) {
  record_own(audit_.get(), "NameService", *zone, [this, name = zone->name](const Status& recorded) {
    if (!recorded) return base::log_error(recorded.error().message);
    Zone* target = registry_->find(name);
    if (target == nullptr || target->record) return;
    runtime_->boot(target, {}, [](const base::Result<Booted>& booted) {
      if (!booted) base::log_error(booted.error().message);
    });
  });
}

Status Daemon::read_encodings(Task task) {
  constexpr char kBuiltIn[] = "the built-in label encodings";
  const core::ConfigText built_in{kBuiltIn, std::string(labels::Encodings::built_in_text())};
  const std::string file = paths_.etc + "/label_encodings";
  auto text = base::read_file(AT_FDCWD, file);
  bool absent = !text && text.error().code == Code::kNotFound;
  if (!text && !absent && task == Task::kServe)
    return std::move(text).error().context("label encodings");
  auto read = parsers_->encodings(text ? core::ConfigText{file, *text} : built_in);
  // Ending zones needs no names.
  bool failed = !read && text;
  if (failed && task == Task::kStop) read = parsers_->encodings(built_in);
  if (!read) return std::move(read).error();
  encodings_ = *std::move(read);
  encodings_file_ = text && !failed ? file : kBuiltIn;
  return {};
}

Status Daemon::read_state(Task task) {
  TRY(read_encodings(task));
  std::vector<std::string> problems;
  TRY(registry_->load(&*encodings_, parsers_.get(), &problems));
  if (task == Task::kServe) {
    TRY_AS(Users users, Users::load(paths_.etc, &*encodings_, parsers_.get(), &problems));
    users_ = std::make_unique<Users>(std::move(users));
  }
  for (const std::string& problem : problems) base::log_error(problem);
  if (task == Task::kStop) return {};
  return registry_->check_labels(encodings_file_);
}

void Daemon::open_read_down() {
  ReadDown::Hooks hooks;
  hooks.boot = [this](Zone* zone, const Callback& done) {
    record_own(audit_.get(), "ReadDown", *zone, [this, name = zone->name, done](Status recorded) {
      if (!recorded) return done(std::move(recorded));
      Zone* target = registry_->find(name);
      if (target == nullptr || target->record) return done({});
      runtime_->boot(target, {}, [done](const base::Result<Booted>& booted) {
        done(booted ? Status() : Status(booted.error()));
      });
    });
  };
  hooks.halt = [this](Zone* zone) { runtime_->halt(zone, [](const Status&) {}); };
  hooks.wrote = [this](const std::string& reader, const std::string& what, const Zone* lower,
                       uint64_t count) {
    const std::string of = lower == nullptr ? std::string()
                                            : " of label " + encodings_->name_of(lower->label) +
                                                  " (zone " + base::quoted(lower->name) + ")";
    attempts_->note("WriteDown", reader, what + of, count);
  };
  read_down_ =
      std::make_unique<ReadDown>(loop_.get(), registry_.get(), keepers_.get(), std::move(hooks));
  parts_.read_down = read_down_.get();
  runtime_->set_life_hooks({[this](const std::string& zone, std::function<void()> then) {
                              names_->booted(zone);
                              transfers_->take_back(zone, [] {});
                              read_down_->booted(zone, std::move(then));
                            },
                            [this](const std::string& zone) { read_down_->ended(zone); }});
}

Status Daemon::read_settings() {
  TRY_AS(UniqueFd etc, base::open_at(AT_FDCWD, paths_.etc, O_RDONLY | O_DIRECTORY));
  Settings settings;
  if (base::exists_at(etc.get(), "zoned.toml")) {
    TRY_AS(std::string text, base::read_file(etc.get(), "zoned.toml"));
    TRY_AS(auto document,
           std::move(parsers_->documents({{paths_.etc + "/zoned.toml", text}}).front()));
    TRY_AS(settings, settings_from_document(document));
  }
  audit_keep_ = settings.audit_keep;
  prepared_each_ = settings.prepared;
  two_person_ = settings.two_person;
  // Without it zones are only less well fenced against the host: worth a warning, not a refusal.
  base::log_ignored(
      "limits of all zones together",
      shares_->set_host(settings.host_shares, memory_for_zones(settings, host_.memory_bytes)));
  return {};
}

Status Daemon::open_keepers(const std::string& programs) {
  Keepers::Events events;
  events.ready = [this](unsigned index, const std::vector<core::ZoneRecord>& known) {
    on_keeper(index, known);
  };
  events.exited = [this](unsigned index, const std::string& zone, const std::string& boot_id,
                         const core::ExitStatus& status) {
    const Zone* known = registry_->find(zone);
    if (known != nullptr && known->record && known->record->boot_id == boot_id)
      return runtime_->on_exited(zone, boot_id, status);
    keepers_->request(index, {{"op", "forget"}, {"zone", zone}}, {},
                      [](base::Result<KeeperReply>) {});
  };
  events.trouble = [this](const std::string& text) {
    cap_log(registry_->run_dir());
    base::log_warning(text);
  };
  keepers_ =
      std::make_unique<Keepers>(loop_.get(), &children_,
                                Keepers::Options{paths_.run, paths_.lib + "/zones",
                                                 registry_->run_dir(), programs + "/zone-keeper"},
                                std::move(events));
  return {};
}

Status Daemon::start() {
  // Zones whose keeper dies become our children, so that their end is seen.
  if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) return base::sys_error("prctl");
  children_.on_stranger([this](pid_t pid, int status) { on_stranger(pid, status); });
  TRY(loop_->on_signals({SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGPIPE}, [this](int signal) {
    if (signal == SIGCHLD) children_.reap();
    if (signal == SIGTERM || signal == SIGINT || signal == SIGHUP) loop_->stop();
  }));
  children_.reap();  // who ended before the signals were ours
  unsigned count = std::clamp(host_.cpus, 1U, kFirstKeepers);
  for (auto& [name, zone] : registry_->zones()) {
    if (!zone->record) continue;
    zone->on_keeper = true;
    zone->last_keeper = static_cast<int>(zone->record->keeper);
    keepers_->count_zone(zone->record->keeper);
  }
  keepers_->ensure(count);
  recovery_timer_ = loop_->after(kRecoveryPatience, [this] {
    recovery_timer_ = 0;
    if (recovered_) return;
    base::log_error("some zone-keepers do not answer; their zones wait for them");
    recovered();
  });
  return {};
}

Status Daemon::serve() {
  // Everybody may connect; who it is decides what they may do.
  constexpr mode_t kForAll = 0666;
  TRY_AS(UniqueFd listener,
         base::listen_unix(registry_->run_dir(), api::Paths::kSocketName, SOCK_STREAM, kForAll));
  // bind(2) takes our umask off.
  if (fchmodat(registry_->run_dir(), api::Paths::kSocketName, kForAll, 0) != 0)
    return base::sys_error("chmod the socket");
  TRY_AS(server_, api::Server::create(
                      loop_.get(), std::move(listener),
                      [this](uid_t uid, const std::string& text, const api::OnParsed& done) {
                        parsers_->call(uid, text, done);
                      },
                      [this](api::Call call) { api_->handle(std::move(call)); }, {}));
  sd_notify(0, "READY=1\nSTATUS=serving");
  return {};
}

Status Daemon::run(std::function<void()> on_ready) {
  on_ready_ = std::move(on_ready);
  TRY(start());
  TRY(loop_->run());
  sd_notify(0, upgrading_ ? "RELOADING=1" : "STOPPING=1");
  server_.reset();
  if (!upgrading_) unlinkat(registry_->run_dir(), api::Paths::kSocketName, 0);
  return outcome_;
}

Status Daemon::run_to_stop() {
  stop_when_recovered_ = true;
  return run([] {});
}

}  // namespace zoned

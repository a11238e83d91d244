#include "zoned/daemon/install_job.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <iterator>
#include <optional>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/log.h"
#include "base/strings.h"
#include "labels/policy.h"
#include "vmzone/install.h"
#include "vmzone/vm_folder.h"
#include "zoned/core/install_finish.h"
#include "zoned/core/keeper_protocol.h"
#include "zoned/core/source.h"
#include "zoned/daemon/fault.h"

namespace zoned {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;
using base::UniqueFd;

namespace {

std::string subject(const Zone& zone) { return "zone " + base::quoted(zone.name); }

constexpr const char* kTree = "root";

Status make_empty(int dir, const std::string& name, mode_t mode) {
  if (mkdirat(dir, name.c_str(), mode) != 0) return base::sys_error("mkdir " + base::quoted(name));
  // The job's root in its tree is uid 0 there: the mode must not depend on our umask.
  if (fchmodat(dir, name.c_str(), mode, 0) != 0) return base::sys_error("chmod");
  return {};
}

}  // namespace

struct Installer::Job {
  std::string zone;
  std::string pool;
  labels::Label label;
  core::Source source;
  std::string image;                    // being built, empty otherwise
  std::optional<vmzone::VmInstall> vm;  // of a vm zone
  OnProgress on_progress;
  Installed done;
  std::vector<std::string> warnings;
  std::vector<Callback> cancels;  // who asked for the end
  bool cancelled = false;
  JobLauncher::LaunchPtr launch;  // under way
};

Installer::Installer(const Parts& parts, std::string programs)
    : parts_(parts),
      programs_(std::move(programs)),
      launcher_(parts),
      facts_(core::detect_install_facts()) {}

Status Installer::check_installable(const Zone& zone) const {
  if (zone.job) return make_error(Code::kBusy, subject(zone) + " is being installed or removed");
  if (zone.file.state != State::kInstalled && !zone.record) return {};
  return make_error(Code::kState, subject(zone) + " is installed already",
                    "uninstall it first, or create another zone");
}

void Installer::install(Zone* zone, const std::string& source, OnProgress on_progress,
                        Installed done) {
  auto job = std::make_shared<Job>();
  job->zone = zone->name;
  job->pool = zone->spec.pool;
  job->on_progress = std::move(on_progress);
  job->done = std::move(done);
  auto prepare = [&]() -> Status {
    TRY(check_installable(*zone));
    TRY_AS(job->source, core::parse_source(source));
    TRY(core::check_source_brand(job->source, zone->spec.brand));
    if (zone->spec.brand == core::Brand::kVm) {
      job->vm = vmzone::install_of(job->source, zone->spec);
      TRY(vmzone::check_vm_host(*job->vm));
    }
    facts_ = core::detect_install_facts();
    TRY(parts_.registry->check_label_text(*zone));
    job->label = zone->label;
    TRY(fault_point("install.state.before"));
    ZoneFile file = zone->file;
    file.state = State::kIncomplete;
    file.source = core::format_source(job->source);
    TRY(parts_.registry->set_file(zone, file));
    return fault_point("install.state.after");
  };
  Status prepared = prepare();
  if (!prepared) return job->done(std::move(prepared).error().context(subject(*zone)));
  zone->job = true;
  jobs_[zone->name] = job;
  parts_.events->emit(zone->name, "installing", zone->file.source);
  switch (job->source.kind) {
    case core::Source::Kind::kDir:
      return fill_root(job, job->source.path);
    case core::Source::Kind::kTar: {
      std::string archive = job->source.path;
      auto target = make_target(job);
      if (!target) return fail(job, std::move(target).error());
      return launch(
          job, *target,
          [this, archive](const core::JobRequest& request) {
            return Result<core::InstallJob>(core::plan_unpack(request, facts_, archive));
          },
          [this, job] { finish(job); });
    }
    case core::Source::Kind::kDebian:
      return build_image(job);
    case core::Source::Kind::kKernel:
    case core::Source::Kind::kDisk:
    case core::Source::Kind::kIso:
      return fill_vm(job);
  }
}

// LIB/zones/NAME/root or LIB/zones/NAME/vm, made anew.
Result<std::string> Installer::make_target(const JobPtr& job) {
  TRY_AS(auto aside, discard_content(job->zone));
  remove_aside(aside, [](const Status&) {});
  TRY_AS(UniqueFd dir, parts_.registry->zone_dir(job->zone, true));
  const char* name = job->vm ? vmzone::kVmFolder : kTree;
  TRY(make_empty(dir.get(), name, job->vm ? 0700 : 0755));
  return parts_.registry->paths().lib + "/zones/" + job->zone + "/" + name;
}

void Installer::fill_vm(const JobPtr& job) {
  auto target = make_target(job);
  if (!target) return fail(job, std::move(target).error());
  launch(
      job, *target,
      [this, job](const core::JobRequest& request) {
        return Result<core::InstallJob>(core::plan_import(request, facts_, job->source));
      },
      [this, job] { finish(job); });
}

void Installer::fill_root(const JobPtr& job, const std::string& folder) {
  auto target = make_target(job);
  if (!target) return fail(job, std::move(target).error());
  launch(
      job, *target,
      [this, folder](const core::JobRequest& request) {
        return Result<core::InstallJob>(core::plan_copy(request, facts_, folder));
      },
      [this, job] { finish(job); });
}

void Installer::build_image(const JobPtr& job) {
  std::string image = core::image_name(facts_, job->source);
  int images = parts_.registry->images_dir();
  if (base::exists_at(images, image))
    return fill_root(job, parts_.registry->paths().lib + "/images/" + image);
  if (auto it = building_.find(image); it != building_.end()) {
    // Another zone's install makes it at this moment; when it fails, we try ourselves.
    it->second.push_back([this, job] { build_image(job); });
    return;
  }
  building_[image];
  job->image = image;
  std::string name = ".building-" + image;
  auto prepare = [&]() -> Status {
    TRY_AS(std::string aside, parts_.registry->discard(images, name));
    remove_aside({aside}, [](const Status&) {});
    return make_empty(images, name, 0755);
  };
  if (Status prepared = prepare(); !prepared) return fail(job, std::move(prepared).error());
  launch(
      job, parts_.registry->paths().lib + "/images/" + name,
      [this, job](const core::JobRequest& request) {
        return core::plan_debian(request, facts_, job->source);
      },
      [this, job] { image_built(job); });
}

void Installer::image_built(const JobPtr& job) {
  int images = parts_.registry->images_dir();
  std::string name = ".building-" + job->image;
  auto sync = [images, name]() -> Status {
    TRY_AS(UniqueFd tree, base::open_at(images, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    if (syncfs(tree.get()) != 0) return base::sys_error("syncfs");
    return {};
  };
  in_child({images}, sync, [this, job, images, name](Status synced) {
    if (synced && renameat(images, name.c_str(), images, job->image.c_str()) != 0)
      synced = base::sys_error("keep the image " + base::quoted(job->image));
    if (!synced) return fail(job, std::move(synced).error());
    std::string image = std::exchange(job->image, {});
    release_image(image);
    fill_root(job, parts_.registry->paths().lib + "/images/" + image);
  });
}

void Installer::release_image(const std::string& image) {
  auto node = building_.extract(image);
  if (node.empty()) return;
  for (auto& waiter : node.mapped()) waiter();
}

void Installer::finish(const JobPtr& job) {
  if (Status status = fault_point("install.finish.before"); !status)
    return fail(job, std::move(status).error());
  auto dir = parts_.registry->zone_dir(job->zone, false);
  if (!dir) return fail(job, std::move(dir).error());
  auto target = base::open_at(dir->get(), job->vm ? vmzone::kVmFolder : kTree,
                              O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!target) return fail(job, std::move(target).error());
  int fd = target->get();
  job->on_progress({"finish", 0, 0});
  in_child(
      {fd},
      [fd, zone = job->zone, vm = job->vm] {
        return vm ? vmzone::finish_vm(fd, *vm) : core::finish_install(fd, zone);
      },
      [this, job](Status finished) {
        if (finished) finished = fault_point("install.finish.after");
        if (!finished) return fail(job, std::move(finished).error());
        succeed(job);
      });
}

void Installer::succeed(const JobPtr& job) {
  Zone* zone = parts_.registry->find(job->zone);
  ZoneFile file = zone->file;
  file.state = State::kInstalled;
  Status written = fault_point("install.done.before");
  if (written) written = parts_.registry->set_file(zone, file);
  if (written) written = fault_point("install.done.after");
  if (!written) return fail(job, std::move(written).error());
  zone->job = false;
  jobs_.erase(job->zone);
  parts_.events->emit(job->zone, "installed", file.source);
  job->done(std::move(job->warnings));
  for (auto& cancel : job->cancels) cancel({});
}

void Installer::fail(const JobPtr& job, base::Error cause) {
  Zone* zone = parts_.registry->find(job->zone);
  const base::Error error = std::move(cause).context(subject(*zone) + ": install");
  parts_.events->emit(job->zone, "install-failed", error.message);
  if (!job->image.empty()) {
    auto aside = parts_.registry->discard(parts_.registry->images_dir(), ".building-" + job->image);
    if (aside) remove_aside({*aside}, [](const Status&) {});
    release_image(std::exchange(job->image, {}));
  }
  auto cleaned = [this, job, error](const Status& removed) {
    base::log_ignored("remove the tree of a failed install", removed);
    Zone* target = parts_.registry->find(job->zone);
    target->job = false;
    ZoneFile file = target->file;
    file.state = State::kConfigured;
    file.source.clear();
    if (removed) base::log_ignored(subject(*target), parts_.registry->set_file(target, file));
    jobs_.erase(job->zone);
    job->done(error);
    for (auto& cancel : job->cancels) cancel({});
  };
  auto aside = discard_content(job->zone);
  if (!aside) return cleaned(Status(std::move(aside).error()));
  remove_aside(*aside, cleaned);
}

void Installer::cancel(Zone* zone, Callback done) {
  auto it = jobs_.find(zone->name);
  if (it == jobs_.end())
    return done(make_error(Code::kState, subject(*zone) + ": nothing to cancel"));
  JobPtr job = it->second;
  job->cancelled = true;
  job->cancels.push_back(std::move(done));
  if (job->launch) launcher_.kill(*job->launch);
}

void Installer::launch(const JobPtr& job, const std::string& target, Planner plan,
                       std::function<void()> next) {
  if (job->cancelled) return fail(job, make_error(Code::kState, "cancelled"));
  JobLauncher::Request request;
  request.name = job->zone;
  request.pool = job->pool;
  request.label = job->label;
  request.program = programs_ + (job->vm ? "/zone-import" : "/zone-unpack");
  request.target = target;
  request.point = "install";
  request.plan = std::move(plan);
  request.on_line = [job](std::string_view line) {
    auto progress = core::parse_progress(line);
    if (progress) job->on_progress(*progress);
  };
  request.ended = [this, job, next = std::move(next)](Result<std::vector<std::string>> warnings) {
    job->launch.reset();
    if (!warnings) return fail(job, std::move(warnings).error());
    std::move(warnings->begin(), warnings->end(), std::back_inserter(job->warnings));
    next();
  };
  job->launch = launcher_.launch(std::move(request));
}

Result<std::vector<std::string>> Installer::discard_content(const std::string& zone) {
  TRY_AS(UniqueFd dir, parts_.registry->zone_dir(zone, true));
  std::vector<std::string> aside;
  for (const char* name : {kTree, vmzone::kVmFolder}) {
    TRY_AS(std::string moved, parts_.registry->discard(dir.get(), name));
    aside.push_back(std::move(moved));
  }
  return aside;
}

void Installer::uninstall(Zone* zone, Callback done) {
  auto refuse = [&](const std::string& why, const std::string& hint) {
    done(make_error(Code::kState, subject(*zone) + " is " + why, hint));
  };
  if (zone->job) return refuse("being installed or removed", "");
  if (zone->record || zone->restart_timer != 0)
    return refuse(std::string(state_name(zone->state)), "halt it first");
  if (zone->file.state == State::kConfigured) return refuse("not installed", "");
  ZoneFile file = zone->file;
  file.state = State::kIncomplete;
  auto begin = [&]() -> Result<std::vector<std::string>> {
    TRY(parts_.registry->set_file(zone, file));
    TRY(fault_point("delete.tree.before"));
    TRY_AS(auto aside, discard_content(zone->name));
    TRY(fault_point("delete.tree.after"));
    file.state = State::kConfigured;
    file.source.clear();
    TRY(parts_.registry->set_file(zone, file));
    return aside;
  };
  auto aside = begin();
  if (!aside) return done(std::move(aside).error().context(subject(*zone)));
  parts_.events->emit(zone->name, "uninstalled");
  remove_aside(*aside, std::move(done));
}

void Installer::remove(Zone* zone, Callback done) {
  parts_.networks->forget(*zone);
  parts_.keepers->hang_up(*zone);
  auto aside = parts_.registry->remove_zone(zone->name);
  if (!aside) return done(std::move(aside).error().context(subject(*zone) + ": delete"));
  remove_aside({*aside}, std::move(done));
}

Result<UniqueFd> Installer::open_run_source(const std::string& source,
                                            const labels::Label& label) const {
  constexpr std::string_view kClone = "clone:";
  if (source.starts_with(kClone)) {
    std::string name = source.substr(kClone.size());
    TRY_AS(Zone * zone, parts_.registry->get(name));
    if (zone->file.state != State::kInstalled || zone->job || zone->ephemeral)
      return make_error(Code::kState, subject(*zone) + " is not installed");
    if (zone->spec.brand == core::Brand::kVm)
      return make_error(Code::kInvalid, subject(*zone) + " is a vm zone: it has no tree to run in",
                        "run takes dir:PATH or clone:ZONE of a native zone");
    if (!labels::may_share_pages(label, zone->label))
      return make_error(Code::kDenied,
                        subject(*zone) + " is " +
                            base::quoted(parts_.encodings->name_of(zone->label)) + ", the run " +
                            base::quoted(parts_.encodings->name_of(label)),
                        "zones of different labels share no tree: give the run that label, or "
                        "install a zone of its own");
    TRY_AS(UniqueFd dir, parts_.registry->zone_dir(name, false));
    return base::open_at(dir.get(), kTree, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  }
  auto parsed = core::parse_source(source);
  if (!parsed || parsed->kind != core::Source::Kind::kDir) {
    if (!parsed) return std::move(parsed).error();
    return make_error(
        Code::kUnsupported,
        "run from " + base::quoted(source) + ": only a folder or an installed zone will do",
        "run takes dir:PATH or clone:ZONE; install other sources first");
  }
  TRY_AS(UniqueFd tree, base::open_at(AT_FDCWD, parsed->path, O_RDONLY | O_DIRECTORY));
  TRY_AS(HostObject object, host_object_of(tree.get()));
  TRY(check_use(object, label, Use::kShare, *parts_.encodings));
  TRY(parts_.trees->check_below(object, label));
  return tree;
}

void Installer::in_child(const std::vector<int>& keep, std::function<Status()> work,
                         Callback done) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return done(base::sys_error("pipe"));
  auto read_end = std::make_shared<UniqueFd>(ends[0]);
  UniqueFd write_end(ends[1]);
  std::vector<int> kept = keep;
  kept.push_back(write_end.get());
  int out = write_end.get();
  auto child = [work = std::move(work), out] {
    Status status = work();
    if (status) return 0;
    // A pipe holds a message of ours whole.
    std::string text = core::to_text(core::error_to_json(status.error()));
    base::log_ignored("tell the daemon", base::write_all(out, text));
    return 1;
  };
  auto shared = std::make_shared<Callback>(std::move(done));
  auto pid = parts_.children->run(kept, child, [read_end, shared](int status) {
    if (status == 0) return (*shared)({});
    auto text = base::read_fd(read_end->get(), 65536);
    auto told = nlohmann::json::parse(text ? *text : "", nullptr, false);
    if (!told.is_object()) return (*shared)(make_error(Code::kIo, "the helper was killed"));
    (*shared)(core::error_from_json(told));
  });
  if (!pid) (*shared)(std::move(pid).error());
}

// names: as Registry::discard gives them; empty ones are nothing.
void Installer::remove_aside(const std::vector<std::string>& names, Callback done) {
  std::vector<std::string> there;
  for (const std::string& name : names)
    if (!name.empty()) there.push_back(name);
  if (there.empty()) return done({});
  int trash = parts_.registry->trash_dir();
  in_child(
      {trash},
      [trash, there]() -> Status {
        for (const std::string& name : there) TRY(base::remove_tree(trash, name));
        return {};
      },
      std::move(done));
}

void Installer::sweep_leftovers() {
  auto report = [](const Status& status) { base::log_ignored("empty the trash", status); };
  if (auto images = base::list_dir(parts_.registry->images_dir()); images) {
    for (const std::string& name : *images)
      if (name.starts_with('.'))
        static_cast<void>(parts_.registry->discard(parts_.registry->images_dir(), name));
  }
  auto trash = base::list_dir(parts_.registry->trash_dir());
  if (!trash || trash->empty()) return;
  remove_aside(*trash, report);
}

}  // namespace zoned

#include "tests/root/cells/vmm_yard.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "base/files.h"
#include "netns/instance.h"
#include "netns/network.h"
#include "tests/root/cells/must.h"
#include "vmzone/plan.h"
#include "zoned/core/host_facts.h"

namespace cells {
namespace {

// Not from the registry: the last ranges of its space, which it hands out last.
constexpr uint32_t kTestBase = 1879048192U - 8U * core::kIdsPerZone;
constexpr const char* kPool = "test";

netns::PortPlan tap_of(const std::string& path, const Who& who) {
  netns::Network network =
      must(netns::parse_network("lan", {{"kind", "routed"}, {"subnet", "192.0.2.0/24"}}));
  netns::PortRequest request;
  request.zone = who.name;
  request.name = "net0";
  request.kind = netns::PortKind::kTap;
  request.addresses = {must(netns::Address::parse("192.0.2." + std::to_string(10 + who.place)))};
  return must(netns::plan_port(request, network, netns::Instance(path)));
}

}  // namespace

void must(const base::Status& status) {
  if (!status) FAIL(status.error().message);
}

std::string program_folder() {
  char path[4096];
  ssize_t n = readlink("/proc/self/exe", path, sizeof path);
  std::string text(path, n > 0 ? static_cast<size_t>(n) : 0);
  return text.substr(0, text.rfind('/'));
}

VmmYard::VmmYard(const std::string& program) {
  std::string build = program_folder();
  build.resize(build.rfind('/'));
  program_ = build + "/victims/" + program;
  char name[] = "/tmp/zoned-cells.XXXXXX";
  if (mkdtemp(name) == nullptr) FAIL("mkdtemp");
  path_ = name;
  for (const char* folder : {"/cells", "/shared"})
    must(base::make_dirs(AT_FDCWD, path_ + folder, 0755));
  if (chmod(shared().c_str(), 0777) != 0) FAIL("chmod");
  for (const char* made : {"kernel", "disk0"}) {
    base::UniqueFd fd = must(base::open_at(AT_FDCWD, file(made), O_CREAT | O_EXCL | O_RDWR, 0600));
    if (ftruncate(fd.get(), kDiskSize) != 0) FAIL("ftruncate");
  }
  machine_ = must(base::open_at(AT_FDCWD, "/proc/thread-self/ns/net", O_RDONLY));
  if (unshare(CLONE_NEWNET) != 0) FAIL("no network namespace of our own: needs root");
  cgroups_ = must(resource::open_cgroups(must(resource::detect_roots()),
                                         "zoned-cells-" + std::to_string(getpid())));
  must(cgroups_->create_pool(kPool, {}));
}

VmmYard::~VmmYard() {
  for (const auto& [zone, cgroup] : made_)
    if (auto gone = cgroups_->destroy_zone(kPool, zone); !gone) WARN(gone.error().message);
  made_.clear();
  static_cast<void>(setns(machine_.get(), CLONE_NEWNET));
  static_cast<void>(cgroups_->destroy_pool(kPool));
  static_cast<void>(cgroups_->destroy_subtree());
  static_cast<void>(base::remove_tree(AT_FDCWD, path_));
}

core::ZonePlan VmmYard::plan(const std::vector<std::string>& arguments, const Who& who) {
  core::ZoneSpec spec;
  spec.name = who.name;
  spec.brand = core::Brand::kVm;
  spec.pool = kPool;
  spec.label = who.label;
  spec.open_files = kOpenFiles;
  spec.vm.memory = kGuestMemory;
  spec.disk.emplace_back().path = file("disk0");
  spec.net.emplace_back().network = "lan";
  vmzone::Hardware hardware = must(vmzone::pin_hardware(
      vmzone::new_hardware(vmzone::Origin::kKernel, "7.2", std::string(32, 'a')), spec,
      {{vmzone::disk_id(spec, 0), vmzone::DiskFormat::kRaw}}));
  core::HostFacts host = core::detect_host();
  core::IdRange ids{kTestBase + who.place * core::kIdsPerZone};
  core::TreeFacts no_tree;
  core::PlanInputs inputs{spec,
                          host,
                          no_tree,
                          ids,
                          "0",
                          0,
                          cgroups_.get(),
                          false,
                          false,
                          false,
                          {},
                          {tap_of(path_, who)},
                          labels::Label(1, {}),
                          "PUBLIC"};
  core::ZonePlan plan = must(vmzone::plan_vm({inputs, hardware})).planned.plan;
  plan.exec.path = program_;
  plan.exec.argv = {program_};
  plan.exec.argv.insert(plan.exec.argv.end(), arguments.begin(), arguments.end());
  return plan;
}

int VmmYard::tree(const std::vector<std::string>& more_programs) {
  base::UniqueFd& tree = trees_[more_programs];
  if (tree) return tree.get();
  vmzone::Machine machine;
  machine.profile = "linux";
  machine.kernel = true;
  core::CellRecipe recipe = vmzone::cell_recipe(machine);
  recipe.programs = {program_};
  recipe.programs.insert(recipe.programs.end(), more_programs.begin(), more_programs.end());
  recipe.mount_points.push_back({"/shared", true});
  base::UniqueFd cells = must(base::open_at(AT_FDCWD, path_ + "/cells", O_RDONLY | O_DIRECTORY));
  tree = must(core::cell_tree(cells.get(), recipe));
  return tree.get();
}

const resource::ZoneCgroup& VmmYard::cgroup_of(const core::ZonePlan& plan) {
  auto found = made_.find(plan.cgroup.zone);
  if (found != made_.end()) return found->second;
  auto made = must(cgroups_->create_zone(plan.cgroup.pool, plan.cgroup.zone, plan.cgroup.writes,
                                         plan.ids.base, plan.ids.base));
  return made_[plan.cgroup.zone] = std::move(made);
}

void VmmYard::forget(const core::ZonePlan& plan) {
  made_.erase(plan.cgroup.zone);
  must(cgroups_->destroy_zone(plan.cgroup.pool, plan.cgroup.zone));
}

}  // namespace cells

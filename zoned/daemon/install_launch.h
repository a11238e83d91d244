// One installing job under way (install_job.cc decides, install_launch.cc launches).
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "labels/label.h"
#include "vmzone/install.h"
#include "zoned/core/source.h"
#include "zoned/daemon/install_job.h"

namespace zoned {

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

  // The launch under way.
  std::string boot_id;
  unsigned keeper = 0;
  core::IdRange ids;
  bool cgroup = false;
  std::array<base::UniqueFd, 3> pipes;  // read ends: stdout, stderr, status
  std::array<std::string, 3> texts;     // stdout: the line begun; stderr: its end; status
  unsigned open_pipes = 0;
  base::Error error;  // why the launch failed; empty message: it has not
  std::function<void()> next;
};

}  // namespace zoned

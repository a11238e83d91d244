// A real QEMU under TCG without any zone around it, driven by vmzone's Qmp; ended with the scope.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/event_loop.h"
#include "base/unique_fd.h"
#include "tests/harness/screen.h"
#include "vmzone/control.h"

namespace qmp_test {

template <typename T>
T must(base::Result<T> result);
void must(const base::Status& status);

class Guest {
 public:
  // A PC with a VGA display and an empty CD drive, "cd0", that has not begun to run; args are added.
  explicit Guest(const std::vector<std::string>& args = {});
  ~Guest();
  Guest(const Guest&) = delete;
  Guest& operator=(const Guest&) = delete;

  // Closes the connection, if there is one, and makes another.
  void connect();
  vmzone::Qmp* qmp() { return qmp_.get(); }

  // Runs an operation until it has answered.
  base::Status run(const std::function<void(vmzone::OnDone)>& operation);
  base::Result<nlohmann::json> execute(const std::string& command, const nlohmann::json& arguments);
  vmzone::GuestState state();
  harness::Screen screen();
  // These fail the test, showing the screen, when the text, or the whole line, does not come in two
  // minutes.
  void wait_for(const std::string& text);
  void wait_for_line(const std::string& line);
  void type(std::string_view text);
  void spin(std::chrono::milliseconds time);

  pid_t pid() const { return pid_; }
  size_t open_descriptors();  // of QEMU, once it has done all that it was asked for
  const std::vector<std::string>& events() const { return events_; }
  const std::string& broken() const { return broken_; }

 private:
  void start(const std::vector<std::string>& args);
  void wait_until(const std::string& what,
                  const std::function<bool(const harness::Screen&)>& shown);

  std::string folder_ = "/tmp/zoned-qmp.XXXXXX";
  base::UniqueFd dir_;
  pid_t pid_ = -1;
  std::unique_ptr<base::EventLoop> loop_;
  harness::ScreenFont font_;
  std::unique_ptr<vmzone::Qmp> qmp_;
  std::vector<std::string> events_;
  std::string broken_;
};

template <typename T>
T must(base::Result<T> result) {
  must(result ? base::Status() : base::Status(result.error()));
  return *std::move(result);
}

}  // namespace qmp_test

// Vm zones with real guests, as their user sees them: console, screen and keyboard.
// Every function fails the test when it can't do what it says.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"
#include "tests/harness/sandbox.h"
#include "tests/harness/screen.h"

namespace vm_test {

// Under TCG, beside other tests.
inline constexpr std::chrono::seconds kPatience{120};
inline constexpr const char* kGrubCd = "/usr/lib/grub-rescue/grub-rescue-cdrom.iso";

// The SOURCE of the small Linux guest of tests/guests/linux.sh.
std::string linux_source();
// create --boot of a vm zone.
void boot(const harness::Sandbox& box, const std::string& name, const std::string& source,
          const std::vector<std::string>& settings = {});
// The small Linux guest, on 96 MiB.
void boot_linux(const harness::Sandbox& box, const std::string& name,
                const std::vector<std::string>& settings = {});
// GRUB from CD on a BIOS machine with a screen.
void boot_grub(const harness::Sandbox& box, const std::string& name,
               const std::vector<std::string>& settings = {});
void wait_for_state(const harness::Sandbox& box, const std::string& name, const std::string& state);
// "exit 0": how the zone ended last.
std::string last_end(const harness::Sandbox& box, const std::string& name);

// A connection to a zone's console.
class Console {
 public:
  Console(const harness::Sandbox& box, const std::string& zone);

  void type(std::string_view text);
  // What has come since the last call, up to the end of `text`.
  std::string wait_for(std::string_view text, std::chrono::seconds patience = kPatience);
  // What comes until nothing does for this long, or `most` has passed.
  std::string take(std::chrono::milliseconds quiet, std::chrono::milliseconds most);

 private:
  bool receive(std::chrono::milliseconds timeout);

  base::UniqueFd socket_;
  std::string held_;
};

harness::Screen screen_of(const harness::Sandbox& box, const std::string& zone);
void wait_for_screen(const harness::Sandbox& box, const std::string& zone, const std::string& text);
void wait_for_line(const harness::Sandbox& box, const std::string& zone, const std::string& line);

}  // namespace vm_test

#include "tests/root/qmp/guest.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "base/files.h"
#include "base/strings.h"
#include "base/unix_socket.h"

namespace qmp_test {

using nlohmann::json;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

void must(const base::Status& status) {
  if (!status) FAIL(status.error().message);
}

Guest::Guest(const std::vector<std::string>& args)
    : loop_(must(base::EventLoop::create())), font_(must(harness::ScreenFont::load())) {
  REQUIRE(mkdtemp(folder_.data()) != nullptr);
  dir_ = must(base::open_at(AT_FDCWD, folder_, O_PATH | O_DIRECTORY));
  start(args);
  connect();
}

Guest::~Guest() {
  qmp_.reset();
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  auto removed = base::remove_tree(AT_FDCWD, folder_);
  CHECK(removed.ok());
}

void Guest::start(const std::vector<std::string>& args) {
  base::UniqueFd listener = must(base::listen_unix(dir_.get(), "qmp", SOCK_STREAM));
  const std::string chardev =
      "socket,id=qmp,server=on,wait=off,fd=" + std::to_string(listener.get());
  std::vector<std::string> words = base::split(
      "qemu-system-x86_64 -machine pc-i440fx-7.2 -accel tcg -m 64 -S -nodefaults -no-user-config "
      "-device VGA -vnc none -device ide-cd,id=cd0 -mon chardev=qmp,mode=control -chardev " +
          chardev,
      ' ');
  words.insert(words.end(), args.begin(), args.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_ = fork();
  REQUIRE(pid_ >= 0);
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    fcntl(listener.get(), F_SETFD, 0);
    execvp(argv[0], argv.data());
    _exit(127);
  }
}

void Guest::connect() {
  qmp_.reset();
  broken_.clear();
  base::UniqueFd socket = must(base::connect_unix(dir_.get(), "qmp", SOCK_STREAM));
  vmzone::Qmp::Handlers handlers;
  bool ready = false;
  handlers.on_ready = [&ready](const auto& greeting) { ready = greeting.major >= 7; };
  handlers.on_event = [this](const auto& event) { events_.push_back(event.name); };
  handlers.on_lost = [](uint64_t) {};
  handlers.on_broken = [this](const base::Error& error) { broken_ = error.message; };
  qmp_ = must(vmzone::Qmp::create(loop_.get(), std::move(socket), std::move(handlers)));
  while (!ready && broken_.empty()) must(loop_->run_once(milliseconds(100)));
  INFO(broken_);
  REQUIRE(ready);
}

base::Status Guest::run(const std::function<void(vmzone::OnDone)>& operation) {
  std::optional<base::Status> result;
  operation([&result](const base::Status& status) { result = status; });
  while (!result) must(loop_->run_once(milliseconds(100)));
  return *result;
}

base::Result<json> Guest::execute(const std::string& command, const json& arguments) {
  std::optional<base::Result<json>> result;
  qmp_->execute(command, arguments,
                [&result](base::Result<json> answer) { result = std::move(answer); });
  while (!result) must(loop_->run_once(milliseconds(100)));
  return *std::move(result);
}

vmzone::GuestState Guest::state() {
  std::optional<base::Result<vmzone::GuestState>> result;
  vmzone::query_status(qmp_.get(), [&result](auto state) { result = std::move(state); });
  while (!result) must(loop_->run_once(milliseconds(100)));
  return must(*std::move(result));
}

harness::Screen Guest::screen() {
  std::optional<base::Result<base::UniqueFd>> result;
  vmzone::screendump(qmp_.get(), [&result](auto picture) { result = std::move(picture); });
  while (!result) must(loop_->run_once(milliseconds(100)));
  base::UniqueFd picture = must(*std::move(result));
  return must(harness::read_screen(font_, must(base::read_fd(picture.get(), vmzone::kMaxPicture))));
}

void Guest::wait_until(const std::string& what,
                       const std::function<bool(const harness::Screen&)>& shown) {
  constexpr std::chrono::minutes kPatience{2};
  auto deadline = Clock::now() + kPatience;
  while (true) {
    harness::Screen now = screen();
    if (shown(now)) {
      SUCCEED("the screen shows '" << what << "'");
      return;
    }
    if (Clock::now() > deadline) FAIL("the screen does not show '" << what << "':\n" << now.text());
    spin(milliseconds(250));
  }
}

void Guest::wait_for(const std::string& text) {
  wait_until(text, [&](const harness::Screen& now) { return now.contains(text); });
}

void Guest::wait_for_line(const std::string& line) {
  wait_until(line, [&](const harness::Screen& now) { return now.has_line(line); });
}

void Guest::type(std::string_view text) {
  auto chords = must(vmzone::key_chords_of_text(text));
  must(run([&](auto done) { vmzone::send_keys(qmp_.get(), chords, std::move(done)); }));
}

void Guest::spin(milliseconds time) {
  auto end = Clock::now() + time;
  while (Clock::now() < end) {
    auto left = std::chrono::ceil<milliseconds>(end - Clock::now());
    must(loop_->run_once(std::max(left, milliseconds(1))));
  }
}

size_t Guest::open_descriptors() {
  state();  // answered after all before it
  return must(base::list_dir(AT_FDCWD, "/proc/" + std::to_string(pid_) + "/fd")).size();
}

}  // namespace qmp_test

#include "tests/root/doors/client.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "base/files.h"
#include "base/unix_socket.h"
#include "tests/harness/shell.h"
#include "zoned/api/frame.h"

namespace doors {
namespace {

using base::UniqueFd;

constexpr std::chrono::milliseconds kPatience{120000};

bool become(uid_t uid) {
  if (uid == 0) return true;
  return setgroups(0, nullptr) == 0 && setresgid(uid, uid, uid) == 0 &&
         setresuid(uid, uid, uid) == 0;
}

bool is_final(const std::string& message) {
  auto reply = nlohmann::json::parse(message, nullptr, false);
  return !reply.is_object() || !reply.value("continues", false);
}

// Reads messages; stops at the final one, or when a stream is quiet.
std::string receive(int socket, bool stream) {
  api::FrameReader reader(api::kMaxReplyBytes, api::kMaxReplyFds);
  std::string all;
  while (true) {
    while (auto frame = reader.next()) {
      all += frame->text + '\0';
      if (is_final(frame->text)) return all;
    }
    pollfd item = {socket, POLLIN, 0};
    if (poll(&item, 1, static_cast<int>((stream ? kQuiet : kPatience).count())) != 1)
      return stream ? all : "no answer";
    auto open = reader.read_from(socket);
    if (!open || !*open) return all + "closed";
  }
}

// In the child.
std::string converse(const std::string& folder, uid_t uid, const std::string& call,
                     std::vector<UniqueFd> fds, bool stream) {
  if (!become(uid)) return "can't become that user";
  auto dir = base::open_at(AT_FDCWD, folder, O_PATH | O_DIRECTORY);
  if (!dir) return dir.error().message;
  auto socket = base::connect_unix(dir->get(), "zoned.sock", SOCK_STREAM);
  if (!socket) return socket.error().message;
  api::FrameWriter writer;
  if (!writer.push(call, std::move(fds))) return "can't queue";
  while (!writer.empty())
    if (!writer.flush(socket->get())) return "can't send";
  return receive(socket->get(), stream);
}

std::vector<UniqueFd> open_all(const std::vector<std::string>& files) {
  std::vector<UniqueFd> fds;
  for (const std::string& file : files) {
    if (file != "/dev/null") {
      auto fd = base::open_at(AT_FDCWD, file, O_RDONLY);
      REQUIRE(fd.ok());
      fds.push_back(*std::move(fd));
      continue;
    }
    int ends[2];
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    fds.emplace_back(ends[0]);
    UniqueFd other(ends[1]);
  }
  return fds;
}

}  // namespace

uid_t uid_of(const std::string& user) {
  const passwd* entry = getpwnam(user.c_str());
  REQUIRE(entry != nullptr);
  return entry->pw_uid;
}

std::string answer(const harness::Sandbox& box, const std::string& user, const std::string& method,
                   const Ask& ask) {
  const std::string prefix = method.find('.') == std::string::npos ? "io.zoned." : "";
  nlohmann::json call = {{"method", prefix + method}, {"parameters", ask.parameters}};
  if (ask.more) call["more"] = true;
  uid_t uid = uid_of(user);
  auto fds = open_all(ask.files);
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  UniqueFd read_end(ends[0]), write_end(ends[1]);
  pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::string all = converse(box.root() + "/run", uid, call.dump(), std::move(fds), ask.more);
    _exit(base::write_all(write_end.get(), all).ok() ? 0 : 1);
  }
  write_end.reset();
  auto all = base::read_fd(read_end.get(), api::kMaxReplyBytes);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(status == 0);
  REQUIRE(all.ok());
  return *all;
}

void open_to_others(const harness::Sandbox& box) { harness::shell_ok(box, "chmod 711 $R"); }

}  // namespace doors

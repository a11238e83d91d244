#include "zoned/core/output.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"

namespace core {

using base::UniqueFd;

namespace {

base::Result<UniqueFd> open_log(int folder, uint64_t* size) {
  TRY_AS(UniqueFd file,
         base::open_at(folder, kLogName, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK,
                       0600));
  struct stat st = {};
  if (fstat(file.get(), &st) != 0) return base::sys_error("stat");
  if (!S_ISREG(st.st_mode)) return base::make_error(base::Code::kInvalid, "not a file");
  *size = static_cast<uint64_t>(st.st_size);
  return file;
}

}  // namespace

size_t append_log(int zones, const std::string& zone, uint64_t limit, std::string_view data) {
  size_t written = 0;
  auto folder = base::open_at(zones, zone + "/log", O_PATH | O_DIRECTORY | O_NOFOLLOW);
  if (!folder) return 0;
  while (written < data.size()) {
    uint64_t size = 0;
    auto file = open_log(folder->get(), &size);
    if (!file) break;
    if (size >= limit) {
      if (renameat(folder->get(), kLogName, folder->get(), kOldLogName) != 0) break;
      continue;
    }
    size_t room = static_cast<size_t>(std::min<uint64_t>(data.size() - written, limit - size));
    ssize_t n = write(file->get(), data.data() + written, room);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    written += static_cast<size_t>(n);
  }
  return written;
}

ConsoleHub::~ConsoleHub() {
  for (Client& client : clients_) loop_->remove(client.socket.get());
}

void ConsoleHub::add_client(base::UniqueFd socket) {
  int fd = socket.get();
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) return;
  auto client = clients_.insert(clients_.end(), Client{std::move(socket), {}});
  auto added = loop_->add(fd, EPOLLIN | EPOLLRDHUP,
                          [this, client](uint32_t events) { on_client(client, events); });
  if (!added) clients_.erase(client);
}

void ConsoleHub::drop(std::list<Client>::iterator client) {
  loop_->remove(client->socket.get());
  clients_.erase(client);
}

void ConsoleHub::on_client(std::list<Client>::iterator client, uint32_t events) {
  if ((events & EPOLLIN) != 0) {
    char buffer[4096];
    ssize_t n = read(client->socket.get(), buffer, sizeof buffer);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) return drop(client);
    // The master is non-blocking: what the zone does not take in time is lost, as on a serial line.
    if (n > 0 && input_ >= 0) {
      [[maybe_unused]] ssize_t taken = write(input_, buffer, static_cast<size_t>(n));
    }
  } else if ((events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) != 0) {
    return drop(client);
  }
  if ((events & EPOLLOUT) != 0) flush(client);
}

void ConsoleHub::flush(std::list<Client>::iterator client) {
  while (!client->pending.empty()) {
    ssize_t n = send(client->socket.get(), client->pending.data(), client->pending.size(),
                     MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n <= 0) break;
    client->pending.erase(0, static_cast<size_t>(n));
  }
  uint32_t events = EPOLLIN | EPOLLRDHUP;
  if (!client->pending.empty()) events |= EPOLLOUT;
  if (auto status = loop_->modify(client->socket.get(), events); !status) drop(client);
}

void ConsoleHub::show(std::string_view data) {
  for (auto client = clients_.begin(); client != clients_.end();) {
    auto current = client++;
    size_t room = kClientBuffer - std::min(kClientBuffer, current->pending.size());
    current->pending.append(data.substr(0, room));
    flush(current);
  }
}

std::vector<int> ConsoleHub::clients() const {
  std::vector<int> fds;
  for (const Client& client : clients_) fds.push_back(client.socket.get());
  return fds;
}

}  // namespace core

#include "zoned/api/client.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "base/files.h"
#include "base/strings.h"
#include "base/unix_socket.h"
#include "zoned/api/message.h"
#include "zoned/api/paths.h"

namespace api {

using base::Code;
using base::make_error;

base::Result<Client> Client::connect(const std::string& root) {
  std::string run = paths_for(root).run;
  auto dir = base::open_at(AT_FDCWD, run, O_PATH | O_DIRECTORY);
  base::Error error;
  if (dir) {
    auto socket = base::connect_unix(dir->get(), Paths::kSocketName, SOCK_STREAM);
    if (socket) return Client(*std::move(socket));
    error = std::move(socket).error();
  } else {
    error = std::move(dir).error();
  }
  if (error.sys_errno == ENOENT || error.sys_errno == ECONNREFUSED) {
    std::string start = "start it: zoned --background";
    if (root.empty()) return make_error(Code::kNotFound, "no zoned is running", start);
    return make_error(Code::kNotFound, "no zoned is running for this root",
                      start + " --root " + root);
  }
  if (error.sys_errno == EACCES)
    return make_error(Code::kDenied, "this user may not talk to zoned (" + run + ")");
  return std::move(error).context("zoned");
}

base::Status Client::start(std::string_view method, nlohmann::json parameters, bool more,
                           const std::vector<int>& fds) {
  CallMessage call;
  call.method = std::string(method);
  if (method.find('.') == std::string_view::npos)
    call.method = std::string(kInterface) + "." + call.method;
  call.parameters = std::move(parameters);
  call.more = more;
  std::vector<base::UniqueFd> copies;
  for (int fd : fds) {
    TRY_AS(base::UniqueFd copy, base::dup_fd(fd));
    copies.push_back(std::move(copy));
  }
  FrameWriter writer;
  TRY(writer.push(to_text(call), std::move(copies)));
  auto sent = writer.flush(socket_.get());
  // A daemon that refuses has written why before it closed.
  if (!sent && sent.error().sys_errno != EPIPE) return std::move(sent).error().context("zoned");
  return {};
}

base::Result<Reply> Client::next() {
  while (!reader_.has_frame()) {
    auto more = reader_.read_from(socket_.get());
    if (!more && more.error().sys_errno != ECONNRESET)
      return std::move(more).error().context("zoned");
    if (!more || !*more)
      return make_error(Code::kIo, "zoned closed the connection",
                        "its log tells why; zones are not affected");
  }
  Frame frame = *reader_.next();
  auto reply = parse_reply(frame.text);
  if (!reply) return std::move(reply).error().context("zoned");
  if (!reply->error.empty()) return error_of(*reply);
  return Reply{std::move(reply->parameters), std::move(frame.fds), reply->continues};
}

base::Result<Reply> Client::call(std::string_view method, nlohmann::json parameters,
                                 const std::vector<int>& fds) {
  TRY(start(method, std::move(parameters), /*more=*/false, fds));
  TRY_AS(Reply reply, next());
  if (reply.continues) return make_error(Code::kInternal, "zoned sent more than one reply");
  return reply;
}

base::Status Client::call_more(std::string_view method, nlohmann::json parameters,
                               const std::function<bool(Reply)>& callback) {
  TRY(start(method, std::move(parameters), /*more=*/true));
  while (true) {
    TRY_AS(Reply reply, next());
    bool last = !reply.continues;
    if (!callback(std::move(reply)) || last) return {};
  }
}

}  // namespace api

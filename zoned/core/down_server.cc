#include "zoned/core/down_server.h"

#include <fcntl.h>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/strings.h"
#include "base/unix_socket.h"
#include "zoned/core/keeper_protocol.h"

namespace core {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;
using base::UniqueFd;
using nlohmann::json;

struct DownServer::Buffer {
  fuse_buf data = {};
  ~Buffer() { free(data.mem); }
};

DownServer::DownServer(std::unique_ptr<base::EventLoop> loop, UniqueFd listener)
    : loop_(std::move(loop)),
      listener_(std::move(listener)),
      files_{{}, {loop_.get(), [this](const DownWrite& write, uint64_t count) {
                    return tell(write, count);
                  }}} {}

DownServer::~DownServer() {
  if (session_ != nullptr) fuse_session_destroy(session_);
}

Result<std::unique_ptr<DownServer>> DownServer::create(UniqueFd listener) {
  TRY_AS(auto loop, base::EventLoop::create());
  std::unique_ptr<DownServer> server(new DownServer(std::move(loop), std::move(listener)));
  server->buffer_ = std::make_unique<Buffer>();
  DownServer* self = server.get();
  TRY(self->loop_->add(self->listener_.get(), EPOLLIN, [self](uint32_t) { self->accept(); }));
  return server;
}

Status DownServer::run() { return loop_->run(); }

// The newest one counts: a zoned that has come back.
void DownServer::accept() {
  UniqueFd connection(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!connection) return;
  drop_connection();
  connection_ = std::move(connection);
  if (!loop_->add(connection_.get(), EPOLLIN, [this](uint32_t) { on_request(); }))
    connection_.reset();
}

void DownServer::drop_connection() {
  if (!connection_) return;
  loop_->remove(connection_.get());
  connection_.reset();
}

Status DownServer::mount(std::string tag, UniqueFd fuse) {
  if (session_ != nullptr) return make_error(Code::kState, "mounted already");
  int flags = fcntl(fuse.get(), F_GETFL);
  if (flags < 0 || fcntl(fuse.get(), F_SETFL, flags | O_NONBLOCK) != 0)
    return base::sys_error("fcntl");
  std::string name = "zone-readdown";
  char* argv[] = {name.data(), nullptr};
  fuse_args args = FUSE_ARGS_INIT(1, argv);
  session_ = fuse_session_new(&args, &down_operations(), sizeof down_operations(), &files_);
  fuse_opt_free_args(&args);
  if (session_ == nullptr) return make_error(Code::kInternal, "no session of FUSE");
  std::string where = "/dev/fd/" + std::to_string(fuse.get());
  if (fuse_session_mount(session_, where.c_str()) != 0)
    return make_error(Code::kIo, "the descriptor of FUSE was not taken");
  int fd = fuse.release();  // the session's
  mounted_ = std::move(tag);
  return loop_->add(fd, EPOLLIN, [this](uint32_t) { on_fuse(); });
}

void DownServer::on_fuse() {
  int n = fuse_session_receive_buf(session_, &buffer_->data);
  if (n > 0 &&
      !refuse_nameless(fuse_session_fd(session_), buffer_->data, static_cast<size_t>(n), &files_))
    fuse_session_process_buf(session_, &buffer_->data);
  if (fuse_session_exited(session_) != 0 || (n < 0 && n != -EAGAIN && n != -EINTR)) loop_->stop();
}

bool DownServer::tell(const DownWrite& write, uint64_t count) {
  const json event = {{"event", "write"},
                      {"act", write.act},
                      {"zone", write.zone},
                      {"path", write.path},
                      {"count", count}};
  return connection_ && base::send_message(connection_.get(), to_text(event));
}

void DownServer::on_request() {
  auto message = base::receive_message(connection_.get(), kMaxKeeperMessage);
  if (!message && message.error().sys_errno == EAGAIN) return;
  if (!message || message->eof) return drop_connection();
  json reply = json::object();
  auto act = [&]() -> Status {
    json request = json::parse(message->data);
    reply["id"] = request.at("id");
    auto op = request.at("op").get<std::string>();
    if (op == "hello") {
      reply["mounted"] = mounted_;
      reply["zones"] = files_.nodes.zones();
      return {};
    }
    if (op == "mount") {
      if (message->fds.size() != 1) return make_error(Code::kInvalid, "one descriptor is needed");
      return mount(request.at("tag").get<std::string>(), std::move(message->fds[0]));
    }
    auto zone = request.at("zone").get<std::string>();
    if (op == "remove") {
      files_.nodes.remove_zone(zone);
      return {};
    }
    auto paths = request.at("paths").get<std::vector<std::string>>();
    if (op != "add" || paths.size() != message->fds.size())
      return make_error(Code::kInvalid, base::quoted(op) + " is not a request");
    std::vector<DownTree> trees;
    for (size_t i = 0; i < paths.size(); ++i)
      trees.push_back({paths[i], std::move(message->fds[i])});
    files_.nodes.set_zone(zone, request.at("tag").get<std::string>(), std::move(trees));
    return {};
  };
  Status done;
  try {
    done = act();
  } catch (const json::exception& e) {
    done = make_error(Code::kInvalid, e.what());
  }
  if (!done) reply["error"] = error_to_json(done.error());
  if (!base::send_message(connection_.get(), to_text(reply))) return drop_connection();
  files_.writes.tell();  // what was tried while nobody listened
}

}  // namespace core

// zone-readdown: serves one zone the files of the zones that its label dominates, by FUSE (libfuse3's
// low-level interface). It runs in a cell at the reader's label: whatever flows through it flows up, and
// readers never meet in one process. It answers reading alone; locks stay in the reader's kernel, writing is
// EROFS and told, and what else it is not told how to do fails with ENOSYS.
//
// zoned connects to its control socket (SOCK_SEQPACKET) and asks, one at a time or many:
//   {op: "hello"}                                {mounted: TAG, zones: {NAME: TAG}}; "": not mounted
//   {op: "mount", tag} + a /dev/fuse descriptor  {}   whose file system is mounted; once
//   {op: "add", zone, tag, paths: [...]}         {}   instead of what the zone had
//      + a detached mount for each path
//   {op: "remove", zone}                         {}
// Requests carry "id", replies the same "id", or {id, error: {...}} as a zone-keeper's do. By itself it says,
// no more often than down_writes.h has it:
//   {event: "write", act, zone, path, count}     what the reader tried, the last of `count`
#pragma once

#include <memory>

#include "base/event_loop.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "zoned/core/down_files.h"

namespace core {

class DownServer {
 public:
  static base::Result<std::unique_ptr<DownServer>> create(base::UniqueFd listener);
  ~DownServer();

  // Serves until the file system is unmounted.
  base::Status run();

 private:
  DownServer(std::unique_ptr<base::EventLoop> loop, base::UniqueFd listener);
  void accept();
  void on_request();
  void drop_connection();
  base::Status mount(std::string tag, base::UniqueFd fuse);
  void on_fuse();
  bool tell(const DownWrite& write, uint64_t count);

  std::unique_ptr<base::EventLoop> loop_;
  base::UniqueFd listener_;
  base::UniqueFd connection_;
  DownFiles files_;
  std::string mounted_;
  fuse_session* session_ = nullptr;
  struct Buffer;
  std::unique_ptr<Buffer> buffer_;
};

}  // namespace core

// A temporary folder for one test.
#pragma once

#include <fcntl.h>
#include <stdlib.h>

#include <stdexcept>
#include <string>

#include "base/files.h"

namespace zoned::testing {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    if (mkdtemp(path_.data()) == nullptr) throw std::runtime_error("mkdtemp");
  }
  ~TemporaryFolder() {
    if (!base::remove_tree(AT_FDCWD, path_)) path_.clear();
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_ = "/tmp/zoned-unit.XXXXXX";
};

inline void write_text(const std::string& path, const std::string& text) {
  auto fd = base::open_at(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (!fd || !base::write_all(fd->get(), text)) throw std::runtime_error("write " + path);
}

template <typename T>
T must(base::Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return *std::move(result);
}
inline void must(const base::Status& status) {
  if (!status) throw std::runtime_error(status.error().message);
}

}  // namespace zoned::testing

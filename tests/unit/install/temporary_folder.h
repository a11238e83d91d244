// A folder of a test's own, gone at its end.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <string>

#include "base/files.h"
#include "base/unique_fd.h"

class TemporaryFolder {
 public:
  TemporaryFolder() {
    char name[] = "/tmp/zoned-unit-XXXXXX";
    REQUIRE(mkdtemp(name) != nullptr);
    path_ = name;
    auto fd = base::open_at(AT_FDCWD, path_, O_RDONLY | O_DIRECTORY);
    REQUIRE(fd);
    fd_ = *std::move(fd);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() { [[maybe_unused]] auto ignored = base::remove_tree(AT_FDCWD, path_); }

  int fd() const { return fd_.get(); }
  const std::string& path() const { return path_; }

  void folder(const std::string& name, mode_t mode = 0755) {
    REQUIRE(base::make_dirs(fd(), name, mode));
  }
  void file(const std::string& name, const std::string& text, mode_t mode = 0644) {
    auto made = base::open_at(fd(), name, O_WRONLY | O_CREAT | O_EXCL, mode);
    REQUIRE(made);
    REQUIRE(base::write_all(made->get(), text));
    REQUIRE(fchmod(made->get(), mode) == 0);
  }
  void link(const std::string& name, const std::string& text) {
    REQUIRE(symlinkat(text.c_str(), fd(), name.c_str()) == 0);
  }
  std::string read(const std::string& name) const {
    auto text = base::read_file(fd(), name);
    REQUIRE(text);
    return *text;
  }
  bool has(const std::string& name) const { return base::exists_at(fd(), name); }
  struct stat status(const std::string& name) const {
    struct stat st = {};
    REQUIRE(fstatat(fd(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0);
    return st;
  }

 private:
  std::string path_;
  base::UniqueFd fd_;
};

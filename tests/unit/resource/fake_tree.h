// A plain folder in place of cgroup hierarchies: the drivers' writes land in regular files.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/result.h"

class FakeTree {
 public:
  FakeTree() {
    std::string pattern = (std::filesystem::temp_directory_path() / "cgroup-test.XXXXXX").string();
    root_ = mkdtemp(pattern.data());
  }
  ~FakeTree() { std::filesystem::remove_all(root_); }
  FakeTree(const FakeTree&) = delete;
  FakeTree& operator=(const FakeTree&) = delete;

  std::string path(const std::string& name) const { return root_ + "/" + name; }
  void folder(const std::string& name) { std::filesystem::create_directories(path(name)); }
  void put(const std::string& name, const std::string& text) {
    folder(std::filesystem::path(name).parent_path().string());
    std::ofstream(path(name)) << text;
  }
  bool has(const std::string& name) const { return std::filesystem::exists(path(name)); }
  // The file's content; "(absent)" without one.
  std::string get(const std::string& name) const {
    std::ifstream file(path(name));
    if (!file) return "(absent)";
    return {std::istreambuf_iterator<char>(file), {}};
  }
  // The kernel's control files vanish with their folder; those of a plain folder stand in its way.
  void drop_files(const std::string& below) {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path(below)))
      if (!entry.is_directory()) files.push_back(entry.path());
    for (const auto& file : files) std::filesystem::remove(file);
  }

 private:
  std::string root_;
};

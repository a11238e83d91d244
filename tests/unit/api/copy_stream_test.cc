#include "zoned/api/copy_stream.h"

#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "base/files.h"

namespace {

using api::CopyEntry;
using api::CopyReader;
using api::CopyWriter;
using Kind = CopyEntry::Kind;

CopyEntry entry(Kind kind, std::string path, uint64_t size = 0, std::string link = {}) {
  return {kind, std::move(path), 0640, 1000, 1001, 1234567890, size, std::move(link)};
}

base::UniqueFd memory(std::string_view bytes) {
  auto fd = base::sealed_memfd("stream", bytes);
  REQUIRE(fd.ok());
  return *std::move(fd);
}

template <typename Make>
std::string stream_of(Make make) {
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  base::UniqueFd read_end(ends[0]), write_end(ends[1]);
  CopyWriter writer(write_end.get());
  make(writer);
  write_end.reset();
  auto text = base::read_fd(read_end.get());
  REQUIRE(text.ok());
  return *text;
}

// All entries; the error's message if there is one.
std::string read_all(std::string_view bytes, std::vector<CopyEntry>* entries = nullptr) {
  base::UniqueFd fd = memory(bytes);
  CopyReader reader(fd.get());
  while (true) {
    auto next = reader.next();
    if (!next) return next.error().message;
    if (!*next) return {};
    if (entries != nullptr) entries->push_back(**next);
  }
}

std::string sample() {
  return stream_of([](CopyWriter& writer) {
    REQUIRE(writer.put(entry(Kind::kFolder, "")).ok());
    REQUIRE(writer.put(entry(Kind::kFolder, "a")).ok());
    REQUIRE(writer.put(entry(Kind::kFile, "a/f", 1 << 20)).ok());
    REQUIRE(writer.data(10, "hello").ok());
    REQUIRE(writer.data(70000, "world").ok());
    REQUIRE(writer.end_data().ok());
    REQUIRE(writer.put(entry(Kind::kLink, "l", 0, "../anywhere")).ok());
    REQUIRE(writer.finish().ok());
  });
}

std::string with_paths(const std::vector<std::pair<Kind, std::string>>& wanted) {
  return stream_of([&](CopyWriter& writer) {
    for (const auto& [kind, path] : wanted) {
      REQUIRE(writer.put(entry(kind, path, 0, kind == Kind::kLink ? "x" : "")).ok());
      if (kind == Kind::kFile) REQUIRE(writer.end_data().ok());
    }
    REQUIRE(writer.finish().ok());
  });
}

TEST_CASE("a stream of copies gives back what was put in, holes included") {
  base::UniqueFd fd = memory(sample());
  CopyReader reader(fd.get());
  CHECK(**reader.next() == entry(Kind::kFolder, ""));
  CHECK(**reader.next() == entry(Kind::kFolder, "a"));
  CHECK(**reader.next() == entry(Kind::kFile, "a/f", 1 << 20));
  auto first = *reader.chunk();
  REQUIRE(first);
  CHECK(first->offset == 10);
  CHECK(first->data == "hello");
  auto second = *reader.chunk();
  REQUIRE(second);
  CHECK(second->offset == 70000);
  CHECK(second->data == "world");
  CHECK_FALSE(*reader.chunk());
  CHECK(**reader.next() == entry(Kind::kLink, "l", 0, "../anywhere"));
  CHECK_FALSE(*reader.next());
  CHECK_FALSE(*reader.next());
}

TEST_CASE("data that nobody asks for is passed over") {
  std::vector<CopyEntry> entries;
  CHECK(read_all(sample(), &entries).empty());
  CHECK(entries.size() == 4);
}

TEST_CASE("a stream that is cut anywhere is refused") {
  const std::string whole = sample();
  for (size_t size = 0; size < whole.size(); ++size) {
    INFO(size);
    CHECK_FALSE(read_all(whole.substr(0, size)).empty());
  }
}

TEST_CASE("a stream can't name a place outside of what it holds, nor out of order") {
  const Kind d = Kind::kFolder, f = Kind::kFile, l = Kind::kLink;
  CHECK(read_all(with_paths({{d, ""}, {d, "a"}, {f, "a/b"}, {f, "c"}})).empty());
  CHECK(read_all(with_paths({{f, ""}})).empty());
  const std::vector<std::vector<std::pair<Kind, std::string>>> kBad = {
      {},
      {{d, "a"}},
      {{f, ""}, {f, "a"}},
      {{l, ""}, {f, "a"}},
      {{d, ""}, {f, ".."}},
      {{d, ""}, {f, "."}},
      {{d, ""}, {f, "/etc"}},
      {{d, ""}, {f, ""}},
      {{d, ""}, {d, "a"}, {f, "a/../b"}},
      {{d, ""}, {d, "a"}, {f, "a//b"}},
      {{d, ""}, {d, "a"}, {f, "a/"}},
      {{d, ""}, {f, "a/b"}},
      {{d, ""}, {f, "a"}, {f, "a/b"}},
      {{d, ""}, {l, "a"}, {f, "a/b"}},
      {{d, ""}, {d, "a"}, {f, "b"}, {f, "a/c"}},
      {{d, ""}, {f, std::string(256, 'x')}},
      {{d, ""}, {f, std::string("a\0b", 3)}}};
  for (size_t i = 0; i < kBad.size(); ++i) {
    INFO(i);
    CHECK_FALSE(read_all(with_paths(kBad[i])).empty());
  }
}

TEST_CASE("modes, owners, sizes and data beyond what may be are refused") {
  auto one = [](const CopyEntry& wanted,
                const std::vector<std::pair<uint64_t, std::string>>& data) {
    return read_all(stream_of([&](CopyWriter& writer) {
      REQUIRE(writer.put(wanted).ok());
      for (const auto& [offset, bytes] : data) REQUIRE(writer.data(offset, bytes).ok());
      if (wanted.kind == Kind::kFile) REQUIRE(writer.end_data().ok());
      REQUIRE(writer.finish().ok());
    }));
  };
  CopyEntry file = entry(Kind::kFile, "", 10);
  CHECK(one(file, {{0, "0123456789"}}).empty());
  CHECK_FALSE(one(file, {{1, "0123456789"}}).empty());
  CHECK_FALSE(one(file, {{4, "4567"}, {0, "01"}}).empty());
  CHECK_FALSE(one(file, {{~uint64_t{0}, "0"}}).empty());
  CopyEntry owned = file;
  owned.uid = 65536;
  CHECK_FALSE(one(owned, {}).empty());
  CopyEntry huge = file;
  huge.size = uint64_t{1} << 63;
  CHECK_FALSE(one(huge, {}).empty());
  CHECK_FALSE(one(entry(Kind::kFolder, "", 1), {}).empty());
  // Set-id bits are not even written.
  std::vector<CopyEntry> entries;
  CopyEntry special = entry(Kind::kFolder, "");
  special.mode = 06755;
  CHECK(read_all(stream_of([&](CopyWriter& writer) {
                   REQUIRE(writer.put(special).ok());
                   REQUIRE(writer.finish().ok());
                 }),
                 &entries)
            .empty());
  CHECK(entries[0].mode == 0755);
  std::string bytes = with_paths({{Kind::kFolder, ""}});
  bytes[15] = static_cast<char>(0xff);  // of the mode
  CHECK_FALSE(read_all(bytes).empty());
}

}  // namespace

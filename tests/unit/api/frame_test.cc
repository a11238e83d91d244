#include "zoned/api/frame.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "tests/unit/api/support.h"

namespace {

using api_test::take;
using namespace std::string_literals;

std::vector<base::UniqueFd> some_fds(size_t count) {
  std::vector<base::UniqueFd> fds;
  for (size_t i = 0; i < count; ++i) fds.emplace_back(open("/dev/null", O_RDONLY | O_CLOEXEC));
  return fds;
}

ino_t inode(int fd) {
  struct stat info = {};
  REQUIRE(fstat(fd, &info) == 0);
  return info.st_ino;
}

TEST_CASE("a reader splits messages that arrive byte by byte") {
  api::FrameReader reader(100, 3);
  std::string stream = "{\"a\":1}\0second\0"s;
  for (char c : stream) {
    bool ends = c == '\0';
    REQUIRE(reader.feed({&c, 1}, {}).ok());
    CHECK(reader.partial() == !ends);
  }
  CHECK(reader.next()->text == "{\"a\":1}");
  CHECK(reader.next()->text == "second");
  CHECK_FALSE(reader.next());
}

TEST_CASE("a reader gives several messages of one piece in order") {
  api::FrameReader reader(100, 3);
  REQUIRE(reader.feed("one\0two\0thr"s, {}).ok());
  CHECK(reader.next()->text == "one");
  CHECK(reader.next()->text == "two");
  CHECK_FALSE(reader.has_frame());
  REQUIRE(reader.feed("ee\0"s, {}).ok());
  CHECK(reader.next()->text == "three");
}

TEST_CASE("a reader refuses a message over its cap, not one at it") {
  api::FrameReader reader(10, 3);
  REQUIRE(reader.feed(std::string(10, 'x') + '\0', {}).ok());
  auto status = reader.feed(std::string(11, 'x'), {});
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().message == "message is longer than 10 bytes");
}

TEST_CASE("a reader refuses more descriptors than its cap, also over several pieces") {
  api::FrameReader reader(100, 3);
  REQUIRE(reader.feed("ab", some_fds(3)).ok());
  CHECK_FALSE(reader.feed("c", some_fds(1)).ok());
  api::FrameReader other(100, 3);
  CHECK_FALSE(other.feed("x", some_fds(4)).ok());
}

TEST_CASE("descriptors belong to the last message of the piece they came with") {
  api::FrameReader reader(100, 3);
  REQUIRE(reader.feed("first\0second\0"s, some_fds(2)).ok());
  CHECK(reader.next()->fds.empty());
  CHECK(reader.next()->fds.size() == 2);
  REQUIRE(reader.feed("third\0fou"s, some_fds(1)).ok());
  REQUIRE(reader.feed("rth\0"s, {}).ok());
  CHECK(reader.next()->fds.empty());
  CHECK(reader.next()->fds.size() == 1);
}

TEST_CASE("descriptors arrive with their message over a real socket") {
  auto [ours, theirs] = take(base::socket_pair(SOCK_STREAM));
  int pipe_fds[2];
  REQUIRE(pipe2(pipe_fds, O_CLOEXEC) == 0);
  base::UniqueFd read_end(pipe_fds[0]), write_end(pipe_fds[1]);
  ino_t wanted = inode(read_end.get());

  api::FrameWriter writer;
  REQUIRE(writer.push("plain").ok());
  std::vector<base::UniqueFd> fds;
  fds.push_back(std::move(read_end));
  bool pushed = writer.push("with", std::move(fds)).ok();
  REQUIRE(pushed);
  REQUIRE(writer.push("after").ok());
  CHECK(take(writer.flush(ours.get())));
  CHECK(writer.queued_bytes() == 0);

  api::FrameReader reader(100, 3);
  std::vector<api::Frame> frames;
  while (frames.size() < 3) {
    REQUIRE(take(reader.read_from(theirs.get())));
    while (auto frame = reader.next()) frames.push_back(*std::move(frame));
  }
  CHECK(frames[0].fds.empty());
  REQUIRE(frames[1].fds.size() == 1);
  CHECK(frames[2].fds.empty());
  CHECK(frames[1].text == "with");
  CHECK(inode(frames[1].fds[0].get()) == wanted);
  CHECK((fcntl(frames[1].fds[0].get(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("a writer survives partial writes and sends descriptors once") {
  auto [ours, theirs] = take(base::socket_pair(SOCK_STREAM));
  REQUIRE(fcntl(ours.get(), F_SETFL, O_NONBLOCK) == 0);
  std::string big(3 << 20, 'b');
  api::FrameWriter writer;
  REQUIRE(writer.push(big, some_fds(2)).ok());
  CHECK_FALSE(take(writer.flush(ours.get())));  // no socket buffer holds 3 MiB
  CHECK(writer.queued_bytes() < big.size());

  api::FrameReader reader(api::kMaxReplyBytes, 3);
  while (!reader.has_frame()) {
    REQUIRE(take(reader.read_from(theirs.get())));
    REQUIRE(writer.flush(ours.get()).ok());
  }
  auto frame = reader.next();
  CHECK(frame->text == big);
  CHECK(frame->fds.size() == 2);
  CHECK(writer.empty());
}

TEST_CASE("a writer refuses to queue over its cap but takes one large message when empty") {
  api::FrameWriter writer;
  REQUIRE(writer.push(std::string(api::kMaxQueuedBytes + 10, 'x')).ok());
  auto status = writer.push("y");
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().code == base::Code::kNoSpace);
  api::FrameWriter other;
  CHECK_FALSE(other.push(std::string(api::kMaxReplyBytes, 'x')).ok());
}

TEST_CASE("a reader tells the end of the stream from an empty socket") {
  auto [ours, theirs] = take(base::socket_pair(SOCK_STREAM));
  REQUIRE(fcntl(theirs.get(), F_SETFL, O_NONBLOCK) == 0);
  api::FrameReader reader(100, 3);
  auto nothing = reader.read_from(theirs.get());
  REQUIRE_FALSE(nothing.ok());
  CHECK(nothing.error().sys_errno == EAGAIN);
  ours.reset();
  CHECK_FALSE(take(reader.read_from(theirs.get())));
}

}  // namespace

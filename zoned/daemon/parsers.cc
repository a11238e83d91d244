#include "zoned/daemon/parsers.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/log.h"
#include "zoned/core/parse_text.h"

namespace zoned {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;
using nlohmann::json;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kAnswer{2000};
constexpr milliseconds kReaderAnswer{30000};  // many texts, on a machine that is just starting
constexpr milliseconds kShortLife{1000};      // who ends sooner is not started again for as long
constexpr milliseconds kIdle{30000};
constexpr size_t kBatchTexts = 64;
constexpr size_t kBatchBytes = 1 << 20;

}  // namespace

Parsers::Parsers(base::EventLoop* loop, Children* children, std::string program,
                 core::IdRange range)
    : loop_(loop), children_(children), program_(std::move(program)), range_(range) {}

Parsers::~Parsers() {
  if (sweep_timer_ != 0) loop_->cancel(sweep_timer_);
}

// Ids go round: what may be left of one process meets none of the next.
Result<Parsers::ProcessPtr> Parsers::start(std::function<void()> on_end, milliseconds answer) {
  ParserProcess::Options options;
  options.program = program_;
  options.host_id = range_.base + 1 + next_id_;
  options.answer = answer;
  next_id_ = (next_id_ + 1) % (core::kIdsPerZone - 1);
  return ParserProcess::start(loop_, children_, std::move(options), std::move(on_end));
}

Status Parsers::wait(const std::function<bool()>& done) {
  while (!reader_->ended() && !done()) TRY(loop_->run_once(milliseconds(-1)));
  if (!reader_->ended()) return {};
  return make_error(Code::kIo, "the process that reads configuration has ended");
}

Status Parsers::open() {
  TRY_AS(reader_, start(nullptr, kReaderAnswer));
  TRY_AS(ParserProcess * root, process_of(0));
  return wait([this, root] { return reader_->ready() && (root->ready() || root->ended()); });
}

void Parsers::close_reader() { reader_.reset(); }

void Parsers::ask_documents(const std::vector<core::ConfigText>& texts, size_t begin, size_t end,
                            const OnDocument& take) {
  const std::vector<core::ConfigText> batch(texts.begin() + static_cast<ptrdiff_t>(begin),
                                            texts.begin() + static_cast<ptrdiff_t>(end));
  reader_->ask(core::documents_request(batch), [batch, begin, end,
                                                take](Result<nlohmann::json> told) {
    bool whole = told && told->is_array() && told->size() == end - begin;
    for (size_t i = begin; i < end; ++i) {
      if (whole)
        take(i, core::take_document((*told)[i - begin]));
      else
        take(i, make_error(Code::kIo, batch[i - begin].file + ": the process that reads it ended"));
    }
  });
}

std::vector<Result<core::ConfigDocument>> Parsers::documents(
    const std::vector<core::ConfigText>& texts) {
  std::vector<Result<core::ConfigDocument>> answers(
      texts.size(), Result<core::ConfigDocument>(make_error(Code::kIo, "was not read")));
  size_t left = texts.size();
  OnDocument take = [&answers, &left](size_t i, Result<core::ConfigDocument> document) {
    --left;
    answers[i] = std::move(document);
  };
  auto finish = [this, &left] { return wait([&left] { return left == 0; }); };
  for (size_t begin = 0, end = 0; begin < texts.size(); begin = end) {
    size_t bytes = 0;
    while (end < texts.size() && end - begin < kBatchTexts &&
           (end == begin || bytes + texts[end].text.size() <= kBatchBytes))
      bytes += texts[end++].text.size();
    ask_documents(texts, begin, end, take);
  }
  if (finish()) return answers;
  // A text that ends its reader must not cost the others: each by itself.
  for (size_t i = 0; i < texts.size(); ++i) {
    if (answers[i] || answers[i].error().code != Code::kIo) continue;
    auto reader = start(nullptr, kAnswer);
    if (!reader) return answers;
    reader_ = *std::move(reader);
    left = 1;
    ask_documents(texts, i, i + 1, take);
    // Its error is the text's.
    static_cast<void>(finish());
  }
  return answers;
}

Result<json> Parsers::json(const std::string& text) {
  Result<nlohmann::json> answer = make_error(Code::kIo, "was not read");
  if (reader_->ended()) {
    TRY_AS(reader_, start(nullptr, kReaderAnswer));
  }
  bool done = false;
  reader_->ask(core::json_request(text), [&](Result<nlohmann::json> told) {
    answer = std::move(told);
    done = true;
  });
  // When the reader ends, the answer tells it.
  static_cast<void>(wait([&done] { return done; }));
  return answer;
}

Result<labels::Encodings> Parsers::encodings(const core::ConfigText& text) {
  TRY_AS(ProcessPtr reader, start(nullptr, kReaderAnswer));
  std::optional<Result<labels::Encodings>> answer;
  reader->ask(core::encodings_request(text), [&answer](Result<nlohmann::json> told) {
    answer = told ? core::take_encodings(*told) : Result<labels::Encodings>(told.error());
  });
  while (!answer) TRY(loop_->run_once(milliseconds(-1)));
  if (*answer || answer->error().code == Code::kInvalid) return *std::move(answer);
  return std::move(*answer).error().context(text.file + ": the process that reads it failed");
}

Status Parsers::make_room() {
  std::map<uid_t, User>::iterator oldest = users_.end();
  size_t count = 0;
  for (auto it = users_.begin(); it != users_.end(); ++it) {
    if (it->first == 0 || !it->second.process) continue;
    ++count;
    if (it->second.process->idle() &&
        (oldest == users_.end() || it->second.used < oldest->second.used))
      oldest = it;
  }
  if (count < kMaxUsers) return {};
  if (oldest == users_.end())
    return make_error(Code::kBusy, "zoned reads messages of too many users", "try later");
  oldest->second.process.reset();
  return {};
}

Result<ParserProcess*> Parsers::process_of(uid_t uid) {
  User& user = users_[uid];
  user.used = Clock::now();
  if (user.process && !user.process->ended()) return user.process.get();
  if (user.used < user.refused_until)
    return make_error(Code::kBusy, "the process that reads this user's messages has just ended",
                      "try again in a second");
  if (uid != 0) TRY(make_room());
  TRY_AS(user.process, start([this, uid] { on_end(uid); }, kAnswer));
  if (uid != 0) sweep_later();
  return user.process.get();
}

// From its process, which may still be on the stack: it goes with the next start, or the sweep.
void Parsers::on_end(uid_t uid) {
  User& user = users_[uid];
  if (!user.process) return;
  base::log_warning("the process that reads messages of uid " + std::to_string(uid) +
                    " has ended; its calls got an error");
  if (Clock::now() - user.process->started() < kShortLife)
    user.refused_until = Clock::now() + kShortLife;
}

void Parsers::sweep_later() {
  if (sweep_timer_ == 0) sweep_timer_ = loop_->after(kIdle, [this] { sweep(); });
}

void Parsers::sweep() {
  sweep_timer_ = 0;
  auto now = Clock::now();
  std::erase_if(users_, [now](const auto& item) {
    const User& user = item.second;
    bool busy = user.process && !user.process->ended() && !user.process->idle();
    return item.first != 0 && !busy && now - user.used >= kIdle && now >= user.refused_until;
  });
  if (users_.size() > users_.count(0)) sweep_later();
}

void Parsers::call(uid_t uid, const std::string& message, const api::OnParsed& done) {
  auto process = process_of(uid);
  if (!process) return done(std::move(process).error());
  (*process)->ask(core::call_request(message), [done](Result<nlohmann::json> told) {
    if (!told) return done(std::move(told).error());
    auto call = told->is_object() ? told->find("call") : told->end();
    auto config = told->is_object() ? told->find("config") : told->end();
    if (call == told->end() || config == told->end())
      return done(make_error(Code::kInternal, "malformed answer of zone-parse"));
    auto parsed = api::call_from_value(*call);
    if (!parsed) return done(std::move(parsed).error());
    done(api::ParsedCall{*std::move(parsed), std::move(*config)});
  });
}

void Parsers::ask_once(std::string request, const OnConfig& done) {
  uint64_t number = next_editor_++;
  auto process = start(nullptr, kAnswer);
  if (!process) return done(std::move(process).error());
  editors_[number] = *process;
  (*process)->ask(std::move(request), [this, number, done](Result<nlohmann::json> told) {
    ProcessPtr keep = std::move(editors_[number]);
    editors_.erase(number);
    done(std::move(told));
  });
}

void Parsers::edit(bool pool, const std::string& name, const std::string& text,
                   const std::vector<std::string>& assignments, const OnConfig& done) {
  ask_once(core::edit_request(pool, name, text, assignments), done);
}

void Parsers::read(const core::ConfigText& text, const OnRead& done) {
  ask_once(core::documents_request({text}), [done](Result<nlohmann::json> told) {
    if (!told) return done(std::move(told).error());
    if (told->is_array() && told->size() == 1) return done(core::take_document(told->front()));
    done(make_error(Code::kInternal, "malformed answer of zone-parse"));
  });
}

}  // namespace zoned

// Taking back what a copy that failed has left in its target; after a kill, ending what was begun.
#include "base/log.h"
#include "base/strings.h"
#include "zoned/daemon/transfers.h"

namespace zoned {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;
using base::UniqueFd;
using Stage = Transfer::Stage;
using Warnings = std::vector<std::string>;

namespace {

std::string subject(uint64_t number) { return "copy " + std::to_string(number); }

// What a zone without that tree answers (Transfers::zone_of).
bool says_gone(const base::Error& error) {
  return error.code == Code::kNotFound || error.code == Code::kState;
}

}  // namespace

bool Transfers::has_tree(const Transfer& transfer) const {
  auto zone = zone_of(transfer.to, &transfer.to_label);
  return zone || !says_gone(zone.error());
}

// Nothing may be left of a target that was not written whole; nor of a whole one when its source has
// stayed.
void Transfers::give_up(uint64_t number, base::Error why, Callback done) {
  // What was there before is not ours.
  bool placed = transfers_.at(number).move && why.code != Code::kExists;
  retract(number, placed, [this, number, placed, why = std::move(why), done](const Status& back) {
    if (back) return finish(number, why, done);
    tell(transfers_.at(number), false);
    leave(number, placed, back.error());
    done(why);
  });
}

// placed: also the whole file, if it is in its place.
void Transfers::retract(uint64_t number, bool placed, Callback over) {
  const Transfer& transfer = transfers_.at(number);
  if (!has_tree(transfer)) return over({});
  auto begin = [&]() -> Status {
    core::TransferSpec spec;
    spec.words = {"retract"};
    spec.read_only = false;
    UniqueFd content;
    if (placed) {
      TRY_AS(content, store_.content(transfer));
      spec.words.emplace_back("-x");
    }
    spec.content = placed;
    spec.words.insert(spec.words.end(), {transfer.to_path, transfer.temporary()});
    TRY_AS(auto launched, launch(
                              transfer, false, content ? content.get() : -1, std::move(spec), false,
                              [](std::string_view) {},
                              [over](const Result<Warnings>& warnings) {
                                over(warnings ? Status() : Status(warnings.error()));
                              }));
    return {};
  };
  if (Status begun = begin(); !begun) over(std::move(begun));
}

// compared: the content was needed. It still is, unless the path leads nowhere: then the file, if it was
// written whole, is where the zone's owner has moved it.
void Transfers::leave(uint64_t number, bool compared, const base::Error& why) {
  Transfer& transfer = transfers_.at(number);
  if (!has_tree(transfer)) return forget(number);
  base::log_warning(subject(number) + " (" + transfer.text() + "): take it back: " + why.message);
  if (!compared || why.code == Code::kInvalid) transfer.sha256.clear();
  Status noted = set_state(&transfer, Stage::kLeft);
  // Without the note the content says at the next start that something was begun.
  if (noted && transfer.sha256.empty()) noted = store_.drop_content(number);
  base::log_ignored(subject(number), noted);
}

void Transfers::take_back(const std::string& zone, const std::function<void()>& then) {
  std::vector<uint64_t> left;
  for (const auto& [number, transfer] : transfers_)
    if (transfer.state == Stage::kLeft && transfer.to == zone && !taking_back_.contains(number))
      left.push_back(number);
  auto open = std::make_shared<size_t>(left.size() + 1);
  auto ended = [open, then] {
    if (--*open == 0) then();
  };
  for (uint64_t number : left) {
    const Transfer& transfer = transfers_.at(number);
    bool placed = transfer.move && !transfer.sha256.empty();
    taking_back_.insert(number);
    retract(number, placed, [this, number, placed, ended](const Status& back) {
      taking_back_.erase(number);
      if (back)
        forget(number);
      else
        leave(number, placed, back.error());
      ended();
    });
  }
  ended();
}

void Transfers::tree_gone(const std::string& zone) {
  std::vector<uint64_t> over;
  for (const auto& [number, transfer] : transfers_) {
    bool left = transfer.state == Stage::kLeft && transfer.to == zone;
    bool waits = find(number) != nullptr && (transfer.from == zone || transfer.to == zone);
    if (waits || (left && !taking_back_.contains(number))) over.push_back(number);
  }
  for (uint64_t number : over) forget(number);
}

void Transfers::load() {
  for (Transfer& transfer : store_.load()) {
    uint64_t number = transfer.number;
    Stage state = transfer.state;
    bool dropped = state == Stage::kLeft && transfer.sha256.empty();
    transfers_[number] = std::move(transfer);
    if (dropped) base::log_ignored(subject(number), store_.drop_content(number));
    if (state == Stage::kFreezing || state == Stage::kFrozen) forget(number);
    if (state == Stage::kWriting || state == Stage::kPlaced) cut_short_.push_back(number);
  }
}

void Transfers::recover() {
  std::set<std::string> zones;
  std::vector<uint64_t> gone;
  for (const auto& [number, transfer] : transfers_) {
    if (transfer.state == Stage::kLeft) zones.insert(transfer.to);
    auto from = zone_of(transfer.from, &transfer.from_label);
    bool no_source = !from && says_gone(from.error());
    if (transfer.state == Stage::kQueued && (no_source || !has_tree(transfer)))
      gone.push_back(number);
  }
  for (uint64_t number : gone) forget(number);
  for (const std::string& zone : zones) take_back(zone, [] {});
  for (uint64_t number : std::exchange(cut_short_, {})) {
    if (transfers_.at(number).state == Stage::kPlaced) {
      remove_source(number);
      continue;
    }
    // Of a file that was to move the target may be there whole: it goes, the source stays.
    give_up(number, make_error(Code::kIo, "zoned was killed while it copied"),
            [](const Status& status) { base::log_ignored("a copy that was cut short", status); });
  }
}

void Transfers::remove_source(uint64_t number) {
  const Transfer& transfer = transfers_.at(number);
  auto report = [](const Status& status) {
    base::log_ignored("a move that was cut short", status);
  };
  auto job = std::make_shared<JobLauncher::LaunchPtr>();
  core::TransferSpec spec;
  spec.words = {"take", transfer.from_path, transfer.identity};
  spec.read_only = false;
  spec.content = false;
  auto launched = launch(
      transfer, true, -1, std::move(spec), true,
      [this, job](std::string_view line) {
        if (line == "held") base::log_ignored("moving job", launcher_.say(job->get(), "go"));
      },
      [this, number, job, report](const Result<Warnings>& warnings) {
        // It may have gone before the kill.
        if (warnings || warnings.error().code == Code::kNotFound) return finish(number, {}, report);
        give_up(number, warnings.error(), report);
      });
  if (!launched) return finish(number, Status(std::move(launched).error()), report);
  *job = *std::move(launched);
}

}  // namespace zoned

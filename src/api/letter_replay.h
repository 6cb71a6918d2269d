// Dead letters tried once more, by another plan than the one that refused them.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "dead_letter/dead_letters.h"
#include "dead_letter/letter_filter.h"
#include "history/stored_history.h"
#include "http/message.h"
#include "ingest/protocol/segment.h"
#include "ingest/tracking_plan.h"
#include "shard/runtime.h"

namespace attune {

// Takes the letters that fit, the oldest first, and admits each as it would have been when it was received: with that
// time, under its own message id, or one that is made of the letter's id. What is let in goes to the log together with
// a record that says so, behind it: should only the event be there after a crash, the next replay brings it again under
// the same id and time, and the engine drops it as a duplicate. So it counts once.
class LetterReplay {
 public:
  struct Options {
    LetterFilter filter;
    bool dry_run = false;
    std::optional<Millis> oldest_event{};  // see Origin
  };
  // All that is pointed to must outlive it.
  LetterReplay(Runtime* runtime, const DeadLetters* letters, std::shared_ptr<const Plan> plan, Options options);

  // Blocks. 200 with what became of them; or a problem, when some could not be logged: what was replayed by then stays,
  // and doing it again takes up the rest.
  Response Run(StudyProgress* progress);

  static constexpr size_t kMaxRows = 1000;  // so many letters are told one by one

 private:
  enum class Verdict { kReplayed, kStillRefused, kNotReplayable };
  struct Row {
    std::string id;
    Verdict verdict = Verdict::kReplayed;
    std::string message_id;
    size_t record = 0;      // of the replayed: its place among what is appended, then its sequence
    EventError error{};      // of the others
  };
  struct Letter {
    std::string name;
    std::string json;
  };
  // What goes to the log together.
  struct Batch {
    std::deque<EventRecord> events;
    std::deque<std::string> others;    // payloads of dead letters and replays
    std::vector<NewRecord> records;    // all of them, in order
    std::vector<Row> rows;
  };

  // The next letters, before the last one that was taken. False: storage cannot be read.
  bool NextLetters(std::vector<Letter>* letters, StudyProgress* progress);
  void Try(const Letter& letter, Batch* batch);
  Row TryEvent(const KeptLetter& letter, Batch* batch);
  Row TryRequest(const KeptLetter& letter, Batch* batch);
  std::optional<Response> Log(Batch* batch, StudyProgress* progress);
  void Count(Batch* batch);
  std::string ToJson() const;

  Runtime& runtime_;
  const DeadLetters& letters_;
  const std::shared_ptr<const Plan> plan_;
  const Options options_;
  TrackingPlan admission_;
  SegmentReader reader_;
  const uint64_t until_;  // letters that come later are not looked at
  std::string before_ = "g";  // behind every id
  bool ended_ = false;
  uint64_t counts_[3] = {};
  uint64_t position_ = 0;
  std::vector<Row> rows_;
};

}  // namespace attune

// Replays dead letters: reads them again, by a later plan than the one that refused them.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/study_progress.h"
#include "dead_letter/dead_letters.h"
#include "dead_letter/letter_filter.h"
#include "ingest/protocols.h"
#include "shard/new_record.h"
#include "shard/runtime.h"

namespace attune {

// Takes the letters that the filter selects, the oldest first, and has the protocol that received each read it as it
// would have been read when it was received: with that time, under its own message id, or one made of the letter's id.
// What is accepted goes to the log together with a record behind it that marks the letter as replayed. If a crash keeps
// only the event, the next replay appends it again under the same id and time, and the engine drops it as a duplicate.
// So it counts once.
class LetterReplay {
 public:
  struct Options {
    LetterFilter filter;
    bool dry_run = false;
    std::optional<Millis> oldest_event{};  // see Origin
  };
  // All that is pointed to must outlive it.
  LetterReplay(Runtime* runtime, const DeadLetters* letters, const Protocols* protocols,
               std::shared_ptr<const Plan> plan, Options options);

  // Blocks. The result is the JSON that GET /v1/dead-letters/replay/{id} documents. After a failure what was replayed
  // by then stays, and the next replay continues with the rest.
  StudyOutcome Run(StudyProgress* progress);

  static constexpr size_t kMaxRows = 1000;  // the result lists at most this many letters

 private:
  enum class Verdict { kReplayed, kStillRefused, kNotReplayable };
  struct Row {
    std::string id;
    Verdict verdict = Verdict::kReplayed;
    std::string message_id;
    size_t record = 0;   // of a replayed letter: its index in the batch, then its sequence in the log
    EventError error{};  // of the others
  };
  struct Letter {
    std::string name;
    std::string json;
  };
  // What is appended to the log together.
  struct Batch {
    std::deque<EventRecord> events;
    std::deque<std::string> others;  // payloads of dead letters and replays
    std::vector<NewRecord> records;  // all of them, in order
    std::vector<Row> rows;
  };

  // The next letters, oldest first. False: storage cannot be read.
  bool NextLetters(std::vector<Letter>* letters, StudyProgress* progress);
  void Try(const Letter& letter, Batch* batch);
  static Row Dropped();  // of a letter whose events no longer pass the stages
  Row TryEvent(const KeptLetter& letter, Batch* batch);
  Row TryRequest(const KeptLetter& letter, Batch* batch);
  std::optional<StudyOutcome::Failure> Log(Batch* batch, StudyProgress* progress);
  void Count(Batch* batch);
  std::string ToJson() const;

  Runtime& runtime_;
  const DeadLetters& letters_;
  const Options options_;
  ProtocolReaders readers_;
  const uint64_t until_;      // letters of later records are left alone
  std::string before_ = "g";  // the id of the letter that was read last; at first one that sorts behind all
  bool ended_ = false;
  uint64_t counts_[3] = {};
  uint64_t position_ = 0;
  std::vector<Row> rows_;
};

}  // namespace attune

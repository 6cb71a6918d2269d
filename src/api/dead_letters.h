// What was refused, kept for whoever asks: in the log first, then in the store, where it is found again.
#pragma once

#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"
#include "ingest/dead_letter.h"
#include "log/record.h"
#include "state/store.h"

namespace attune {

// The payload of a dead letter's record: one JSON object,
// {"source","reason","field","detail","event","received","errors","messageId"}.
std::string DeadLetterRecord(const DeadLetter& letter, Millis received);

// The shard of that record. A client that was not answered sends its event again: what has one message id and one
// reason is in one shard, so that repeats are met in the order of the log. `index` spreads those without an id.
uint8_t ShardOfDeadLetter(const DeadLetter& letter, size_t index);

// Any thread.
class DeadLetters {
 public:
  // Letters go there once it is known; those that come earlier (while recovering) are held until then.
  void SetStore(Store* store);

  // Keeps the letter of a record, or counts it as a repeat of one that is kept, with the same message id and reason.
  // A record that was kept before, as recovery brings it again, changes nothing. Records of one shard come in the order
  // of the log.
  void Bury(const RecordView& record);

 private:
  void Keep(uint64_t sequence, std::string_view payload);

  std::mutex mutex_;
  Store* store_ = nullptr;
  std::vector<std::pair<uint64_t, std::string>> early_;
};

}  // namespace attune

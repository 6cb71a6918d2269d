// Keeps refused events and requests: first in the log, then in the store, where they can be looked up.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/metrics.h"
#include "base/time.h"
#include "dead_letter/dead_letter.h"
#include "log/record.h"
#include "log/record_type.h"
#include "state/store.h"

namespace attune {

// The payload of a dead letter's record: one JSON object, {"source","reason","field","detail","event","received",
// "errors","messageId","name","sentAt"}, and of a request also
// "class","encoding","truncated","original_bytes","digest".
std::string DeadLetterRecord(const DeadLetter& letter, Millis received);

// The shard of that record, and of the record of its replay. A client without an answer sends its event again. Letters
// with the same message id and reason are in one shard, so repeats are read in log order. Letters without a message id
// are distributed by their index in the batch.
uint8_t ShardOfDeadLetter(const DeadLetter& letter);

// The payload of RecordType::kReplayed: the letter with this first record became the event in the record before.
std::string ReplayedRecord(uint64_t letter);

// The name of a kept letter, which is its id: 16 hexadecimal digits computed from its first record. Names sort newest
// first.
std::string LetterName(uint64_t sequence);
// nullopt: not the name of a letter.
std::optional<uint64_t> SequenceOfLetter(std::string_view name);

// A letter as the store has it. Views point into the text that was read; those marked as JSON are JSON.
struct KeptLetter {
  enum class From { kRecord, kStore };
  // `json` is the payload of a dead letter's record, or the store's value. `json` and `name` must outlive this.
  KeptLetter(std::string_view name, std::string_view json, From from = From::kStore);

  // As in GET /v1/dead-letters.
  std::string ToJson() const;

  std::string_view name;
  std::string_view letter;  // the record's object, without the closing brace
  std::string_view source, reason, field, detail, event, received, message_id, event_name, sent_at, encoding, digest;  // as JSON
  bool is_request = false;
  bool is_truncated = false;
  uint64_t repeats = 0;
  std::string_view last_received;        // as JSON
  uint64_t sequence = 0;                 // of the last record that was counted
  std::optional<uint64_t> replayed_as;  // the event's record
};

struct LetterQuota {
  uint64_t letters = 1'000'000;
  uint64_t bytes = 1 << 30;
};

// Any thread.
class DeadLetters {
 public:
  explicit DeadLetters(const LetterQuota& quota = {}) : quota_(quota) {}

  // Sets the store for letters. Call it once, before anything else.
  void SetStore(Store* store);

  // Processes a record of a dead letter or of a replay.
  //
  // Keeps the letter, or counts it as a repeat of a kept one with the same message id and reason. A record that was
  // kept before, and that recovery reads again, changes nothing. Records of one shard must come in log order. If the
  // quota is exceeded by one per cent, drops the oldest whole requests, then the oldest events, until it is met;
  // recovery does not restore them. Returns false if the store does not accept the record now; it must then be passed
  // again.
  bool StoreRecord(const RecordView& record);

  const LetterQuota& quota() const { return quota_; }
  // The number of letters dropped to make room, since the start.
  uint64_t dropped() const { return dropped_; }
  uint64_t letters() const;
  uint64_t bytes() const;
  void AddMetrics(Metrics* metrics) const;

 private:
  // The letters of one class. The store has it too, updated with each letter.
  struct Share {
    uint64_t letters = 0;
    uint64_t bytes = 0;
    uint64_t floor = 0;  // the newest letter that was dropped, by its first record: older ones are not kept again
  };
  struct Tally {
    Share events, requests;
    Share& of(bool request) { return request ? requests : events; }
  };

  bool Keep(uint64_t sequence, std::string_view payload);
  bool MarkReplayed(uint64_t sequence, uint64_t letter);
  void Restore();
  bool Write(WriteBatch* batch, const Tally& tally);
  void Trim();
  bool DropOldest(bool request);

  const LetterQuota quota_;
  mutable std::mutex mutex_;
  Store* store_ = nullptr;
  Tally tally_;
  std::atomic<uint64_t> dropped_{0};
};

}  // namespace attune

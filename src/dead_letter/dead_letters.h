// Keeps what was refused: first in the log, then in the store, where it is found again.
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

// The shard of that record, and of the record that says that it was replayed. A client that gets no answer sends its
// event again: letters with the same message id and reason are in one shard, so that repeats are read in the order of
// the log. Letters without a message id are spread by their place in the batch.
uint8_t ShardOfDeadLetter(const DeadLetter& letter);

// The payload of RecordType::kReplayed: the letter with this first record has become the event in the record before.
std::string ReplayedRecord(uint64_t letter);

// The name of a kept letter, which is its id: 16 hexadecimal digits, made of its first record. Names sort with the
// newest first.
std::string LetterName(uint64_t sequence);
// nullopt: it is not the name of a letter.
std::optional<uint64_t> SequenceOfLetter(std::string_view name);

// A letter as the store has it. Views point into the text that was read; those that say so are JSON.
struct KeptLetter {
  enum class From { kRecord, kStore };
  // `json` is the payload of a dead letter's record, or what DeadLetters kept of it. It and `name` must outlive this.
  KeptLetter(std::string_view name, std::string_view json, From from = From::kStore);

  // As GET /v1/dead-letters shows it.
  std::string ToJson() const;

  std::string_view name;
  std::string_view letter;  // the record's object, without the brace that ends it
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

  // Sets where letters are kept. Call it once, before anything else.
  void SetStore(Store* store);

  // Takes a record of a dead letter or of a replay.
  //
  // Keeps the letter, or counts it as a repeat of a kept one with the same message id and reason. A record that was
  // kept before, and that recovery reads again, changes nothing. Records of one shard come in the order of the log.
  // When the quota is exceeded by a hundredth, the oldest whole requests are dropped, then the oldest events, until it
  // is kept; a recovery does not bring them back. False: the store does not take it now, and the record must be passed
  // again.
  bool StoreRecord(const RecordView& record);

  const LetterQuota& quota() const { return quota_; }
  // Letters that were dropped to make room, since the start.
  uint64_t dropped() const { return dropped_; }
  uint64_t letters() const;
  uint64_t bytes() const;
  void AddMetrics(Metrics* metrics) const;

 private:
  // The letters of one class. The store has it too, written with each letter.
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

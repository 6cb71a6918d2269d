#include "api/dead_letters.h"

#include <fmt/format.h>

#include <charconv>

#include "base/hash.h"
#include "base/json.h"
#include "event/json_text.h"
#include "shard/shard_of.h"
#include "state/keyspace.h"

namespace attune {
namespace {

// They sort with the newest first.
std::string NameOf(uint64_t sequence) { return fmt::format("{:016x}", ~sequence); }

// A kept letter ends with what the store adds to the record's object.
constexpr std::string_view kTail = ",\"repeats\":";
struct Tail {
  uint64_t repeats = 0;
  std::string_view last_received;  // as JSON
  uint64_t sequence = 0;           // of the last record that was counted
};

std::string WithTail(std::string_view letter, const Tail& tail) {
  return fmt::format("{}{}{},\"last_received\":{},\"sequence\":{}}}", letter, kTail, tail.repeats, tail.last_received,
                     tail.sequence);
}

// Splits a kept letter. No text within it can look like a tail: its quotes would be escaped.
std::string_view TakeTail(std::string_view kept, Tail* tail) {
  const size_t at = kept.rfind(kTail);
  if (at == std::string_view::npos) return kept.substr(0, kept.size() - 1);
  const auto number = [&](std::string_view name) {
    uint64_t value = 0;
    const size_t begin = kept.find(name, at) + name.size();
    std::from_chars(kept.data() + begin, kept.data() + kept.size(), value);
    return value;
  };
  tail->repeats = number(kTail);
  tail->sequence = number(",\"sequence\":");
  return kept.substr(0, at);
}

struct Parts {
  std::string_view reason, message_id, received;  // as JSON
};

Parts PartsOf(std::string_view payload) {
  Parts parts;
  JsonSlices members(payload);
  while (members.Next()) {
    if (members.key() == "reason") parts.reason = members.value();
    if (members.key() == "messageId") parts.message_id = members.value();
    if (members.key() == "received") parts.received = members.value();
  }
  return parts;
}

std::string IdentityOf(std::string_view message_id, std::string_view reason) {
  return ToHex(Hash128(std::string(message_id) + ' ' + std::string(reason)));
}

}  // namespace

std::string DeadLetterRecord(const DeadLetter& letter, Millis received) {
  std::string line = ToNdjson(letter);
  line.pop_back();
  line += fmt::format(",\"received\":\"{}\",\"errors\":[", FormatRfc3339(received));
  for (const EventError& error : letter.errors) {
    if (line.back() != '[') line += ',';
    line += "{\"reason\":";
    AppendJsonString(CodeOf(error.reason), &line);
    line += ",\"field\":";
    AppendJsonString(error.field, &line);
    line += ",\"detail\":";
    AppendJsonString(error.detail, &line);
    line += '}';
  }
  line += "],\"messageId\":";
  if (letter.message_id.empty()) {
    line += "null";
  } else {
    AppendJsonString(letter.message_id, &line);
  }
  return line + '}';
}

uint8_t ShardOfDeadLetter(const DeadLetter& letter, size_t index) {
  if (letter.message_id.empty()) return static_cast<uint8_t>(index % kShards);
  return ShardOf(letter.message_id);
}

void DeadLetters::Bury(const RecordView& record) {
  const std::lock_guard hold(mutex_);
  if (!store_) return early_.emplace_back(record.sequence, record.payload), void();
  Keep(record.sequence, record.payload);
}

void DeadLetters::SetStore(Store* store) {
  const std::lock_guard hold(mutex_);
  store_ = store;
  for (const auto& [sequence, payload] : early_) Keep(sequence, payload);
  early_.clear();
}

// Should a write be lost, the log still has the letter, and recovery brings it here again.
void DeadLetters::Keep(uint64_t sequence, std::string_view payload) {
  const Parts parts = PartsOf(payload);
  std::string_view letter = payload.substr(0, payload.size() - 1);
  std::string name = NameOf(sequence);
  std::string kept;
  Tail tail;
  WriteBatch batch;
  if (parts.message_id.starts_with('"')) {
    const std::string identity = IdentityOf(parts.message_id, parts.reason);
    const auto known = store_->Get(keys::kDeadLetterIds, identity);
    if (known.ok() && *known) {
      name = **known;
    } else {
      batch.Put(keys::kDeadLetterIds, identity, name);
    }
  }
  if (auto found = store_->Get(keys::kDeadLetters, name); found.ok() && *found) {
    kept = std::move(**found);
    letter = TakeTail(kept, &tail);
    if (sequence <= tail.sequence || name == NameOf(sequence)) return;
    ++tail.repeats;
  }
  tail.last_received = parts.received;
  tail.sequence = sequence;
  batch.Put(keys::kDeadLetters, name, WithTail(letter, tail));
  (void)store_->Write(batch);
}

}  // namespace attune

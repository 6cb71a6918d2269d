#include "ingest/letter_replay.h"

#include <fmt/format.h>

#include <chrono>
#include <future>
#include <thread>

#include "base/base64.h"
#include "base/json.h"
#include "event/json_string.h"
#include "state/keyspace.h"

namespace attune {
namespace {

constexpr size_t kBatchLetters = 64;
constexpr size_t kBatchBytes = 1 << 20;
constexpr size_t kReplaySlice = 2000;  // letters that one reading of the store visits
constexpr auto kRoomPause = std::chrono::milliseconds(5);
constexpr int kMostRoomPauses = 6000;  // half a minute without room

// The text of a JSON string; empty when it is not one.
std::string TextOf(std::string_view json) { return TextOfJsonString(json).value_or(""); }

std::optional<Millis> TimeOf(std::string_view json) { return ParseRfc3339(TextOf(json)); }

// A letter of a repeated request or event is found by the same shard as before.
DeadLetter AddressOf(const KeptLetter& letter) {
  DeadLetter address;
  address.source = TextOf(letter.source);
  address.message_id = TextOf(letter.message_id);
  if (letter.is_request) address.body = DeadLetter::Body{false, 0, false, TextOf(letter.digest)};
  return address;
}

std::string MadeId(const KeptLetter& letter) { return "dead-letter-" + std::string(letter.name); }

}  // namespace

LetterReplay::LetterReplay(Runtime* runtime, const DeadLetters* letters, const Protocols* protocols,
                           std::shared_ptr<const Plan> plan, Options options)
    : runtime_(*runtime),
      letters_(*letters),
      options_(std::move(options)),
      readers_(protocols, std::move(plan)),
      until_(runtime->durable_sequence()) {}

StudyOutcome LetterReplay::Run(StudyProgress* progress) {
  progress->total = letters_.letters();
  while (!ended_ && !progress->cancelled) {
    std::vector<Letter> letters;
    if (!NextLetters(&letters, progress)) {
      return {"", StudyOutcome::Failure{Code::kStorageFailed, "storage cannot be read"}};
    }
    Batch batch;
    for (const Letter& letter : letters) Try(letter, &batch);
    if (!options_.dry_run && !batch.records.empty()) {
      if (auto failure = Log(&batch, progress)) return {"", std::move(failure)};
    }
    Count(&batch);
  }
  return {ToJson()};
}

bool LetterReplay::NextLetters(std::vector<Letter>* letters, StudyProgress* progress) {
  size_t seen = 0, bytes = 0;
  bool stopped = false;
  const std::string before = before_;
  const Status read = runtime_.store().ForEachBackwards(
      keys::kDeadLetters,
      [&](std::string_view name, std::string_view json) {
        if (SequenceOfLetter(name).value_or(0) > until_) return false;
        before_ = name;
        ++progress->done;
        const KeptLetter letter(name, json);
        if (!letter.replayed_as && options_.filter.Takes(letter)) {
          letters->push_back({std::string(name), std::string(json)});
          bytes += json.size();
        }
        stopped = ++seen == kReplaySlice || letters->size() == kBatchLetters || bytes >= kBatchBytes;
        return !stopped;
      },
      before);
  ended_ = !stopped;
  return read.ok();
}

void LetterReplay::Try(const Letter& kept, Batch* batch) {
  const KeptLetter letter(kept.name, kept.json);
  Row row = letter.is_request ? TryRequest(letter, batch) : TryEvent(letter, batch);
  row.id = kept.name;
  if (row.verdict == Verdict::kReplayed) {
    row.record = batch->records.size() - 1;
    batch->others.push_back(ReplayedRecord(*SequenceOfLetter(kept.name)));
    batch->records.push_back({RecordType::kReplayed, ShardOfDeadLetter(AddressOf(letter)), batch->others.back()});
  }
  batch->rows.push_back(std::move(row));
}

LetterReplay::Row LetterReplay::Dropped() {
  Row row;
  row.verdict = Verdict::kNotReplayable;
  row.error.detail = "consent or privacy does not let it pass";
  return row;
}

LetterReplay::Row LetterReplay::TryEvent(const KeptLetter& letter, Batch* batch) {
  Row row;
  const std::string source = TextOf(letter.source);
  const std::string_view path = std::string_view(source).substr(0, source.find('['));
  const auto received = TimeOf(letter.received);
  row.message_id = TextOf(letter.message_id);
  // An event that is not JSON was kept as text, with other characters for bytes that are not UTF-8: it is not what was
  // sent. An event that was too large because of its batch's context was kept without the context.
  const bool is_whole = letter.event.starts_with('{') && TextOf(letter.reason) != CodeOf(Code::kEventTooLarge);
  if (!is_whole || !readers_.Serves(path) || !received) {
    row.verdict = Verdict::kStillRefused;
    const std::string reason = TextOf(letter.reason);
    for (const CodeInfo& info : kCodes) {
      if (info.text == reason) row.error.reason = info.code;
    }
    row.error.detail = TextOf(letter.detail);
    return row;
  }
  const std::string made = MadeId(letter);
  ParsedEvent event = readers_.ReadEvent({.path = path,
                                         .source = source,
                                         .json = letter.event,
                                         .received = *received,
                                         .sent_at = TimeOf(letter.sent_at),
                                         .id = made,
                                         .oldest_event = options_.oldest_event});
  if (!event.ok()) {
    row.verdict = Verdict::kStillRefused;
    row.error = event.dead->first();
    return row;
  }
  if (event.dropped) return Dropped();
  row.message_id = std::move(event.message_id);
  batch->records.push_back(NewRecord::Event(batch->events.emplace_back(std::move(event.record))));
  return row;
}

LetterReplay::Row LetterReplay::TryRequest(const KeptLetter& letter, Batch* batch) {
  Row row;
  const std::string path = TextOf(letter.source);
  const auto received = TimeOf(letter.received);
  if (letter.is_truncated || !readers_.Serves(path) || !received) {
    row.verdict = Verdict::kNotReplayable;
    row.error.detail = "only the beginning of the body is kept";
    return row;
  }
  std::string body = TextOf(letter.event);
  if (letter.encoding == "\"base64\"") body = FromBase64(body);
  const std::string made = MadeId(letter);
  ParsedRequest read = readers_.Read({path, body, *received, TimeOf(letter.sent_at), made, options_.oldest_event});
  if (!read.ok()) {
    row.verdict = Verdict::kStillRefused;
    row.error = {read.refusal->reason, "", read.refusal->detail};
    return row;
  }
  bool all_dropped = !read.events.empty();
  for (ParsedEvent& event : read.events) {
    if (event.dropped) continue;
    all_dropped = false;
    if (event.ok()) {
      batch->records.push_back(NewRecord::Event(batch->events.emplace_back(std::move(event.record))));
    } else {
      batch->others.push_back(DeadLetterRecord(*event.dead, *received));
      batch->records.push_back({RecordType::kDeadLetter, ShardOfDeadLetter(*event.dead), batch->others.back()});
    }
  }
  if (all_dropped) return Dropped();
  if (read.events.empty()) {
    row.verdict = Verdict::kNotReplayable;
    row.error.detail = "there are no events in it";
  }
  return row;
}

// Waits until the batch is durable, and for room before that.
std::optional<StudyOutcome::Failure> LetterReplay::Log(Batch* batch, StudyProgress* progress) {
  struct Outcome {
    std::optional<Error> error;
    uint64_t first = 0;
  };
  using Failure = StudyOutcome::Failure;
  for (int pauses = 0;; ++pauses) {
    auto durable = std::make_shared<std::promise<Outcome>>();
    auto written = durable->get_future();
    const Status taken = runtime_.Append(batch->records, [durable](const Status& status, uint64_t first) {
      durable->set_value({status.ok() ? std::nullopt : std::optional<Error>(status.error()), first});
    });
    if (taken.ok()) {
      const Outcome outcome = written.get();
      if (outcome.error) {
        return Failure{outcome.error->code == ErrorCode::kUnavailable ? Code::kStorageFull : Code::kStorageFailed,
                       outcome.error->message, 1};
      }
      position_ = outcome.first + batch->records.size() - 1;
      for (Row& row : batch->rows) row.record += outcome.first;
      return std::nullopt;
    }
    if (taken.error().code != ErrorCode::kUnavailable) return Failure{Code::kStorageFailed, taken.error().message, 1};
    if (pauses == kMostRoomPauses || progress->cancelled) return Failure{Code::kOverloaded, taken.error().message, 1};
    std::this_thread::sleep_for(kRoomPause);
  }
}

void LetterReplay::Count(Batch* batch) {
  for (Row& row : batch->rows) {
    ++counts_[static_cast<size_t>(row.verdict)];
    if (rows_.size() < kMaxRows) rows_.push_back(std::move(row));
  }
}

std::string LetterReplay::ToJson() const {
  const uint64_t matched = counts_[0] + counts_[1] + counts_[2];
  std::string json = fmt::format(
      "{{\"dry_run\":{},\"matched\":{},\"replayed\":{},\"still_refused\":{},\"not_replayable\":{},\"position\":{},\"rows\":[",
      options_.dry_run, matched, counts_[0], counts_[1], counts_[2],
      position_ > 0 ? std::to_string(position_) : "null");
  constexpr std::string_view kNames[] = {"replayed", "still_refused", "not_replayable"};
  for (const Row& row : rows_) {
    if (json.back() != '[') json += ',';
    json += fmt::format("{{\"id\":\"{}\",\"verdict\":\"{}\",\"messageId\":", row.id,
                        kNames[static_cast<size_t>(row.verdict)]);
    if (row.message_id.empty()) {
      json += "null";
    } else {
      AppendJsonString(row.message_id, &json);
    }
    if (row.verdict == Verdict::kReplayed) {
      if (!options_.dry_run) json += fmt::format(",\"sequence\":{}", row.record);
    } else {
      if (row.verdict == Verdict::kStillRefused) {
        json += fmt::format(",\"reason\":\"{}\",\"field\":", CodeOf(row.error.reason));
        if (row.error.field.empty()) {
          json += "null";
        } else {
          AppendJsonString(row.error.field, &json);
        }
      }
      json += ",\"detail\":";
      AppendJsonString(row.error.detail, &json);
    }
    json += '}';
  }
  return json + fmt::format("],\"rows_left_out\":{}}}", matched - rows_.size());
}

}  // namespace attune

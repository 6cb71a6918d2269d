#include "api/letter_replay.h"

#include <fmt/format.h>

#include <chrono>
#include <future>
#include <nlohmann/json.hpp>
#include <thread>

#include "api/call.h"
#include "base/base64.h"
#include "base/json.h"
#include "http/problem.h"
#include "language/token.h"
#include "state/keyspace.h"

namespace attune {
namespace {

constexpr size_t kBatchLetters = 64;
constexpr size_t kBatchBytes = 1 << 20;
constexpr size_t kReplaySlice = 2000;  // looked at in one reading of the store
constexpr auto kRoomPause = std::chrono::milliseconds(5);
constexpr int kMostRoomPauses = 6000;  // half a minute in which nothing could be taken

// The text of a JSON string; empty when it is none.
std::string TextOf(std::string_view json) {
  const auto value = nlohmann::json::parse(json, nullptr, false);
  return value.is_string() ? value.get<std::string>() : "";
}

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

LetterReplay::LetterReplay(Runtime* runtime, const DeadLetters* letters, std::shared_ptr<const Plan> plan, Options options)
    : runtime_(*runtime),
      letters_(*letters),
      plan_(std::move(plan)),
      options_(std::move(options)),
      admission_(*plan_),
      reader_(*plan_),
      until_(runtime->durable_sequence()) {}

Response LetterReplay::Run(StudyProgress* progress) {
  progress->total = letters_.letters();
  while (!ended_ && !progress->cancelled) {
    std::vector<Letter> letters;
    if (!NextLetters(&letters, progress)) return Problem(Code::kStorageFailed, "storage cannot be read");
    Batch batch;
    for (const Letter& letter : letters) Try(letter, &batch);
    if (!options_.dry_run && !batch.records.empty()) {
      if (auto failed = Log(&batch, progress)) return std::move(*failed);
    }
    Count(&batch);
  }
  return {200, kJson, {{"Cache-Control", "no-store"}}, ToJson()};
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

LetterReplay::Row LetterReplay::TryEvent(const KeptLetter& letter, Batch* batch) {
  Row row;
  const std::string source = TextOf(letter.source);
  const SegmentPath* path = FindSegmentPath(std::string_view(source).substr(0, source.find('[')));
  const auto received = TimeOf(letter.received);
  row.message_id = TextOf(letter.message_id);
  // What is no JSON was kept as text, with other characters for what was not UTF-8: it is not what was sent. And what
  // was too large with its batch's context was kept without it.
  const bool is_whole = letter.event.starts_with('{') && TextOf(letter.reason) != CodeOf(Code::kEventTooLarge);
  if (!is_whole || !path || !received) {
    row.verdict = Verdict::kStillRefused;
    const std::string reason = TextOf(letter.reason);
    for (const CodeInfo& info : kCodes) {
      if (info.text == reason) row.error.reason = info.code;
    }
    row.error.detail = TextOf(letter.detail);
    return row;
  }
  const std::string made = MadeId(letter);
  Origin origin;
  origin.source = source;
  origin.type = path->type;
  origin.received = *received;
  origin.sent_at = TimeOf(letter.sent_at);
  origin.history = path->call == SegmentCall::kImport;
  origin.oldest_event = options_.oldest_event;
  origin.id = made;
  const Admission admitted = admission_.Admit(letter.event, origin);
  if (!admitted.ok()) {
    row.verdict = Verdict::kStillRefused;
    row.error = admitted.dead->first();
    return row;
  }
  row.message_id = admitted.head.id;
  batch->records.push_back(NewRecord::Event(batch->events.emplace_back(admitted.head, admitted.json)));
  return row;
}

LetterReplay::Row LetterReplay::TryRequest(const KeptLetter& letter, Batch* batch) {
  Row row;
  const std::string source = TextOf(letter.source);
  const SegmentPath* path = FindSegmentPath(source);
  const auto received = TimeOf(letter.received);
  if (letter.is_truncated || !path || !received) {
    row.verdict = Verdict::kNotReplayable;
    row.error.detail = "only the beginning of the body is kept";
    return row;
  }
  std::string body = TextOf(letter.event);
  if (letter.encoding == "\"base64\"") body = FromBase64(body);
  const std::string made = MadeId(letter);
  SegmentRequest read = reader_.Read({path, body, *received, TimeOf(letter.sent_at), made, options_.oldest_event});
  if (!read.ok()) {
    row.verdict = Verdict::kStillRefused;
    row.error = {read.refusal->reason, "", read.refusal->detail};
    return row;
  }
  for (SegmentEvent& event : read.events) {
    if (event.ok()) {
      batch->records.push_back(NewRecord::Event(batch->events.emplace_back(std::move(event.record))));
    } else {
      batch->others.push_back(DeadLetterRecord(*event.dead, *received));
      batch->records.push_back({RecordType::kDeadLetter, ShardOfDeadLetter(*event.dead), batch->others.back()});
    }
  }
  if (read.events.empty()) {
    row.verdict = Verdict::kNotReplayable;
    row.error.detail = "there are no events in it";
  }
  return row;
}

// A problem: they could not be logged.
std::optional<Response> LetterReplay::Log(Batch* batch, StudyProgress* progress) {
  struct Outcome {
    std::optional<Error> error;
    uint64_t first = 0;
  };
  for (int pauses = 0;; ++pauses) {
    auto durable = std::make_shared<std::promise<Outcome>>();
    auto outcome = durable->get_future();
    const Status taken = runtime_.Append(batch->records, [durable](const Status& status, uint64_t first) {
      durable->set_value({status.ok() ? std::nullopt : std::optional<Error>(status.error()), first});
    });
    if (taken.ok()) {
      const Outcome told = outcome.get();
      if (told.error) {
        return Later(told.error->code == ErrorCode::kUnavailable ? Code::kStorageFull : Code::kStorageFailed,
                     told.error->message);
      }
      position_ = told.first + batch->records.size() - 1;
      for (Row& row : batch->rows) row.record += told.first;
      return std::nullopt;
    }
    if (taken.error().code != ErrorCode::kUnavailable) return Later(Code::kStorageFailed, taken.error().message);
    if (pauses == kMostRoomPauses || progress->cancelled) return Later(Code::kOverloaded, taken.error().message);
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
      options_.dry_run, matched, counts_[0], counts_[1], counts_[2], position_ > 0 ? std::to_string(position_) : "null");
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

// --- POST /v1/dead-letters/replay ---

namespace {

struct AskedReplay {
  std::optional<LetterReplay::Options> options;
  std::string wrong;  // when there are no options
};

AskedReplay ReadReplay(const std::string& text) {
  AskedReplay asked;
  const auto body = nlohmann::json::parse(text, nullptr, false);
  const auto wrong = [&](std::string detail) {
    asked.wrong = std::move(detail);
    return asked;
  };
  if (!body.is_object() || !body.contains("filter") || !body["filter"].is_object()) {
    return wrong(
        "expected a JSON object such as {\"filter\": {\"reason\": \"unknown_event\"}}; an empty filter takes all");
  }
  bool dry_run = false;
  std::optional<Millis> oldest_event;
  for (const auto& [name, value] : body.items()) {
    if (name == "dry_run" && value.is_boolean()) {
      dry_run = value.get<bool>();
    } else if (name == "dry_run") {
      return wrong(fmt::format("dry_run: expected true or false, found {}", value.type_name()));
    } else if (name == "oldest_event") {
      Millis span = 0;
      if (!value.is_string() || !ParseDuration(value.get<std::string>(), &span) || span <= 0) {
        return wrong("oldest_event: expected a duration such as \"7300d\"");
      }
      oldest_event = span;
    } else if (name != "filter") {
      return wrong(fmt::format("expected \"filter\", \"dry_run\" or \"oldest_event\", found \"{}\"", name));
    }
  }
  const std::string known = fmt::format(" {} ", LetterFilter::kParameters);
  for (const auto& [name, value] : body["filter"].items()) {
    if (name.find(' ') != std::string::npos || known.find(" " + name + " ") == std::string::npos) {
      return wrong(fmt::format("filter: expected one of {}, found \"{}\"", LetterFilter::kParameters, name));
    }
    if (!value.is_string())
      return wrong(fmt::format("filter.{}: expected a string, found {}", name, value.type_name()));
  }
  auto filter = LetterFilter::Read([&](std::string_view name) -> std::optional<std::string> {
    const auto found = body["filter"].find(std::string(name));
    if (found == body["filter"].end()) return std::nullopt;
    return found->get<std::string>();
  });
  if (!filter.ok()) return wrong("filter." + filter.error().message);
  if (filter->replayed_only()) return wrong("filter.state: what was replayed is not replayed again");
  asked.options = LetterReplay::Options{std::move(*filter), dry_run, oldest_event};
  return asked;
}

}  // namespace

void Api::ReplayDeadLetters(Call call) {
  if (!call.CheckPosition(runtime_.durable_sequence())) return;
  AskedReplay asked = ReadReplay(call.request.body);
  if (!asked.options) return call.reply.Send(Problem(Code::kInvalidBody, asked.wrong));
  auto shared = std::make_shared<Call>(std::move(call));
  // Behind each loop's queue: what was refused or replayed before this call is in the store by then.
  AfterAllShards(&runtime_, [this, shared, options = *asked.options] {
    runtime_.WhenStored([=, this] {
      BeginStudy(std::move(*shared), [this, options](StudyProgress* progress) {
        return LetterReplay(&runtime_, &dead_letters_, runtime_.plan_state()->program().plan, options).Run(progress);
      });
    });
  });
}

}  // namespace attune

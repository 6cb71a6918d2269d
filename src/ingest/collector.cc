#include "ingest/collector.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/hash.h"
#include "dead_letter/dead_letters.h"
#include "log/record_type.h"
#include "shard/new_record.h"

namespace attune {
namespace {

int64_t SteadyMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// The prefix of the ids of events that were sent without one: the same when the request is sent again. Empty: the
// request has no idempotency key.
std::string IdPrefix(std::string_view idempotency_key) {
  return idempotency_key.empty() ? "" : "again-" + ToHex(Hash128(idempotency_key));
}

UploadOutcome Refused(Code code, std::string detail, int retry_seconds = 0) {
  return {.refusal = Refusal{code, std::move(detail)}, .retry_seconds = retry_seconds};
}

UploadOutcome RateLimited(std::string_view who, int pause_seconds) {
  return Refused(Code::kRateLimited, fmt::format("{} may send again in {} seconds", who, pause_seconds), pause_seconds);
}

UploadOutcome FromSource(const Source* source, UploadOutcome outcome) {
  outcome.source = source;
  return outcome;
}

UploadOutcome NotDurable(const Error& error) {
  return Refused(error.code == ErrorCode::kUnavailable ? Code::kStorageFull : Code::kStorageFailed, error.message, 1);
}

// The log did not take the records.
UploadOutcome NotTaken(const Error& error) {
  return Refused(error.code == ErrorCode::kUnavailable ? Code::kOverloaded : Code::kStorageFailed, error.message, 1);
}

std::string KeyOf(const Upload& upload, std::string_view body_key) {
  KeySources sources = upload.keys;
  sources.body = body_key;
  sources.query = upload.query;
  return FindWriteKey(sources);
}

}  // namespace

struct Collector::Sender {
  std::string_view peer;
  int64_t now_ms = SteadyMs();
  std::string key{};               // a valid one; empty until it is known
  const Source* source = nullptr;  // of the key
};

Collector::Collector(Runtime* runtime, const Keys* keys, const Protocols* protocols, const RateOptions& rates,
                     const std::atomic<bool>* draining)
    : number_([] {
        static std::atomic<uint64_t> last{0};
        return ++last;
      }()),
      runtime_(*runtime),
      keys_(*keys),
      protocols_(*protocols),
      draining_(*draining),
      rates_(rates),
      accepted_of_(keys->sources().size()) {}

void Collector::AddMetrics(Metrics* metrics) const {
  metrics->Counter("attune_events_accepted_total", "Events answered as accepted", [this] { return accepted_.load(); });
  metrics->Counter("attune_events_rejected_total", "Events that became dead letters",
                   [this] { return rejected_.load(); });
  metrics->CounterFamily("attune_source_events_total", "Events answered as accepted, by source", "source",
                         [this](const Metrics::Add& add) {
                           for (size_t i = 0; i < accepted_of_.size(); ++i) {
                             add(keys_.sources()[i].name, accepted_of_[i].load());
                           }
                         });
  metrics->Counter("attune_events_dropped_total", "Events that consent or privacy did not let pass; answered as accepted",
                   [this] { return dropped_.load(); });
  metrics->CounterFamily("attune_dead_letters_total", "Dead letters, by reason", "reason",
                         [this](const Metrics::Add& add) {
                           for (const CodeInfo& info : kCodes) {
                             if (info.is_reason) add(info.text, letters_.of(info.code));
                           }
                         });
}

ProtocolReaders& Collector::Readers() {
  // One set for each of the caller's threads, and for each plan: it is made when the thread first needs it.
  struct Own {
    uint64_t collector = 0;
    std::optional<ProtocolReaders> readers;
  };
  thread_local Own own;
  const auto plan = runtime_.plan_state()->program().plan;
  if (own.collector != number_ || own.readers->plan() != plan) {
    own.collector = number_;
    own.readers.emplace(&protocols_, plan);
  }
  return *own.readers;
}

ParsedRequest Collector::Read(const Upload& upload, Millis received) {
  const std::string ids = IdPrefix(upload.idempotency_key);
  ProtocolRequest request{.path = upload.path, .body = upload.body, .received = received};
  if (!upload.sent_at.empty()) request.sent_at = ParseRfc3339(upload.sent_at);
  request.id = ids;
  request.query = upload.query;
  return Readers().Read(request);
}

// An unknown key is charged to its network as one event. A key that sends too early is charged nothing.
std::optional<UploadOutcome> Collector::CheckKey(Sender* sender, std::string_view key) {
  const auto holder = keys_.Find(key);
  if (!holder) {
    rates_.Charge("", sender->peer, 1, sender->now_ms);
    return Refused(Code::kInvalidWriteKey, key.empty() ? "failed to read writekey from header" : "invalid write key");
  }
  sender->key = key;
  sender->source = &keys_.sources()[holder->source];
  const auto pause = rates_.PauseOfKey(key, sender->now_ms);
  if (pause) return FromSource(sender->source, RateLimited("this key", *pause));
  return std::nullopt;
}

void Collector::Collect(const Upload& upload, Done done) {
  if (draining_) return done(Refused(Code::kDraining, "the server is shutting down", 1));
  Sender sender{.peer = upload.peer};
  if (const auto pause = rates_.PauseOfNetwork(upload.peer, sender.now_ms)) {
    return done(RateLimited("clients of this network", *pause));
  }
  // Anybody can send a body, and reading one costs: a key in a header is checked first.
  const std::string header_key = FindWriteKey(upload.keys);
  if (!header_key.empty()) {
    if (auto refused = CheckKey(&sender, header_key)) return done(std::move(*refused));
  }
  const Millis received = runtime_.Now();
  ParsedRequest read = Read(upload, received);
  if (header_key.empty()) {
    if (auto refused = CheckKey(&sender, KeyOf(upload, read.write_key))) return done(std::move(*refused));
  }
  if (!read.ok() && !InfoOf(read.refusal->reason).is_reason) {
    return done(FromSource(sender.source, {.refusal = std::move(read.refusal)}));
  }
  rates_.Charge(sender.key, upload.peer, std::max<size_t>(1, read.events.size()), sender.now_ms);
  if (!read.ok()) return KeepRefused(upload, std::move(*read.refusal), sender, received, done);
  Append(upload.path, read.events, sender, received, std::move(done));
}

// Refuses the request, and keeps it before that while the budget of its key lasts.
void Collector::KeepRefused(const Upload& upload, Refusal refusal, const Sender& sender, Millis received,
                            const Done& done) {
  if (!budget_.MayKeep(sender.key, std::min(upload.body.size(), kLetterBodyBytes), sender.now_ms)) {
    return done(FromSource(sender.source, {.refusal = std::move(refusal)}));
  }
  DeadLetter letter = LetterOfRequest(upload.path, upload.body, refusal.reason, refusal.detail);
  if (!upload.sent_at.empty()) letter.sent_at = ParseRfc3339(upload.sent_at);
  const std::string record = DeadLetterRecord(letter, received);
  const NewRecord entry{RecordType::kDeadLetter, ShardOfDeadLetter(letter), record};
  const auto answer = [this, refusal = std::move(refusal), source = sender.source, done](const Status& durable,
                                                                                         uint64_t) {
    if (!durable.ok()) return done(FromSource(source, NotDurable(durable.error())));
    letters_.Count(refusal.reason);
    done(FromSource(source, {.refusal = refusal}));
  };
  const Status status = runtime_.Append({&entry, 1}, answer);
  if (!status.ok()) done(FromSource(sender.source, NotTaken(status.error())));
}

void Collector::Append(std::string_view path, const std::vector<ParsedEvent>& events, const Sender& sender,
                       Millis received, Done done) {
  struct Answer {
    const Source* source;
    ProtocolAnswer body;
    size_t accepted = 0;
    std::vector<Reason> reasons;
    Done done;
  };
  auto answer = std::make_shared<Answer>(
      Answer{sender.source, protocols_.Find(path)->Answer(path, events), 0, {}, std::move(done)});
  std::vector<NewRecord> entries;
  std::vector<std::string> letters;
  letters.reserve(events.size());
  for (const ParsedEvent& event : events) {
    if (event.dropped) {
      ++dropped_;
      continue;
    }
    if (event.ok()) {
      entries.push_back(NewRecord::Event(event.record));
      ++answer->accepted;
      continue;
    }
    letters.push_back(DeadLetterRecord(*event.dead, received));
    entries.push_back({RecordType::kDeadLetter, ShardOfDeadLetter(*event.dead), letters.back()});
    answer->reasons.push_back(event.dead->first().reason);
  }
  if (entries.empty()) return answer->done({.answer = std::move(answer->body), .source = answer->source});
  // The log copies the entries during the call: the callback needs only the answer.
  const size_t count = entries.size();
  const Status status = runtime_.Append(entries, [this, answer, count](const Status& durable, uint64_t first) {
    if (!durable.ok()) return answer->done(FromSource(answer->source, NotDurable(durable.error())));
    accepted_ += answer->accepted;
    accepted_of_[static_cast<size_t>(answer->source - keys_.sources().data())] += answer->accepted;
    rejected_ += answer->reasons.size();
    for (const Reason reason : answer->reasons) letters_.Count(reason);
    answer->done({.answer = std::move(answer->body), .position = first + count - 1, .source = answer->source});
  });
  if (!status.ok()) answer->done(FromSource(answer->source, NotTaken(status.error())));
}

UploadOutcome Collector::DryRun(const Upload& upload) {
  Sender sender{.peer = upload.peer};
  sender.key = KeyOf(upload, {});
  if (const auto pause = rates_.PauseOfNetwork(upload.peer, sender.now_ms)) {
    return RateLimited("clients of this network", *pause);
  }
  if (const auto pause = rates_.PauseOfKey(sender.key, sender.now_ms)) return RateLimited("this key", *pause);
  ParsedRequest read = Read(upload, runtime_.Now());
  rates_.Charge(sender.key, upload.peer, std::max<size_t>(1, read.events.size()), sender.now_ms);
  if (!read.ok()) return {.refusal = std::move(read.refusal)};
  return {.answer = protocols_.Find(upload.path)->Answer(upload.path, read.events)};
}

}  // namespace attune

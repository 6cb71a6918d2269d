#include "simulator/simulation.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "base/bytes.h"
#include "engine/record.h"
#include "fake_disk/fake_disk.h"
#include "fake_store/fake_batch_log.h"
#include "log/reader.h"
#include "oracle/engine_run.h"
#include "oracle/generator.h"
#include "oracle/random.h"
#include "shard/runtime.h"

namespace attune {
namespace {

using oracle::Random;
using Part = Runtime::Part;

constexpr char kDir[] = "data";
constexpr char kLogDir[] = "data/log";
constexpr size_t kMostRecordsAtOnce = 4;
constexpr uint64_t kQuiet = 400;  // steps after which no more goes wrong than what has begun

// What a client knows of a record that it sends.
struct Sent {
  std::string bytes;  // EncodeEvent
  bool accepted = false;
};

// Lines in the order of their texts: of several at one instant the order is no promise.
std::vector<std::string> Sorted(std::vector<std::string> lines) {
  std::sort(lines.begin(), lines.end());
  return lines;
}

std::string FirstDifference(const std::vector<std::string>& expected, const std::vector<std::string>& found) {
  const auto [e, f] = std::mismatch(expected.begin(), expected.end(), found.begin(), found.end());
  if (e == expected.end() && f == found.end()) return "";
  return fmt::format("expected {}\n  found    {}", e == expected.end() ? "nothing more" : *e, f == found.end() ? "nothing more" : *f);
}

// A firing's line without its id, which the oracle does not give. No text before it can look like it: its quotes would be
// escaped.
std::string WithoutId(std::string_view json) {
  constexpr std::string_view kId = ",\"id\":\"";
  std::string line(json);
  const size_t begin = line.find(kId);
  return line.erase(begin, line.find('"', begin + kId.size()) + 1 - begin);
}

class Life {
 public:
  explicit Life(const SimulationOptions& options)
      : options_(options), random_(options.seed * 2 + 1), made_(Draw(options.seed)) {
    plan_ = oracle::Load(made_);
    program_ = Program::Compile(plan_);
    Millis first = kNever;
    for (const oracle::Record& record : made_.records) {
      Sent sent;
      EncodeEvent(oracle::HeadOf(record), record.json, &sent.bytes);
      to_send_.push_back(sent_.size());
      sent_.push_back(std::move(sent));
      first = std::min(first, record.time);
      last_ = std::max(last_, record.time);
    }
    span_ = std::max<Millis>(last_ - first, 1);
    now_ = made_.records.empty() ? 0 : first;
    log_file_bytes_ = static_cast<uint64_t>(1) << random_.From(10, 16);
    reserve_bytes_ = random_.Percent(50) ? 0 : static_cast<uint64_t>(1) << random_.From(9, 14);
    if (options.lying_disk) disk_.LieAboutSyncs();
  }

  SimulationReport Run() {
    if (Start()) Live();
    if (report_.failure.empty() && !options_.lying_disk) Mend();
    if (report_.failure.empty() && EndInPeace()) Judge();
    if (!report_.failure.empty()) {
      report_.failure = fmt::format("seed {}: {}\n--- plan.yaml\n{}--- events.ndjson\n{}", options_.seed, report_.failure,
                                    oracle::PlanText(made_), oracle::HistoryText(made_));
    }
    return report_;
  }

 private:
  static oracle::Case Draw(uint64_t seed) {
    oracle::CaseOptions options;
    options.scale = seed % 2 == 0 ? oracle::Scale::kSeconds : oracle::Scale::kDays;
    options.features = oracle::Features::All();
    return oracle::Generate(seed, options);
  }

  template <typename... Arguments>
  void Tell(fmt::format_string<Arguments...> text, Arguments&&... arguments) {
    if (options_.trace) options_.trace(fmt::format(text, std::forward<Arguments>(arguments)...));
  }
  bool Fail(std::string what) {
    Tell("FAILED: {}", what);
    if (report_.failure.empty()) report_.failure = std::move(what);
    return false;
  }

  // --- the runtime's life ---

  RuntimeOptions Options() {
    RuntimeOptions options;
    options.stepped = true;
    options.clock = [this] { return now_; };
    options.log.disk = &disk_;
    options.log.max_file_bytes = log_file_bytes_;
    options.log.reserve_bytes = reserve_bytes_;
    options.store.batch_log = store_.get();
    options.outbox.max_age = 100'000 * kDay;  // the clock runs through years
    return options;
  }

  // Until it is up: what goes wrong in a start ends it, and the next one comes.
  bool Start() {
    while (true) {
      ++report_.starts;
      const bool troubled = random_.Percent(25) && !calm_;
      if (troubled) Trouble();
      auto opened = Runtime::Open(kDir, program_, Options());
      if (opened.ok()) {
        runtime_ = std::move(opened).value();
        Tell("started; the log ends with record {}", runtime_->durable_sequence());
        return LooksLikeItShould();
      }
      Tell("the start failed: {}", opened.error().message);
      if (!troubled) return Fail("the runtime does not start: " + opened.error().message);
      PowerOff();
    }
  }

  // Something that the disk will do at one of the next calls.
  void Trouble() {
    using Op = FakeDisk::Op;
    static const std::vector<Op> kOps = {Op::kWrite, Op::kSync, Op::kTruncate, Op::kAllocate, Op::kSyncDir};
    const Op op = random_.Pick(kOps);
    const int after = static_cast<int>(random_.Below(3));
    const bool full = (op == Op::kWrite || op == Op::kAllocate) && random_.Percent(50);
    Tell("the disk will fail: operation {}, call {}{}", static_cast<int>(op), after, full ? ", for want of space" : "");
    disk_.FailAfter(op, after, full ? Error{ErrorCode::kUnavailable, "no space"} : Error{ErrorCode::kIo, "input/output error"},
                    static_cast<size_t>(random_.Below(40)));
  }

  // The process is gone, and perhaps the power with it.
  void PowerOff() {
    ++life_;
    in_flight_.clear();
    disk_.ClearFaults();
    const bool power = random_.Percent(60);
    ++(power ? report_.power_cuts : report_.kills);
    if (!power) {
      disk_.Kill();
    } else {
      switch (random_.Below(3)) {
        case 0: disk_.Crash(); break;
        case 1: disk_.CrashKeepingBytes(static_cast<uint64_t>(random_.Below(2'000))); break;
        default: disk_.CrashKeepingSectors([this](uint64_t) { return random_.Percent(50); });
      }
    }
    store_->crashed = true;
    runtime_.reset();  // whatever it still does comes to nothing
    auto rest = std::make_unique<FakeBatchLog>();
    rest->batches = std::move(store_->batches);
    if (power && !rest->batches.empty()) {
      const auto all = static_cast<int64_t>(rest->batches.size());
      rest->batches.resize(static_cast<size_t>(all - random_.Below((random_.Percent(80) ? std::min<int64_t>(all, 8) : all) + 1)));
    }
    store_ = std::move(rest);
    disk_.SetCapacity(UINT64_MAX);
    Tell("{}; the store has {} batches", power ? "the power was cut" : "the process was killed", store_->batches.size());
  }

  bool Restart() {
    Tell("the process ends in order");
    ++life_;
    runtime_.reset();
    in_flight_.clear();
    disk_.ClearFaults();
    return Start();
  }

  bool CrashAndStart() {
    PowerOff();
    return Start();
  }

  // --- what happens ---

  void Live() {
    while (report_.failure.empty() && (report_.steps < kQuiet || !to_send_.empty() || !in_flight_.empty())) {
      if (++report_.steps > 20 * kQuiet) calm_ = true;  // so that every life ends
      Happen(random_.Below(1'000));
      if (!report_.failure.empty()) return;
      if (!runtime_->failure().ok()) {
        Tell("the log has failed: {}", runtime_->failure().error().message);
        if (!CrashAndStart()) return;
      }
    }
  }

  void Happen(int64_t draw) {
    const auto is = [&](int64_t share) { return (draw -= share) < 0; };
    if (is(250)) return Send();
    if (is(40)) return SendAgain();
    if (is(200)) return Take(Part::kLog);
    if (is(200)) return Take(Part::kRecords);
    if (is(60)) return Take(Part::kTimers);
    if (is(90)) return Take(Part::kSnapshot);
    if (is(70)) return Take(Part::kStore);
    if (is(10)) return Take(Part::kSizes);
    if (is(30)) return Pass(random_.Below(span_ / 10 + 2));
    if (is(20)) return Listen();
    if (calm_) return;
    if (is(15)) return static_cast<void>(CrashAndStart());
    if (is(4)) return static_cast<void>(Restart());
    if (is(4)) return Trouble();
    if (is(4)) return disk_.SetCapacity(0);
    if (is(3)) return disk_.SetCapacity(UINT64_MAX);
    if (is(4)) store_->fail_after = static_cast<int>(random_.Below(3));
  }

  void Take(Part part) { runtime_->TakeStep(part); }

  void Pass(Millis time) {
    now_ += time;
    Tell("it is {}", FormatRfc3339(now_));
  }

  void Send() {
    std::vector<size_t> batch;
    for (auto count = static_cast<size_t>(random_.From(1, kMostRecordsAtOnce)); count > 0 && !to_send_.empty(); --count) {
      batch.push_back(to_send_.front());
      to_send_.pop_front();
    }
    if (batch.empty()) return;
    if (random_.Percent(60)) now_ = std::max(now_, made_.records[batch.back()].time + random_.Below(3));
    Deliver(std::move(batch));
  }

  // A client to whom the answer came, and who did not notice.
  void SendAgain() {
    const auto any = static_cast<size_t>(random_.Below(static_cast<int64_t>(sent_.size()) + 1));
    if (any >= sent_.size() || !sent_[any].accepted) return;
    ++report_.sent_again;
    Deliver({any});
  }

  void Deliver(std::vector<size_t> batch) {
    std::vector<LogEntry> entries;
    for (const size_t i : batch) entries.push_back({static_cast<uint8_t>(RecordType::kEvent), 0, sent_[i].bytes});
    const uint64_t request = ++requests_;
    in_flight_[request] = batch;
    const Status taken = runtime_->Append(entries, [this, request, life = life_](const Status& durable, uint64_t first) {
      if (life != life_) return;  // there was nobody left to answer
      Answer(request, durable, first);
    });
    if (!taken.ok()) Answer(request, taken, 0);
  }

  void Answer(uint64_t request, const Status& durable, uint64_t first) {
    const std::vector<size_t> batch = std::move(in_flight_[request]);
    in_flight_.erase(request);
    Tell("request {} of {} records: {}", request, batch.size(), durable.ok() ? fmt::format("accepted as {}", first) : durable.error().message);
    for (const size_t i : batch) {
      if (durable.ok()) {
        sent_[i].accepted = true;
      } else if (!sent_[i].accepted) {
        to_send_.push_back(i);
      }
    }
    report_.refused += !durable.ok();
  }

  // A client of the stream takes up the thread.
  void Listen() {
    while (true) {
      const auto page = runtime_->outbox().Read(cursor_, static_cast<size_t>(random_.From(1, 4'000)));
      if (!page.ok()) return static_cast<void>(Fail("the outbox cannot be read: " + page.error().message));
      if (page->gone) return static_cast<void>(Fail("the outbox no longer keeps what follows " + ToText(cursor_)));
      for (const auto& block : page->blocks) {
        for (const ToldEffect& effect : *block) {
          if (effect.id() > cursor_) heard_.push_back(ToText(effect.id()) + ' ' + std::string(effect.json()));
        }
      }
      cursor_ = page->next;
      if (!page->more) return;
    }
  }

  // --- what must hold ---

  // After a start: every record that was accepted is there, and none that nobody sent. Requests without an answer are sent
  // again.
  bool LooksLikeItShould() {
    if (options_.trace) {
      for (const std::string& user : Users()) Tell("known: {}", user);
    }
    std::set<size_t> there;
    if (!ReadLog([&](const RecordView&, std::optional<size_t> sent) {
          if (sent) there.insert(*sent);
        })) {
      return false;
    }
    to_send_.clear();
    for (size_t i = 0; i < sent_.size(); ++i) {
      if (sent_[i].accepted && !there.contains(i)) {
        return Fail(fmt::format("record {} was answered as accepted and is not in the log", made_.records[i].id));
      }
      if (!sent_[i].accepted) to_send_.push_back(i);
    }
    return true;
  }

  bool ReadLog(const std::function<void(const RecordView& record, std::optional<size_t> sent)>& visit) {
    std::map<std::string_view, size_t> known;
    for (size_t i = 0; i < sent_.size(); ++i) known.emplace(sent_[i].bytes, i);
    disk_.ClearFaults();
    auto reader = LogReader::Open(kLogDir, 1, {.last_sequence = runtime_->durable_sequence(), .disk = &disk_});
    if (!reader.ok()) return Fail("the log cannot be read: " + reader.error().message);
    RecordView record;
    uint64_t expected = 1;
    while (runtime_->durable_sequence() > 0) {
      const auto more = reader->Next(&record);
      if (!more.ok()) return Fail("the log cannot be read: " + more.error().message);
      if (!*more) break;
      if (record.sequence != expected++) return Fail(fmt::format("record {} follows record {}", record.sequence, expected - 2));
      if (!HoldsEvent(record.type)) {
        visit(record, std::nullopt);
        continue;
      }
      const auto it = known.find(record.payload);
      if (it == known.end()) return Fail(fmt::format("record {} holds what nobody sent", record.sequence));
      visit(record, it->second);
    }
    if (expected != runtime_->durable_sequence() + 1) return Fail(fmt::format("the log ends before record {}", runtime_->durable_sequence()));
    return true;
  }

  // Nothing goes wrong any more.
  void Mend() {
    calm_ = true;
    disk_.SetCapacity(UINT64_MAX);
    disk_.ClearFaults();
    store_->fail_after = -1;
  }

  // All is sent, done and told.
  bool EndInPeace() {
    calm_ = true;
    while (!to_send_.empty() || !in_flight_.empty()) {
      Send();
      Settle();
      if (!runtime_->failure().ok() && !CrashAndStart()) return false;
    }
    Pass(std::max<Millis>(0, last_ - now_) + span_ / 2 + 1);
    Settle();  // a tick may be under way
    uint64_t position = 0;
    do {
      position = runtime_->durable_sequence();
      Take(Part::kTimers);
      Settle();
      if (!runtime_->failure().ok() && !CrashAndStart()) return false;
    } while (runtime_->durable_sequence() != position);
    if (random_.Percent(50) && !Restart()) return false;
    Listen();
    return report_.failure.empty();
  }

  void Settle() {
    for (bool more = true; more;) {
      more = runtime_->TakeStep(Part::kLog);
      more |= runtime_->TakeStep(Part::kRecords);
      more |= runtime_->TakeStep(Part::kStore);
    }
  }

  bool Judge() {
    if (!LooksLikeItShould()) return false;
    if (!to_send_.empty()) return Fail("a record was never accepted");
    std::vector<oracle::Record> history;
    oracle::RunOptions options;
    options.until = now_;
    options.at = {now_};
    const bool read = ReadLog([&](const RecordView& record, std::optional<size_t> sent) {
      ++report_.records;
      if (sent) {
        Tell("record {}: {}", record.sequence, made_.records[*sent].json);
        return history.push_back(made_.records[*sent]);
      }
      ByteReader in(record.payload);
      const Millis at = in.I64();
      Tell("record {}: shard {} passes {}", record.sequence, record.shard, FormatRfc3339(at));
      options.ticks.push_back({history.size(), at, [shard = record.shard](const std::string& person) { return ShardOf(person) == shard; }});
    });
    if (!read) return false;

    std::vector<std::string> told;
    const std::vector<std::string> kept = Kept(&told);
    report_.effects = kept.size();
    if (const std::string difference = FirstDifference(kept, heard_); !difference.empty()) {
      return Fail("what a client of the stream heard, against what is kept: " + difference);
    }
    const std::vector<std::string> users = Users();
    runtime_.reset();
    store_ = std::make_unique<FakeBatchLog>();
    if (!Start()) return false;
    Settle();
    if (const std::string difference = FirstDifference(kept, Kept(nullptr)); !difference.empty()) {
      return Fail("what was told, against what the log tells again to an empty store: " + difference);
    }
    if (const std::string difference = FirstDifference(users, Users()); !difference.empty()) {
      return Fail("memberships and metrics, against those that are built anew from the log: " + difference);
    }

    const oracle::RunResult expected = oracle::RunNaively(*plan_, history, options);
    report_.gave_up = expected.gave_up;
    if (expected.gave_up) return true;
    std::vector<std::string> effects, values;
    for (const oracle::Transition& transition : expected.transitions) effects.push_back(oracle::ToText(transition));
    for (const oracle::Firing& firing : expected.firings) effects.push_back(oracle::ToText(firing));
    if (const std::string difference = FirstDifference(Sorted(effects), Sorted(told)); !difference.empty()) {
      return Fail("transitions and firings: " + difference);
    }
    for (const oracle::UserValues& user : expected.values) values.push_back(oracle::ToText(user));
    if (const std::string difference = FirstDifference(Sorted(values), users); !difference.empty()) {
      return Fail("memberships and metrics: " + difference);
    }
    return true;
  }

  // Every effect that is kept, in order, with its id; `told`: as the oracle writes it.
  std::vector<std::string> Kept(std::vector<std::string>* told) {
    std::vector<std::string> kept;
    const Status status = runtime_->outbox().ForEachBackwards([&](const ToldEffect& effect) {
      kept.push_back(ToText(effect.id()) + ' ' + std::string(effect.json()));
      if (told) told->push_back(effect.kind() == EffectKind::kFiring ? WithoutId(effect.json()) : std::string(effect.json()));
      return true;
    });
    if (!status.ok()) Fail("the outbox cannot be read: " + status.error().message);
    std::reverse(kept.begin(), kept.end());
    return kept;
  }

  // What is known of each user now, sorted.
  std::vector<std::string> Users() {
    std::vector<std::string> users;
    for (uint8_t shard = 0; shard < kShards; ++shard) {
      runtime_->Ask(shard, [&](Shard& owner) {
        for (const UserState& user : owner.engine().users()) {
          if (!user.ended) users.push_back(oracle::ToText(oracle::ValuesOf(&owner.engine(), user, now_)));
        }
      });
    }
    while (runtime_->TakeStep(Part::kRecords)) continue;
    return Sorted(std::move(users));
  }

  const SimulationOptions& options_;
  SimulationReport report_;
  Random random_;
  const oracle::Case made_;
  std::shared_ptr<const Plan> plan_;
  std::shared_ptr<const Program> program_;
  Millis now_ = 0;
  Millis last_ = kAlways;  // event time
  Millis span_ = 1;
  uint64_t log_file_bytes_ = 0;
  uint64_t reserve_bytes_ = 0;
  bool calm_ = false;  // nothing more goes wrong

  // The clients.
  std::vector<Sent> sent_;  // as in the case's records
  std::deque<size_t> to_send_;
  std::map<uint64_t, std::vector<size_t>> in_flight_;  // by request
  uint64_t requests_ = 0;
  uint64_t life_ = 0;  // of the process: answers of an earlier one reach nobody
  EffectId cursor_;
  std::vector<std::string> heard_;

  FakeDisk disk_;
  std::unique_ptr<FakeBatchLog> store_ = std::make_unique<FakeBatchLog>();
  std::unique_ptr<Runtime> runtime_;
};

}  // namespace

SimulationReport Simulate(const SimulationOptions& options) { return Life(options).Run(); }

}  // namespace attune

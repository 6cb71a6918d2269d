#include "simulator/life.h"

#include <algorithm>
#include <utility>

#include "log/file/log_folder.h"
#include "shard/state_check.h"
#include "simulator/work.h"

namespace attune::simulate {
namespace {

constexpr uint64_t kQuiet = 500;           // steps after which no more goes wrong than what has begun
constexpr uint64_t kLongest = 20 * kQuiet; // and after which nothing goes wrong, so that every life ends
constexpr uint64_t kHot = 30;              // steps for which a crash is likely
constexpr uint64_t kMostSteps = 100'000;   // in which everything that has begun must end
constexpr size_t kMostRecordsAtOnce = 4;
constexpr size_t kMostRecordsOfCrowd = 150;
constexpr int kCheckedStarts = 15;         // percent: a check builds all state from the log
constexpr int kMostTicks = 1'000;          // one after the other, while the clock stands

}  // namespace

// --- what is drawn ---

Life::Life(const SimulationOptions& options)
    : options_(options),
      random_(options.seed * 2 + 1),
      chronicle_(options.trace),
      subjects_(DrawSubjects(options, &random_)),
      made_(DrawCase(options.seed)),
      records_(DrawRecords()),
      ids_(IdsOf(records_)),
      machine_(DrawHardware()),
      troubles_(subjects_.reads, &random_, &machine_, &chronicle_),
      clients_(&records_, subjects_.letters ? static_cast<size_t>(random_.From(1, 12)) : 0, &random_, &machine_, &chronicle_),
      questions_(subjects_.reads, &machine_, &chronicle_),
      listener_(&random_, &machine_, &chronicle_),
      letters_(&machine_, &chronicle_),
      in_force_(&plans_) {
  DrawPlans();
  Millis first = kNever;
  for (const oracle::Record& record : records_) {
    first = std::min(first, record.time);
    last_ = std::max(last_, record.time);
  }
  span_ = std::max<Millis>(last_ - first, 1);
  machine_.SetClock(first);
  if (options.lying_disk) machine_.disk().IgnoreSyncs();
}

Subjects Life::DrawSubjects(const SimulationOptions& options, oracle::Random* random) {
  if (options.only.any()) return options.only;
  Subjects subjects;
  subjects.merges = random->Percent(60);
  subjects.plans = random->Percent(50);
  subjects.reads = random->Percent(30);
  subjects.letters = random->Percent(40);
  subjects.crowd = random->Percent(4);
  return subjects;
}

std::vector<oracle::Record> Life::DrawRecords() {
  if (subjects_.crowd) return (crowd_ = DrawCrowd(options_.seed, &random_))->records;
  std::vector<oracle::Record> records = made_.records;
  if (subjects_.merges) AddLinks(&random_, &records);
  return records;
}

Machine::Hardware Life::DrawHardware() {
  Machine::Hardware hardware;
  hardware.log_file_bytes = static_cast<uint64_t>(1) << random_.From(10, 16);
  hardware.reserve_bytes = random_.Percent(50) ? 0 : static_cast<uint64_t>(1) << random_.From(9, 14);
  return hardware;
}

void Life::DrawPlans() {
  plans_.Add(crowd_ ? crowd_->plan : oracle::PlanText(made_));
  if (!subjects_.plans) return;
  for (int64_t count = random_.From(1, 2); count > 0; --count) {
    // Of the same scale, so that the oracle looks at instants of the same number.
    plans_.Add(oracle::PlanText(DrawCase(options_.seed + 2'000'000 * static_cast<uint64_t>(count))));
  }
}

// --- the process ---

bool Life::Start() {
  while (true) {
    ++counts_.starts;
    const bool troubled = random_.Percent(25) && !calm_;
    if (troubled) troubles_.BreakDisk();
    const int loops = static_cast<int>(random_.From(1, 4));
    const size_t plan = accepted_plan_;
    const Status started = machine_.Start(plans_.program(plan), loops, letters_.Open());
    if (started.ok()) {
      const uint64_t last = machine_.runtime().durable_sequence();
      chronicle_.Tell("started with {} loops and plan {}; the log ends with record {}", loops, plan, last);
      in_force_.Start(plan, last - machine_.runtime().recovered_records(), last);
      asleep_until_.assign(static_cast<size_t>(loops), 0);
      return TakeStock();
    }
    chronicle_.Tell("the start failed: {}", started.error().message);
    if (!troubled) return chronicle_.Fail(Promise::kAlive, "the runtime does not start: " + started.error().message);
    Gone();
  }
}

bool Life::TakeStock() {
  return ReadLog(&machine_, &chronicle_, &log_) && clients_.TakeStock(log_) && letters_.TakeStock(log_) && (!random_.Percent(kCheckedStarts) || CheckStored());
}

bool Life::CheckStored() {
  StateCheckOptions options;
  LogFolder log(machine_.log_dir(), &machine_.disk());
  options.log = &log;
  options.last_sequence = log_.size();
  StateReport report;
  machine_.disk().SuspendFaults(true);
  const Status checked = CheckState(machine_.runtime().store(), plans_.program(in_force_.present()), options, &report);
  machine_.disk().SuspendFaults(false);
  if (!checked.ok()) return chronicle_.Fail(Promise::kState, "what is stored cannot be checked: " + checked.error().message);
  if (report.damages == 0) return true;
  return chronicle_.Fail(Promise::kState, fmt::format("{} damages in what is stored: {}", report.damages, report.found.front()));
}

void Life::Gone() {
  if (machine_.running()) in_force_.End(machine_.runtime().durable_sequence());
  clients_.OnProcessGone();
  questions_.OnProcessGone();
  ++(troubles_.CutOff() ? counts_.power_cuts : counts_.kills);
}

bool Life::CrashAndStart() {
  Gone();
  return Start();
}

bool Life::Restart() {
  if (!EverythingEnds()) return false;  // a process that is asked to ends
  if (!machine_.runtime().failure().ok()) return CrashAndStart();
  chronicle_.Tell("the process ends in order");
  in_force_.End(machine_.runtime().durable_sequence());
  clients_.OnProcessGone();
  questions_.OnProcessGone();
  machine_.End();
  machine_.disk().ClearFaults();
  return Start();
}

void Life::NotePlan() {
  if (!subjects_.plans || !machine_.running()) return;
  const uint64_t fingerprint = machine_.PlanInForce();
  if (fingerprint == plans_.plan(in_force_.present())->fingerprint) return;
  ++counts_.plans_entered;
  in_force_.Enter(plans_.IndexOf(fingerprint), machine_.LatestPosition());
  chronicle_.Tell("plan {} is in force", in_force_.present());
  Heat();
}

// --- what happens ---

void Life::Live() {
  const auto over = [&] { return counts_.steps >= kQuiet && !clients_.HasMore() && (!crowd_ || parted_ || crowd_->unmerged.empty()); };
  uint64_t left = crowd_ ? kQuiet : 0;  // after the last un-merge of a crowd
  while (chronicle_.ok() && (!over() || left-- > 0)) {
    calm_ |= ++counts_.steps > kLongest;
    Happen();
    if (!chronicle_.ok()) return;
    NotePlan();
    if (machine_.runtime().failure().ok()) continue;
    chronicle_.Tell("the runtime has failed: {}", machine_.runtime().failure().error().message);
    if (!CrashAndStart()) return;
  }
}

std::vector<Life::Chance> Life::Chances() {
  const bool hot = counts_.steps < hot_until_;
  std::vector<Chance> chances = {
      {200, [this] { Send(); }},
      {25, [this] { clients_.SendAgain(); }},
      {170, [this] { Take(Part::kLog); }},
      {260, [this] { TakeOfLoop(Part::kRecords); }},
      {60, [this] { TakeOfLoop(Part::kTimers); }},
      {110, [this] { TakeOfLoop(Part::kSnapshot); }},
      {80, [this] { Take(Part::kStore); }},
      {10, [this] { Take(Part::kSizes); }},
      {30, [this] { Pass(); }},
      {20, [this] { listener_.Listen(); }},
      {5, [this] { LetLoopSleep(); }},
      {10, [this] { questions_.AskValues(random_.Pick(ids_)); }},
      {5, [this] { questions_.AskHistory(random_.Pick(ids_)); }},
      {15, [this] { Take(Part::kQuestions); }},
      {3, [this] { EverythingEnds(); }},
  };
  if (subjects_.merges) {
    chances.push_back({15, [this] { Unmerge(); }});
    chances.push_back({3, [this] { UnmergeMany(); }});
  }
  if (subjects_.plans) {
    chances.push_back({8, [this] { ChangePlan(); }});
    chances.push_back({200, [this] { Take(Part::kPlan); }});
  }
  if (subjects_.letters) chances.push_back({10, [this] { clients_.Replay(); }});
  if (calm_) return chances;
  const std::vector<Chance> troubles = {
      {hot ? 60 : 12, [this] { CrashAndStart(); }},
      {4, [this] { Restart(); }},
      {subjects_.reads ? 14 : 4, [this] { troubles_.BreakDisk(); }},
      {4, [this] { troubles_.FillDisk(); }},
      {3, [this] { troubles_.FreeDisk(); }},
      {4, [this] { troubles_.BreakStore(); }},
  };
  chances.insert(chances.end(), troubles.begin(), troubles.end());
  return chances;
}

void Life::Happen() {
  const std::vector<Chance> chances = Chances();
  int64_t sum = 0;
  for (const Chance& chance : chances) sum += chance.weight;
  int64_t draw = random_.Below(sum);
  for (const Chance& chance : chances) {
    if ((draw -= chance.weight) < 0) return chance.happen();
  }
}

void Life::TakeOfLoop(Part part) {
  const auto loop = static_cast<size_t>(random_.Below(static_cast<int64_t>(machine_.loops())));
  if (counts_.steps >= asleep_until_[loop]) machine_.Step(part, loop);
}

void Life::LetLoopSleep() {
  const auto loop = static_cast<size_t>(random_.Below(static_cast<int64_t>(machine_.loops())));
  asleep_until_[loop] = counts_.steps + static_cast<uint64_t>(random_.From(10, 200));
  chronicle_.Tell("loop {} does nothing for long", loop);
}

void Life::Send() {
  if (clients_.Send(crowd_ ? kMostRecordsOfCrowd : kMostRecordsAtOnce)) Heat();
  if (crowd_ && !parted_ && !clients_.HasMore() && !crowd_->unmerged.empty()) {
    parted_ = true;
    for (const std::string& id : crowd_->unmerged) clients_.Unmerge(id);
    hot_until_ = counts_.steps + kQuiet / 2;
  }
}

void Life::Pass() {
  machine_.SetClock(machine_.now() + random_.Below(span_ / 10 + 2));
  chronicle_.Tell("it is {}", FormatRfc3339(machine_.now()));
}

void Life::Unmerge() {
  std::vector<std::string> merged;
  if (random_.Percent(70)) {
    for (const std::string& id : ids_) {
      if (machine_.runtime().PersonOf(id) != id) merged.push_back(id);
    }
  }
  clients_.Unmerge(random_.Pick(merged.empty() ? ids_ : merged));
  Heat();
}

void Life::UnmergeMany() {
  for (const std::string& id : ids_) {
    if (machine_.runtime().PersonOf(id) != id && random_.Percent(80)) clients_.Unmerge(id);
  }
  hot_until_ = counts_.steps + 3 * kHot;
}

void Life::ChangePlan() {
  // Whoever serves keeps it first, so that the next start takes it.
  accepted_plan_ = static_cast<size_t>(random_.Below(static_cast<int64_t>(plans_.size())));
  ++counts_.plan_changes;
  const bool begun = machine_.runtime().ChangePlan(plans_.plan(accepted_plan_));
  chronicle_.Tell("plan {} is accepted{}", accepted_plan_, begun ? "" : ", and is the present one");
  Heat();
}

void Life::Heat() { hot_until_ = std::max(hot_until_, counts_.steps + kHot); }

bool Life::EverythingEnds() {
  const bool settled = machine_.Settle(kMostSteps, [this] { NotePlan(); });
  if (!settled) return chronicle_.Fail(Promise::kEnds, fmt::format("something still moves after {} steps", kMostSteps));
  if (!machine_.runtime().failure().ok()) return true;
  if (const std::string waits = machine_.WhatWaits(); !waits.empty()) return chronicle_.Fail(Promise::kEnds, "nothing moves: " + waits);
  if (questions_.waiting() > 0) return chronicle_.Fail(Promise::kEnds, fmt::format("{} questions are not answered", questions_.waiting()));
  return true;
}

// --- the end ---

bool Life::EndInPeace() {
  calm_ = true;
  while (clients_.HasMore()) {
    clients_.Send(crowd_ ? kMostRecordsOfCrowd : kMostRecordsAtOnce);
    if (!EverythingEnds()) return false;
    if (!machine_.runtime().failure().ok() && !CrashAndStart()) return false;
  }
  machine_.SetClock(machine_.now() + std::max<Millis>(0, last_ - machine_.now()) + span_ / 2 + 1);
  if (!EverythingEnds() || !FireTimers()) return false;  // a tick may have been under way
  if (random_.Percent(50) && (!Restart() || !FireTimers())) return false;
  listener_.Listen();
  return chronicle_.ok();
}

bool Life::FireTimers() {
  for (int i = 0; i < kMostTicks; ++i) {
    const uint64_t position = machine_.runtime().durable_sequence();
    for (size_t loop = 0; loop < machine_.loops(); ++loop) machine_.Step(Part::kTimers, loop);
    if (!EverythingEnds()) return false;
    if (!machine_.runtime().failure().ok() && !CrashAndStart()) return false;
    if (machine_.runtime().durable_sequence() == position) return true;
  }
  return chronicle_.Fail(Promise::kEnds, "timers are due again and again while the clock stands");
}

void Life::Verdict() {
  Evidence evidence;
  if (!ReadLog(&machine_, &chronicle_, &log_) || !clients_.TakeStock(log_)) return;
  if (!clients_.IsDone()) return static_cast<void>(chronicle_.Fail(Promise::kEnds, "a record was never accepted"));
  if (!letters_.HasAll(log_) || !questions_.CheckHistories(log_)) return;
  const uint64_t counted = machine_.runtime().stats().users, users = machine_.runtime().plan_state()->user_count();
  if (counted != users) {
    return static_cast<void>(chronicle_.Fail(Promise::kState, fmt::format("{} users were counted, and there are {}", counted, users)));
  }
  evidence.log = log_;
  evidence.record_of = [this](const LogRecord& record) -> const oracle::Record& { return clients_.RecordOf(record); };
  evidence.until = machine_.now();
  evidence.heard = listener_.heard();
  evidence.kept = KeptEffects(&machine_, &chronicle_);
  evidence.users = EveryonesValues(&machine_, &chronicle_);
  evidence.answers = questions_.answers();
  in_force_.End(log_.size());
  machine_.End();
  machine_.ReplaceStore(std::make_unique<FakeBatchLog>());
  const Status started = machine_.Start(plans_.program(in_force_.present()), static_cast<int>(random_.From(1, 4)), letters_.Open());
  if (!started.ok()) {
    return static_cast<void>(chronicle_.Fail(Promise::kAlive, "the runtime does not start with an empty store: " + started.error().message));
  }
  if (!letters_.TakeStock(log_) || !EverythingEnds() || !letters_.HasAll(log_)) return;
  evidence.kept_again = KeptEffects(&machine_, &chronicle_);
  evidence.users_again = EveryonesValues(&machine_, &chronicle_);
  bool gave_up = false;
  if (!chronicle_.ok() || !Judge(evidence, plans_, &in_force_, &chronicle_, &gave_up)) return;
  counts_.gave_up = gave_up;
  if (options_.any_work) return;
  const std::string beyond = BeyondBounds(machine_.work(), counts_.starts, log_, crowd_ ? &*crowd_ : nullptr, evidence.record_of);
  if (!beyond.empty()) chronicle_.Fail(Promise::kWork, beyond);
  counts_.records = log_.size();
  counts_.effects = evidence.kept.size();
}

SimulationReport Life::Run() {
  if (Start()) Live();
  if (chronicle_.ok() && !options_.lying_disk) troubles_.Mend();
  if (chronicle_.ok() && EndInPeace()) Verdict();
  SimulationReport report;
  report.counts = counts_;
  report.counts.Add(clients_.counts());
  report.counts.Add(machine_.work());
  report.counts.questions = questions_.answered();
  report.counts.letters = static_cast<uint64_t>(std::count_if(log_.begin(), log_.end(), [](const LogRecord& record) {
    return record.type == RecordType::kDeadLetter || record.type == RecordType::kReplayed;
  }));
  report.broken = chronicle_.broken();
  if (!chronicle_.ok()) report.failure = fmt::format("seed {}: {}: {}\n{}", options_.seed, NameOf(report.broken), chronicle_.failure(), Described());
  return report;
}

std::string Life::Described() const {
  std::string text;
  for (size_t i = 0; i < plans_.size(); ++i) text += fmt::format("--- plan{}.yaml\n{}", i, plans_.text(i));
  if (crowd_) return text + fmt::format("--- a crowd of {} records\n", records_.size());
  text += "--- events.ndjson\n";
  for (const oracle::Record& record : records_) text += record.json + '\n';
  return text;
}

}  // namespace attune::simulate

// After a merge is undone, both users are as if each had only its own records: compares the engine after merges and
// undos with the oracle over the two separate histories.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "history/history_run.h"
#include "oracle/engine_run.h"
#include "oracle/generator.h"
#include "oracle/parity.h"
#include "oracle/random.h"

namespace attune::oracle {
namespace {

// The accepted records of a user, without those that merge or are duplicates.
std::vector<Record> Apart(const HistoryRun& run, const std::string& user) {
  std::vector<Record> records;
  for (const std::string_view bytes : run.HistoryOf(user)) {
    const auto event = DecodeEvent(bytes);
    const EventHead& head = event->head;
    records.push_back({head.kind, "m-" + std::to_string(records.size()), user, "", std::string(head.name), head.time, std::string(event->json)});
  }
  return records;
}

// 0 if nothing was merged.
int UndoEachMerge(const Case& made, const Plan& plan) {
  const auto program = Program::Compile(std::shared_ptr<const Plan>(&plan, [](const Plan*) {}));
  Millis end = 0;
  for (const Record& record : made.records) end = std::max(end, record.time);
  const Millis undone_at = end + kMinute, asked_at = undone_at + kSecond;
  std::map<std::string, std::string> found;
  HistoryRun* running = nullptr;
  HistoryRun run(program, {asked_at},
                 {[](const attune::Transition&) {}, [](const TriggerFiring&) {}, [&](Millis at, const UserState& user) {
                    found[std::string(user.id())] = ToText(ValuesOf(&running->engine(), user, at));
                  }});
  running = &run;
  std::string bytes;
  for (const Record& record : made.records) {
    bytes.clear();
    EncodeEvent(HeadOf(record), record.json, &bytes);
    run.Apply(bytes);
  }
  std::vector<std::string> merged;
  run.identity().ForEachMerged([&](std::string_view id, std::string_view) { merged.emplace_back(id); });
  std::sort(merged.begin(), merged.end());
  std::vector<std::string> people = merged;
  for (const std::string& id : merged) people.emplace_back(run.identity().PersonOf(id));
  for (const std::string& id : merged) run.UndoMerge(id, undone_at);
  run.Finish(asked_at);

  std::map<std::string, std::string> expected;
  for (const std::string& person : people) {
    RunOptions options;
    options.until = asked_at;
    options.at = {asked_at};
    const std::vector<Record> records = Apart(run, person);
    if (records.empty()) continue;
    const RunResult result = RunNaively(plan, records, options);
    if (result.gave_up) return 0;
    for (const UserValues& values : result.values) expected[values.user] = ToText(values);
  }
  for (const auto& [user, values] : expected) EXPECT_EQ(found[user], values) << PlanText(made) << HistoryText(made);
  return static_cast<int>(merged.size());
}

TEST(UndoneMerges, LeaveBothAsTheyWouldBeApart) {
  const uint64_t first = Setting("ATTUNE_PARITY_SEED", 1);
  const uint64_t cases = Setting("ATTUNE_PARITY_CASES", 150);
  int undone = 0;
  for (const Scale scale : {Scale::kSeconds, Scale::kDays}) {
    for (uint64_t seed = first; seed < first + cases && !HasFailure(); ++seed) {
      const Case made = Generate(seed, {scale, false, Features::All()});
      const auto plan = Load(made);
      undone += UndoEachMerge(made, *plan);
    }
  }
  EXPECT_GT(undone, static_cast<int>(cases) / 3);
}

// The ids of the records, including anonymous ones.
std::vector<std::string> IdsOf(const Case& made) {
  std::vector<std::string> ids;
  for (const Record& record : made.records) {
    ids.push_back(record.user);
    if (!record.anonymous.empty()) ids.push_back(record.anonymous);
  }
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

// Some ids, at some positions in the history, possibly several times each.
std::vector<Interlude> DrawUndos(const Case& made, Random* random) {
  const std::vector<std::string> ids = IdsOf(made);
  std::vector<size_t> places;
  for (int64_t count = random->From(1, 6); count > 0; --count) {
    places.push_back(static_cast<size_t>(random->Below(static_cast<int64_t>(made.records.size()) + 1)));
  }
  std::sort(places.begin(), places.end());
  std::vector<Interlude> undos;
  Millis latest = made.records.front().time;
  for (const size_t before : places) {
    for (size_t i = 0; i < before; ++i) latest = std::max(latest, made.records[i].time);
    const Millis at = latest + (random->Percent(30) ? 0 : random->Below(100));
    undos.push_back({before, Interlude::Kind::kUnmerge, at, nullptr, random->Pick(ids)});
  }
  return undos;
}

TEST(UndoneMerges, MatchTheOracle) {
  const uint64_t first = Setting("ATTUNE_PARITY_SEED", 1);
  const uint64_t cases = Setting("ATTUNE_PARITY_CASES", 150);
  for (const Scale scale : {Scale::kSeconds, Scale::kDays}) {
    for (uint64_t seed = first; seed < first + cases && !HasFailure(); ++seed) {
      Case made = Generate(seed, {scale, false, Features::All()});
      Random random(seed);
      made.options.interludes = DrawUndos(made, &random);
      std::string undos;
      for (const Interlude& undo : made.options.interludes) {
        undos += fmt::format("{} at {} before record {}\n", undo.id, FormatRfc3339(undo.at), undo.before);
      }
      EXPECT_EQ(Difference(made, &RunEngine), "") << "seed " << seed << "\n" << undos << PlanText(made) << HistoryText(made);
    }
  }
}

// Runs the oracle and the engine with one merge undone, and compares both with the expected result for `seen`.
template <typename Seen, typename Expected>
void CheckBoth(const char* yaml, const std::vector<Record>& records, const Interlude& undo, const Seen& seen, const Expected& expected) {
  const LoadedPlan loaded = ParsePlan(yaml);
  ASSERT_TRUE(loaded.plan);
  RunOptions options;
  options.interludes = {undo};
  for (const RunFn& run : {RunFn(&RunNaively), RunFn(&RunEngine)}) EXPECT_EQ(seen(run(*loaded.plan, records, options)), expected);
}

constexpr Millis kUndoStart = 1'772'359'200'000;  // 2026-03-01T10:00:00Z

// Conditions that become true at an un-merge do not count as fired, so they suppress no later firing.
TEST(UndoneMerges, CountNothingAsFired) {
  using Fired = std::vector<std::pair<std::string, Millis>>;
  const auto fired = [](const RunResult& result) {
    Fired all;
    for (const Firing& firing : result.firings) all.emplace_back(firing.user, firing.at);
    return all;
  };
  CheckBoth("triggers: {t: {enter: 'count(a) >= 1', cooldown: 4d}}",
           {{EventKind::kTrack, "1", "d", "d", "a", kUndoStart, R"({"event":"a"})"},
            {EventKind::kAlias, "2", "v", "d", "", kUndoStart + kHour, "{}"},
            {EventKind::kAlias, "3", "w", "d", "", kUndoStart + 3 * kHour, "{}"}},
           {2, Interlude::Kind::kUnmerge, kUndoStart + 2 * kHour, nullptr, "d"}, fired, Fired{{"d", kUndoStart}, {"w", kUndoStart + 3 * kHour}});
}

// A record of the merged id had made the user known.
TEST(UndoneMerges, LeaveAPersonKnownByTheirOwnRecordsAlone) {
  const auto entered = [](const RunResult& result) {
    std::vector<std::string> users;
    for (const Transition& transition : result.transitions) {
      if (transition.enter) users.push_back(transition.user);
    }
    return users;
  };
  CheckBoth("segments: {s: {when: 'count(a) >= 1'}}",
           {{EventKind::kTrack, "1", "v", "v", "a", kUndoStart, R"({"event":"a"})"},
            {EventKind::kAlias, "2", "v", "t", "", kUndoStart + kHour, "{}"},
            {EventKind::kIdentify, "3", "t", "", "", kUndoStart + 2 * kHour, "{}"},
            {EventKind::kAlias, "4", "w", "v", "", kUndoStart + 4 * kHour, "{}"}},
           {3, Interlude::Kind::kUnmerge, kUndoStart + 3 * kHour, nullptr, "t"}, entered, std::vector<std::string>{"v", "w"});
}

}  // namespace
}  // namespace attune::oracle

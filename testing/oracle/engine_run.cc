#include "oracle/engine_run.h"

#include <algorithm>
#include <memory>

#include "engine/record.h"
#include "history/history_run.h"

namespace attune::oracle {
namespace {

attune::Record ReadBack(const Record& record, RecordReader* reader, std::string* bytes) {
  bytes->clear();
  EncodeEvent(HeadOf(record), record.json, bytes);
  const auto read = reader->Read(*bytes);
  ATTUNE_CHECK(read.ok(), "the generator writes events that can be read");
  return *read;
}

Transition Told(const attune::Transition& t, const Program& program) {
  return {t.at, std::string(t.user->id()), program.conditions[t.segment].name, t.enter, t.corrected};
}

Firing Told(const TriggerFiring& f, const Program& program) {
  return {f.at, program.conditions[f.trigger].name, std::string(f.user->id()), f.key, f.values};
}

std::unique_ptr<Engine> Restored(Engine* engine, const std::shared_ptr<const Program>& program) {
  auto restored = std::make_unique<Engine>(program);
  for (const UserState& user : engine->users()) {
    ByteWriter bytes;
    WriteUser(user, engine->interner(), &bytes);
    const Status status = restored->Restore(user.id(), bytes.view());
    ATTUNE_CHECK(status.ok(), "what was written can be read");
  }
  return restored;
}

// The plan outlives the run, so the program does not own it.
std::shared_ptr<const Program> Compiled(const Plan& plan) {
  return Program::Compile(std::shared_ptr<const Plan>(&plan, [](const Plan*) {}));
}

// The program is not shared yet, and the object is not const.
void ShortenLongSeries(const Program& program) {
  const_cast<Program&>(program).long_series = 2;
  for (const KeySpec& keys : program.keys) ShortenLongSeries(*keys.within);
}

RunResult RunProgram(const std::shared_ptr<const Program>& program, const std::vector<Record>& records,
                     const RunOptions& options) {
  RunResult result;
  HistoryRun* running = nullptr;
  const HistoryRun::Sink sink = {
      [&](const attune::Transition& t) {
        result.transitions.push_back(Told(t, *program));
      },
      [&](const TriggerFiring& f) {
        result.firings.push_back(Told(f, *program));
      },
      [&](Millis at, const UserState& user) {
        result.values.push_back(ValuesOf(&running->engine(), user, at));
      }};
  HistoryRun run(program, options.at, sink);
  running = &run;
  Millis last = kAlways;
  std::string bytes;
  auto interlude = options.interludes.begin();
  const auto interludes_before = [&](size_t position) {
    for (; interlude != options.interludes.end() && interlude->before <= position; ++interlude) {
      ATTUNE_CHECK(interlude->kind == Interlude::Kind::kUnmerge, "a replay has no ticks");
      run.UndoMerge(interlude->id, interlude->at);
    }
  };
  for (size_t position = 0; position < records.size(); ++position) {
    interludes_before(position);
    const Record& record = records[position];
    bytes.clear();
    EncodeEvent(HeadOf(record), record.json, &bytes);
    run.Apply(bytes);
    last = std::max(last, record.time);
  }
  interludes_before(records.size());
  run.Finish(options.until.value_or(last));
  SortResult(&result);
  return result;
}

}  // namespace

UserValues ValuesOf(Engine* engine, const UserState& user, Millis at) {
  const Program& program = engine->program();
  UserValues values{at, std::string(user.id()), {}, {}};
  for (size_t i = 0; i < program.metric_roots.size(); ++i) {
    const Value value = engine->Evaluate(program.metric_roots[i], user, at).value;
    if (!value.is_null()) values.metrics.emplace(program.plan->metrics[i].name, ToJson(value));
  }
  for (ConditionId c = 0; c < program.segment_count; ++c) {
    if (user.Holds(c)) values.segments.push_back(program.conditions[c].name);
  }
  std::sort(values.segments.begin(), values.segments.end());
  return values;
}

RunResult RunEngine(const Plan& plan, const std::vector<Record>& records, const RunOptions& options) {
  return RunProgram(Compiled(plan), records, options);
}

RunResult RunEngineWithLongSeries(const Plan& plan, const std::vector<Record>& records, const RunOptions& options) {
  const auto program = Compiled(plan);
  ShortenLongSeries(*program);
  return RunProgram(program, records, options);
}

RunResult RunEngineRestored(const Plan& plan, const std::vector<Record>& records, const RunOptions& options) {
  const auto program = Compiled(plan);
  auto engine = std::make_unique<Engine>(program);
  RunResult result;
  Effects effects;
  const auto emit = [&] {
    for (const attune::Transition& t : effects.transitions) result.transitions.push_back(Told(t, *program));
    for (const TriggerFiring& f : effects.firings) result.firings.push_back(Told(f, *program));
    effects = {};
  };
  RecordReader reader(program);
  Millis last = kAlways;
  std::string bytes;
  for (const Record& record : records) {
    engine = Restored(engine.get(), program);
    engine->Apply(ReadBack(record, &reader, &bytes), &effects);
    emit();
    last = std::max(last, record.time);
  }
  engine->Advance(options.until.value_or(last), &effects);
  emit();
  SortResult(&result);
  return result;
}

}  // namespace attune::oracle

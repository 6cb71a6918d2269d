#include "oracle/engine_run.h"

#include <algorithm>

#include "engine/record.h"
#include "shard/history_run.h"

namespace attune::oracle {

RunResult RunEngine(const Plan& plan, const std::vector<Record>& records, const RunOptions& options) {
  // The plan outlives the run: the program only borrows it.
  const auto program = Program::Compile(std::shared_ptr<const Plan>(&plan, [](const Plan*) {}));
  RunResult result;
  HistoryRun* running = nullptr;
  const HistoryRun::Sink sink = {
      [&](const attune::Transition& t) {
        result.transitions.push_back({t.at, std::string(t.user->id()), program->conditions[t.segment].name, t.enter, t.corrected});
      },
      [&](const TriggerFiring& f) {
        result.firings.push_back(
            {f.at, program->conditions[f.trigger].name, std::string(f.user->id()), "", f.values});
      },
      [&](Millis at, const UserState& user) {
        UserValues values{at, std::string(user.id()), {}, {}};
        for (size_t i = 0; i < plan.metrics.size(); ++i) {
          const Value value = running->engine().Evaluate(program->metric_roots[i], user, at).value;
          if (!value.is_null()) values.metrics.emplace(plan.metrics[i].name, ToJson(value));
        }
        for (ConditionId c = 0; c < program->segment_count; ++c) {
          if (user.Holds(c)) values.segments.push_back(program->conditions[c].name);
        }
        std::sort(values.segments.begin(), values.segments.end());
        result.values.push_back(std::move(values));
      }};
  HistoryRun run(program, options.at, sink);
  running = &run;
  Millis last = kAlways;
  std::string bytes;
  for (const Record& record : records) {
    bytes.clear();
    EncodeEvent(HeadOf(record), record.json, &bytes);
    run.Apply(bytes);
    last = std::max(last, record.time);
  }
  run.Finish(options.until.value_or(last));
  Sort(&result);
  return result;
}

}  // namespace attune::oracle

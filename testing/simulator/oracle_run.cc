#include "simulator/oracle_run.h"

#include <algorithm>
#include <iterator>

#include "log/shard_of.h"
#include "simulator/history.h"

namespace attune::simulate {

OracleRun::OracleRun(const Task& task) : task_(task), effects_(task.log->size() + 2) {
  Prepare();
  oracle::RunOptions options;
  options.until = task.until;
  options.at = {task.until};
  options.interludes = interludes_;
  options.after = [this](const oracle::Moment& moment) { After(moment); };
  for (const uint64_t sequence : task.look_before) before_[sequence];
  for (const Answer* answer : task.answers) answers_[answer];
  Finish(oracle::RunNaively(*task.plan, records_, options));
}

void OracleRun::Prepare() {
  using Kind = oracle::Interlude::Kind;
  for (const LogRecord& record : *task_.log) {
    if (HoldsEvent(static_cast<uint8_t>(record.type))) {
      records_.push_back(task_.record_of(record));
    } else if (record.type == RecordType::kTick) {
      const auto of = [shard = record.shard](const std::string& person) { return ShardOf(person) == shard; };
      interludes_.push_back({records_.size(), Kind::kTick, ReadTick(record), of, ""});
    } else if (record.type == RecordType::kUndoMerge) {
      const UnmergeRecord unmerge = ReadUnmerge(record);
      interludes_.push_back({records_.size(), Kind::kUnmerge, unmerge.at, nullptr, unmerge.id});
    } else {
      continue;
    }
    taken_in_.push_back(record.sequence);
  }
  ids_ = IdsOf(records_);
}

void OracleRun::After(const oracle::Moment& moment) {
  const uint64_t sequence = taken_in_[next_++];
  const auto& so_far = moment.so_far();
  auto& effects = effects_[sequence];
  for (; transitions_ < so_far.transitions.size(); ++transitions_) {
    const oracle::Transition& transition = so_far.transitions[transitions_];
    effects.push_back(oracle::ToText(transition));
    auto& segments = people_.segments[transition.user];
    if (transition.enter) {
      segments.insert(transition.segment);
    } else {
      segments.erase(transition.segment);
    }
  }
  for (; firings_ < so_far.firings.size(); ++firings_) effects.push_back(oracle::ToText(so_far.firings[firings_]));
  std::sort(effects.begin(), effects.end());
  Look(moment, sequence, next_ < taken_in_.size() ? taken_in_[next_] : UINT64_MAX);
}

// At the state that includes the record `after`; `before` is the next one.
void OracleRun::Look(const oracle::Moment& moment, uint64_t after, uint64_t before) {
  for (const uint64_t sequence : task_.look_before) {
    if (sequence <= after || sequence > before) continue;
    people_.clocks.clear();
    for (const std::string& id : ids_) {
      if (const auto clock = moment.ClockOf(id)) people_.clocks[id] = *clock;
    }
    before_[sequence] = people_;
  }
  for (const Answer* answer : task_.answers) {
    if (answer->position >= after && answer->position < before) answers_[answer] = moment.ValuesOf(answer->person, answer->at);
  }
}

void OracleRun::Finish(const oracle::RunResult& result) {
  gave_up_ = result.gave_up;
  std::vector<std::string> all, told;
  for (const oracle::Transition& transition : result.transitions) all.push_back(oracle::ToText(transition));
  for (const oracle::Firing& firing : result.firings) all.push_back(oracle::ToText(firing));
  for (const auto& effects : effects_) told.insert(told.end(), effects.begin(), effects.end());
  std::sort(all.begin(), all.end());
  std::sort(told.begin(), told.end());
  std::set_difference(all.begin(), all.end(), told.begin(), told.end(), std::back_inserter(effects_.back()));
  for (const oracle::UserValues& user : result.values) values_.push_back(oracle::ToText(user));
  std::sort(values_.begin(), values_.end());
}

}  // namespace attune::simulate

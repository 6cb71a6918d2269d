#include "oracle/timeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "oracle/identity.h"

namespace attune::oracle {
namespace {

class UserRun {
 public:
  UserRun(const Plan& plan, const std::string& user, const RunOptions& options, RunResult* result)
      : plan_(plan),
        result_(result),
        history_(plan, user, options.every_millisecond),
        triggers_(plan, &result->firings),
        member_(plan.segments.size(), false) {
    at_ = options.at;
    std::sort(at_.begin(), at_.end());
  }

  bool IsDuplicate(const Record& record) const {
    return std::any_of(accepted_.begin(), accepted_.end(), [&](const auto& accepted) {
      return accepted.first == record.id && std::abs(accepted.second - record.time) < plan_.dedupe;
    });
  }

  bool HasRecords() const { return !history_.empty(); }
  Millis clock() const { return clock_; }

  void Apply(const Record& record, size_t position) {
    const bool is_late = HasRecords() && record.time < clock_;
    if (!is_late) PassBefore(record.time);
    TakeIn(record, position);
    if (!is_late) clock_ = record.time;
    EvaluateAt(clock_, is_late);
    if (record.kind != EventKind::kTrack) return;
    const Entries& events = history_.events();
    const auto event = std::find_if(events.begin(), events.end(),
                                    [&](const Entry* e) { return e->position() == position; });
    triggers_.FireOn(**event, history_, clock_);
  }

  // Takes in the record that makes the other one hers, at an instant that is before neither's
  // clock.
  void Merge(UserRun* other, const Record& record, size_t position, Millis at) {
    PassBefore(at);
    other->PassBefore(at);
    other->LeaveAll(at);
    history_.AddAll(other->history_);
    accepted_.insert(accepted_.end(), other->accepted_.begin(), other->accepted_.end());
    triggers_.TakeFirings(other->triggers_);
    TakeIn(record, position);
    clock_ = at;
    EvaluateAt(clock_, false);
  }

  void Pass(Millis until) {
    WriteValuesBefore(until);
    if (HasRecords()) RunTo(until);
  }

  void Finish(Millis until) {
    if (!HasRecords()) return;
    RunTo(until);
    WriteValuesBefore(kNever);
  }

 private:
  void TakeIn(const Record& record, size_t position) {
    history_.Add(record, position);
    accepted_.emplace_back(record.id, record.time);
  }

  // All that happens by itself before an instant that the clock is about to reach.
  void PassBefore(Millis time) {
    WriteValuesBefore(time);
    if (HasRecords()) RunTo(time - 1);
  }

  void LeaveAll(Millis at) {
    for (size_t i = 0; i < plan_.segments.size(); ++i) {
      if (member_[i])
        result_->transitions.push_back({at, history_.user(), plan_.segments[i].name, false, false});
    }
  }

  // Every timed change in (clock, last].
  void RunTo(Millis last) {
    if (clock_ >= last) return;
    for (const Millis t : Candidates(clock_ + 1, last)) EvaluateAt(t, false);
  }

  std::set<Millis> Candidates(Millis from, Millis to) {
    std::set<Millis> candidates;
    const auto search = [&](const Expression& when, const History& history) {
      history.Search(when, from, to, [&](Millis t) { candidates.insert(t); });
    };
    for (const Segment& segment : plan_.segments) search(*segment.when, history_);
    for (const Trigger& trigger : plan_.triggers) {
      if (trigger.kind == Trigger::Kind::kOn) continue;
      const Expression* some = plan_.KeyedBy(trigger);
      if (!some) {
        search(*trigger.when, history_);
        continue;
      }
      for (const Value& key : KeysAt(some->path, history_, from)) {
        search(*some->args[0], history_.Restricted(some->path, key));
      }
    }
    Forget();
    return candidates;
  }

  void EvaluateAt(Millis t, bool corrected) {
    for (size_t i = 0; i < plan_.segments.size(); ++i) {
      const Segment& segment = plan_.segments[i];
      const bool now = Evaluate(*segment.when, history_, t).IsTrue();
      if (now == member_[i]) continue;
      member_[i] = now;
      clock_ = t;
      result_->transitions.push_back({t, history_.user(), segment.name, now, corrected});
    }
    if (triggers_.Judge(history_, t)) clock_ = t;
    Forget();
  }

  // The instants asked for that the clock passes on its way to `time`.
  void WriteValuesBefore(Millis time) {
    for (; next_at_ < at_.size() && at_[next_at_] < time; ++next_at_) {
      if (!history_.empty()) WriteValues(at_[next_at_]);
    }
  }

  void WriteValues(Millis at) {
    UserValues values{at, history_.user(), {}, {}};
    for (const Metric& metric : plan_.metrics) {
      const Value value = Evaluate(*metric.value, history_, at);
      if (!value.is_null()) values.metrics[metric.name] = ToJson(value);
    }
    for (const Segment& segment : plan_.segments) {
      if (Evaluate(*segment.when, history_, at).IsTrue()) values.segments.push_back(segment.name);
    }
    Forget();
    result_->values.push_back(std::move(values));
  }

  // After each evaluation, any of which may have been the one that was given up.
  void Forget() {
    result_->gave_up |= history_.gave_up();
    history_.ForgetLists();
  }

  const Plan& plan_;
  RunResult* result_;
  History history_;
  TriggerRun triggers_;
  std::vector<bool> member_;
  std::vector<std::pair<std::string, Millis>> accepted_;
  std::vector<Millis> at_;
  size_t next_at_ = 0;
  Millis clock_ = kAlways;
};

}  // namespace

std::string ToText(const Transition& transition) {
  std::string user;
  AppendJsonString(transition.user, &user);
  return fmt::format(R"({{"at":"{}","user":{},"segment":"{}","change":"{}","corrected":{}}})",
                     FormatRfc3339(transition.at), user, transition.segment,
                     transition.enter ? "enter" : "leave", transition.corrected);
}

std::string ToText(const UserValues& values) {
  std::string user;
  AppendJsonString(values.user, &user);
  std::string metrics;
  for (const auto& [name, json] : values.metrics) {
    metrics += fmt::format("{}\"{}\":{}", metrics.empty() ? "" : ",", name, json);
  }
  std::string segments;
  for (const std::string& name : values.segments) {
    segments += fmt::format("{}\"{}\"", segments.empty() ? "" : ",", name);
  }
  return fmt::format(R"({{"at":"{}","user":{},"metrics":{{{}}},"segments":[{}]}})",
                     FormatRfc3339(values.at), user, metrics, segments);
}

RunResult RunNaively(const Plan& plan, const std::vector<Record>& records,
                     const RunOptions& options) {
  RunResult result;
  std::map<std::string, UserRun> users;
  const auto run_of = [&](const std::string& person) -> UserRun& {
    return users.try_emplace(person, plan, person, options, &result).first->second;
  };
  Identity identity;
  Millis until = kAlways;
  auto tick = options.ticks.begin();
  const auto tick_before = [&](size_t position) {
    for (; tick != options.ticks.end() && tick->before <= position; ++tick) {
      for (auto& [person, user] : users) {
        if (tick->of(person)) user.Pass(tick->at);
      }
    }
  };
  for (size_t position = 0; position < records.size(); ++position) {
    tick_before(position);
    const Record& record = records[position];
    until = std::max(until, record.time);
    UserRun& run = run_of(identity.PersonOf(record.user));
    if (run.IsDuplicate(record)) continue;
    const auto ended = identity.TakeIn(record);
    const auto other = ended ? users.find(*ended) : users.end();
    if (other == users.end()) {
      run.Apply(record, position);
      continue;
    }
    run.Merge(&other->second, record, position,
              std::max({record.time, run.clock(), other->second.clock()}));
    users.erase(other);
  }
  tick_before(records.size());
  for (auto& [name, user] : users) user.Finish(options.until.value_or(until));
  SortResult(&result);
  return result;
}

void SortResult(RunResult* result) {
  std::stable_sort(result->transitions.begin(), result->transitions.end(),
                   [](const Transition& a, const Transition& b) {
                     return std::tie(a.at, a.user, a.segment) < std::tie(b.at, b.user, b.segment);
                   });
  std::stable_sort(
      result->firings.begin(), result->firings.end(), [](const Firing& a, const Firing& b) {
        return std::tie(a.at, a.user, a.trigger, a.key) < std::tie(b.at, b.user, b.trigger, b.key);
      });
  std::stable_sort(result->values.begin(), result->values.end(),
                   [](const UserValues& a, const UserValues& b) {
                     return std::tie(a.at, a.user) < std::tie(b.at, b.user);
                   });
}

}  // namespace attune::oracle

#include "oracle/timeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "oracle/identity.h"
#include "oracle/window.h"

namespace attune::oracle {
namespace {

class UserRun {
 public:
  UserRun(const Plan& plan, const std::string& user, const RunOptions& options, RunResult* result)
      : plan_(plan),
        options_(options),
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
  const Entries& records() const { return history_.records(); }

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

  // Applies the record that merges the other user into this one, at an instant that is not before either's clock.
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

  // A record and its position in the log.
  using Placed = std::pair<Record, size_t>;

  // Keeps only the records for which `stays` is true; returns the others.
  std::vector<Placed> Part(Millis at, const std::function<bool(const Record&)>& stays) {
    PassBefore(at);
    std::vector<Placed> parted;
    History mine(plan_, history_.user(), options_.every_millisecond);
    accepted_.clear();
    for (const Entry* entry : history_.records()) {
      if (stays(entry->record())) {
        mine.Add(entry->record(), entry->position());
        accepted_.emplace_back(entry->record().id, entry->time());
      } else {
        parted.emplace_back(entry->record(), entry->position());
      }
    }
    history_ = std::move(mine);
    EvaluateQuietly(std::max(at, clock_));
    return parted;
  }

  // Begins with records of another user.
  void Begin(Millis at, const std::vector<Placed>& records) {
    while (next_at_ < at_.size() && at_[next_at_] < at) ++next_at_;  // there was no user yet
    for (const auto& [record, position] : records) {
      TakeIn(record, position);
      at = std::max(at, record.time);
    }
    EvaluateQuietly(at);
  }

  UserValues ValuesOf(Millis at) const {
    UserValues values = MetricsAt(at);
    for (const Segment& segment : plan_.segments) {
      if (Evaluate(*segment.when, history_, at).IsTrue()) values.segments.push_back(segment.name);
    }
    Forget();
    std::sort(values.segments.begin(), values.segments.end());
    return values;
  }

  void Pass(Millis until) {
    WriteValuesBefore(until);
    if (HasRecords()) RunTo(until);
  }

  void Finish(Millis until) {
    if (!HasRecords()) return;
    WriteValuesBefore(until + 1);
    RunTo(until);
    for (; next_at_ < at_.size(); ++next_at_) WriteValues(at_[next_at_]);
  }

 private:
  void TakeIn(const Record& record, size_t position) {
    history_.Add(record, position);
    accepted_.emplace_back(record.id, record.time);
  }

  // Applies all timed changes before an instant that the clock is about to reach.
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

  // Applies the timed changes in (clock, last].
  void RunTo(Millis last) {
    if (clock_ >= last) return;
    int64_t left = plan_.limit_catch_up;
    for (const Millis t : Candidates(clock_ + 1, last)) {
      left -= EvaluateAt(t, false);
      if (left > 0 || t == last) continue;
      EvaluateAt(last, false);
      clock_ = last;
      return;
    }
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

  // Returns how many memberships and conditions of triggers changed.
  int64_t EvaluateAt(Millis t, bool corrected) {
    int64_t changes = EvaluateSegments(t, corrected);
    changes += triggers_.Judge(history_, t);
    if (changes > 0) clock_ = t;
    Forget();
    return changes;
  }

  // Evaluates everything at an instant without firing triggers.
  void EvaluateQuietly(Millis t) {
    clock_ = t;
    EvaluateSegments(t, false);
    triggers_.JudgeQuietly(history_, t);
    Forget();
  }

  int64_t EvaluateSegments(Millis t, bool corrected) {
    int64_t changes = 0;
    for (size_t i = 0; i < plan_.segments.size(); ++i) {
      const Segment& segment = plan_.segments[i];
      const bool now = Evaluate(*segment.when, history_, t).IsTrue();
      if (now == member_[i]) continue;
      member_[i] = now;
      ++changes;
      result_->transitions.push_back({t, history_.user(), segment.name, now, corrected});
    }
    return changes;
  }

  // Writes values at the instants that the clock passes on its way to `time`.
  void WriteValuesBefore(Millis time) {
    for (; next_at_ < at_.size() && at_[next_at_] < time; ++next_at_) {
      if (history_.empty()) continue;
      RunTo(at_[next_at_]);
      WriteValues(at_[next_at_]);
    }
  }

  UserValues MetricsAt(Millis at) const {
    UserValues values{at, history_.user(), {}, {}};
    for (const Metric& metric : plan_.metrics) {
      const Value value = Evaluate(*metric.value, history_, at);
      if (!value.is_null()) values.metrics[metric.name] = ToJson(value);
    }
    Forget();
    return values;
  }

  void WriteValues(Millis at) {
    UserValues values = MetricsAt(at);
    for (const Segment& segment : plan_.segments) {
      if (Evaluate(*segment.when, history_, at).IsTrue()) values.segments.push_back(segment.name);
    }
    Forget();
    result_->values.push_back(std::move(values));
  }

  // Called after each evaluation, since any of them may have been given up.
  void Forget() const {
    result_->gave_up |= history_.gave_up();
    history_.ForgetLists();
  }

  const Plan& plan_;
  const RunOptions& options_;
  RunResult* result_;
  History history_;
  TriggerRun triggers_;
  std::vector<bool> member_;
  std::vector<std::pair<std::string, Millis>> accepted_;
  std::vector<Millis> at_;
  size_t next_at_ = 0;
  Millis clock_ = kAlways;
};

class NaiveRun : public Moment {
 public:
  NaiveRun(const Plan& plan, const std::vector<Record>& records, const RunOptions& options)
      : plan_(plan), records_(records), options_(options) {}

  RunResult Run() {
    Millis until = kAlways;
    for (size_t position = 0; position < records_.size(); ++position) {
      InterludesBefore(position);
      until = std::max(until, records_[position].time);
      TakeIn(position);
      if (options_.after) options_.after(*this);
    }
    InterludesBefore(records_.size());
    for (auto& [name, user] : users_) user.Finish(options_.until.value_or(until));
    SortResult(&result_);
    return std::move(result_);
  }

  const RunResult& so_far() const override { return result_; }
  std::optional<Millis> ClockOf(const std::string& person) const override {
    const auto user = users_.find(person);
    if (user == users_.end() || !user->second.HasRecords()) return std::nullopt;
    return user->second.clock();
  }
  std::optional<UserValues> ValuesOf(const std::string& person, Millis at) const override {
    const auto user = users_.find(person);
    if (user == users_.end() || !user->second.HasRecords()) return std::nullopt;
    return user->second.ValuesOf(at);
  }

 private:
  UserRun& RunOf(const std::string& person) {
    return users_.try_emplace(person, plan_, person, options_, &result_).first->second;
  }

  void TakeIn(size_t position) {
    const Record& record = records_[position];
    UserRun& run = RunOf(identity_.PersonOf(record.user));
    if (run.IsDuplicate(record)) return;
    const auto ended = identity_.TakeIn(record);
    const auto other = ended ? users_.find(*ended) : users_.end();
    if (other == users_.end()) return run.Apply(record, position);
    run.Merge(&other->second, record, position,
              std::max({record.time, run.clock(), other->second.clock()}));
    users_.erase(other);
  }

  void InterludesBefore(size_t position) {
    for (; next_ < options_.interludes.size() && options_.interludes[next_].before <= position;
         ++next_) {
      const Interlude& interlude = options_.interludes[next_];
      if (interlude.kind == Interlude::Kind::kUnmerge) {
        Unmerge(interlude.id, interlude.at);
      } else {
        for (auto& [person, user] : users_) {
          if (interlude.of(person)) user.Pass(interlude.at);
        }
      }
      if (options_.after) options_.after(*this);
    }
  }

  void Unmerge(const std::string& id, Millis at) {
    const auto person = identity_.Undo(id);
    if (!person) return;
    const auto user = users_.find(*person);
    if (user == users_.end()) return;
    const std::vector<UserRun::Placed> parted = user->second.Part(at, [&](const Record& record) {
      return identity_.PersonOf(record.user) == *person;
    });
    identity_.SetKnown(*person, NamesUser(user->second.records()));
    if (parted.empty()) return;
    UserRun& other = RunOf(id);
    other.Begin(at, parted);
    identity_.SetKnown(id, NamesUser(other.records()));
  }

  static bool NamesUser(const Entries& records) {
    return std::any_of(records.begin(), records.end(),
                       [](const Entry* entry) { return Identity::MakesKnown(entry->record()); });
  }

  const Plan& plan_;
  const std::vector<Record>& records_;
  const RunOptions& options_;
  RunResult result_;
  std::map<std::string, UserRun> users_;
  Identity identity_;
  size_t next_ = 0;  // index into the interludes
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
  return NaiveRun(plan, records, options).Run();
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

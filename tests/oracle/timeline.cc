#include "oracle/timeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "oracle/bounds.h"

namespace attune::oracle {
namespace {

// Past so many pieces of a user's time, the search for timed changes is given up.
constexpr int64_t kMaxPieces = 400'000;

class UserRun {
 public:
  UserRun(const Plan& plan, const std::string& user, const RunOptions& options, RunResult* result)
      : plan_(plan), options_(options), result_(result), history_(plan, user),
        member_(plan.segments.size(), false) {
    at_ = options.at;
    std::sort(at_.begin(), at_.end());
  }

  void Apply(const Record& record) {
    if (IsDuplicate(record)) return;
    WriteValuesBefore(record.time);
    const bool is_late = !history_.empty() && record.time < clock_;
    if (!history_.empty() && !is_late) RunTo(record.time - 1);
    history_.Add(record);
    accepted_.emplace_back(record.id, record.time);
    if (!is_late) clock_ = record.time;
    EvaluateAt(clock_, is_late);
  }

  void Finish(Millis until) {
    if (history_.empty()) return;
    RunTo(until);
    WriteValuesBefore(kNever);
  }

 private:
  bool IsDuplicate(const Record& record) const {
    return std::any_of(accepted_.begin(), accepted_.end(), [&](const auto& accepted) {
      return accepted.first == record.id &&
             std::abs(accepted.second - record.time) < plan_.dedupe;
    });
  }

  // Every timed change in (clock, last].
  void RunTo(Millis last) {
    if (clock_ >= last) return;
    for (const Millis t : Candidates(clock_ + 1, last)) EvaluateAt(t, false);
  }

  std::set<Millis> Candidates(Millis from, Millis to) {
    std::set<Millis> candidates;
    if (options_.every_millisecond) {
      for (Millis t = from; t <= to; ++t) candidates.insert(candidates.end(), t);
      return candidates;
    }
    for (const Segment& segment : plan_.segments) Search(*segment.when, from, to, &candidates);
    return candidates;
  }

  // Adds the beginning of every piece of [from, to] over which the expression is decided.
  void Search(const Expression& when, Millis from, Millis to, std::set<Millis>* candidates) {
    if (++pieces_ > kMaxPieces) {
      result_->gave_up = true;
      return;
    }
    const bool decided = from == to || BoundsOver(when, history_, from, to).IsExact();
    history_.ForgetLists();
    if (decided) {
      candidates->insert(from);
      return;
    }
    const Millis middle = from + (to - from) / 2;
    Search(when, from, middle, candidates);
    Search(when, middle + 1, to, candidates);
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
    history_.ForgetLists();
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
    history_.ForgetLists();
    result_->values.push_back(std::move(values));
  }

  const Plan& plan_;
  const RunOptions& options_;
  RunResult* result_;
  History history_;
  std::vector<bool> member_;
  std::vector<std::pair<std::string, Millis>> accepted_;
  std::vector<Millis> at_;
  size_t next_at_ = 0;
  Millis clock_ = kAlways;
  int64_t pieces_ = 0;
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
  Millis until = kAlways;
  for (const Record& record : records) {
    users.try_emplace(record.user, plan, record.user, options, &result)
        .first->second.Apply(record);
    until = std::max(until, record.time);
  }
  for (auto& [name, user] : users) user.Finish(options.until.value_or(until));
  Sort(&result);
  return result;
}

void Sort(RunResult* result) {
  std::stable_sort(result->transitions.begin(), result->transitions.end(),
                   [](const Transition& a, const Transition& b) {
                     return std::tie(a.at, a.user, a.segment) < std::tie(b.at, b.user, b.segment);
                   });
  std::stable_sort(result->values.begin(), result->values.end(),
                   [](const UserValues& a, const UserValues& b) {
                     return std::tie(a.at, a.user) < std::tie(b.at, b.user);
                   });
}

}  // namespace attune::oracle

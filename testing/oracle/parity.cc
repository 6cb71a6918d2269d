#include "oracle/parity.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <utility>
#include <vector>

namespace attune::oracle {
namespace {

template <typename T>
std::string FirstDifference(const std::vector<T>& expected, const std::vector<T>& found) {
  const size_t both = std::min(expected.size(), found.size());
  size_t i = 0;
  while (i < both && expected[i] == found[i]) ++i;
  if (i == expected.size() && i == found.size()) return "";
  return fmt::format("line {}\n  expected {}\n  found    {}\n", i + 1,
                     i < expected.size() ? ToText(expected[i]) : "nothing more",
                     i < found.size() ? ToText(found[i]) : "nothing more");
}

using Differs = std::function<bool(const Case&)>;

// Keeps `smaller` when it still differs.
bool Try(const Case& smaller, const Differs& differs, Case* made) {
  if (!differs(smaller)) return false;
  *made = smaller;
  return true;
}

// Drops ranges of a list, long ones first.
template <typename T>
bool DropFrom(std::vector<T> Case::*list, const Differs& differs, Case* made) {
  bool progress = false;
  for (size_t length = std::max<size_t>((made->*list).size() / 2, 1); length > 0; length /= 2) {
    for (size_t i = 0; i < (made->*list).size();) {
      Case smaller = *made;
      auto& items = smaller.*list;
      const size_t end = std::min(i + length, items.size());
      items.erase(items.begin() + static_cast<std::ptrdiff_t>(i),
                  items.begin() + static_cast<std::ptrdiff_t>(end));
      if (Try(smaller, differs, made)) {
        progress = true;
      } else {
        i += length;
      }
    }
  }
  return progress;
}

bool DropInstants(const Differs& differs, Case* made) {
  bool progress = false;
  for (size_t i = 0; i < made->options.at.size();) {
    Case smaller = *made;
    smaller.options.at.erase(smaller.options.at.begin() + static_cast<std::ptrdiff_t>(i));
    if (Try(smaller, differs, made)) {
      progress = true;
    } else {
      ++i;
    }
  }
  return progress;
}

// Replaces a metric's name by its definition, so that the metric is not needed.
bool InlineMetrics(const Differs& differs, Case* made) {
  bool progress = false;
  for (size_t i = 0; i < made->metrics.size();) {
    Case smaller = *made;
    smaller.metrics.erase(smaller.metrics.begin() + static_cast<std::ptrdiff_t>(i));
    for (Term* term : TermsOf(&smaller))
      Replace(made->metrics[i].name, made->metrics[i].value, term);
    if (Try(smaller, differs, made)) {
      progress = true;
    } else {
      ++i;
    }
  }
  return progress;
}

// Drops settings and values of triggers, one by one.
bool DropFromTriggers(const Differs& differs, Case* made) {
  bool progress = false;
  for (const auto list : {&TriggerDraft::settings, &TriggerDraft::with}) {
    for (size_t trigger = 0; trigger < made->triggers.size(); ++trigger) {
      for (size_t i = 0; i < (made->triggers[trigger].*list).size();) {
        Case smaller = *made;
        auto& items = smaller.triggers[trigger].*list;
        items.erase(items.begin() + static_cast<std::ptrdiff_t>(i));
        if (Try(smaller, differs, made)) {
          progress = true;
        } else {
          ++i;
        }
      }
    }
  }
  return progress;
}

bool SimplifyTerms(const Differs& differs, Case* made) {
  bool progress = false;
  for (size_t i = 0; i < TermsOf(made).size(); ++i) {
    for (bool again = true; again;) {
      again = false;
      for (Term& term : Simpler(*TermsOf(made)[i])) {
        Case smaller = *made;
        *TermsOf(&smaller)[i] = std::move(term);
        if (!Try(smaller, differs, made)) continue;
        again = progress = true;
        break;
      }
    }
  }
  return progress;
}

// Removes properties, then anonymous ids next to a user.
bool SimplifyRecords(const Differs& differs, Case* made) {
  bool progress = false;
  for (size_t i = 0; i < made->records.size(); ++i) {
    const Record old = made->records[i];
    const Who who = WhoOf(old);
    for (const Who& kept : {who, who.user.empty() ? who : Who(who.user)}) {
      const Record bare = old.kind == EventKind::kTrack ? Track(old.id, kept, old.name, old.time)
                                                        : Fact(old.kind, old.id, kept, old.time);
      if (bare.json == made->records[i].json) continue;
      Case smaller = *made;
      smaller.records[i] = bare;
      progress |= Try(smaller, differs, made);
    }
  }
  return progress;
}

bool SimplifySettings(const Differs& differs, Case* made) {
  const Case plain;
  bool progress = false;
  const auto reset = [&](auto member) {
    if (made->*member == plain.*member) return;
    Case smaller = *made;
    smaller.*member = plain.*member;
    progress |= Try(smaller, differs, made);
  };
  reset(&Case::timezone);
  reset(&Case::max);
  reset(&Case::gap);
  reset(&Case::dedupe);
  reset(&Case::catch_up);
  if (made->declares) {
    Case smaller = *made;
    smaller.declares = false;
    progress |= Try(smaller, differs, made);
  }
  if (made->options.until) {
    Case smaller = *made;
    smaller.options.until.reset();
    progress |= Try(smaller, differs, made);
  }
  return progress;
}

}  // namespace

uint64_t Setting(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

std::string Difference(const RunResult& expected, const RunResult& found) {
  if (expected.gave_up || found.gave_up) return "";
  const std::string transitions = FirstDifference(expected.transitions, found.transitions);
  if (!transitions.empty()) return "transitions, " + transitions;
  const std::string firings = FirstDifference(expected.firings, found.firings);
  if (!firings.empty()) return "firings, " + firings;
  const std::string values = FirstDifference(expected.values, found.values);
  return values.empty() ? "" : "values, " + values;
}

std::string Difference(const Case& made, const RunFn& run) {
  const std::unique_ptr<Plan> plan = Load(made);
  if (!plan) return "";
  return Difference(RunNaively(*plan, made.records, made.options),
                    run(*plan, made.records, made.options));
}

Case Shrink(Case made, const RunFn& run) {
  const Differs differs = [&](const Case& smaller) { return !Difference(smaller, run).empty(); };
  for (bool progress = true; progress;) {
    progress = DropFrom(&Case::segments, differs, &made);
    progress |= DropFrom(&Case::metrics, differs, &made);
    progress |= InlineMetrics(differs, &made);
    progress |= DropFrom(&Case::triggers, differs, &made);
    progress |= DropFrom(&Case::groups, differs, &made);
    progress |= DropFrom(&Case::records, differs, &made);
    progress |= DropInstants(differs, &made);
    progress |= DropFromTriggers(differs, &made);
    progress |= SimplifyTerms(differs, &made);
    progress |= SimplifyRecords(differs, &made);
    progress |= SimplifySettings(differs, &made);
  }
  return made;
}

std::string Report(const Case& made, const RunFn& run) {
  const std::unique_ptr<Plan> plan = Load(made);
  if (!plan) return "the plan does not load";
  std::string command = "attune replay --plan plan.yaml --events events.ndjson --out out";
  if (made.options.until) command += " --until " + FormatRfc3339(*made.options.until);
  for (const Millis at : made.options.at) command += " --at " + FormatRfc3339(at);
  const auto lines = [](const RunResult& result) {
    std::string text;
    for (const Transition& transition : result.transitions) text += ToText(transition) + "\n";
    for (const Firing& firing : result.firings) text += ToText(firing) + "\n";
    for (const UserValues& values : result.values) text += ToText(values) + "\n";
    return text;
  };
  return fmt::format(
      "seed {}: {}\n--- plan.yaml\n{}--- events.ndjson\n{}--- {}\n--- expected\n{}--- found\n{}",
      made.seed, Difference(made, run), PlanText(made), HistoryText(made), command,
      lines(RunNaively(*plan, made.records, made.options)),
      lines(run(*plan, made.records, made.options)));
}

}  // namespace attune::oracle

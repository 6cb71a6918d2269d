// Suggests thresholds from a stored history: the answer of `attune suggest` and GET /v1/suggest.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/threshold_search.h"
#include "history/stored_history.h"
#include "plan/plan.h"

namespace attune {

// The experiment: reads each user's value at an instant, using only what had come by then, and looks for the goal in
// the following horizon (at, at + horizon]. The cut is chosen at `at` and checked at `validate_at`, which is at least a
// horizon later. Only users whose first record was not later than the instant count.
struct SuggestQuestion {
  std::shared_ptr<const Plan> plan;
  ExpressionPtr metric;                // of numbers or durations, parsed against the plan
  std::string goal;                    // as in the request
  Selector reached;                    // the events that are the goal
  std::optional<Millis> horizon;       // default: 7 days, or a quarter of the history if that is shorter
  std::optional<Millis> at;            // default: half of the history, or earlier so that both horizons fit
  std::optional<Millis> validate_at;   // default: three quarters, or a horizon before the end if earlier
  Millis now = kNever;                 // events after it are ignored: clocks may run ahead
};

// A question given as text, or its problems, which name `metric`, `goal` or `horizon` as the file.
struct SuggestionQuestion {
  std::optional<SuggestQuestion> question;
  std::vector<struct Problem> problems;
};
// `horizon` is a duration such as 7d; empty: the default.
SuggestionQuestion AskForSuggestion(std::shared_ptr<const Plan> plan, std::string_view metric, std::string_view goal, std::string_view horizon);

struct SuggestAnswer {
  Millis first = 0;  // of the history
  Millis last = 0;
  Millis horizon = 0;
  Millis at = 0;
  Millis validate_at = 0;
  bool durations = false;  // values are milliseconds
  bool open = false;       // the history ends before the later horizon, so goals may be missing
  Suggestion suggestion;
};

// Reads the history twice and keeps state for every user. Blocks until it is done or cancelled (kUnavailable).
// kInvalid: the instants and the horizon do not fit the history; the message has details. kNotFound: the history has no
// event. Other errors: as the history.
Result<SuggestAnswer> RunSuggestion(const SuggestQuestion& question, StoredHistory* history, StudyProgress* progress);

// `carts >= 3`: a cut as a condition of a plan.
std::string CutText(const SuggestQuestion& question, const SuggestAnswer& answer, const Cut& cut);
// A plan's `segments` with one for the best cut. Empty if there is none, or if the later users contradict it.
std::string SegmentYaml(const SuggestQuestion& question, const SuggestAnswer& answer);
std::string_view CodeOf(Doubt doubt);
// Reasons not to use or trust the suggestion, as pairs of a code and a sentence.
std::vector<std::pair<std::string_view, std::string>> DoubtsOf(const SuggestAnswer& answer);
// The answer as one JSON object; docs/suggest.md describes its members.
std::string SuggestionJson(const SuggestQuestion& question, const SuggestAnswer& answer);

}  // namespace attune

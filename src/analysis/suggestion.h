// Suggested thresholds over a stored history: what `attune suggest` and GET /v1/suggest answer.
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

// The experiment: each user's value is taken at an instant, knowing what had come by then, and the goal is looked for in
// the horizon behind it, (at, at + horizon]. A cut is chosen so at `at`, and checked at `validate_at`, no sooner than the
// horizon is over. Users count whose first record was not later than the instant.
struct SuggestQuestion {
  std::shared_ptr<const Plan> plan;
  ExpressionPtr metric;                // of numbers or durations, parsed against the plan
  std::string goal;                    // as it was asked
  Selector reached;                    // the events that are the goal
  std::optional<Millis> horizon;       // unless said 7 days, or a quarter of the history if that is shorter
  std::optional<Millis> at;            // unless said half way through, or earlier so that both horizons fit
  std::optional<Millis> validate_at;   // unless said at three quarters, or a horizon before the end if that is earlier
  Millis now = kNever;                 // the history ends here, if not before: clocks may run ahead
};

// What is asked for as text. A mistake: its problems, which name `metric`, `goal` or `horizon` for a file.
struct AskedSuggestion {
  std::optional<SuggestQuestion> question;
  std::vector<struct Problem> problems;
};
// `horizon` is a duration such as 7d; empty: unless said.
AskedSuggestion AskForSuggestion(std::shared_ptr<const Plan> plan, std::string_view metric, std::string_view goal, std::string_view horizon);

struct SuggestAnswer {
  Millis first = 0;  // of the history
  Millis last = 0;
  Millis horizon = 0;
  Millis at = 0;
  Millis validate_at = 0;
  bool durations = false;  // values are milliseconds
  bool open = false;       // the history ends before the later horizon does: goals are missing there
  Suggestion suggestion;
};

// Reads the history twice, keeping state for every user of it. Blocks until it is done or cancelled (kUnavailable).
// kInvalid: the instants and the horizon do not fit the history, with a message that says how; kNotFound: the history has
// no event. Otherwise as the history says.
Result<SuggestAnswer> RunSuggestion(const SuggestQuestion& question, StoredHistory* history, StudyProgress* progress);

// `carts >= 3`: what a cut reads like in a plan.
std::string CutText(const SuggestQuestion& question, const SuggestAnswer& answer, const Cut& cut);
// A plan's `segments` with one that is the best cut; empty when there is none, or the later users contradict it.
std::string SegmentYaml(const SuggestQuestion& question, const SuggestAnswer& answer);
std::string_view CodeOf(Doubt doubt);
// Why the suggestion should not be followed, or not be relied on, as pairs of a code and a sentence.
std::vector<std::pair<std::string_view, std::string>> DoubtsOf(const SuggestAnswer& answer);
// The answer as one JSON object; docs/suggest.md says its members.
std::string SuggestionJson(const SuggestQuestion& question, const SuggestAnswer& answer);

}  // namespace attune

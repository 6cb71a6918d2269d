// Random plans and histories, the same for the same seed and compiler.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "oracle/grammar.h"
#include "oracle/record.h"
#include "oracle/timeline.h"

namespace attune::oracle {

enum class Scale {
  kSeconds,  // windows of milliseconds, histories of up to 3s: every millisecond can be tested
  kDays,     // windows up to a month, histories of weeks around the days on which clocks change
};

struct Definition {
  std::string name;
  Term value;
};

// A trigger in pieces that can be removed one by one.
struct TriggerDraft {
  std::string name;
  std::string kind;  // enter, leave or on
  Term what;
  // where, only_if; and those that are plain text, as fixed terms.
  std::vector<Definition> settings;
  std::vector<Definition> with;
};

// A test case: a plan in pieces that can be removed one by one, and the records under it.
struct Case {
  uint64_t seed = 0;
  std::string timezone = "UTC";
  Millis gap = 30 * kMinute;
  std::optional<Millis> max;
  Millis dedupe = 7 * kDay;
  std::optional<int64_t> catch_up;
  bool declares = true;  // declares the properties of `a`
  std::vector<Definition> metrics;
  std::vector<Definition> segments;
  std::vector<TriggerDraft> triggers;
  std::vector<Definition> groups;  // of triggers: their caps
  std::vector<Record> records;
  RunOptions options;
};

struct CaseOptions {
  Scale scale = Scale::kSeconds;
  bool exotic = false;  // see Vocabulary
  Features features;
  bool few_catch_up = false;  // limits.catch_up is small
};

// The plan always loads: a draft that does not is replaced by another one from the same seed.
Case Generate(uint64_t seed, const CaseOptions& options);

std::string PlanText(const Case& made);     // YAML
std::string HistoryText(const Case& made);  // NDJSON
// All terms of the plan, always in the same order for the same case.
std::vector<Term*> TermsOf(Case* made);

// Null if the plan does not load; `problems` then has the reason.
std::unique_ptr<Plan> Load(const Case& made, std::string* problems = nullptr);

}  // namespace attune::oracle

// Scenarios: what the language means, as short stories that need no C++ to be read. See
// tests/scenarios/README.md for how they are written.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace attune::scenario {

// One line of `given:`, in the order of the log.
struct GivenEvent {
  int line = 0;      // of the file
  std::string json;  // as a client would send it
  // `late`, `duplicate`, `refused REASON`; empty: taken in as it comes.
  std::string fate;
};

// One line `and at …`.
struct Check {
  int line = 0;
  Millis at = 0;
  std::string user;
  std::string question;  // a metric's name; empty: the segments the user is in
  std::string answer;
};

struct Scenario {
  std::string plan;
  std::vector<GivenEvent> given;
  std::optional<Millis> until;    // `when the clock reads …`
  std::vector<std::string> then;  // each line in the one form that Outcome uses too
  std::vector<Check> checks;
};

// What came of a scenario, in the words of the file.
struct Outcome {
  std::vector<std::string> fates;    // of each given event; empty: taken in as it comes
  std::vector<std::string> then;     // transitions and firings, by time, user and name
  std::vector<std::string> answers;  // to each check
};

// kInvalid with `line N: …` when the text is no scenario.
Result<Scenario> ReadScenario(const std::string& text);

// Through the path that `attune replay` takes: admission, the bytes of the log, the engine.
Result<Outcome> RunEngine(const Scenario& scenario);
// The same events through the oracle, which knows no fates.
Result<Outcome> RunOracle(const Scenario& scenario);

}  // namespace attune::scenario

// Why an expression has the value it has for one user at one instant: the tree of what it is made of, with values, the
// events behind them, and when each will change by itself.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.h"
#include "engine/explain/witness.h"
#include "engine/state/keys.h"

namespace attune {

struct Explanation {
  struct Event {
    std::string id;
    Millis time;
    std::string step;           // of a sequence: the step that it is, as text
  };

  std::string text;             // the expression, with sugar undone
  std::string value;            // as JSON
  Millis until = kNever;        // the next instant at which the value is another if nothing happens
  bool moving = false;          // it changes with every millisecond
  bool incomplete = false;      // the plan's limit dropped events that it would have needed
  std::string missing;          // of a comparison of numbers that does not hold: how much more (or less) would do, as JSON
  std::string missing_step;     // of a sequence that did not come to its end: the step that its furthest run waits for
  // That made it: the latest first; of a sequence in the order of the steps, and of its matches. Of many the latest
  // kExplainedEvents, of matches as many whole ones.
  std::vector<Event> events;
  size_t event_count = 0;
  std::string key;                      // of a part of some or top: the key's value, as JSON
  std::optional<size_t> key_count;      // of some and top: how many keys there are
  std::optional<size_t> holding_count;  // of some: for how many of them it holds
  // Of some, the keys for which it holds, those seen last first, at most kExplainedKeys; of top, the keys listed. When
  // there is none of these, the key seen last.
  std::vector<Explanation> parts;
};
inline constexpr size_t kExplainedEvents = 100;
inline constexpr size_t kExplainedKeys = 10;

// Takes all records of one user, under any of the user's ids, and explains any instant. One thread.
class Explainer {
 public:
  // The expression must have been parsed against the plan; both must outlive this.
  Explainer(std::shared_ptr<const Plan> plan, const Expression& expression, std::string user);

  // An event's bytes (EncodeEvent).
  void Add(std::string_view bytes);

  bool has_records() const { return !records_.empty(); }
  // What is said at t, knowing all records given; those later than t are as if they had not come.
  Explanation At(Millis t);

 private:
  // An event that the user had done by the instant.
  struct Past {
    Millis time;
    std::string id;
    std::vector<uint32_t> selectors;  // those that select it, ascending
    std::vector<Stored> fields;       // by the program's numbers; null where it has none that the program reads
  };
  // What the nodes at hand are of: the program, or within a some(…) or top(…) one key.
  struct Scope {
    const Program& program;
    uint32_t keys = kNone;
    const Key* key = nullptr;
    Stored value;  // of the key
  };

  void TakeIn(const Record& record, std::string_view bytes);
  Explanation Explain(const Expression& expression, NodeId node, const Scope& scope);
  void ExplainKeys(const Expression& expression, uint32_t keys, const std::vector<Stored>& listed, Explanation* explanation);
  void AddEvents(const AggregateSpec& spec, const Scope& scope, Explanation* explanation);
  void AddRuns(const Expression& expression, const AggregateSpec& spec, const Scope& scope, Explanation* explanation);
  Timed Evaluate(NodeId node, const Scope& scope, Millis t);
  bool WindowOf(const AggregateSpec& spec, const Scope& scope, Millis* low, Millis* high);
  bool IsIn(const Scope& scope, const Past& event) const;
  Millis NextChange(NodeId node, const Scope& scope, const std::string& value);

  const Expression& expression_;
  const std::string user_;
  std::shared_ptr<const Program> program_;
  RecordReader reader_;
  std::vector<std::string> records_;
  // Of the instant asked about.
  Millis t_ = 0;
  std::unique_ptr<Engine> engine_;
  const UserState* state_ = nullptr;
  std::vector<Past> past_;  // by time, then log
  Interner interner_;       // of their fields
};

// As one JSON object, without the braces' neighbours; and as lines for a terminal.
std::string ExplanationJson(const Explanation& explanation);
std::string ExplanationText(const Explanation& explanation);

}  // namespace attune

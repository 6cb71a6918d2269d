// Explains why an expression has its value for one user at one instant: the tree of its parts with their values, the
// events behind them, and when each changes without an event.
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
    std::string step;           // of a sequence: the step that the event matched, as text
  };

  std::string text;             // the expression in full form
  std::string value;            // as JSON
  Millis until = kNever;        // the next instant at which the value differs if nothing happens
  bool moving = false;          // it changes with every millisecond
  bool incomplete = false;      // the plan's limit dropped events that it needs
  std::string missing;          // of a numeric comparison that is false: how much more (or less) is needed, as JSON
  std::string missing_step;     // of an incomplete sequence: the step that its furthest run waits for
  // The events that made the value: the latest first, or for a sequence in the order of steps and matches. At most the
  // latest kExplainedEvents; of matches only whole ones.
  std::vector<Event> events;
  size_t event_count = 0;
  std::string key;                      // of a part of some or top: the value of the key, as JSON
  std::optional<size_t> key_count;      // of some and top: the number of keys
  std::optional<size_t> holding_count;  // of some: the number of keys for which it holds
  // Of some: the keys for which it holds, those seen last first, at most kExplainedKeys. Of top: the keys listed. If
  // there are none, the key seen last.
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
  // Explains the value at t. Records later than t are ignored.
  Explanation At(Millis t);

 private:
  // An event of the user at or before the instant.
  struct Past {
    Millis time;
    std::string id;
    std::vector<uint32_t> selectors;  // that match it, ascending
    std::vector<Stored> fields;       // by the program's numbers; null for fields that are absent
  };
  // What the current nodes belong to: the program, or one key within a some(…) or top(…).
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
  // State for the explained instant.
  Millis t_ = 0;
  std::unique_ptr<Engine> engine_;
  const UserState* state_ = nullptr;
  std::vector<Past> past_;  // by time, then log
  Interner interner_;       // of their fields
};

// As one JSON object; and as lines for a terminal.
std::string ExplanationJson(const Explanation& explanation);
std::string ExplanationText(const Explanation& explanation);
// The text below a line with the user, as the caller named it, and the instant.
std::string ExplanationPage(std::string_view user, Millis at, const Explanation& explanation);

}  // namespace attune
